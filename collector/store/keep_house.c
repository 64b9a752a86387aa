#include "keep_house.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "citus.h"
#include "compact.h"
#include "partitions.h"

struct round {
    struct db *db;
    const struct keep_house_config *config;
    int64_t now_ms;
    struct keep_house_report *report;
};

/* Of several failures the first is told, but one of the connection before all others. */
static void note_failure(enum status status, const struct why *its_why, enum status *outcome,
                         struct why *why)
{
    if (status == STATUS_OK || (*outcome != STATUS_OK && status != STATUS_UNAVAILABLE))
        return;
    *outcome = status;
    why_set(why, "%s", its_why->text);
}

/* ---- ahead of time -------------------------------------------------------------------------- */

/* Every level: the partition of now and the two that follow, unless one that is there holds all of
 * its times. What there is is looked up once. */
static const char absent_sql[] =
    "WITH there AS MATERIALIZED (SELECT level, from_ms, to_ms FROM heapfleet.partition "
    "    WHERE to_ms > $1) "
    "SELECT w.name, w.at_ms FROM (SELECT l.name, l.width_ms, "
    "    $1 - mod($1, l.width_ms) + n * l.width_ms AS at_ms "
    "    FROM heapfleet.level l, generate_series(0, 2) n) w "
    "WHERE NOT EXISTS (SELECT FROM there t WHERE t.level = w.name AND t.from_ms <= w.at_ms "
    "    AND t.to_ms >= w.at_ms + w.width_ms) ORDER BY 1, 2";

static enum status make_one(struct round *round, const char *level, int64_t at_ms, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_text(&params, level);
    pg_param_i64(&params, at_ms);
    struct pg_rows rows;
    enum status status = pg_run(round->db->pg, "SELECT heapfleet.make_partition($1, $2)::integer",
                                &params, &rows, why);
    if (status != STATUS_OK)
        return status;
    round->report->partitions_made += (uint64_t)pg_i64(&rows, 0, 0);
    pg_rows_done(&rows);
    return STATUS_OK;
}

/* One that cannot be made (part of its times is in one of somebody's own making) does not keep the
 * others from it. */
static enum status make_ahead(struct round *round, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, round->now_ms);
    struct pg_rows rows;
    enum status outcome = pg_run(round->db->pg, absent_sql, &params, &rows, why);
    if (outcome != STATUS_OK)
        return outcome;
    for (int i = 0; i < rows.count && outcome != STATUS_UNAVAILABLE; i++) {
        struct why each_why = {""};
        enum status status = make_one(round, pg_text(&rows, i, 0), pg_i64(&rows, i, 1), &each_why);
        note_failure(status, &each_why, &outcome, why);
    }
    pg_rows_done(&rows);
    return outcome;
}

/* One that somebody made by hand has no key yet, and would store twice what comes twice. */
static const char key_sql[] =
    "SELECT count(heapfleet.key_hot_partition(h.inhrelid)) FROM pg_inherits h "
    "WHERE h.inhparent = 'heapfleet.snap_delta'::regclass AND NOT EXISTS "
    "(SELECT FROM pg_index i WHERE i.indrelid = h.inhrelid AND i.indisprimary)";

/* ---- dropping ------------------------------------------------------------------------------- */

/* The partitions of a level within these times: as "heapfleet.a, heapfleet.b", "" if none; how
 * many; and the statements that lock the shards of each (see lock_out_writers). */
static enum status list_partitions(struct round *round, const char *level, int64_t from_ms,
                                   int64_t to_ms, struct pg_rows *ret, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_text(&params, level);
    pg_param_i64(&params, from_ms);
    pg_param_i64(&params, to_ms);
    return pg_run(round->db->pg,
                  "SELECT coalesce(string_agg(format('heapfleet.%I', name), ', '), ''), count(*), "
                  "coalesce(string_agg(format('ALTER TABLE heapfleet.%I ALTER COLUMN time_ms "
                  "DROP DEFAULT', name), '; '), '') "
                  "FROM heapfleet.partition WHERE level = $1 AND from_ms >= $2 AND to_ms <= $3",
                  &params, ret, why);
}

static enum status run_on(struct round *round, const char *before, const char *names,
                          const char *behind, struct why *why)
{
    struct buf sql = BUF_INIT;
    buf_printf(&sql, "%s %s %s", before, names, behind);
    enum status status = pg_script(round->db->pg, buf_text(&sql), why);
    buf_done(&sql);
    return status;
}

