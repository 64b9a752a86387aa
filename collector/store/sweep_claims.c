#include "sweep_claims.h"

#include "db.h"

#define LEASE "now() + $2 * interval '1 millisecond'"
/* No lease is so long: the clock has been set back since, and what it promised is void. */
#define BEYOND "now() + interval '1 day' + $2 * interval '1 millisecond'"
#define RENEWED                                                                                    \
    "CASE WHEN claimed_until > " BEYOND " THEN " LEASE " ELSE greatest(claimed_until, " LEASE      \
    ") END"

static const char live_sql[] =
    "INSERT INTO heapfleet.sweep_collector (collector_id, alive_until) VALUES ($1, " LEASE ") "
    "ON CONFLICT (collector_id) DO UPDATE SET alive_until = excluded.alive_until";

/* A statement of its own: two that come back together, and take each other for dead, must not each
 * hold what the other waits for. */
static const char dead_sql[] =
    "DELETE FROM heapfleet.sweep_collector "
    "WHERE (alive_until < now() OR alive_until > " BEYOND ") AND collector_id <> $1";

static const char renew_sql[] =
    "UPDATE heapfleet.sweep_claim SET claimed_until = " RENEWED " WHERE collector_id = $1";

/* A share is the services over the collectors, rounded up. */
#define SHARE                                                                                      \
    "(SELECT ceil((SELECT count(*) FROM heapfleet.service)::float8 "                               \
    "    / greatest(count(*), 1)) FROM heapfleet.sweep_collector WHERE alive_until >= now())"

/* How much less than it we have. Asked for alone: Citus would send what takes claims, which are
 * rows of the coordinator, to where the services are. */
static const char room_sql[] =
    "SELECT greatest(" SHARE
    " - (SELECT count(*) FROM heapfleet.sweep_claim WHERE collector_id = $1), 0)::bigint";

static const char give_sql[] =
    "UPDATE heapfleet.sweep_claim SET collector_id = NULL, claimed_until = now() "
    "WHERE collector_id = $1 AND service_id IN (SELECT service_id FROM heapfleet.sweep_claim "
    "    WHERE collector_id = $1 ORDER BY service_id DESC LIMIT greatest((SELECT count(*) "
    "    FROM heapfleet.sweep_claim WHERE collector_id = $1) - " SHARE ", 0)::bigint)";

/* What nobody has. Whose row is locked is writing, and therefore alive. */
static const char take_sql[] =
    "WITH free AS (SELECT service_id FROM heapfleet.sweep_claim "
    "    WHERE collector_id IS NULL OR claimed_until < now() OR claimed_until > " BEYOND
    "    ORDER BY service_id "
    "    LIMIT $3 FOR UPDATE SKIP LOCKED) "
    "UPDATE heapfleet.sweep_claim c SET collector_id = $1, claimed_until = " LEASE
    ", epoch = c.epoch + 1 FROM free WHERE c.service_id = free.service_id";

/* What nobody ever had. */
static const char take_new_sql[] =
    "INSERT INTO heapfleet.sweep_claim (service_id, collector_id, claimed_until, epoch) "
    "SELECT s.id, $1, " LEASE ", 1 FROM heapfleet.service s WHERE NOT EXISTS "
    "    (SELECT FROM heapfleet.sweep_claim c WHERE c.service_id = s.id) ORDER BY s.id "
    "LIMIT $3 ON CONFLICT (service_id) DO NOTHING";

/* A service may be forgotten while it is claimed. Two statements, for Citus. */
static const char forgotten_sql[] = "SELECT c.service_id FROM heapfleet.sweep_claim c "
                                    "LEFT JOIN heapfleet.service s ON s.id = c.service_id "
                                    "WHERE c.collector_id = $1 AND s.id IS NULL";
static const char drop_sql[] =
    "DELETE FROM heapfleet.sweep_claim WHERE collector_id = $1 AND service_id = ANY ($2)";

static const char list_sql[] = "SELECT service_id, epoch FROM heapfleet.sweep_claim "
                               "WHERE collector_id = $1 ORDER BY service_id";

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
                               struct sweep_claim **ret, size_t *ret_count, struct why *why)
{
    struct pg_rows rows;
    enum status status = run(db, list_sql, collector_id, NULL, &rows, why);
    if (status != STATUS_OK)
        return status;
    struct sweep_claim *claims = arena_alloc(arena, ((size_t)rows.count + 1) * sizeof(*claims));
    if (claims == NULL)
        status = why_fail(why, STATUS_LIMIT, "there are too many services for one collector");
    for (int i = 0; claims != NULL && i < rows.count; i++)
        claims[i] = (struct sweep_claim){pg_i64(&rows, i, 0), pg_i64(&rows, i, 1)};
    if (status == STATUS_OK) {
        *ret = claims;
        *ret_count = (size_t)rows.count;
    }
    pg_rows_done(&rows);
    return status;
}

