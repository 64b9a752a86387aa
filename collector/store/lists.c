/* Services, deployments and instances, as lists in the caller's arena. */
#include <string.h>

#include "db.h"
#include "newest.h"
#include "process_numbers.h"

enum status store_too_large(struct why *why)
{
    return why_fail(why, STATUS_LIMIT, "the list does not fit the memory set aside for it");
}

const char *store_copy_text(const struct pg_rows *rows, int row, int column, struct arena *arena)
{
    size_t size;
    const char *text = (const char *)pg_bytes(rows, row, column, &size);
    return arena_strndup(arena, text, size);
}

/* ---- services ------------------------------------------------------------------------------- */

static enum status read_services(const struct pg_rows *rows, struct arena *arena,
                                 struct service_row **ret, struct why *why)
{
    struct service_row *list = arena_alloc(arena, (size_t)rows->count * sizeof(*list));
    if (list == NULL)
        return store_too_large(why);
    for (int i = 0; i < rows->count; i++) {
        list[i].id = pg_i64(rows, i, 0);
        list[i].name = store_copy_text(rows, i, 1, arena);
        list[i].service_namespace = store_copy_text(rows, i, 2, arena);
        list[i].environment = store_copy_text(rows, i, 3, arena);
        if (list[i].name == NULL || list[i].service_namespace == NULL ||
            list[i].environment == NULL)
            return store_too_large(why);
    }
    *ret = list;
    return STATUS_OK;
}

enum status service_list(struct db *db, struct arena *arena, struct service_row **ret,
                         size_t *ret_count, struct why *why)
{
    struct pg_rows rows;
    enum status status = pg_run(db->pg,
                                "SELECT id, name, service_namespace, environment "
                                "FROM heapfleet.service ORDER BY 2, 4, 3",
                                NULL, &rows, why);
    if (status != STATUS_OK)
        return status;
    status = read_services(&rows, arena, ret, why);
    if (status == STATUS_OK)
        *ret_count = (size_t)rows.count;
    pg_rows_done(&rows);
    return status;
}

/* ---- deployments ---------------------------------------------------------------------------- */

static enum status read_deployments(const struct pg_rows *rows, struct arena *arena,
                                    struct deployment_row **ret, struct why *why)
{
    struct deployment_row *list = arena_alloc(arena, (size_t)rows->count * sizeof(*list));
    if (list == NULL)
        return store_too_large(why);
    for (int i = 0; i < rows->count; i++) {
        list[i] = (struct deployment_row){
            .id = pg_i64(rows, i, 0),
            .version = store_copy_text(rows, i, 1, arena),
            .first_seen_ms = pg_i64(rows, i, 2),
        };
        if (list[i].version == NULL)
            return store_too_large(why);
    }
    *ret = list;
    return STATUS_OK;
}

static const char versions_sql[] =
    "SELECT d.id, d.version, coalesce((SELECT min(i.started_ms) FROM heapfleet.instance i "
    "    WHERE i.service_id = $1 AND i.deployment_id = d.id), 0) "
    "FROM heapfleet.deployment d WHERE d.service_id = $1 ORDER BY 3, 1";

static const char deployment_names_sql[] =
    "SELECT d.id, d.version, 0::bigint "
    "FROM heapfleet.deployment d WHERE d.service_id = $1 ORDER BY 1";

static enum status list_deployments(struct db *db, const char *sql, int64_t service_id,
                                    struct arena *arena, struct deployment_row **ret,
                                    size_t *ret_count, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, service_id);
    struct pg_rows rows;
    enum status status = pg_run(db->pg, sql, &params, &rows, why);
    if (status != STATUS_OK)
        return status;
    status = read_deployments(&rows, arena, ret, why);
    if (status == STATUS_OK)
        *ret_count = (size_t)rows.count;
    pg_rows_done(&rows);
    return status;
}

enum status deployment_versions(struct db *db, int64_t service_id, struct arena *arena,
                                struct deployment_row **ret, size_t *ret_count, struct why *why)
{
    return list_deployments(db, versions_sql, service_id, arena, ret, ret_count, why);
}

enum status deployment_names(struct db *db, int64_t service_id, struct arena *arena,
                             struct deployment_row **ret, size_t *ret_count, struct why *why)
{
    return list_deployments(db, deployment_names_sql, service_id, arena, ret, ret_count, why);
}

/* ---- instances ------------------------------------------------------------------------------ */

/* $2 as instance_filter's of_type, of processes that meet the condition. */
#define INSTANCES(condition)                                                                       \
    NEWEST_HOT                                                                                     \
    "SELECT i.id, i.deployment_id, i.uuid, i.started_ms, " ENDED_MS ", "                           \
    "i.end_reason = 'oom_killed', n.time_ms, n.interval_ms, n.process, i.clock_behind_ms, "        \
    "CASE WHEN $2 = 0 THEN i.type_ids END, "                                                       \
    "CASE WHEN $2 > 0 " condition " THEN array_position(i.type_ids, $2) END "                      \
    "FROM heapfleet.instance i " NEWEST_JOINS