/* In a transaction: wait for locks a moment only, those of Citus's shards as well. Not ours:
 * another collector is dropping. */
static enum status begin_dropping(struct round *round, int *ret_is_ours, struct why *why)
{
    char sql[128];
    (void)snprintf(sql, sizeof(sql),
                   "SET LOCAL citus.propagate_set_commands = 'local'; SET LOCAL lock_timeout = %d",
                   KEEP_HOUSE_LOCK_MS);
    enum status status = pg_script(round->db->pg, sql, why);
    struct pg_rows rows;
    if (status == STATUS_OK)
        status =
            pg_run(round->db->pg, "SELECT pg_try_advisory_xact_lock(29384657391743094)::integer",
                   NULL, &rows, why);
    if (status != STATUS_OK)
        return status;
    *ret_is_ours = pg_i64(&rows, 0, 0) != 0;
    pg_rows_done(&rows);
    return STATUS_OK;
}

/* Who has written and not committed yet would be missed by the count, and its rows be dropped with
 * the others once they are acknowledged. On Citus a COPY locks the shards and not the partition,
 * and a transaction whose outcome a worker has not been told holds nothing but its shards; so these
 * are locked, too, by a change that changes nothing. */
static enum status lock_out_writers(struct round *round, const struct pg_rows *partitions,
                                    struct why *why)
{
    int is_citus = 0;
    enum status status =
        run_on(round, "LOCK TABLE", pg_text(partitions, 0, 0), "IN SHARE MODE", why);
    if (status == STATUS_OK)
        status = citus_is_there(round->db->pg, &is_citus, why);
    if (status == STATUS_OK && is_citus)
        status = pg_script(round->db->pg, pg_text(partitions, 0, 2), why);
    return status;
}

static enum status single_count(struct round *round, const char *sql,
                                const struct pg_params *params, int64_t *ret, struct why *why)
{
    struct pg_rows rows;
    enum status status = pg_run(round->db->pg, sql, params, &rows, why);
    if (status != STATUS_OK)
        return status;
    *ret = pg_i64(&rows, 0, 0);
    pg_rows_done(&rows);
    return STATUS_OK;
}

/* Hot rows of the slot that no chunk has. Writers are locked out. */
static const char missing_sql[] =
    "SELECT count(*) FROM (SELECT service_id, count(*) AS rows FROM heapfleet.snap_delta "
    "    WHERE time_ms >= $1 AND time_ms < $1 + 14400000 GROUP BY service_id) h "
    "LEFT JOIN heapfleet.compaction c ON c.service_id = h.service_id AND c.slot_ms = $1 "
    "WHERE c.compacted_rows IS DISTINCT FROM h.rows";

/* Partitions that hold more than the slot, whatever their names say. */
static const char wider_sql[] =
    "SELECT count(*) FROM heapfleet.partition p "
    "JOIN pg_class c ON c.relnamespace = 'heapfleet'::regnamespace AND c.relname = p.name "
    "CROSS JOIN LATERAL regexp_match(pg_get_expr(c.relpartbound, c.oid), "
    "    'FROM \\(''?(-?[0-9]+)''?\\) TO \\(''?(-?[0-9]+)') AS bound "
    "WHERE p.level = 'snap_delta' AND p.from_ms >= $1 AND p.to_ms <= $1 + 14400000 "
    "AND (bound IS NULL OR bound[1]::bigint < $1 OR bound[2]::bigint > $1 + 14400000)";

static enum status count_missing(struct round *round, int64_t slot_ms, int64_t *ret,
                                 struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, slot_ms);
    int64_t missing = 0;
    enum status status = single_count(round, wider_sql, &params, &missing, why);
    if (status == STATUS_OK && missing == 0)
        status = single_count(round, missing_sql, &params, &missing, why);
    if (status == STATUS_OK)
        *ret = missing;
    return status;
}

/* The marks of a hot slot go with it. */
static enum status forget_slot(struct round *round, int64_t slot_ms, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, slot_ms);
    return pg_run(round->db->pg, "DELETE FROM heapfleet.compaction WHERE slot_ms = $1", &params,
                  NULL, why);
}

