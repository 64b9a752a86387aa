/*
 * The tables are keyed (service, time, type, deployment), or by groups of 32 types, for writing
 * them in one go and for top lists. One type over a long time is therefore read by a probe for each
 * time, not by a scan of what lies between.
 */
#include "levels.h"

#include <stdlib.h>

#include "db.h"
#include "partitions.h"

enum { ROWS_MAX = 1000000 };

/* ---- how far ------------------------------------------------------------------------------- */

/* A slot that still lasts may have been compacted early, and one may have been written to since. */
static const char end_sql[] =
    "SELECT least(d.end_ms, $2 - mod($2, $3), (SELECT min(slot_ms) FROM heapfleet.compaction "
    "    WHERE service_id = $1 AND hot_rows <> compacted_rows)) "
    "FROM (SELECT max(slot_ms) + $3 AS end_ms FROM heapfleet.deployment_hour "
    "    WHERE service_id = $1) d WHERE d.end_ms IS NOT NULL";

enum status level_end(struct db *db, int64_t service_id, int64_t now_ms, int64_t *ret,
                      struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, service_id);
    pg_param_i64(&params, now_ms);
    pg_param_i64(&params, MS_PER_SLOT);
    struct pg_rows rows;
    enum status status = pg_run(db->pg, end_sql, &params, &rows, why);
    if (status != STATUS_OK)
        return status;
    *ret = rows.count > 0 ? pg_i64(&rows, 0, 0) : 0;
    pg_rows_done(&rows);
    return STATUS_OK;
}

enum status level_days_end(struct db *db, int64_t service_id, int64_t *ret, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, service_id);
    struct pg_rows rows;
    enum status status =
        pg_run(db->pg, "SELECT min(day_ms) FROM heapfleet.day_due WHERE service_id = $1", &params,
               &rows, why);
    if (status != STATUS_OK)
        return status;
    *ret = pg_is_null(&rows, 0, 0) ? INT64_MAX : pg_i64(&rows, 0, 0);
    pg_rows_done(&rows);
    return STATUS_OK;
}

/* ---- one type over time --------------------------------------------------------------------- */

/*
 * Hours of a deployment, all in one row, and four hours of the type in a deployment, as they come:
 * which belong together is found here. A join could be a loop in a loop to a planner that knows
 * little of the tables, and to sort and group them in the database takes longer than to read them.
 */
static const char type_hours_sql[] =
    "SELECT NULL::bigint, NULL::bigint, NULL::float8, NULL::float8, NULL::float8, NULL::float8, "
    "    NULL::float8, NULL::float8, NULL::float8, NULL::float8, string_agg(int8send(d.slot_ms) || "
    "    int8send(d.deployment_id) || int4send(d.hour) || int4send(d.instances), ''::bytea) "
    "FROM (SELECT slot_ms, deployment_id, hour, instances FROM heapfleet.deployment_hour "
    "    WHERE service_id = $1 AND slot_ms > $3 - 14400000 AND slot_ms < $4 LIMIT $5) d "
    "UNION ALL "
    "SELECT h.slot_ms, h.deployment_id, h.count_avg[p.n - 3]::float8, "
    "    h.count_avg[p.n - 2]::float8, h.count_avg[p.n - 1]::float8, h.count_avg[p.n]::float8, "
    "    h.bytes_avg[p.n - 3]::float8, h.bytes_avg[p.n - 2]::float8, "
    "    h.bytes_avg[p.n - 1]::float8, h.bytes_avg[p.n]::float8, NULL "
    "FROM generate_series($3 - mod($3, 14400000), $4 - 1, 14400000) s(slot_ms) "
    "JOIN heapfleet.hour_group h ON h.service_id = $1 AND h.slot_ms = s.slot_ms "
    "    AND h.type_group = $2 / 32 "
    "    AND h.slot_ms > $3 - 14400000 AND h.slot_ms < $4 " /* to choose partitions by */
    "CROSS JOIN LATERAL (SELECT 4 * array_position(h.type_ids, $2) AS n OFFSET 0) p "
    "WHERE p.n IS NOT NULL LIMIT $5";

enum { COLUMN_MEANS = 2, COLUMN_HOURS = 10, HOUR_BYTES = 8 + 8 + 4 + 4 };

