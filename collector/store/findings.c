/*
 * Findings of a service are replaced as a whole, under a lock on the service's row, so that two
 * collectors that sweep the same service take turns. What is open and found again keeps its first
 * sight; what is open and not found any more is closed; the rest is new.
 */
#include <string.h>

#include "db.h"

static const char close_sql[] = "UPDATE heapfleet.finding SET closed_ms = $2 "
                                "WHERE service_id = $1 AND closed_ms IS NULL AND type <> ALL ($3)";

static const char upsert_sql[] =
    "INSERT INTO heapfleet.finding AS f (service_id, type, first_seen_ms, last_seen_ms, severity, "
    "introduced_in, count_per_hour, bytes_per_hour, confidence, until_limit_ms, instances, "
    "companions) VALUES ($1, $2, $3, $3, $4, $5, $6, $7, $8, $9, $10, $11::jsonb) "
    "ON CONFLICT (service_id, type) WHERE closed_ms IS NULL DO UPDATE SET "
    "last_seen_ms = excluded.last_seen_ms, severity = excluded.severity, "
    "introduced_in = excluded.introduced_in, count_per_hour = excluded.count_per_hour, "
    "bytes_per_hour = excluded.bytes_per_hour, confidence = excluded.confidence, "
    "until_limit_ms = excluded.until_limit_ms, instances = excluded.instances, "
    "companions = excluded.companions";

static enum status lock_service(struct db *db, int64_t service_id, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, service_id);
    return pg_run(db->pg, "SELECT 1 FROM heapfleet.service WHERE id = $1 FOR UPDATE", &params, NULL,
                  why);
}

static enum status close_others(struct db *db, int64_t service_id, const struct finding_row *rows,
                                size_t count, int64_t now_ms, struct why *why)
{
    struct buf types = BUF_INIT;
    pg_array_begin(&types, PG_TEXT, count);
    for (size_t i = 0; i < count; i++)
        pg_array_text(&types, rows[i].type);
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, service_id);
    pg_param_i64(&params, now_ms);
    pg_param_array(&params, PG_TEXT, &types);
    enum status status = pg_run(db->pg, close_sql, &params, NULL, why);
    buf_done(&types);
    return status;
}

static enum status upsert(struct db *db, int64_t service_id, const struct finding_row *row,
                          int64_t now_ms, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, service_id);
    pg_param_text(&params, row->type);
    pg_param_i64(&params, now_ms);
    pg_param_text(&params, row->severity);
    pg_param_text(&params, row->introduced_in);
    pg_param_f64(&params, row->count_per_hour);
    pg_param_f64(&params, row->bytes_per_hour);
    pg_param_f64(&params, row->confidence);
    pg_param_i64(&params, row->until_limit_ms);
    pg_param_i32(&params, (int32_t)row->instances);
    pg_param_text(&params, row->companions_json);
    return pg_run(db->pg, upsert_sql, &params, NULL, why);
}

static enum status replace(struct db *db, int64_t service_id, const struct finding_row *rows,
                           size_t count, int64_t now_ms, struct why *why)
{
    enum status status = lock_service(db, service_id, why);
    if (status == STATUS_OK)
        status = close_others(db, service_id, rows, count, now_ms, why);
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = upsert(db, service_id, &rows[i], now_ms, why);
    return status;
}

enum status findings_replace(struct db *db, int64_t service_id, const struct finding_row *rows,
                             size_t count, int64_t now_ms, struct why *why)
{
    enum status status = pg_begin(db->pg, why);
    if (status == STATUS_OK)
        status = replace(db, service_id, rows, count, now_ms, why);
    if (status == STATUS_OK)
        status = pg_commit(db->pg, why);
    pg_rollback(db->pg);
    return status == STATUS_CONFLICT ? STATUS_FAILED : status;
}

/* ---- reading -------------------------------------------------------------------------------- */

static const char list_sql[] =
    "SELECT f.service_id, s.name, s.service_namespace, s.environment, f.type, f.severity, "
    "f.introduced_in, f.companions::text, f.count_per_hour, f.bytes_per_hour, f.confidence, "
    "f.first_seen_ms, f.last_seen_ms, f.until_limit_ms, f.instances "
    "FROM heapfleet.finding f JOIN heapfleet.service s ON s.id = f.service_id "
    "WHERE f.closed_ms IS NULL AND ($1 = 0 OR f.service_id = $1) "
    "ORDER BY f.bytes_per_hour DESC, s.name, f.type";

static enum status read_finding(const struct pg_rows *rows, int row, struct arena *arena,
                                struct finding_row *ret, struct why *why)
{
    enum { TEXTS = 7 };
    const char *texts[TEXTS];
    for (int i = 0; i < TEXTS; i++) {
        size_t size;
        const char *text = (const char *)pg_bytes(rows, row, i + 1, &size);
        texts[i] = arena_strndup(arena, text, size);
        if (texts[i] == NULL)
            return why_fail(why, STATUS_LIMIT, "the findings need too much memory");
    }
    *ret = (struct finding_row){
        .service_id = pg_i64(rows, row, 0),
        .service = texts[0],
        .service_namespace = texts[1],
        .environment = texts[2],
        .type = texts[3],
        .severity = texts[4],
        .introduced_in = texts[5],
        .companions_json = texts[6],
        .count_per_hour = pg_f64(rows, row, 8),
        .bytes_per_hour = pg_f64(rows, row, 9),
        .confidence = pg_f64(rows, row, 10),
        .first_seen_ms = pg_i64(rows, row, 11),
        .last_seen_ms = pg_i64(rows, row, 12),
        .until_limit_ms = pg_i64(rows, row, 13),
        .instances = (uint32_t)pg_i64(rows, row, 14),
    };
    return STATUS_OK;
}

static enum status read_findings(const struct pg_rows *rows, struct arena *arena,
                                 struct finding_row **ret, struct why *why)
{
    struct finding_row *list = arena_alloc(arena, (size_t)rows->count * sizeof(*list));
    if (list == NULL)
        return why_fail(why, STATUS_LIMIT, "the findings need too much memory");
    for (int i = 0; i < rows->count; i++) {
        enum status status = read_finding(rows, i, arena, &list[i], why);
        if (status != STATUS_OK)
            return status;
    }
    *ret = list;
    return STATUS_OK;
}

enum status findings_list(struct db *db, int64_t service_id, struct arena *arena,
                          struct finding_row **ret, size_t *ret_count, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, service_id);
    struct pg_rows rows;
    enum status status = pg_run(db->pg, list_sql, &params, &rows, why);
    if (status != STATUS_OK)
        return status;
    status = read_findings(&rows, arena, ret, why);
    if (status == STATUS_OK)
        *ret_count = (size_t)rows.count;
    pg_rows_done(&rows);
    return status;
}