/* `is_hot`: only if the chunks have all of it. */
static enum status drop_partitions(struct round *round, const struct pg_rows *partitions,
                                   int is_hot, int64_t from_ms, int *ret_is_dropped,
                                   struct why *why)
{
    int64_t missing = 0;
    enum status status = STATUS_OK;
    if (is_hot)
        status = lock_out_writers(round, partitions, why);
    if (is_hot && status == STATUS_OK)
        status = count_missing(round, from_ms, &missing, why);
    if (status != STATUS_OK || missing > 0)
        return status;
    status = forget_slot(round, from_ms, why);
    if (status == STATUS_OK)
        status = run_on(round, "DROP TABLE", pg_text(partitions, 0, 0), "", why);
    if (status == STATUS_OK)
        status = pg_commit(round->db->pg, why);
    *ret_is_dropped = status == STATUS_OK;
    return status;
}

struct dropping {
    const char *level;
    int64_t from_ms, to_ms;
    int is_hot;
};

/* In a transaction. What another collector is dropping is left to it. */
static enum status drop_listed(struct round *round, const struct dropping *dropping,
                               struct why *why)
{
    int is_ours = 0, is_dropped = 0;
    enum status status = begin_dropping(round, &is_ours, why);
    if (status != STATUS_OK || !is_ours)
        return status;
    struct pg_rows rows;
    status =
        list_partitions(round, dropping->level, dropping->from_ms, dropping->to_ms, &rows, why);
    if (status != STATUS_OK)
        return status;
    uint64_t count = (uint64_t)pg_i64(&rows, 0, 1);
    if (count > 0) {
        status =
            drop_partitions(round, &rows, dropping->is_hot, dropping->from_ms, &is_dropped, why);
        *(is_dropped ? &round->report->partitions_dropped : &round->report->postponed) += count;
    }
    pg_rows_done(&rows);
    return status;
}

/* What cannot be locked now is dropped in a later round. */
static enum status drop_between(struct round *round, const char *level, int64_t from_ms,
                                int64_t to_ms, int is_hot, struct why *why)
{
    const struct dropping dropping = {level, from_ms, to_ms, is_hot};
    enum status status = pg_begin(round->db->pg, why);
    if (status == STATUS_OK)
        status = drop_listed(round, &dropping, why);
    pg_rollback(round->db->pg);
    return status == STATUS_UNAVAILABLE ? STATUS_OK : status;
}

/* ---- compaction ----------------------------------------------------------------------------- */

/* Rows that somebody works at are left alone: whoever does will count them anew. */
static const char count_sql[] =
    "WITH n AS MATERIALIZED (SELECT service_id, count(*) AS rows FROM heapfleet.snap_delta "
    "    WHERE time_ms >= $1 AND time_ms < $1 + 14400000 GROUP BY service_id), "
    "free AS MATERIALIZED (SELECT service_id FROM heapfleet.compaction WHERE slot_ms = $1 "
    "    ORDER BY service_id FOR UPDATE SKIP LOCKED), "
    "counted AS (UPDATE heapfleet.compaction c SET hot_rows = n.rows FROM n, free "
    "    WHERE c.slot_ms = $1 AND c.service_id = n.service_id AND free.service_id = n.service_id "
    "    AND c.hot_rows <> n.rows) "
    "INSERT INTO heapfleet.compaction (service_id, slot_ms, hot_rows) "
    "SELECT service_id, $1, rows FROM n ORDER BY service_id ON CONFLICT DO NOTHING";

/* Of a slot that nobody has worked at yet, every service that has a row is work, and how many rows
 * it has is known when they are read: one probe of the key a service. */
static const char begin_sql[] =
    "WITH RECURSIVE s AS ((SELECT service_id FROM heapfleet.snap_delta WHERE time_ms >= $1 "
    "    AND time_ms < $1 + 14400000 ORDER BY service_id LIMIT 1) UNION ALL "
    "    SELECT (SELECT d.service_id FROM heapfleet.snap_delta d WHERE d.time_ms >= $1 "
    "        AND d.time_ms < $1 + 14400000 AND d.service_id > s.service_id "
    "        ORDER BY d.service_id LIMIT 1) FROM s WHERE s.service_id IS NOT NULL) "
    "INSERT INTO heapfleet.compaction (service_id, slot_ms, hot_rows) "
    "SELECT service_id, $1, 1 FROM s WHERE service_id IS NOT NULL AND NOT EXISTS "
    "    (SELECT FROM heapfleet.compaction WHERE slot_ms = $1) "
    "ORDER BY service_id ON CONFLICT DO NOTHING";

