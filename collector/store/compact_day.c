#include "compact.h"

static const char remove_sql[] =
    "DELETE FROM heapfleet.heap_day WHERE service_id = $1 AND day_ms = $2";

/* A type that no process had in a slot has no row there: its mean counts those snapshots as 0. */
static const char insert_sql[] =
    "WITH hours AS (SELECT deployment_id, slot_ms, hour, snapshots FROM heapfleet.deployment_hour "
    "    WHERE service_id = $1 AND slot_ms >= $2 AND slot_ms < $2 + 86400000), "
    "whole AS (SELECT deployment_id, sum(snapshots)::integer AS snapshots, "
    "    count(DISTINCT slot_ms) AS slots FROM hours GROUP BY deployment_id) "
    "INSERT INTO heapfleet.heap_day (service_id, day_ms, type_id, snapshots, deployment_id, "
    "    count_avg, count_min, count_max, bytes_avg) "
    "SELECT $1, $2, h.type_id, w.snapshots, h.deployment_id, "
    "    sum(u.count_avg * hours.snapshots) / w.snapshots, "
    "    CASE WHEN count(DISTINCT h.slot_ms) < w.slots THEN 0 ELSE min(h.count_min) END, "
    "    max(h.count_max), sum(u.bytes_avg * hours.snapshots) / w.snapshots "
    "FROM heapfleet.heap_hour h JOIN whole w ON w.deployment_id = h.deployment_id "
    "CROSS JOIN LATERAL unnest(h.count_avg::double precision[], h.bytes_avg::double precision[]) "
    "    WITH ORDINALITY AS u(count_avg, bytes_avg, hour) "
    "JOIN hours ON hours.deployment_id = h.deployment_id AND hours.slot_ms = h.slot_ms "
    "    AND hours.hour = u.hour "
    "WHERE h.service_id = $1 AND h.slot_ms >= $2 AND h.slot_ms < $2 + 86400000 "
    "GROUP BY h.type_id, h.deployment_id, w.snapshots, w.slots";

enum status compact_day(struct db *db, int64_t service_id, int64_t day_ms, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, service_id);
    pg_param_i64(&params, day_ms);
    enum status status = pg_run(db->pg, remove_sql, &params, NULL, why);
    return status == STATUS_OK ? pg_run(db->pg, insert_sql, &params, NULL, why) : status;
}
