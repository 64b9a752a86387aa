/* Rows of heapfleet.heap_chunk as an older collector left them. Uses the module store. */
#ifndef TESTS_SUPPORT_OLD_CHUNK_ROWS_H
#define TESTS_SUPPORT_OLD_CHUNK_ROWS_H

#include "chunk_row.h"
#include "old_chunk.h"
#include "store_scene.h"

enum { OLD_SNAPSHOTS_MAX = 4096 };

struct old_history {
    uint32_t count;
    struct chunk_snapshot heads[OLD_SNAPSHOTS_MAX];
    struct heap_values values[OLD_SNAPSHOTS_MAX];
};

static inline void old_history_read(struct chunk_reader *reader, struct old_history *ret)
{
    const struct chunk_snapshot *head;
    *ret = (struct old_history){.count = 0};
    while ((head = chunk_reader_peek(reader)) != NULL) {
        ASSERT(ret->count < OLD_SNAPSHOTS_MAX);
        ret->heads[ret->count] = *head;
        OK(chunk_reader_next(reader, &why));
        heap_values_copy(&ret->values[ret->count++], chunk_reader_values(reader));
    }
}

static inline void old_chunk_store(struct db *db, int64_t service_id, int64_t instance_id,
                                   const struct chunk *chunk)
{
    struct buf arrays[4] = {BUF_INIT};
    struct pg_params params = PG_PARAMS_INIT;
    pg_array_begin(&arrays[0], PG_I32, chunk->snapshots);
    for (uint32_t i = 0; i < chunk->snapshots; i++)
        pg_array_i32(&arrays[0], chunk->times_ms[i]);
    pg_array_begin(&arrays[1], PG_I64, chunk->end_count);
    pg_array_begin(&arrays[2], PG_I64, chunk->end_count);
    pg_array_begin(&arrays[3], PG_I32, chunk->end_count);
    for (uint32_t i = 0; i < chunk->end_count; i++) {
        pg_array_i64(&arrays[1], (int64_t)chunk->first[i].count);
        pg_array_i64(&arrays[2], (int64_t)chunk->first[i].bytes);
        pg_array_i32(&arrays[3], chunk->ends[i]);
    }
    pg_param_i64(&params, service_id);
    pg_param_i64(&params, instance_id);
    pg_param_i64(&params, chunk->slot_ms);
    pg_param_array(&params, PG_I32, &arrays[0]);
    pg_param_array(&params, PG_I64, &arrays[1]);
    pg_param_array(&params, PG_I64, &arrays[2]);
    pg_param_array(&params, PG_I32, &arrays[3]);
    pg_param_bytes(&params, chunk->process, chunk->process_size);
    pg_param_bytes(&params, chunk->payload, chunk->payload_size);
    OK(pg_run(db->pg,
              "UPDATE heapfleet.heap_chunk SET format = 1, times = NULL, times_ms = $4, "
              "counts = $5, bytes = $6, ends = $7, process = $8, payload = $9 "
              "WHERE service_id = $1 AND instance_id = $2 AND slot_ms = $3",
              &params, NULL, &why));
    for (size_t i = 0; i < ARRAY_SIZE(arrays); i++)
        buf_done(&arrays[i]);
}

static inline void old_chunk_replace(struct db *db, int64_t service_id, int64_t instance_id,
                                     int64_t slot_ms)
{
    struct stored_chunk stored;
    struct old_chunk old;
    struct old_history *history = malloc(sizeof(*history));
    ASSERT(history != NULL);
    OK(stored_chunk_open(db, service_id, instance_id, slot_ms, &stored, &why));
    old_history_read(stored.reader, history);
    old_chunk_make(&old, slot_ms, history->heads, history->values, history->count);
    old_chunk_store(db, service_id, instance_id, &old.chunk);
    for (uint32_t i = 0; i < history->count; i++)
        heap_values_done(&history->values[i]);
    free(history);
    old_chunk_done(&old);
    stored_chunk_done(&stored);
}

/* Of every other slot, of all services; how many. */
static inline int old_chunks_make(struct db *db)
{
    struct pg_rows rows;
    OK(pg_run(db->pg,
              "SELECT service_id, instance_id, slot_ms FROM heapfleet.heap_chunk "
              "WHERE format = 2 AND mod(slot_ms / 14400000, 2) = 0",
              NULL, &rows, &why));
    int count = rows.count;
    for (int i = 0; i < count; i++)
        old_chunk_replace(db, pg_i64(&rows, i, 0), pg_i64(&rows, i, 1), pg_i64(&rows, i, 2));
    pg_rows_done(&rows);
    return count;
}

#endif