static const char instances_sql[] =
    INSTANCES("") "WHERE i.service_id = $1 AND ($3 = 0 OR (coalesce(i.ended_ms, $3) >= $3 "
                  "    AND coalesce(n.time_ms, i.started_ms) >= $3)) "
                  "ORDER BY i.started_ms, i.id";

/* A process that ended half a day before is not seen, if nothing was compacted that is younger than
 * its end. */
static const char some_instances_sql[] =
    INSTANCES("AND ($5 = 0 OR n.time_ms >= $5)") "WHERE i.service_id = $1 AND (cardinality($4) = 0 "
                                                 "OR i.deployment_id = ANY ($4)) "
                                                 "AND ($3 = 0 OR (n.time_ms >= $3 AND NOT "
                                                 "coalesce(i.ended_ms < $3 - 43200000 "
                                                 "    AND l.time_ms <= i.ended_ms, false))) "
                                                 "ORDER BY i.started_ms, i.id";

/*
 * $2 from, $3 living from, $4 kept, $5 how many. No scan of the service's processes: of those that
 * ended months ago there may be millions.
 */
static const char judged_sql[] = NEWEST_HOT
    ", wanted AS ((SELECT id FROM heapfleet.instance WHERE service_id = $1 "
    "        ORDER BY id DESC LIMIT 16384) UNION SELECT id FROM hot UNION SELECT unnest($4)), "
    "seen AS (SELECT i.id, i.deployment_id, i.uuid, i.started_ms, " ENDED_MS " AS ended_ms, "
    "        i.end_reason = 'oom_killed' AS oom_killed, n.time_ms, n.interval_ms, n.process, "
    "        i.clock_behind_ms, CASE WHEN i.id = ANY ($4) THEN 0 "
    "            WHEN (" ENDED_MS ") IS NULL AND n.time_ms >= $3 THEN 1 ELSE 2 END AS rank "
    "    FROM wanted w JOIN heapfleet.instance i ON i.service_id = $1 AND i.id = w.id " NEWEST_JOINS
    "    WHERE coalesce(i.ended_ms, $2) >= $2 AND coalesce(n.time_ms, i.started_ms) >= $2), "
    "placed AS (SELECT seen.*, row_number() OVER (PARTITION BY deployment_id, rank "
    "        ORDER BY CASE WHEN rank = 2 THEN -time_ms ELSE started_ms END, id) AS place "
    "    FROM seen), "
    "judged AS (SELECT * FROM placed ORDER BY rank, place, id LIMIT $5) "
    "SELECT id, deployment_id, uuid, started_ms, ended_ms, oom_killed, time_ms, interval_ms, "
    "    process, clock_behind_ms, NULL::integer[], NULL::integer "
    "FROM judged ORDER BY started_ms, id";

static const char types_sql[] = "SELECT i.id, i.type_ids FROM heapfleet.instance i "
                                "WHERE i.service_id = $1 AND i.id = ANY ($2) ORDER BY i.id";

static enum status read_instance(const struct pg_rows *rows, int row, struct arena *arena,
                                 struct instance_row *ret, struct why *why)
{
    int32_t *type_ids = NULL;
    size_t type_count = 0, uuid_size;
    const uint8_t *uuid = pg_bytes(rows, row, 2, &uuid_size);
    if (uuid_size != ID_BYTES)
        return why_fail(why, STATUS_FAILED, "heapfleet.instance.uuid is not a uuid");
    enum status status = STATUS_OK;
    if (!pg_is_null(rows, row, 10))
        status =
            pg_i32_array(rows, row, 10, SNAPSHOT_TYPES_MAX, arena, &type_ids, &type_count, why);
    struct process_numbers numbers = {{0}};
    if (status == STATUS_OK && !pg_is_null(rows, row, 8)) {
        size_t size;
        const uint8_t *process = pg_bytes(rows, row, 8, &size);
        status = process_numbers_unpack(process, size, &numbers, why);
    }
    if (status != STATUS_OK)
        return status;
    *ret = (struct instance_row){
        .id = pg_i64(rows, row, 0),
        .deployment_id = pg_i64(rows, row, 1),
        .started_ms = pg_i64(rows, row, 3),
        .ended_ms = pg_i64(rows, row, 4),
        .oom_killed = pg_i64(rows, row, 5) != 0,
        .last_seen_ms = pg_i64(rows, row, 6),
        .interval_ms = pg_i64(rows, row, 7),
        .clock_behind_ms = pg_i64(rows, row, 9),
        .objects = numbers.of[PROCESS_OBJECTS],
        .bytes = numbers.of[PROCESS_BYTES],
        .type_count = (uint32_t)type_count,
        .type_ids = type_ids,
        .type_index = pg_is_null(rows, row, 11) ? UINT32_MAX : (uint32_t)pg_i64(rows, row, 11) - 1,
    };
    memcpy(ret->uuid, uuid, ID_BYTES);
    return STATUS_OK;
}

