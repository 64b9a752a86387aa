#include "alerts.h"

#include "db.h"
#include "finding_rows.h"

/* A receiver hears of what is higher up than what it knows, and is reminded of what it knows: a
 * judgement that wavers is no news. */
#define RANK(state) "array_position('{\"\",watch,suspect,confirmed,resolved}'::text[], " state ")"

/*
 * $1 now, $2 receiver, $3 least severity, $4 reminders after, $5 claimed until, $6 how many. The
 * second of two collectors that claim the same row waits for the first, and then finds next_ms in
 * the future or, if that one has told it already, another state than the one that was due.
 */
/* clang-format off */
static const char claim_sql[] =
    "WITH due AS (SELECT f.service_id, f.type, f.first_seen_ms, coalesce(a.told, '') AS told, "
    "coalesce(a.told_ms, 0) AS told_ms "
    "FROM " FINDING_TABLES " LEFT JOIN heapfleet.alert a ON a.service_id = f.service_id "
    "AND a.type = f.type AND a.first_seen_ms = f.first_seen_ms AND a.receiver = $2 "
    "WHERE coalesce(a.next_ms, 0) <= $1 AND CASE WHEN f.closed_ms IS NOT NULL "
    "THEN a.told NOT IN ('', 'resolved') "
    "ELSE m.type IS NULL AND f.acknowledged_ms IS NULL AND (("
    RANK("f.severity") " >= " RANK("$3") " "
    "AND " RANK("f.severity") " > coalesce(" RANK("a.told") ", 1)) "
    "OR ($4 > 0 AND " RANK("a.told") " >= " RANK("$3") " AND a.told_ms + $4 <= $1)) END "
    "ORDER BY coalesce(a.told_ms, 0), f.first_seen_ms, f.service_id, f.type LIMIT $6), "
    "claimed AS (INSERT INTO heapfleet.alert AS a (service_id, type, first_seen_ms, receiver, "
    "told, told_ms, next_ms, attempts, failure) "
    "SELECT service_id, type, first_seen_ms, $2, told, told_ms, $5, 0, '' FROM due "
    "ON CONFLICT (service_id, type, first_seen_ms, receiver) DO UPDATE SET next_ms = $5 "
    "WHERE a.next_ms <= $1 AND a.told = excluded.told AND a.told_ms = excluded.told_ms "
    "RETURNING a.service_id, a.type, a.first_seen_ms, a.told) "
    "SELECT " FINDING_COLUMNS ", "
    "CASE WHEN f.closed_ms IS NOT NULL THEN 'resolved' "
    "WHEN " RANK("f.severity") " < " RANK("c.told") " THEN c.told ELSE f.severity END, c.told "
    "FROM " FINDING_TABLES " JOIN claimed c ON c.service_id = f.service_id AND c.type = f.type "
    "AND c.first_seen_ms = f.first_seen_ms ORDER BY f.first_seen_ms";
/* clang-format on */

static enum status read_alert(const struct pg_rows *rows, int row, struct arena *arena, void *ret,
                              struct why *why)
{
    struct alert_row *alert = ret;
    const char **texts[] = {&alert->state, &alert->told};
    enum status status = finding_read_row(rows, row, arena, &alert->finding, why);
    if (status != STATUS_OK)
        return status;
    return finding_read_texts(rows, row, FINDING_COLUMN_COUNT, arena, texts, ARRAY_SIZE(texts),
                              why);
}

enum status alerts_claim(struct db *db, const struct alert_wish *wish, int64_t now_ms,
                         struct arena *arena, struct alert_row **ret, size_t *ret_count,
                         struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, now_ms);
    pg_param_text(&params, wish->receiver);
    pg_param_text(&params, wish->severity);
    pg_param_i64(&params, wish->remind_ms);
    pg_param_i64(&params, now_ms + ALERT_CLAIM_MS);
    pg_param_i64(&params, wish->count_max);
    static const struct finding_query query = {claim_sql, read_alert, sizeof(struct alert_row)};
    void *list = NULL;
    enum status status = finding_read_rows(db, &query, &params, arena, &list, ret_count, why);
    if (status == STATUS_OK)
        *ret = list;
    return status;
}

static void name_alert(struct pg_params *params, const char *receiver,
                       const struct alert_row *alert)
{
    pg_param_i64(params, alert->finding.service_id);
    pg_param_text(params, alert->finding.type);
    pg_param_i64(params, alert->finding.first_seen_ms);
    pg_param_text(params, receiver);
}

/* A reminder is no event. */
static const char told_sql[] =
    "WITH told AS (UPDATE heapfleet.alert SET told = $5, told_ms = $6, next_ms = 0, attempts = 0, "
    "failure = '' WHERE service_id = $1 AND type = $2 AND first_seen_ms = $3 AND receiver = $4 "
    "RETURNING 1) INSERT INTO heapfleet.finding_event "
    "(service_id, type, first_seen_ms, at_ms, event, detail, actor) "
    "SELECT $1, $2, $3, $6, 'alerted', $4 || ': ' || $5, '' FROM told WHERE $5 <> $7 "
    "ON CONFLICT (service_id, type, first_seen_ms, at_ms, event) DO UPDATE "
    "SET detail = finding_event.detail || ', ' || excluded.detail";

enum status alert_told(struct db *db, const char *receiver, const struct alert_row *alert,
                       int64_t now_ms, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    name_alert(&params, receiver, alert);
    pg_param_text(&params, alert->state);
    pg_param_i64(&params, now_ms);
    pg_param_text(&params, alert->told);
    return pg_run(db->pg, told_sql, &params, NULL, why);
}

static const char failed_sql[] =
    "UPDATE heapfleet.alert SET attempts = attempts + 1, failure = $5, "
    "next_ms = $6 + least($7 * (1::bigint << least(attempts, 20)), $8) "
    "WHERE service_id = $1 AND type = $2 AND first_seen_ms = $3 AND receiver = $4";

enum status alert_failed(struct db *db, const char *receiver, const struct alert_row *alert,
                         const char *failure, int64_t now_ms, int64_t retry_max_ms, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    name_alert(&params, receiver, alert);
    pg_param_text(&params, failure);
    pg_param_i64(&params, now_ms);
    pg_param_i64(&params, ALERT_RETRY_MS);
    pg_param_i64(&params, retry_max_ms);
    return pg_run(db->pg, failed_sql, &params, NULL, why);
}