/* Citus has no such walk over the services: FAILED. */
static enum status note_work(struct round *round, int64_t slot_ms, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, slot_ms);
    struct pg_rows rows = {0};
    enum status status = pg_run(round->db->pg, begin_sql, &params, &rows, why);
    int is_begun = status == STATUS_OK && rows.changed > 0;
    pg_rows_done(&rows);
    if (is_begun || (status != STATUS_OK && status != STATUS_FAILED))
        return status;
    return pg_run(round->db->pg, count_sql, &params, NULL, why);
}

static enum status prepare_slot(struct round *round, int64_t slot_ms, struct why *why)
{
    static const char *const levels[] = {"heap_chunk", "deployment_hour", "hour_group"};
    enum status status = note_work(round, slot_ms, why);
    for (size_t i = 0; i < ARRAY_SIZE(levels) && status == STATUS_OK; i++)
        status = partitions_make(round->db, levels[i], &slot_ms, 1, why);
    return status;
}

static const char claim_sql[] =
    "SELECT service_id FROM heapfleet.compaction WHERE slot_ms = $1 AND service_id > $2 "
    "AND compacted_rows <> hot_rows ORDER BY service_id LIMIT 1 FOR UPDATE SKIP LOCKED";

static const char claim_day_sql[] =
    "SELECT service_id FROM heapfleet.day_due WHERE day_ms = $1 AND service_id > $2 "
    "ORDER BY service_id LIMIT 1 FOR UPDATE SKIP LOCKED";

/* The next service with work, locked until the transaction ends; 0: none. */
static enum status claim(struct round *round, const char *sql, int64_t at_ms, int64_t after,
                         int64_t *ret, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, at_ms);
    pg_param_i64(&params, after);
    struct pg_rows rows;
    enum status status = pg_run(round->db->pg, sql, &params, &rows, why);
    if (status != STATUS_OK)
        return status;
    *ret = rows.count > 0 ? pg_i64(&rows, 0, 0) : 0;
    pg_rows_done(&rows);
    return STATUS_OK;
}

static enum status mark_compacted(struct round *round, int64_t service_id, int64_t slot_ms,
                                  uint64_t hot_rows, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, service_id);
    pg_param_i64(&params, slot_ms);
    pg_param_i64(&params, (int64_t)hot_rows);
    enum status status =
        pg_run(round->db->pg,
               "UPDATE heapfleet.compaction SET hot_rows = $3, compacted_rows = $3 "
               "WHERE service_id = $1 AND slot_ms = $2",
               &params, NULL, why);
    if (status != STATUS_OK)
        return status;
    params.count = 2;
    return pg_run(round->db->pg,
                  "INSERT INTO heapfleet.day_due (service_id, day_ms) "
                  "VALUES ($1, $2 - mod($2, 86400000)) "
                  "ON CONFLICT (service_id, day_ms) DO UPDATE SET marked_at = now()",
                  &params, NULL, why);
}

/* In a transaction. `ret_service_id`: whose slot it was; 0: nothing is left to claim. */
static enum status do_slot(struct round *round, int64_t slot_ms, int64_t after,
                           int64_t *ret_service_id, struct why *why)
{
    struct compact_counts counts = {0};
    enum status status = claim(round, claim_sql, slot_ms, after, ret_service_id, why);
    if (status != STATUS_OK || *ret_service_id == 0)
        return status;
    status = compact_slot(round->db, *ret_service_id, slot_ms, &counts, why);
    if (status == STATUS_OK)
        status = mark_compacted(round, *ret_service_id, slot_ms, counts.hot_rows, why);
    if (status == STATUS_OK)
        status = pg_commit(round->db->pg, why);
    if (status != STATUS_OK)
        return status;
    round->report->slots++;
    round->report->chunks += counts.chunks;
    round->report->snapshots += counts.snapshots;
    round->report->lost += counts.lost;
    round->report->forgotten += counts.forgotten;
    return STATUS_OK;
}

