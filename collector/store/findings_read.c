#include <string.h>

#include "db.h"
#include "finding_rows.h"

static const char too_many[] = "the findings need too much memory";

const char *finding_state_name(enum finding_state state)
{
    static const char *const names[] = {"open", "acknowledged", "muted", "resolved"};
    ASSERT((size_t)state < ARRAY_SIZE(names));
    return names[state];
}

enum status finding_read_texts(const struct pg_rows *rows, int row, int first, struct arena *arena,
                               const char **const *texts, int count, struct why *why)
{
    for (int i = 0; i < count; i++) {
        size_t size;
        const char *text = (const char *)pg_bytes(rows, row, first + i, &size);
        *texts[i] = arena_strndup(arena, text, size);
        if (*texts[i] == NULL)
            return why_fail(why, STATUS_LIMIT, too_many);
    }
    return STATUS_OK;
}

enum status finding_read_rows(struct db *db, const struct finding_query *query,
                              const struct pg_params *params, struct arena *arena, void **ret,
                              size_t *ret_count, struct why *why)
{
    struct pg_rows rows;
    enum status status = pg_run(db->pg, query->sql, params, &rows, why);
    if (status != STATUS_OK)
        return status;
    char *list = arena_alloc(arena, (size_t)rows.count * query->size);
    if (list == NULL)
        status = why_fail(why, STATUS_LIMIT, too_many);
    for (int i = 0; list != NULL && i < rows.count && status == STATUS_OK; i++)
        status = query->read(&rows, i, arena, list + (size_t)i * query->size, why);
    if (status == STATUS_OK) {
        *ret = list;
        *ret_count = (size_t)rows.count;
    }
    pg_rows_done(&rows);
    return status;
}

/* A mute is louder than an acknowledgement: it says that nobody wants to hear of it. */
static enum finding_state state_of(const struct finding_row *row)
{
    if (row->closed_ms != 0)
        return FINDING_RESOLVED;
    if (row->muted_ms != 0)
        return FINDING_MUTED;
    return row->acknowledged_ms != 0 ? FINDING_ACKNOWLEDGED : FINDING_OPEN;
}

enum status finding_read_row(const struct pg_rows *rows, int row, struct arena *arena, void *ret,
                             struct why *why)
{
    struct finding_row finding = {0};
    const char **texts[] = {
        &finding.type,
        &finding.severity,
        &finding.kind,
        &finding.rule,
        &finding.version,
        &finding.introduced_in,
        &finding.companions_json,
        &finding.evidence_json,
        &finding.id,
        &finding.service,
        &finding.service_namespace,
        &finding.environment,
        &finding.closed_reason,
        &finding.fixed_in,
        &finding.acknowledged_by,
        &finding.note,
        &finding.muted_by,
        &finding.muted_because,
    };
    int column = (int)ARRAY_SIZE(texts);
    enum status status = finding_read_texts(rows, row, 0, arena, texts, column, why);
    if (status != STATUS_OK)
        return status;
    finding.service_id = pg_i64(rows, row, column++);
    finding.count_per_hour = pg_f64(rows, row, column++);
    finding.bytes_per_hour = pg_f64(rows, row, column++);
    finding.confidence = pg_f64(rows, row, column++);
    finding.until_limit_ms = pg_i64(rows, row, column++);
    finding.instances = (uint32_t)pg_i64(rows, row, column++);
    finding.first_seen_ms = pg_i64(rows, row, column++);
    finding.last_seen_ms = pg_i64(rows, row, column++);
    finding.closed_ms = pg_i64(rows, row, column++);
    finding.acknowledged_ms = pg_i64(rows, row, column++);
    finding.muted_ms = pg_i64(rows, row, column++);
    finding.muted_until_ms = pg_i64(rows, row, column++);
    ASSERT(column == FINDING_COLUMN_COUNT);
    finding.state = state_of(&finding);
    *(struct finding_row *)ret = finding;
    return STATUS_OK;
}

/* ---- findings ------------------------------------------------------------------------------- */

static const char list_sql[] =
    "SELECT " FINDING_COLUMNS " FROM " FINDING_TABLES " WHERE ($2 = 0 OR f.service_id = $2) "
    "AND (f.closed_ms IS NULL OR ($3 <> 0 AND f.closed_ms >= $3) OR $4 <> '') "
    "AND (f.severity <> 'watch' OR $5 <> 0 OR $4 <> '') "
    "AND starts_with(f.id, $4) "
    "ORDER BY f.closed_ms DESC NULLS FIRST, f.bytes_per_hour DESC, s.name, f.type";