static const char all_hours_sql[] =
    "SELECT slot_ms + (hour - 1) * 3600000, deployment_id, objects_avg, bytes_avg, instances "
    "FROM heapfleet.deployment_hour WHERE service_id = $1 AND $2 = 0 "
    "    AND slot_ms >= $3 - mod($3, 14400000) AND slot_ms < $4 "
    "    AND slot_ms + (hour - 1) * 3600000 >= $3 AND slot_ms + (hour - 1) * 3600000 < $4 "
    "ORDER BY 1, 2 LIMIT $5";

static const char type_days_sql[] =
    "SELECT s.day_ms, d.deployment_id, d.count_avg, d.bytes_avg, 0 "
    "FROM generate_series(($3 + 86399999) / 86400000 * 86400000, $4 - 1, 86400000) s(day_ms) "
    "JOIN heapfleet.heap_day d ON d.service_id = $1 AND d.day_ms = s.day_ms AND d.type_id = $2 "
    "    AND d.day_ms >= $3 AND d.day_ms < $4 "
    "ORDER BY 1, 2 LIMIT $5";

static const char all_days_sql[] =
    "SELECT day_ms, deployment_id, sum(count_avg), sum(bytes_avg), 0 "
    "FROM heapfleet.heap_day WHERE service_id = $1 AND $2 = 0 AND day_ms >= $3 AND day_ms < $4 "
    "GROUP BY 1, 2 ORDER BY 1, 2 LIMIT $5";

static enum status copy_rows(const struct pg_rows *rows, struct arena *arena,
                             struct level_row **ret, struct why *why)
{
    struct level_row *list = arena_alloc(arena, ((size_t)rows->count + 1) * sizeof(*list));
    if (list == NULL || rows->count >= ROWS_MAX)
        return store_too_large(why);
    for (int i = 0; i < rows->count; i++) {
        list[i] = (struct level_row){
            .time_ms = pg_i64(rows, i, 0),
            .deployment_id = pg_i64(rows, i, 1),
            .count = pg_f64(rows, i, 2),
            .bytes = pg_f64(rows, i, 3),
            .instances = (uint32_t)pg_i64(rows, i, 4),
        };
    }
    *ret = list;
    return STATUS_OK;
}

enum { SLOT_HOURS = MS_PER_SLOT / MS_PER_HOUR };

/* A slot's means of a type in a deployment. */
struct slot_means {
    int64_t slot_ms, deployment_id;
    struct {
        double count, bytes;
    } hours[SLOT_HOURS];
};

static int compare_places(int64_t left_ms, int64_t left_id, int64_t right_ms, int64_t right_id)
{
    if (left_ms != right_ms)
        return left_ms < right_ms ? -1 : 1;
    return (left_id > right_id) - (left_id < right_id);
}

static int compare_means(const void *left, const void *right)
{
    const struct slot_means *a = left, *b = right;
    return compare_places(a->slot_ms, a->deployment_id, b->slot_ms, b->deployment_id);
}

static int compare_rows(const void *left, const void *right)
{
    const struct level_row *a = left, *b = right;
    return compare_places(a->time_ms, a->deployment_id, b->time_ms, b->deployment_id);
}

static struct slot_means read_means(const struct pg_rows *rows, int row)
{
    struct slot_means ret = {.slot_ms = pg_i64(rows, row, 0),
                             .deployment_id = pg_i64(rows, row, 1)};
    for (int hour = 0; hour < SLOT_HOURS; hour++) {
        ret.hours[hour].count = pg_f64(rows, row, COLUMN_MEANS + hour);
        ret.hours[hour].bytes = pg_f64(rows, row, COLUMN_MEANS + SLOT_HOURS + hour);
    }
    return ret;
}

/* The row of hours has no slot. */
static size_t count_hours(const struct pg_rows *rows)
{
    size_t count = 0, size;
    for (int row = 0; row < rows->count; row++) {
        if (pg_is_null(rows, row, 0) && pg_bytes(rows, row, COLUMN_HOURS, &size) != NULL)
            count += size / HOUR_BYTES;
    }
    return count;
}

/* Those of the span go behind the hours that are there. */
static void read_hours(const struct pg_rows *rows, int row, const struct level_span *span,
                       struct level_row *ret, size_t *ret_count)
{
    size_t size;
    const uint8_t *at = pg_bytes(rows, row, COLUMN_HOURS, &size);
    for (const uint8_t *end = at + size; end - at >= HOUR_BYTES; at += HOUR_BYTES) {
        int64_t time_ms = pg_read_i64(at) + (pg_read_i32(at + 16) - 1) * MS_PER_HOUR;
        if (time_ms >= span->from_ms && time_ms < span->to_ms)
            ret[(*ret_count)++] = (struct level_row){.time_ms = time_ms,
                                                     .deployment_id = pg_read_i64(at + 8),
                                                     .instances = (uint32_t)pg_read_i32(at + 20)};
    }
}