static enum status do_day(struct round *round, int64_t day_ms, int64_t after,
                          int64_t *ret_service_id, struct why *why)
{
    enum status status = claim(round, claim_day_sql, day_ms, after, ret_service_id, why);
    if (status != STATUS_OK || *ret_service_id == 0)
        return status;
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, *ret_service_id);
    pg_param_i64(&params, day_ms);
    status = compact_day(round->db, *ret_service_id, day_ms, why);
    if (status == STATUS_OK)
        status = pg_run(round->db->pg,
                        "DELETE FROM heapfleet.day_due WHERE service_id = $1 AND day_ms = $2",
                        &params, NULL, why);
    if (status == STATUS_OK)
        status = pg_commit(round->db->pg, why);
    round->report->days += status == STATUS_OK;
    return status;
}

typedef enum status unit_fn(struct round *round, int64_t at_ms, int64_t after,
                            int64_t *ret_service_id, struct why *why);

/* Every service's unit at this time, each in a transaction. */
static enum status do_units(struct round *round, unit_fn *unit, int64_t at_ms, struct why *why)
{
    enum status outcome = STATUS_OK;
    for (int64_t service_id = 0;;) {
        struct why unit_why = {""};
        int64_t after = service_id;
        service_id = 0;
        enum status status = pg_begin(round->db->pg, &unit_why);
        if (status == STATUS_OK)
            status = unit(round, at_ms, after, &service_id, &unit_why);
        pg_rollback(round->db->pg);
        if (status != STATUS_OK)
            why_prefix(&unit_why, "service %lld at %lld", (long long)service_id, (long long)at_ms);
        note_failure(status, &unit_why, &outcome, why);
        if (status == STATUS_UNAVAILABLE || service_id == 0)
            return outcome;
    }
}

static int64_t floor_to(int64_t time_ms, int64_t width_ms)
{
    return time_ms - time_ms % width_ms;
}

/* What is too old for the chunks that it would be in is not made one any more: rollups that are
 * complete would be replaced by ones of the late snapshots alone. */
static int is_too_old(const struct round *round, int64_t slot_ms)
{
    int64_t day_end_ms = floor_to(slot_ms, MS_PER_DAY) + MS_PER_DAY;
    return round->config->retain_exact_ms > 0 &&
           day_end_ms <= round->now_ms - round->config->retain_exact_ms;
}

static enum status compact_one(struct round *round, int64_t slot_ms, struct why *why)
{
    if (is_too_old(round, slot_ms))
        return drop_between(round, "snap_delta", slot_ms, slot_ms + MS_PER_SLOT, 0, why);
    enum status status = prepare_slot(round, slot_ms, why);
    if (status == STATUS_OK)
        status = do_units(round, do_slot, slot_ms, why);
    if (status == STATUS_OK)
        status = drop_between(round, "snap_delta", slot_ms, slot_ms + MS_PER_SLOT, 1, why);
    return status;
}

static enum status make_day(struct round *round, int64_t day_ms, struct why *why)
{
    enum status status = partitions_make(round->db, "heap_day", &day_ms, 1, why);
    return status == STATUS_OK ? do_units(round, do_day, day_ms, why) : status;
}

static const char slots_sql[] =
    "SELECT DISTINCT from_ms - mod(from_ms, 14400000) FROM heapfleet.partition "
    "WHERE level = 'snap_delta' AND from_ms - mod(from_ms, 14400000) + 14400000 <= $1 ORDER BY 1";

static const char days_sql[] =
    "SELECT DISTINCT day_ms FROM heapfleet.day_due WHERE day_ms + 86400000 <= $1 ORDER BY 1";

/* Do `each` for every time that the query finds, up to the settled past. */
static enum status for_each_time(struct round *round, const char *sql,
                                 enum status (*each)(struct round *round, int64_t time_ms,
                                                     struct why *why),
                                 struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, round->now_ms - round->config->settle_ms);
    struct pg_rows rows;
    enum status outcome = pg_run(round->db->pg, sql, &params, &rows, why);
    if (outcome != STATUS_OK)
        return outcome;
    for (int i = 0; i < rows.count && outcome != STATUS_UNAVAILABLE; i++) {
        struct why each_why = {""};
        enum status status = each(round, pg_i64(&rows, i, 0), &each_why);
        note_failure(status, &each_why, &outcome, why);
    }
    pg_rows_done(&rows);
    return outcome;
}

/* ---- retention ------------------------------------------------------------------------------ */

struct retention {
    const char *level;
    int64_t before_ms;
};