enum status findings_list(struct db *db, const struct finding_filter *filter, int64_t now_ms,
                          struct arena *arena, struct finding_row **ret, size_t *ret_count,
                          struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, now_ms);
    pg_param_i64(&params, filter->service_id);
    pg_param_i64(&params, filter->closed_from_ms);
    pg_param_text(&params, filter->id != NULL ? filter->id : "");
    pg_param_i64(&params, filter->is_watch_wanted);
    static const struct finding_query query = {list_sql, finding_read_row,
                                               sizeof(struct finding_row)};
    void *list = NULL;
    enum status status = finding_read_rows(db, &query, &params, arena, &list, ret_count, why);
    if (status == STATUS_OK)
        *ret = list;
    return status;
}

/* ---- events --------------------------------------------------------------------------------- */

static const char events_sql[] =
    "SELECT event, detail, actor, at_ms FROM heapfleet.finding_event "
    "WHERE service_id = $1 AND type = $2 AND first_seen_ms = $3 ORDER BY at_ms, event DESC";

static enum status read_event(const struct pg_rows *rows, int row, struct arena *arena, void *ret,
                              struct why *why)
{
    struct finding_event *event = ret;
    const char **texts[] = {&event->event, &event->detail, &event->actor};
    event->at_ms = pg_i64(rows, row, 3);
    return finding_read_texts(rows, row, 0, arena, texts, ARRAY_SIZE(texts), why);
}

static void name_finding(struct pg_params *params, const struct finding_row *finding)
{
    pg_param_i64(params, finding->service_id);
    pg_param_text(params, finding->type);
    pg_param_i64(params, finding->first_seen_ms);
}

enum status finding_events(struct db *db, const struct finding_row *finding, struct arena *arena,
                           struct finding_event **ret, size_t *ret_count, struct why *why)
{
    static const struct finding_query query = {events_sql, read_event,
                                               sizeof(struct finding_event)};
    struct pg_params params = PG_PARAMS_INIT;
    void *list = NULL;
    name_finding(&params, finding);
    enum status status = finding_read_rows(db, &query, &params, arena, &list, ret_count, why);
    if (status == STATUS_OK)
        *ret = list;
    return status;
}

/* ---- evidence ------------------------------------------------------------------------------- */

/* Lists and objects (curves) are for SQL users. */
static const char evidence_sql[] =
    "SELECT e.key, e.value #>> '{}' FROM heapfleet.finding f, jsonb_each(f.evidence) e "
    "WHERE f.service_id = $1 AND f.type = $2 AND f.first_seen_ms = $3 "
    "AND jsonb_typeof(f.evidence) = 'object' "
    "AND jsonb_typeof(e.value) IN ('string', 'number', 'boolean') ORDER BY 1";

static enum status read_figure(const struct pg_rows *rows, int row, struct arena *arena, void *ret,
                               struct why *why)
{
    struct finding_figure *figure = ret;
    const char **texts[] = {&figure->name, &figure->value};
    return finding_read_texts(rows, row, 0, arena, texts, ARRAY_SIZE(texts), why);
}

enum status finding_evidence(struct db *db, const struct finding_row *finding, struct arena *arena,
                             struct finding_figure **ret, size_t *ret_count, struct why *why)
{
    static const struct finding_query query = {evidence_sql, read_figure,
                                               sizeof(struct finding_figure)};
    struct pg_params params = PG_PARAMS_INIT;
    void *list = NULL;
    name_finding(&params, finding);
    enum status status = finding_read_rows(db, &query, &params, arena, &list, ret_count, why);
    if (status == STATUS_OK)
        *ret = list;
    return status;
}

/* ---- mutes ---------------------------------------------------------------------------------- */

static const char mutes_sql[] =
    "SELECT s.name, s.service_namespace, s.environment, m.type, m.actor, m.reason, m.service_id, "
    "m.created_ms, m.until_ms FROM heapfleet.mute m JOIN heapfleet.service s ON s.id = "
    "m.service_id "
    "WHERE m.until_ms IS NULL OR m.until_ms > $1 ORDER BY s.name, s.environment, m.type";

static enum status read_mute(const struct pg_rows *rows, int row, struct arena *arena, void *ret,
                             struct why *why)
{
    struct mute_row *mute = ret;
    *mute = (struct mute_row){.service_id = pg_i64(rows, row, 6),
                              .created_ms = pg_i64(rows, row, 7),
                              .until_ms = pg_i64(rows, row, 8)};
    const char **texts[] = {&mute->service,     &mute->service_namespace,
                            &mute->environment, &mute->type,
                            &mute->actor,       &mute->reason};
    return finding_read_texts(rows, row, 0, arena, texts, ARRAY_SIZE(texts), why);
}

enum status mute_list(struct db *db, int64_t now_ms, struct arena *arena, struct mute_row **ret,
                      size_t *ret_count, struct why *why)
{
    static const struct finding_query query = {mutes_sql, read_mute, sizeof(struct mute_row)};
    struct pg_params params = PG_PARAMS_INIT;
    void *list = NULL;
    pg_param_i64(&params, now_ms);
    enum status status = finding_read_rows(db, &query, &params, arena, &list, ret_count, why);
    if (status == STATUS_OK)
        *ret = list;
    return status;
}