/* The hours of the span go to `hours`, the type's means to `means`; both have room for all. */
static void part_hours(const struct pg_rows *rows, const struct level_span *span,
                       struct level_row *hours, size_t *ret_hours, struct slot_means *means,
                       size_t *ret_means)
{
    size_t hour_count = 0, mean_count = 0;
    for (int row = 0; row < rows->count; row++) {
        if (pg_is_null(rows, row, 0))
            read_hours(rows, row, span, hours, &hour_count);
        else
            means[mean_count++] = read_means(rows, row);
    }
    *ret_hours = hour_count;
    *ret_means = mean_count;
}

/* Both by time; a type that none of the processes had has no means. */
static void give_means(struct level_row *hours, size_t hour_count, const struct slot_means *means,
                       size_t mean_count)
{
    for (size_t i = 0; i < hour_count; i++) {
        struct level_row *row = &hours[i];
        int64_t since_ms = row->time_ms % MS_PER_SLOT;
        const struct slot_means key = {.slot_ms = row->time_ms - since_ms,
                                       .deployment_id = row->deployment_id};
        const struct slot_means *found =
            bsearch(&key, means, mean_count, sizeof(*means), compare_means);
        if (found == NULL)
            continue;
        row->count = found->hours[since_ms / MS_PER_HOUR].count;
        row->bytes = found->hours[since_ms / MS_PER_HOUR].bytes;
    }
}

static enum status merge_hours(const struct pg_rows *rows, const struct level_span *span,
                               struct arena *arena, struct level_row **ret, size_t *ret_count,
                               struct why *why)
{
    size_t most = count_hours(rows), hour_count = 0, mean_count = 0;
    struct level_row *hours = arena_alloc(arena, (most + 1) * sizeof(*hours));
    if (hours == NULL || rows->count >= ROWS_MAX || most >= ROWS_MAX)
        return store_too_large(why);
    struct slot_means *means = malloc(((size_t)rows->count + 1) * sizeof(*means));
    ASSERT(means != NULL);
    part_hours(rows, span, hours, &hour_count, means, &mean_count);
    qsort(hours, hour_count, sizeof(*hours), compare_rows);
    qsort(means, mean_count, sizeof(*means), compare_means);
    give_means(hours, hour_count, means, mean_count);
    free(means);
    *ret = hours;
    *ret_count = hour_count;
    return STATUS_OK;
}

static enum status ask_type(struct db *db, const char *sql, const struct level_span *span,
                            struct pg_rows *ret, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, span->service_id);
    pg_param_i32(&params, span->type_id);
    pg_param_i64(&params, span->from_ms);
    pg_param_i64(&params, span->to_ms);
    pg_param_i64(&params, ROWS_MAX);
    return pg_run(db->pg, sql, &params, ret, why);
}

static enum status read_type(struct db *db, const char *sql, const struct level_span *span,
                             struct arena *arena, struct level_row **ret, size_t *ret_count,
                             struct why *why)
{
    struct pg_rows rows;
    enum status status = ask_type(db, sql, span, &rows, why);
    if (status != STATUS_OK)
        return status;
    status = copy_rows(&rows, arena, ret, why);
    if (status == STATUS_OK)
        *ret_count = (size_t)rows.count;
    pg_rows_done(&rows);
    return status;
}

enum status level_hours(struct db *db, const struct level_span *span, struct arena *arena,
                        struct level_row **ret, size_t *ret_count, struct why *why)
{
    if (span->type_id == 0)
        return read_type(db, all_hours_sql, span, arena, ret, ret_count, why);
    struct pg_rows rows;
    enum status status = ask_type(db, type_hours_sql, span, &rows, why);
    if (status != STATUS_OK)
        return status;
    status = merge_hours(&rows, span, arena, ret, ret_count, why);
    pg_rows_done(&rows);
    return status;
}

enum status level_days(struct db *db, const struct level_span *span, struct arena *arena,
                       struct level_row **ret, size_t *ret_count, struct why *why)
{
    return read_type(db, span->type_id == 0 ? all_days_sql : type_days_sql, span, arena, ret,
                     ret_count, why);
}

/* ---- all types in one hour ------------------------------------------------------------------ */

