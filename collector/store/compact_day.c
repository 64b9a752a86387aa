#include "compact.h"

static const char remove_sql[] =
    "DELETE FROM heapfleet.heap_day WHERE service_id = $1 AND day_ms = $2";

/* A type that no process had in a slot has no row there: its mean counts those snapshots as 0. */
static const char insert_sql[] =
    "WITH slots AS (SELECT deployment_id, slot_ms, sum(snapshots) AS snapshots, "
    "    coalesce(sum(snapshots) FILTER (WHERE hour = 1), 0)::float8 AS s1, "
    "    coalesce(sum(snapshots) FILTER (WHERE hour = 2), 0)::float8 AS s2, "
    "    coalesce(sum(snapshots) FILTER (WHERE hour = 3), 0)::float8 AS s3, "
    "    coalesce(sum(snapshots) FILTER (WHERE hour = 4), 0)::float8 AS s4 "
    "    FROM heapfleet.deployment_hour "
    "    WHERE service_id = $1 AND slot_ms >= $2 AND slot_ms < $2 + 86400000 "
    "    GROUP BY deployment_id, slot_ms), "
    "whole AS (SELECT deployment_id, sum(snapshots)::integer AS snapshots, count(*) AS slots "
    "    FROM slots GROUP BY deployment_id) "
    "INSERT INTO heapfleet.heap_day (service_id, day_ms, type_id, snapshots, deployment_id, "
    "    count_avg, count_min, count_max, bytes_avg) "
    "SELECT $1, $2, t.type_id, w.snapshots, w.deployment_id, t.count_sum / w.snapshots, "
    "    CASE WHEN t.slots < w.slots THEN 0 ELSE t.count_min END, t.count_max, "
    "    t.bytes_sum / w.snapshots "
    "FROM (SELECT u.type_id, g.deployment_id, count(*) AS slots, "
    "    sum(coalesce(g.count_avg[4 * u.n - 3], 0) * s.s1 "
    "        + coalesce(g.count_avg[4 * u.n - 2], 0) * s.s2 "
    "        + coalesce(g.count_avg[4 * u.n - 1], 0) * s.s3 "
    "        + coalesce(g.count_avg[4 * u.n], 0) * s.s4) AS count_sum, "
    "    sum(coalesce(g.bytes_avg[4 * u.n - 3], 0) * s.s1 "
    "        + coalesce(g.bytes_avg[4 * u.n - 2], 0) * s.s2 "
    "        + coalesce(g.bytes_avg[4 * u.n - 1], 0) * s.s3 "
    "        + coalesce(g.bytes_avg[4 * u.n], 0) * s.s4) AS bytes_sum, "
    "    min(u.count_min) AS count_min, max(u.count_max) AS count_max "
    "    FROM heapfleet.hour_group g "
    "    JOIN slots s ON s.deployment_id = g.deployment_id AND s.slot_ms = g.slot_ms "
    "    CROSS JOIN LATERAL unnest(g.type_ids, g.count_min, g.count_max) "
    "        WITH ORDINALITY AS u(type_id, count_min, count_max, n) "
    "    WHERE g.service_id = $1 AND g.slot_ms >= $2 AND g.slot_ms < $2 + 86400000 "
    "    GROUP BY u.type_id, g.deployment_id) t "
    "JOIN whole w ON w.deployment_id = t.deployment_id ORDER BY t.type_id, t.deployment_id";

enum status compact_day(struct db *db, int64_t service_id, int64_t day_ms, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, service_id);
    pg_param_i64(&params, day_ms);
    enum status status = pg_run(db->pg, remove_sql, &params, NULL, why);
    return status == STATUS_OK ? pg_run(db->pg, insert_sql, &params, NULL, why) : status;
}
