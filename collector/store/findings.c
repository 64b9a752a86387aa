/*
 * Findings of a service are replaced as a whole, under a lock on its claim (sweep_claims.h). What
 * is open and found again keeps its first sight; what is open and not found any more is closed; the
 * rest is new. Each change is an event. What was only ever watched is no history: few of those that
 * closed are kept.
 */
#include "findings.h"

#include "db.h"

static const int64_t end_told_ms = (int64_t)24 * 3600 * 1000;

#define INSERT_EVENT                                                                               \
    "INSERT INTO heapfleet.finding_event "                                                         \
    "(service_id, type, first_seen_ms, at_ms, event, detail, actor) "

static const char close_sql[] =
    "WITH ended AS (UPDATE heapfleet.finding f SET closed_ms = $2, "
    "closed_reason = coalesce(e.reason, $3), fixed_in = coalesce(e.fixed_in, '') "
    "FROM heapfleet.finding o LEFT JOIN unnest($5, $6, $7) AS e(type, reason, fixed_in) "
    "ON e.type = o.type WHERE o.service_id = $1 AND o.closed_ms IS NULL AND o.type <> ALL ($4) "
    "AND (e.type IS NOT NULL OR o.severity = 'watch' OR o.first_seen_ms >= $8) "
    "AND f.service_id = $1 AND f.type = o.type AND f.first_seen_ms = o.first_seen_ms "
    "RETURNING f.type, f.first_seen_ms, f.closed_reason) " INSERT_EVENT
    "SELECT $1, type, first_seen_ms, $2, 'resolved', closed_reason, '' FROM ended "
    "ON CONFLICT DO NOTHING";

/*
 * $1 service, $2 how many are kept, $3 the time until which receivers of alerts that know of one
 * have been waited for. It was more than watched if its severity ever changed.
 */
static const char prune_sql[] =
    "WITH old AS (SELECT f.type, f.first_seen_ms FROM heapfleet.finding f "
    "WHERE f.service_id = $1 AND f.closed_ms IS NOT NULL AND f.severity = 'watch' "
    "AND f.acknowledged_ms IS NULL AND NOT EXISTS (SELECT FROM heapfleet.finding_event e "
    "WHERE e.service_id = $1 AND e.type = f.type AND e.first_seen_ms = f.first_seen_ms "
    "AND e.event = 'severity') AND (f.closed_ms < $3 OR NOT EXISTS (SELECT FROM heapfleet.alert a "
    "WHERE a.service_id = $1 AND a.type = f.type AND a.first_seen_ms = f.first_seen_ms "
    "AND a.told NOT IN ('', 'resolved'))) ORDER BY f.closed_ms DESC, f.type OFFSET $2), "
    "gone AS (DELETE FROM heapfleet.finding f USING old WHERE f.service_id = $1 "
    "AND f.type = old.type AND f.first_seen_ms = old.first_seen_ms), "
    "unsaid AS (DELETE FROM heapfleet.finding_event e USING old WHERE e.service_id = $1 "
    "AND e.type = old.type AND e.first_seen_ms = old.first_seen_ms) "
    "DELETE FROM heapfleet.alert a USING old WHERE a.service_id = $1 AND a.type = old.type "
    "AND a.first_seen_ms = old.first_seen_ms";

static const char end_watches_sql[] =
    "WITH ended AS (UPDATE heapfleet.finding SET closed_ms = $2, closed_reason = $3 "
    "WHERE service_id = $1 AND closed_ms IS NULL AND severity = 'watch' "
    "RETURNING type, first_seen_ms) " INSERT_EVENT
    "SELECT $1, type, first_seen_ms, $2, 'resolved', $3, '' FROM ended ON CONFLICT DO NOTHING";

/* clang-format off */
/* Who was made anew at $16 is not believed to be less sure of what was found before. */
#define RANK(severity) "array_position('{watch,suspect,confirmed}'::text[], " severity ")"
#define UNLESS_LESS_SURE(column)                                                                   \
    column " = CASE WHEN f.first_seen_ms < $16 AND " RANK("excluded.severity") " < "               \
    RANK("f.severity") " THEN f." column " ELSE excluded." column " END, "

