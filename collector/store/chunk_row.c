#include "chunk_row.h"

#include <stdlib.h>
#include <string.h>

enum {
    ARENA_BYTES =
        CHUNK_SNAPSHOTS_MAX * 4 + SNAPSHOT_TYPES_MAX * 40 + 4096, /* arrays of the widest */
    COLUMNS = 14,
};

/* ---- writing -------------------------------------------------------------------------------- */

static void append_ends(struct buf *copy, struct buf *array, const struct chunk *chunk)
{
    pg_array_begin(array, PG_I32, chunk->end_count);
    for (uint32_t i = 0; i < chunk->end_count; i++)
        pg_array_i32(array, chunk->ends[i]);
    pg_array_bytes(copy, array->data, array->size);
}

void chunk_row_append(struct buf *copy, int64_t service_id, int64_t instance_id,
                      const struct chunk *chunk, const struct chunk_snapshot *first,
                      const struct chunk_snapshot *last)
{
    const int64_t numbers[] = {
        service_id,
        instance_id,
        chunk->slot_ms,
        (int64_t)first->sequence,
        (int64_t)last->sequence,
        (int64_t)first->process.of[PROCESS_OBJECTS],
        (int64_t)last->process.of[PROCESS_OBJECTS],
        (int64_t)first->process.of[PROCESS_BYTES],
        (int64_t)last->process.of[PROCESS_BYTES],
    };
    struct buf array = BUF_INIT;
    pg_copy_row(copy, COLUMNS);
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        pg_array_i64(copy, numbers[i]);
    pg_array_i32(copy, (int32_t)chunk->format);
    append_ends(copy, &array, chunk);
    pg_array_bytes(copy, chunk->times, chunk->times_size);
    pg_array_bytes(copy, chunk->process, chunk->process_size);
    pg_array_bytes(copy, chunk->payload, chunk->payload_size);
    buf_done(&array);
}

/* ---- reading -------------------------------------------------------------------------------- */

static const char chunk_sql[] = "SELECT " CHUNK_COLUMNS " FROM heapfleet.heap_chunk "
                                "WHERE service_id = $1 AND instance_id = $2 AND slot_ms = $3";

enum { FORMAT, ENDS, TIMES, PROCESS, PAYLOAD, TIMES_MS, COUNTS, BYTES }; /* CHUNK_COLUMNS */

static enum status read_first(const struct pg_rows *rows, int row, int column, size_t types,
                              struct arena *arena, struct chunk *ret, struct why *why)
{
    int64_t *counts = NULL, *bytes = NULL;
    size_t count = 0, bytes_count = 0;
    enum status status =
        pg_i64_array(rows, row, column + COUNTS, types, arena, &counts, &count, why);
    if (status == STATUS_OK)
        status = pg_i64_array(rows, row, column + BYTES, types, arena, &bytes, &bytes_count, why);
    if (status != STATUS_OK)
        return status;
    if (count != types || bytes_count != types)
        return why_fail(why, STATUS_FAILED, "a chunk's arrays have different lengths");
    struct type_value *first = arena_must(arena, types * sizeof(*first));
    for (size_t i = 0; i < types; i++)
        first[i] = (struct type_value){(uint64_t)counts[i], (uint64_t)bytes[i]};
    ret->first = first;
    return STATUS_OK;
}

static enum status read_arrays(const struct pg_rows *rows, int row, int column, struct arena *arena,
                               struct chunk *ret, struct why *why)
{
    int32_t *times = NULL;
    size_t snapshots = 0;
    enum status status = pg_i32_array(rows, row, column + TIMES_MS, CHUNK_SNAPSHOTS_MAX, arena,
                                      &times, &snapshots, why);
    if (status == STATUS_OK)
        status = read_first(rows, row, column, ret->end_count, arena, ret, why);
    ret->times_ms = times;
    ret->snapshots = (uint32_t)snapshots;
    return status;
}

static void copy_blobs(const struct pg_rows *rows, int row, int column, struct stored_chunk *stored,
                       struct chunk *ret)
{
    const uint8_t *times = pg_bytes(rows, row, column + TIMES, &ret->times_size);
    const uint8_t *process = pg_bytes(rows, row, column + PROCESS, &ret->process_size);
    const uint8_t *payload = pg_bytes(rows, row, column + PAYLOAD, &ret->payload_size);
    stored->blobs = malloc(ret->times_size + ret->process_size + ret->payload_size + 1);
    ASSERT(stored->blobs != NULL);
    uint8_t *process_copy = stored->blobs + ret->times_size;
    uint8_t *payload_copy = process_copy + ret->process_size;
    memcpy(stored->blobs, times, ret->times_size);
    memcpy(process_copy, process, ret->process_size);
    memcpy(payload_copy, payload, ret->payload_size);
    ret->times = stored->blobs;
    ret->process = process_copy;
    ret->payload = payload_copy;
}