enum status sweep_claims_keep(struct db *db, const uint8_t collector_id[ID_BYTES], int64_t lease_ms,
                              struct why *why)
{
    enum status status = run(db, live_sql, collector_id, &lease_ms, NULL, why);
    return status == STATUS_OK ? run(db, renew_sql, collector_id, &lease_ms, NULL, why) : status;
}

static enum status drop_forgotten(struct db *db, const uint8_t *collector_id, struct why *why)
{
    struct pg_rows rows;
    enum status status = run(db, forgotten_sql, collector_id, NULL, &rows, why);
    if (status != STATUS_OK)
        return status;
    struct buf ids = BUF_INIT;
    struct pg_params params = PG_PARAMS_INIT;
    pg_array_begin(&ids, PG_I64, (size_t)rows.count);
    for (int i = 0; i < rows.count; i++)
        pg_array_i64(&ids, pg_i64(&rows, i, 0));
    pg_param_uuid(&params, collector_id);
    pg_param_array(&params, PG_I64, &ids);
    if (rows.count > 0)
        status = pg_run(db->pg, drop_sql, &params, NULL, why);
    buf_done(&ids);
    pg_rows_done(&rows);
    return status;
}

/* By one of the statements above, as much as there is room for. */
static enum status take(struct db *db, const char *sql, const uint8_t *collector_id,
                        int64_t lease_ms, struct why *why)
{
    struct pg_rows rows;
    enum status status = run(db, room_sql, collector_id, NULL, &rows, why);
    if (status != STATUS_OK)
        return status;
    int64_t room = pg_i64(&rows, 0, 0);
    pg_rows_done(&rows);
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_uuid(&params, collector_id);
    pg_param_i64(&params, lease_ms);
    pg_param_i64(&params, room);
    return room > 0 ? pg_run(db->pg, sql, &params, NULL, why) : STATUS_OK;
}

enum status sweep_claims_renew(struct db *db, const uint8_t collector_id[ID_BYTES],
                               int64_t lease_ms, struct arena *arena, struct sweep_claim **ret,
                               size_t *ret_count, struct why *why)
{
    enum status status = sweep_claims_keep(db, collector_id, lease_ms, why);
    if (status == STATUS_OK)
        status = run(db, dead_sql, collector_id, &lease_ms, NULL, why);
    if (status == STATUS_OK)
        status = drop_forgotten(db, collector_id, why);
    if (status == STATUS_OK)
        status = run(db, give_sql, collector_id, NULL, NULL, why);
    if (status == STATUS_OK)
        status = take(db, take_sql, collector_id, lease_ms, why);
    if (status == STATUS_OK)
        status = take(db, take_new_sql, collector_id, lease_ms, why);
    return status == STATUS_OK ? list_claims(db, collector_id, arena, ret, ret_count, why) : status;
}

enum status sweep_claim_hold(struct db *db, const uint8_t collector_id[ID_BYTES],
                             const struct sweep_claim *claim, int64_t lease_ms, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    struct pg_rows rows;
    pg_param_uuid(&params, collector_id);
    pg_param_i64(&params, lease_ms);
    pg_param_i64(&params, claim->service_id);
    pg_param_i64(&params, claim->epoch);
    enum status status = pg_run(db->pg,
                                "UPDATE heapfleet.sweep_claim SET claimed_until = " RENEWED
                                " WHERE collector_id = $1 AND service_id = $3 AND epoch = $4",
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

/* ---- writing --------------------------------------------------------------------------------- */

/* Against service_forget alone: whoever has taken over from one that stands still here does not
 * wait for it. */
static const char lock_sql[] = "SELECT 1 FROM heapfleet.service WHERE id = $1 FOR KEY SHARE";

static enum status lock_service(struct db *db, int64_t service_id, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    struct pg_rows rows;
    pg_param_i64(&params, service_id);
    enum status status = pg_run(db->pg, lock_sql, &params, &rows, why);
    if (status != STATUS_OK)
        return status;
    int found = rows.count > 0;
    pg_rows_done(&rows);
    return found ? STATUS_OK : why_fail(why, STATUS_GONE, "the service was forgotten");
}

enum status sweep_write_begin(struct db *db, const uint8_t collector_id[ID_BYTES],
                              const struct sweep_claim *claim, int64_t lease_ms, struct why *why)
{
    enum status status = pg_begin(db->pg, why);
    if (status == STATUS_OK)
        status = lock_service(db, claim->service_id, why);
    return status == STATUS_OK ? sweep_claim_hold(db, collector_id, claim, lease_ms, why) : status;
}

enum status sweep_write_commit(struct db *db, struct why *why)
{
    return pg_commit(db->pg, why);
}

void sweep_write_end(struct db *db)
{
    pg_rollback(db->pg);
}
