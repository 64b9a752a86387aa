#include "sweep_claims.h"

#include <string.h>

#include "db.h"

#define LEASE "now() + $2 * interval '1 millisecond'"

static const char live_sql[] =
    "WITH gone AS (DELETE FROM heapfleet.sweep_collector WHERE alive_until < now() "
    "              AND collector_id <> $1) "
    "INSERT INTO heapfleet.sweep_collector (collector_id, alive_until) VALUES ($1, " LEASE ") "
    "ON CONFLICT (collector_id) DO UPDATE SET alive_until = excluded.alive_until";

static const char renew_sql[] =
    "UPDATE heapfleet.sweep_claim SET claimed_until = " LEASE " WHERE collector_id = $1";

/* A share is the services over the collectors, rounded up. */
#define SHARE                                                                                      \
    "(SELECT ceil((SELECT count(*) FROM heapfleet.service)::float8 "                               \
    "    / greatest(count(*), 1)) FROM heapfleet.sweep_collector WHERE alive_until >= now())"

static const char give_sql[] =
    "UPDATE heapfleet.sweep_claim SET collector_id = NULL, claimed_until = now() "
    "WHERE collector_id = $1 AND service_id IN (SELECT service_id FROM heapfleet.sweep_claim "
    "    WHERE collector_id = $1 ORDER BY service_id DESC LIMIT greatest((SELECT count(*) "
    "    FROM heapfleet.sweep_claim WHERE collector_id = $1) - " SHARE ", 0)::bigint)";

static const char take_sql[] =
    "INSERT INTO heapfleet.sweep_claim AS c (service_id, collector_id, claimed_until) "
    "SELECT s.id, $1, " LEASE " FROM heapfleet.service s "
    "LEFT JOIN heapfleet.sweep_claim o ON o.service_id = s.id "
    "WHERE o.service_id IS NULL OR o.collector_id IS NULL OR o.claimed_until < now() "
    "ORDER BY s.id LIMIT greatest(" SHARE
    " - (SELECT count(*) FROM heapfleet.sweep_claim WHERE collector_id = $1), 0)::bigint "
    "ON CONFLICT (service_id) DO UPDATE SET collector_id = excluded.collector_id, "
    "    claimed_until = excluded.claimed_until "
    "WHERE c.collector_id IS NULL OR c.claimed_until < now()";

static const char list_sql[] =
    "SELECT service_id FROM heapfleet.sweep_claim WHERE collector_id = $1 ORDER BY service_id";

static enum status run(struct db *db, const char *sql, const uint8_t *collector_id,
                       const int64_t *lease_ms, struct pg_rows *ret, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_uuid(&params, collector_id);
    if (lease_ms != NULL)
        pg_param_i64(&params, *lease_ms);
    return pg_run(db->pg, sql, &params, ret, why);
}

static enum status list_claims(struct db *db, const uint8_t *collector_id, struct arena *arena,
                               int64_t **ret, size_t *ret_count, struct why *why)
{
    struct pg_rows rows;
    enum status status = run(db, list_sql, collector_id, NULL, &rows, why);
    if (status != STATUS_OK)
        return status;
    int64_t *ids = arena_alloc(arena, ((size_t)rows.count + 1) * sizeof(*ids));
    if (ids == NULL)
        status = why_fail(why, STATUS_LIMIT, "there are too many services for one collector");
    for (int i = 0; ids != NULL && i < rows.count; i++)
        ids[i] = pg_i64(&rows, i, 0);
    if (status == STATUS_OK) {
        *ret = ids;
        *ret_count = (size_t)rows.count;
    }
    pg_rows_done(&rows);
    return status;
}

enum status sweep_claims_renew(struct db *db, const uint8_t collector_id[ID_BYTES],
                               int64_t lease_ms, struct arena *arena, int64_t **ret,
                               size_t *ret_count, struct why *why)
{
    enum status status = run(db, live_sql, collector_id, &lease_ms, NULL, why);
    if (status == STATUS_OK)
        status = run(db, renew_sql, collector_id, &lease_ms, NULL, why);
    if (status == STATUS_OK)
        status = run(db, give_sql, collector_id, NULL, NULL, why);
    if (status == STATUS_OK)
        status = run(db, take_sql, collector_id, &lease_ms, NULL, why);
    return status == STATUS_OK ? list_claims(db, collector_id, arena, ret, ret_count, why) : status;
}

enum status sweep_claim_hold(struct db *db, const uint8_t collector_id[ID_BYTES],
                             int64_t service_id, int64_t lease_ms, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    struct pg_rows rows;
    pg_param_uuid(&params, collector_id);
    pg_param_i64(&params, lease_ms);
    pg_param_i64(&params, service_id);
    enum status status = pg_run(db->pg,
                                "UPDATE heapfleet.sweep_claim SET claimed_until = " LEASE
                                " WHERE collector_id = $1 AND service_id = $3",
                                &params, &rows, why);
    if (status != STATUS_OK)
        return status;
    uint64_t changed = rows.changed;
    pg_rows_done(&rows);
    return changed > 0 ? STATUS_OK
                       : why_fail(why, STATUS_GONE, "another collector judges the service now");
}

enum status sweep_claims_release(struct db *db, const uint8_t collector_id[ID_BYTES],
                                 struct why *why)
{
    enum status status =
        run(db,
            "UPDATE heapfleet.sweep_claim SET collector_id = NULL, claimed_until = now() "
            "WHERE collector_id = $1",
            collector_id, NULL, NULL, why);
    if (status != STATUS_OK)
        return status;
    return run(db, "DELETE FROM heapfleet.sweep_collector WHERE collector_id = $1", collector_id,
               NULL, NULL, why);
}

enum status sweep_state_write(struct db *db, const uint8_t collector_id[ID_BYTES],
                              int64_t service_id, const void *state, size_t size, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    struct pg_rows rows;
    pg_param_uuid(&params, collector_id);
    pg_param_i64(&params, service_id);
    pg_param_bytes(&params, state, size);
    enum status status = pg_run(db->pg,
                                "UPDATE heapfleet.sweep_claim SET state = $3 "
                                "WHERE collector_id = $1 AND service_id = $2",
                                &params, &rows, why);
    if (status != STATUS_OK)
        return status;
    uint64_t changed = rows.changed;
    pg_rows_done(&rows);
    return changed > 0 ? STATUS_OK
                       : why_fail(why, STATUS_GONE, "another collector judges the service now");
}

enum status sweep_state_read(struct db *db, int64_t service_id, struct arena *arena,
                             const uint8_t **ret, size_t *ret_size, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    struct pg_rows rows;
    pg_param_i64(&params, service_id);
    enum status status =
        pg_run(db->pg, "SELECT state FROM heapfleet.sweep_claim WHERE service_id = $1", &params,
               &rows, why);
    if (status != STATUS_OK)
        return status;
    size_t size = 0;
    const uint8_t *state = NULL;
    if (rows.count > 0 && !pg_is_null(&rows, 0, 0))
        state = pg_bytes(&rows, 0, 0, &size);
    uint8_t *copy = size == 0 ? NULL : arena_alloc(arena, size);
    if (size > 0 && copy == NULL)
        status = why_fail(why, STATUS_LIMIT, "the detector's state of the service is too large");
    if (status == STATUS_OK) {
        if (copy != NULL)
            memcpy(copy, state, size);
        *ret = copy;
        *ret_size = size;
    }
    pg_rows_done(&rows);
    return status;
}