static const char find_hour_sql[] =
    "SELECT h.time_ms FROM (SELECT slot_ms + (hour - 1) * 3600000 AS time_ms "
    "    FROM heapfleet.deployment_hour WHERE service_id = $1 AND ($2 = 0 OR deployment_id = $2) "
    "    AND slot_ms > $3 - 14400000 AND slot_ms < $4) h WHERE h.time_ms >= $3 AND h.time_ms < $4 "
    "ORDER BY CASE WHEN $5 = 0 THEN h.time_ms ELSE -h.time_ms END LIMIT 1";

enum status level_find_hour(struct db *db, int64_t service_id, int64_t deployment_id,
                            int64_t from_ms, int64_t to_ms, int last, int64_t *ret, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, service_id);
    pg_param_i64(&params, deployment_id);
    pg_param_i64(&params, from_ms);
    pg_param_i64(&params, to_ms);
    pg_param_i32(&params, last);
    struct pg_rows rows;
    enum status status = pg_run(db->pg, find_hour_sql, &params, &rows, why);
    if (status != STATUS_OK)
        return status;
    *ret = rows.count > 0 ? pg_i64(&rows, 0, 0) : -1;
    pg_rows_done(&rows);
    return STATUS_OK;
}

static const char hour_deployments_sql[] =
    "SELECT deployment_id, instances, snapshots FROM heapfleet.deployment_hour "
    "WHERE service_id = $1 AND slot_ms = $2 AND hour = $3";

static const char hour_types_sql[] =
    "SELECT t.type_id, g.deployment_id, g.count_avg[4 * t.n - 4 + $3]::float8, "
    "    g.bytes_avg[4 * t.n - 4 + $3]::float8 "
    "FROM heapfleet.hour_group g, unnest(g.type_ids) WITH ORDINALITY t(type_id, n) "
    "WHERE g.service_id = $1 AND g.slot_ms = $2 AND g.count_avg[4 * t.n - 4 + $3] IS NOT NULL "
    "LIMIT $4";

static enum status copy_deployments(const struct pg_rows *rows, struct arena *arena,
                                    struct level_hour *ret, struct why *why)
{
    struct level_deployment *list = arena_alloc(arena, ((size_t)rows->count + 1) * sizeof(*list));
    if (list == NULL)
        return store_too_large(why);
    for (int i = 0; i < rows->count; i++)
        list[i] = (struct level_deployment){pg_i64(rows, i, 0), (uint32_t)pg_i64(rows, i, 1),
                                            (uint32_t)pg_i64(rows, i, 2)};
    ret->deployments = list;
    ret->deployment_count = (size_t)rows->count;
    return STATUS_OK;
}

static enum status copy_types(const struct pg_rows *rows, struct arena *arena,
                              struct level_hour *ret, struct why *why)
{
    struct level_type *list = arena_alloc(arena, ((size_t)rows->count + 1) * sizeof(*list));
    if (list == NULL || rows->count >= ROWS_MAX)
        return store_too_large(why);
    for (int i = 0; i < rows->count; i++)
        list[i] = (struct level_type){(int32_t)pg_i64(rows, i, 0), pg_i64(rows, i, 1),
                                      pg_f64(rows, i, 2), pg_f64(rows, i, 3)};
    ret->types = list;
    ret->type_count = (size_t)rows->count;
    return STATUS_OK;
}

enum status level_hour_read(struct db *db, int64_t service_id, int64_t hour_ms, struct arena *arena,
                            struct level_hour *ret, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    struct level_hour hour = {0};
    int64_t slot_ms = hour_ms - hour_ms % MS_PER_SLOT;
    pg_param_i64(&params, service_id);
    pg_param_i64(&params, slot_ms);
    pg_param_i32(&params, (int32_t)((hour_ms - slot_ms) / MS_PER_HOUR) + 1);
    struct pg_rows rows;
    enum status status = pg_run(db->pg, hour_deployments_sql, &params, &rows, why);
    if (status != STATUS_OK)
        return status;
    status = copy_deployments(&rows, arena, &hour, why);
    pg_rows_done(&rows);
    if (status != STATUS_OK)
        return status;
    pg_param_i64(&params, ROWS_MAX);
    status = pg_run(db->pg, hour_types_sql, &params, &rows, why);
    if (status != STATUS_OK)
        return status;
    status = copy_types(&rows, arena, &hour, why);
    pg_rows_done(&rows);
    if (status == STATUS_OK)
        *ret = hour;
    return status;
}