static enum status read_instances(const struct pg_rows *rows, struct arena *arena,
                                  struct instance_row **ret, struct why *why)
{
    struct instance_row *list = arena_alloc(arena, (size_t)rows->count * sizeof(*list));
    if (list == NULL)
        return store_too_large(why);
    for (int i = 0; i < rows->count; i++) {
        enum status status = read_instance(rows, i, arena, &list[i], why);
        if (status != STATUS_OK)
            return status;
    }
    *ret = list;
    return STATUS_OK;
}

static enum status list_instances(struct db *db, const char *sql, const struct pg_params *params,
                                  struct arena *arena, struct instance_row **ret, size_t *ret_count,
                                  struct why *why)
{
    struct pg_rows rows;
    enum status status = pg_run(db->pg, sql, params, &rows, why);
    if (status != STATUS_OK)
        return status;
    status = read_instances(&rows, arena, ret, why);
    if (status == STATUS_OK)
        *ret_count = (size_t)rows.count;
    pg_rows_done(&rows);
    return status;
}

enum status instance_list(struct db *db, int64_t service_id, int64_t from_ms, struct arena *arena,
                          struct instance_row **ret, size_t *ret_count, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, service_id);
    pg_param_i32(&params, 0);
    pg_param_i64(&params, from_ms);
    return list_instances(db, instances_sql, &params, arena, ret, ret_count, why);
}

enum status instance_list_some(struct db *db, int64_t service_id,
                               const struct instance_filter *filter, struct arena *arena,
                               struct instance_row **ret, size_t *ret_count, struct why *why)
{
    struct buf deployments = BUF_INIT;
    pg_array_begin(&deployments, PG_I64, filter->deployment_count);
    for (size_t i = 0; i < filter->deployment_count; i++)
        pg_array_i64(&deployments, filter->deployment_ids[i]);
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, service_id);
    pg_param_i32(&params, filter->of_type);
    pg_param_i64(&params, filter->seen_from_ms);
    pg_param_array(&params, PG_I64, &deployments);
    pg_param_i64(&params, filter->of_type_from_ms);
    enum status status =
        list_instances(db, some_instances_sql, &params, arena, ret, ret_count, why);
    buf_done(&deployments);
    return status;
}

static void put_ids(const int64_t *ids, size_t count, struct buf *ret)
{
    pg_array_begin(ret, PG_I64, count);
    for (size_t i = 0; i < count; i++)
        pg_array_i64(ret, ids[i]);
}

enum status instance_list_judged(struct db *db, int64_t service_id,
                                 const struct judged_filter *filter, struct arena *arena,
                                 struct instance_row **ret, size_t *ret_count, struct why *why)
{
    struct buf kept = BUF_INIT;
    put_ids(filter->kept_ids, filter->kept_count, &kept);
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, service_id);
    pg_param_i64(&params, filter->from_ms);
    pg_param_i64(&params, filter->living_from_ms);
    pg_param_array(&params, PG_I64, &kept);
    pg_param_i64(&params, filter->max);
    enum status status = list_instances(db, judged_sql, &params, arena, ret, ret_count, why);
    buf_done(&kept);
    return status;
}

static struct instance_row *find_row(struct instance_row *const *rows, size_t count, int64_t id)
{
    size_t i = 0;
    while (i < count && rows[i]->id != id)
        i++;
    ASSERT(i < count);
    return rows[i];
}

static enum status read_types(const struct pg_rows *answer, struct instance_row *const *rows,
                              size_t count, struct arena *arena, struct why *why)
{
    enum status status = STATUS_OK;
    for (int i = 0; i < answer->count && status == STATUS_OK; i++) {
        struct instance_row *row = find_row(rows, count, pg_i64(answer, i, 0));
        int32_t *ids = NULL;
        size_t ids_count = 0;
        status = pg_i32_array(answer, i, 1, SNAPSHOT_TYPES_MAX, arena, &ids, &ids_count, why);
        row->type_ids = ids;
        row->type_count = status == STATUS_OK ? (uint32_t)ids_count : 0;
    }
    return status;
}

enum status instance_list_types(struct db *db, int64_t service_id, struct instance_row *const *rows,
                                size_t count, struct arena *arena, struct why *why)
{
    struct buf ids = BUF_INIT;
    struct pg_rows answer;
    if (count == 0)
        return STATUS_OK;
    pg_array_begin(&ids, PG_I64, count);
    for (size_t i = 0; i < count; i++)
        pg_array_i64(&ids, rows[i]->id);
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, service_id);
    pg_param_array(&params, PG_I64, &ids);
    enum status status = pg_run(db->pg, types_sql, &params, &answer, why);
    buf_done(&ids);
    if (status != STATUS_OK)
        return status;
    status = read_types(&answer, rows, count, arena, why);
    pg_rows_done(&answer);
    return status;
}
