/*
 * Walking a process's history: begin at the keyframe before the first one that lies within the
 * times, apply body after body, and show what lies within the times; end at the keyframe behind the
 * last one that does. "First" and "last" go by sequence, not by time, since a clock may be set
 * back.
 *
 * Rows come in pages, each a statement of its own, so that a long walk holds neither a transaction
 * nor much memory, and so that a visitor may use the same handle.
 */
#include "db.h"
#include "process_numbers.h"

enum { PAGE_ROWS = 1000 };

struct walk {
    struct heap_values values;
    uint64_t sequence; /* of `values`; 0: none */
    int broken;        /* `values` mean nothing until the next keyframe */
    int64_t from_ms, to_ms;
    history_visit_fn *visit;
    void *user;
    struct why *why;
};

static const char bounds_sql[] =
    "WITH k AS MATERIALIZED (SELECT sequence, time_ms FROM heapfleet.snap_delta "
    "    WHERE service_id = $1 AND instance_id = $2 AND base_sequence = 0) "
    "SELECT (SELECT max(sequence) FROM k WHERE sequence < coalesce("
    "            (SELECT min(sequence) FROM k WHERE time_ms >= $3), 9223372036854775807)), "
    "       (SELECT min(sequence) FROM k WHERE sequence > coalesce("
    "            (SELECT max(sequence) FROM k WHERE time_ms <= $4), 0))";

static enum status find_bounds(struct db *db, int64_t service_id, int64_t instance_id,
                               int64_t from_ms, int64_t to_ms, int64_t *ret_first, int64_t *ret_end,
                               struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, service_id);
    pg_param_i64(&params, instance_id);
    pg_param_i64(&params, from_ms);
    pg_param_i64(&params, to_ms);
    struct pg_rows rows;
    enum status status = pg_run(db->pg, bounds_sql, &params, &rows, why);
    if (status != STATUS_OK)
        return status;
    *ret_first = pg_i64(&rows, 0, 0);
    *ret_end = pg_is_null(&rows, 0, 1) ? INT64_MAX : pg_i64(&rows, 0, 1);
    pg_rows_done(&rows);
    return STATUS_OK;
}

static const char page_sql[] =
    "SELECT sequence, base_sequence, time_ms, process, body FROM heapfleet.snap_delta "
    "WHERE service_id = $1 AND instance_id = $2 AND sequence >= $3 AND sequence < $4 "
    "ORDER BY sequence LIMIT $5";

static enum status fetch_page(struct db *db, int64_t service_id, int64_t instance_id, int64_t first,
                              int64_t end, struct pg_rows *ret, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, service_id);
    pg_param_i64(&params, instance_id);
    pg_param_i64(&params, first);
    pg_param_i64(&params, end);
    pg_param_i64(&params, PAGE_ROWS);
    return pg_run(db->pg, page_sql, &params, ret, why);
}

/* 1 if `values` are those of the row now. */
static int decode_row(const struct pg_rows *rows, int row, struct walk *walk)
{
    uint64_t base = (uint64_t)pg_i64(rows, row, 1);
    size_t size;
    const uint8_t *body = pg_bytes(rows, row, 4, &size);
    if (base != 0 && (walk->broken || base != walk->sequence))
        walk->broken = 1;
    else
        walk->broken = snapshot_decode(body, size, &walk->values, NULL) != STATUS_OK;
    walk->sequence = (uint64_t)pg_i64(rows, row, 0);
    return !walk->broken;
}

static enum status visit_row(const struct pg_rows *rows, int row, struct walk *walk)
{
    int64_t time_ms = pg_i64(rows, row, 2);
    if (!decode_row(rows, row, walk) || time_ms < walk->from_ms || time_ms > walk->to_ms)
        return STATUS_OK;
    size_t size;
    const uint8_t *process = pg_bytes(rows, row, 3, &size);
    struct process_numbers numbers;
    enum status status = process_numbers_unpack(process, size, &numbers, walk->why);
    if (status != STATUS_OK)
        return STATUS_FAILED;
    struct history_snapshot snapshot = {
        .sequence = walk->sequence,
        .time_ms = time_ms,
        .values = &walk->values,
        .objects = numbers.of[PROCESS_OBJECTS],
        .bytes = numbers.of[PROCESS_BYTES],
        .rss_anon_bytes = numbers.of[PROCESS_RSS_ANON],
        .container_usage_bytes = numbers.of[PROCESS_CONTAINER_USAGE],
        .container_limit_bytes = numbers.of[PROCESS_CONTAINER_LIMIT],
        .cpu_ms = numbers.of[PROCESS_CPU_MS],
    };
    return walk->visit(walk->user, &snapshot);
}

enum status history_walk(struct db *db, int64_t service_id, int64_t instance_id, int64_t from_ms,
                         int64_t to_ms, history_visit_fn *visit, void *user, struct why *why)
{
    int64_t next = 0, end = 0;
    enum status status = find_bounds(db, service_id, instance_id, from_ms, to_ms, &next, &end, why);
    struct walk walk = {
        .broken = 1, .from_ms = from_ms, .to_ms = to_ms, .visit = visit, .user = user, .why = why};
    int more = 1;
    while (status == STATUS_OK && more) {
        struct pg_rows rows;
        status = fetch_page(db, service_id, instance_id, next, end, &rows, why);
        if (status != STATUS_OK)
            break;
        more = rows.count == PAGE_ROWS;
        for (int i = 0; i < rows.count && status == STATUS_OK; i++)
            status = visit_row(&rows, i, &walk);
        next = (int64_t)walk.sequence + 1;
        pg_rows_done(&rows);
    }
    heap_values_done(&walk.values);
    return status;
}