static enum status read_columns(const struct pg_rows *rows, int row, int column,
                                struct stored_chunk *stored, struct chunk *ret, struct why *why)
{
    int32_t *ends = NULL;
    size_t end_count = 0;
    enum status status = pg_i32_array(rows, row, column + ENDS, SNAPSHOT_TYPES_MAX, &stored->arena,
                                      &ends, &end_count, why);
    ret->format = (int)pg_i64(rows, row, column + FORMAT);
    ret->ends = ends;
    ret->end_count = (uint32_t)end_count;
    if (status == STATUS_OK && ret->format == CHUNK_ARRAYS)
        status = read_arrays(rows, row, column, &stored->arena, ret, why);
    copy_blobs(rows, row, column, stored, ret);
    return status;
}

static enum status read_times_array(const struct pg_rows *rows, int row, int column,
                                    struct type_value **ret, uint32_t *ret_snapshots,
                                    struct why *why)
{
    struct arena arena;
    int32_t *times = NULL;
    size_t snapshots = 0;
    arena_init(&arena, ARENA_BYTES);
    enum status status =
        pg_i32_array(rows, row, column, CHUNK_SNAPSHOTS_MAX, &arena, &times, &snapshots, why);
    if (status == STATUS_OK && snapshots == 0)
        status = why_fail(why, STATUS_FAILED, "a chunk has no snapshots");
    if (status == STATUS_OK) {
        struct type_value *values = calloc(snapshots + 1, sizeof(*values));
        ASSERT(values != NULL);
        for (size_t i = 0; i < snapshots; i++)
            values[i].bytes = (uint64_t)times[i];
        *ret = values;
        *ret_snapshots = (uint32_t)snapshots;
    }
    arena_done(&arena);
    return status;
}

enum status stored_times_read(const struct pg_rows *rows, int row, int column,
                              struct type_value **ret, uint32_t *ret_snapshots, struct why *why)
{
    if (pg_i64(rows, row, column) == CHUNK_ARRAYS)
        return read_times_array(rows, row, column + 1, ret, ret_snapshots, why);
    size_t size;
    const uint8_t *times = pg_bytes(rows, row, column + 2, &size);
    return chunk_read_times(times, size, ret, ret_snapshots, why) == STATUS_OK ? STATUS_OK
                                                                               : STATUS_FAILED;
}

enum status stored_chunk_read(const struct pg_rows *rows, int row, int column, int64_t slot_ms,
                              struct stored_chunk *ret, struct why *why)
{
    struct stored_chunk stored = {.reader = NULL};
    struct chunk chunk = {.slot_ms = slot_ms};
    arena_init(&stored.arena, ARENA_BYTES);
    enum status status = read_columns(rows, row, column, &stored, &chunk, why);
    if (status == STATUS_OK)
        status = chunk_reader_new(&chunk, &stored.reader, why);
    if (status != STATUS_OK) {
        stored_chunk_done(&stored);
        return status == STATUS_INVALID ? STATUS_FAILED : status;
    }
    *ret = stored;
    return STATUS_OK;
}

enum status stored_chunk_open(struct db *db, int64_t service_id, int64_t instance_id,
                              int64_t slot_ms, struct stored_chunk *ret, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, service_id);
    pg_param_i64(&params, instance_id);
    pg_param_i64(&params, slot_ms);
    struct pg_rows rows;
    enum status status = pg_run(db->pg, chunk_sql, &params, &rows, why);
    if (status != STATUS_OK)
        return status;
    if (rows.count == 0)
        status = why_fail(why, STATUS_NOT_FOUND, "there is no such chunk");
    else
        status = stored_chunk_read(&rows, 0, 0, slot_ms, ret, why);
    pg_rows_done(&rows);
    return status;
}

void stored_chunk_done(struct stored_chunk *chunk)
{
    if (chunk->blobs == NULL)
        return;
    chunk_reader_free(chunk->reader);
    arena_done(&chunk->arena);
    free(chunk->blobs);
    *chunk = (struct stored_chunk){.reader = NULL};
}