/* Citus would look at what is old when the new is in already, were it not materialized. */
static const char upsert_sql[] =
    "WITH old AS MATERIALIZED (SELECT severity, version FROM heapfleet.finding "
    "WHERE service_id = $1 AND type = $2 AND closed_ms IS NULL), "
    "new AS (INSERT INTO heapfleet.finding AS f (service_id, type, first_seen_ms, last_seen_ms, "
    "severity, introduced_in, count_per_hour, bytes_per_hour, confidence, until_limit_ms, "
    "instances, companions, kind, rule, version, evidence) "
    "VALUES ($1, $2, $3, $3, $4, $5, $6, $7, $8, $9, $10, $11::jsonb, $12, $13, $14, $15::jsonb) "
    "ON CONFLICT (service_id, type) WHERE closed_ms IS NULL DO UPDATE SET "
    UNLESS_LESS_SURE("severity")
    UNLESS_LESS_SURE("confidence")
    UNLESS_LESS_SURE("rule")
    UNLESS_LESS_SURE("evidence")
    "introduced_in = CASE WHEN f.severity = 'confirmed' AND excluded.introduced_in = '' "
    "THEN f.introduced_in ELSE excluded.introduced_in END, "
    "last_seen_ms = excluded.last_seen_ms, count_per_hour = excluded.count_per_hour, "
    "bytes_per_hour = excluded.bytes_per_hour, until_limit_ms = excluded.until_limit_ms, "
    "instances = excluded.instances, companions = excluded.companions, kind = excluded.kind, "
    "version = excluded.version "
    "RETURNING f.first_seen_ms, f.severity, f.version, f.evidence) " INSERT_EVENT
    "SELECT $1, $2, new.first_seen_ms, $3, e.event, e.detail, '' "
    "FROM new LEFT JOIN old ON true, LATERAL (VALUES "
    "('opened', new.severity, old.severity IS NULL), "
    "('severity', old.severity || ' to ' || new.severity || "
    "coalesce(': ' || nullif(new.evidence ->> 'why', ''), ''), old.severity <> new.severity), "
    "('version', 'it grows in ' || new.version || ' too', "
    "new.version <> '' AND old.version <> new.version)) AS e(event, detail, due) "
    "WHERE e.due ON CONFLICT DO NOTHING";
/* clang-format on */

/* The lists of a close: what stays open, and why the others do not. */
struct close_lists {
    struct buf kept, types, reasons, versions;
};

static void write_close_lists(const struct findings_said *said, struct close_lists *ret)
{
    pg_array_begin(&ret->kept, PG_TEXT, said->row_count);
    for (size_t i = 0; i < said->row_count; i++)
        pg_array_text(&ret->kept, said->rows[i].type);
    pg_array_begin(&ret->types, PG_TEXT, said->end_count);
    pg_array_begin(&ret->reasons, PG_TEXT, said->end_count);
    pg_array_begin(&ret->versions, PG_TEXT, said->end_count);
    for (size_t i = 0; i < said->end_count; i++) {
        pg_array_text(&ret->types, said->ends[i].type);
        pg_array_text(&ret->reasons, said->ends[i].reason);
        pg_array_text(&ret->versions, said->ends[i].fixed_in);
    }
}

static enum status prune(struct db *db, int64_t service_id, int64_t now_ms, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, service_id);
    pg_param_i64(&params, FINDING_WATCHES_KEPT);
    pg_param_i64(&params, now_ms - end_told_ms);
    return pg_run(db->pg, prune_sql, &params, NULL, why);
}

static enum status close_others(struct db *db, int64_t service_id, const struct findings_said *said,
                                int64_t now_ms, struct why *why)
{
    struct close_lists lists = {BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT};
    write_close_lists(said, &lists);
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, service_id);
    pg_param_i64(&params, now_ms);
    pg_param_text(&params, "it does not grow any more");
    pg_param_array(&params, PG_TEXT, &lists.kept);
    pg_param_array(&params, PG_TEXT, &lists.types);
    pg_param_array(&params, PG_TEXT, &lists.reasons);
    pg_param_array(&params, PG_TEXT, &lists.versions);
    pg_param_i64(&params, said->made_ms);
    struct pg_rows ended;
    enum status status = pg_run(db->pg, close_sql, &params, &ended, why);
    if (status == STATUS_OK) {
        uint64_t count_ended = ended.changed;
        pg_rows_done(&ended);
        if (count_ended > 0)
            status = prune(db, service_id, now_ms, why);
    }
    buf_done(&lists.kept);
    buf_done(&lists.types);
    buf_done(&lists.reasons);
    buf_done(&lists.versions);
    return status;
}

static const char *or_else(const char *text, const char *otherwise)
{
    return text != NULL ? text : otherwise;
}

static enum status upsert(struct db *db, int64_t service_id, const struct finding_row *row,
                          int64_t made_ms, int64_t now_ms, struct why *why)
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
    pg_param_text(&params, or_else(row->kind, "objects"));
    pg_param_text(&params, or_else(row->rule, ""));
    pg_param_text(&params, or_else(row->version, ""));
    pg_param_text(&params, or_else(row->evidence_json, "{}"));
    pg_param_i64(&params, made_ms);
    return pg_run(db->pg, upsert_sql, &params, NULL, why);
}

enum status findings_replace(struct db *db, int64_t service_id, const struct findings_said *said,
                             int64_t now_ms, struct why *why)
{
    enum status status = close_others(db, service_id, said, now_ms, why);
    for (size_t i = 0; i < said->row_count && status == STATUS_OK; i++)
        status = upsert(db, service_id, &said->rows[i], said->made_ms, now_ms, why);
    return status == STATUS_CONFLICT ? STATUS_FAILED : status;
}