/* Whether a level has a partition that is too old: as a rule none has. */
static enum status find_old(struct round *round, const struct retention *levels, size_t count,
                            int *ret, struct why *why)
{
    struct buf names = BUF_INIT, times = BUF_INIT;
    pg_array_begin(&names, PG_TEXT, count);
    pg_array_begin(&times, PG_I64, count);
    for (size_t i = 0; i < count; i++) {
        pg_array_text(&names, levels[i].level);
        pg_array_i64(&times, levels[i].before_ms);
    }
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_array(&params, PG_TEXT, &names);
    pg_param_array(&params, PG_I64, &times);
    struct pg_rows rows;
    enum status status =
        pg_run(round->db->pg,
               "SELECT count(*) FROM heapfleet.partition p, unnest($1, $2) AS r(level, before_ms) "
               "WHERE p.level = r.level AND p.to_ms <= r.before_ms",
               &params, &rows, why);
    buf_done(&names);
    buf_done(&times);
    if (status != STATUS_OK)
        return status;
    *ret = pg_i64(&rows, 0, 0) > 0;
    pg_rows_done(&rows);
    return STATUS_OK;
}

static int64_t before(const struct round *round, int64_t retain_ms)
{
    return retain_ms > 0 ? round->now_ms - retain_ms : INT64_MIN;
}

static enum status retain(struct round *round, struct why *why)
{
    const struct keep_house_config *config = round->config;
    const struct retention levels[] = {
        {"heap_chunk", before(round, config->retain_exact_ms)},
        {"deployment_hour", before(round, config->retain_hourly_ms)},
        {"hour_group", before(round, config->retain_hourly_ms)},
        {"heap_day", before(round, config->retain_daily_ms)},
    };
    int is_old = 0;
    enum status outcome = find_old(round, levels, ARRAY_SIZE(levels), &is_old, why);
    for (size_t i = 0; i < ARRAY_SIZE(levels) && outcome != STATUS_UNAVAILABLE && is_old; i++) {
        struct why level_why = {""};
        enum status status =
            drop_between(round, levels[i].level, INT64_MIN, levels[i].before_ms, 0, &level_why);
        note_failure(status, &level_why, &outcome, why);
    }
    return outcome;
}

/* The whole values of a process that has been silent for a day: nothing will build on them. */
static enum status forget_values(struct round *round, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, round->now_ms - MS_PER_DAY);
    return pg_run(round->db->pg,
                  "UPDATE heapfleet.instance_last SET body = '' "
                  "WHERE time_ms < $1 AND length(body) > 0",
                  &params, NULL, why);
}

/* ---- a round -------------------------------------------------------------------------------- */

static enum status compact_slots(struct round *round, struct why *why)
{
    return for_each_time(round, slots_sql, compact_one, why);
}

static enum status make_days(struct round *round, struct why *why)
{
    return for_each_time(round, days_sql, make_day, why);
}

static enum status key_hot(struct round *round, struct why *why)
{
    return pg_run(round->db->pg, key_sql, NULL, NULL, why);
}

/* A slot that cannot be compacted, or a table of somebody else's, must not keep all levels for
 * ever. */
static const struct stage {
    enum status (*run)(struct round *round, struct why *why);
    int is_of_slot;
} stages[] = {
    {make_ahead, 1}, {compact_slots, 0}, {make_days, 0},
    {retain, 0},     {key_hot, 0},       {forget_values, 1},
};

enum status keep_house(struct db *db, const struct keep_house_config *config, int64_t now_ms,
                       struct keep_house_report *ret, struct why *why)
{
    *ret = (struct keep_house_report){0};
    struct round round = {.db = db, .config = config, .now_ms = now_ms, .report = ret};
    int is_kept = db->kept_slot == now_ms / MS_PER_SLOT; /* the same slot as the last round */
    enum status outcome = STATUS_OK;
    for (size_t i = 0; i < ARRAY_SIZE(stages) && outcome != STATUS_UNAVAILABLE; i++) {
        struct why stage_why = {""};
        if (is_kept && stages[i].is_of_slot)
            continue;
        enum status status = stages[i].run(&round, &stage_why);
        note_failure(status, &stage_why, &outcome, why);
    }
    if (outcome == STATUS_OK)
        db->kept_slot = now_ms / MS_PER_SLOT;
    return outcome == STATUS_CONFLICT || outcome == STATUS_NOT_FOUND ? STATUS_FAILED : outcome;
}
