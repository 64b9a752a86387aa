#include "compact_process.h"

#include <string.h>

#include "snapshot_codec.h"

/* ---- what is known -------------------------------------------------------------------------- */

static const char process_sql[] =
    "SELECT i.id, i.deployment_id, i.type_ids, l.sequence, l.body FROM heapfleet.instance i "
    "LEFT JOIN heapfleet.instance_last l ON l.service_id = i.service_id AND l.instance_id = i.id "
    "WHERE i.service_id = $1 AND i.id = ANY ($2) ORDER BY i.id";

enum status known_processes_read(struct known_processes *known, struct db *db, int64_t service_id,
                                 const int64_t *instance_ids, size_t count, struct why *why)
{
    known_processes_done(known);
    struct buf ids = BUF_INIT;
    pg_array_begin(&ids, PG_I64, count);
    for (size_t i = 0; i < count; i++)
        pg_array_i64(&ids, instance_ids[i]);
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, service_id);
    pg_param_array(&params, PG_I64, &ids);
    enum status status = pg_run(db->pg, process_sql, &params, &known->rows, why);
    buf_done(&ids);
    known->is_read = status == STATUS_OK;
    return status;
}

enum status known_processes_find(struct known_processes *known, int64_t instance_id,
                                 struct arena *arena, struct known_process *ret, struct why *why)
{
    const struct pg_rows *rows = &known->rows;
    while (known->is_read && known->at < rows->count && pg_i64(rows, known->at, 0) < instance_id)
        known->at++;
    int at = known->at;
    if (!known->is_read || at == rows->count || pg_i64(rows, at, 0) != instance_id)
        return STATUS_NOT_FOUND;
    struct known_process process = {.deployment_id = pg_i64(rows, at, 1)};
    enum status status = pg_i32_array(rows, at, 2, SNAPSHOT_TYPES_MAX, arena, &process.type_ids,
                                      &process.type_count, why);
    if (status != STATUS_OK)
        return status;
    if (!pg_is_null(rows, at, 3)) {
        process.last_sequence = (uint64_t)pg_i64(rows, at, 3);
        process.last_body = pg_bytes(rows, at, 4, &process.last_size);
    }
    *ret = process;
    return STATUS_OK;
}

void known_processes_done(struct known_processes *known)
{
    if (known->is_read)
        pg_rows_done(&known->rows);
    *known = (struct known_processes){.is_read = 0};
}

/* ---- newest snapshots ----------------------------------------------------------------------- */

/* In order of the processes, so that collectors that do other slots of the service take turns. */
static const char last_sql[] =
    "INSERT INTO heapfleet.instance_last AS l (service_id, instance_id, sequence, time_ms, "
    "interval_ms, process, body) SELECT $1, u.* FROM unnest($2, $3, $4, $5, $6, $7) AS u(id, "
    "sequence, time_ms, interval_ms, process, body) ORDER BY u.id "
    "ON CONFLICT (service_id, instance_id) DO UPDATE SET sequence = excluded.sequence, "
    "time_ms = excluded.time_ms, interval_ms = excluded.interval_ms, process = excluded.process, "
    "body = excluded.body WHERE l.sequence < excluded.sequence";

enum { LAST_NUMBERS = 4 };

struct last_row {
    int64_t numbers[LAST_NUMBERS];  /* instance, sequence, time, interval */
    size_t process_size, body_size; /* one behind the other in `bytes` */
};

void last_snapshots_add(struct last_snapshots *last, int64_t instance_id, uint64_t sequence,
                        int64_t time_ms, int64_t interval_ms, const struct buf *process,
                        const struct buf *body)
{
    struct last_row row = {.numbers = {instance_id, (int64_t)sequence, time_ms, interval_ms},
                           .process_size = process->size,
                           .body_size = body->size};
    buf_append(&last->rows, &row, sizeof(row));
    buf_append(&last->bytes, process->data, process->size);
    buf_append(&last->bytes, body->data, body->size);
}

size_t last_snapshots_bytes(const struct last_snapshots *last)
{
    return last->rows.size + last->bytes.size;
}

enum status last_snapshots_flush(struct last_snapshots *last, struct db *db, int64_t service_id,
                                 struct why *why)
{
    size_t count = last->rows.size / sizeof(struct last_row), at = 0;
    if (count == 0)
        return STATUS_OK;
    struct buf numbers[LAST_NUMBERS] = {BUF_INIT}, process = BUF_INIT, body = BUF_INIT;
    for (int n = 0; n < LAST_NUMBERS; n++)
        pg_array_begin(&numbers[n], PG_I64, count);
    pg_array_begin(&process, PG_BYTES, count);
    pg_array_begin(&body, PG_BYTES, count);
    for (size_t i = 0; i < count; i++) {
        struct last_row row;
        memcpy(&row, last->rows.data + i * sizeof(row), sizeof(row));
        for (int n = 0; n < LAST_NUMBERS; n++)
            pg_array_i64(&numbers[n], row.numbers[n]);
        pg_array_bytes(&process, last->bytes.data + at, row.process_size);
        at += row.process_size;
        pg_array_bytes(&body, last->bytes.data + at, row.body_size);
        at += row.body_size;
    }
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, service_id);
    for (int n = 0; n < LAST_NUMBERS; n++)
        pg_param_array(&params, PG_I64, &numbers[n]);
    pg_param_array(&params, PG_BYTES, &process);
    pg_param_array(&params, PG_BYTES, &body);
    enum status status = pg_run(db->pg, last_sql, &params, NULL, why);
    for (int n = 0; n < LAST_NUMBERS; n++)
        buf_done(&numbers[n]);
    buf_done(&process);
    buf_done(&body);
    buf_clear(&last->rows);
    buf_clear(&last->bytes);
    return status;
}

void last_snapshots_done(struct last_snapshots *last)
{
    buf_done(&last->rows);
    buf_done(&last->bytes);
}