enum status findings_end_watches(struct db *db, int64_t service_id, int64_t now_ms, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, service_id);
    pg_param_i64(&params, now_ms);
    pg_param_text(&params, "the service has not been seen for long");
    enum status status = pg_run(db->pg, end_watches_sql, &params, NULL, why);
    return status == STATUS_OK ? prune(db, service_id, now_ms, why) : status;
}

/* ---- what people say ------------------------------------------------------------------------ */

static const char acknowledge_sql[] =
    "WITH said AS (UPDATE heapfleet.finding SET acknowledged_ms = $4, acknowledged_by = $5, "
    "note = $6 WHERE service_id = $1 AND type = $2 AND first_seen_ms = $3 AND closed_ms IS NULL "
    "RETURNING 1) " INSERT_EVENT "SELECT $1, $2, $3, $4, 'acknowledged', $6, $5 FROM said "
    "ON CONFLICT (service_id, type, first_seen_ms, at_ms, event) DO UPDATE "
    "SET detail = excluded.detail, actor = excluded.actor";

enum status finding_acknowledge(struct db *db, const struct finding_row *finding,
                                const struct finding_word *word, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, finding->service_id);
    pg_param_text(&params, finding->type);
    pg_param_i64(&params, finding->first_seen_ms);
    pg_param_i64(&params, word->now_ms);
    pg_param_text(&params, word->actor);
    pg_param_text(&params, word->text);
    struct pg_rows rows;
    enum status status = pg_run(db->pg, acknowledge_sql, &params, &rows, why);
    if (status != STATUS_OK)
        return status;
    if (rows.changed == 0)
        status = why_fail(why, STATUS_NOT_FOUND, "the finding is resolved already");
    pg_rows_done(&rows);
    return status;
}

/* An event for every open finding of service $1 and type $2 ('': any). */
#define EVENT_OF_OPEN(event, at, detail, actor)                                                    \
    INSERT_EVENT "SELECT f.service_id, f.type, f.first_seen_ms, " at ", '" event "', " detail      \
                 ", " actor " FROM heapfleet.finding f WHERE f.service_id = $1 AND f.closed_ms "   \
                 "IS NULL AND ($2 = '' OR f.type = $2) ON CONFLICT DO NOTHING"

static const char mute_sql[] =
    "INSERT INTO heapfleet.mute (service_id, type, actor, reason, created_ms, until_ms) "
    "VALUES ($1, $2, $3, $4, $5, nullif($6, 0)) ON CONFLICT (service_id, type) DO UPDATE SET "
    "actor = excluded.actor, reason = excluded.reason, created_ms = excluded.created_ms, "
    "until_ms = excluded.until_ms";
static const char muted_sql[] = EVENT_OF_OPEN("muted", "$5", "$4", "$3");

enum status mute_put(struct db *db, const struct mute_row *mute, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, mute->service_id);
    pg_param_text(&params, mute->type);
    pg_param_text(&params, mute->actor);
    pg_param_text(&params, mute->reason);
    pg_param_i64(&params, mute->created_ms);
    pg_param_i64(&params, mute->until_ms);
    enum status status = pg_begin(db->pg, why);
    if (status == STATUS_OK)
        status = pg_run(db->pg, mute_sql, &params, NULL, why);
    params.count--; /* nobody's event has an end */
    if (status == STATUS_OK)
        status = pg_run(db->pg, muted_sql, &params, NULL, why);
    if (status == STATUS_OK)
        status = pg_commit(db->pg, why);
    pg_rollback(db->pg);
    return status;
}

static const char unmute_sql[] = "DELETE FROM heapfleet.mute WHERE service_id = $1 AND type = $2 "
                                 "AND (until_ms IS NULL OR until_ms > $3)";
static const char unmuted_sql[] = EVENT_OF_OPEN("unmuted", "$3", "$4", "$5");

/* The event is history for people: should it get lost, the mute is gone all the same. */
enum status mute_remove(struct db *db, int64_t service_id, const char *type,
                        const struct finding_word *word, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, service_id);
    pg_param_text(&params, type);
    pg_param_i64(&params, word->now_ms);
    struct pg_rows rows;
    enum status status = pg_run(db->pg, unmute_sql, &params, &rows, why);
    if (status != STATUS_OK)
        return status;
    uint64_t removed = rows.changed;
    pg_rows_done(&rows);
    if (removed == 0)
        return why_fail(why, STATUS_NOT_FOUND,
                        "there is no such mute: heapfleet leaks mutes lists them");
    pg_param_text(&params, word->text);
    pg_param_text(&params, word->actor);
    return pg_run(db->pg, unmuted_sql, &params, NULL, why);
}
