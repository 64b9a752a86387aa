#include "chunk_row.h"

enum {
    ARENA_BYTES =
        CHUNK_SNAPSHOTS_MAX * 4 + SNAPSHOT_TYPES_MAX * 40 + 4096, /* arrays of the widest */
    COLUMNS = 15,
};

/* ---- writing -------------------------------------------------------------------------------- */

static void append_times(struct buf *copy, struct buf *array, const struct chunk *chunk)
{
    pg_array_begin(array, PG_I32, chunk->snapshots);
    for (uint32_t i = 0; i < chunk->snapshots; i++)
        pg_array_i32(array, chunk->times_ms[i]);
    pg_array_bytes(copy, array->data, array->size);
}

static void append_first(struct buf *copy, struct buf *array, const struct chunk *chunk)
{
    pg_array_begin(array, PG_I64, chunk->types);
    for (uint32_t i = 0; i < chunk->types; i++)
        pg_array_i64(array, (int64_t)chunk->first[i].count);
    pg_array_bytes(copy, array->data, array->size);
    pg_array_begin(array, PG_I64, chunk->types);
    for (uint32_t i = 0; i < chunk->types; i++)
        pg_array_i64(array, (int64_t)chunk->first[i].bytes);
    pg_array_bytes(copy, array->data, array->size);
}

static void append_ends(struct buf *copy, struct buf *array, const struct chunk *chunk)
{
    pg_array_begin(array, PG_I32, chunk->types);
    for (uint32_t i = 0; i < chunk->types; i++)
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
    append_times(copy, &array, chunk);
    append_first(copy, &array, chunk);
    append_ends(copy, &array, chunk);
    pg_array_bytes(copy, chunk->process, chunk->process_size);
    pg_array_bytes(copy, chunk->payload, chunk->payload_size);
    buf_done(&array);
}

/* ---- reading -------------------------------------------------------------------------------- */

static const char chunk_sql[] =
    "SELECT times_ms, counts, bytes, ends, process, payload FROM heapfleet.heap_chunk "
    "WHERE service_id = $1 AND instance_id = $2 AND slot_ms = $3";

static enum status read_first(struct stored_chunk *stored, size_t types, struct chunk *ret,
                              struct why *why)
{
    int64_t *counts = NULL, *bytes = NULL;
    size_t count = 0, bytes_count = 0;
    enum status status =
        pg_i64_array(&stored->rows, 0, 1, types, &stored->arena, &counts, &count, why);
    if (status == STATUS_OK)
        status =
            pg_i64_array(&stored->rows, 0, 2, types, &stored->arena, &bytes, &bytes_count, why);
    if (status != STATUS_OK)
        return status;
    if (count != types || bytes_count != types)
        return why_fail(why, STATUS_FAILED, "a chunk's arrays have different lengths");
    struct type_value *first = arena_must(&stored->arena, types * sizeof(*first));
    for (size_t i = 0; i < types; i++)
        first[i] = (struct type_value){(uint64_t)counts[i], (uint64_t)bytes[i]};
    ret->first = first;
    return STATUS_OK;
}

static enum status read_columns(struct stored_chunk *stored, struct chunk *ret, struct why *why)
{
    int32_t *times = NULL, *ends = NULL;
    size_t snapshots = 0, types = 0;
    enum status status = pg_i32_array(&stored->rows, 0, 0, CHUNK_SNAPSHOTS_MAX, &stored->arena,
                                      &times, &snapshots, why);
    if (status == STATUS_OK)
        status = pg_i32_array(&stored->rows, 0, 3, SNAPSHOT_TYPES_MAX, &stored->arena, &ends,
                              &types, why);
    if (status == STATUS_OK)
        status = read_first(stored, types, ret, why);
    ret->times_ms = times;
    ret->ends = ends;
    ret->snapshots = (uint32_t)snapshots;
    ret->types = (uint32_t)types;
    ret->process = pg_bytes(&stored->rows, 0, 4, &ret->process_size);
    ret->payload = pg_bytes(&stored->rows, 0, 5, &ret->payload_size);
    return status;
}

enum status stored_chunk_open(struct db *db, int64_t service_id, int64_t instance_id,
                              int64_t slot_ms, struct stored_chunk *ret, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, service_id);
    pg_param_i64(&params, instance_id);
    pg_param_i64(&params, slot_ms);
    struct stored_chunk stored = {.reader = NULL};
    enum status status = pg_run(db->pg, chunk_sql, &params, &stored.rows, why);
    if (status != STATUS_OK)
        return status;
    arena_init(&stored.arena, ARENA_BYTES);
    struct chunk chunk = {.slot_ms = slot_ms};
    if (stored.rows.count == 0)
        status = why_fail(why, STATUS_NOT_FOUND, "there is no such chunk");
    else
        status = read_columns(&stored, &chunk, why);
    if (status == STATUS_OK)
        status = chunk_reader_new(&chunk, &stored.reader, why);
    if (status != STATUS_OK) {
        stored_chunk_done(&stored);
        return status == STATUS_INVALID ? STATUS_FAILED : status;
    }
    *ret = stored;
    return STATUS_OK;
}

void stored_chunk_done(struct stored_chunk *chunk)
{
    chunk_reader_free(chunk->reader);
    if (chunk->rows.result != NULL) {
        arena_done(&chunk->arena);
        pg_rows_done(&chunk->rows);
    }
    *chunk = (struct stored_chunk){.reader = NULL};
}
