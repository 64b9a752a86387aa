/* GetHistory: which processes, which times, and what they are read from. */
#include "query_history.h"
#include "levels.h"

static const int64_t hour_ms = 3600000;
static const int64_t day_ms = 86400000;

/* Above these spans AUTO takes the next coarser level. */
static const int64_t exact_span_ms = 36 * 3600000LL;
static const int64_t hours_span_ms = 92 * 86400000LL;

/* What is not rolled up yet is younger than this, as a rule. */
static const int64_t tail_span_ms = 12 * 3600000LL;

/* Of one answer from exact snapshots. */
static const double snapshots_max = 5e6;

/* ---- which processes, which times ----------------------------------------------------------- */

static enum status choose_instances(struct history *history, struct why *why)
{
    const struct fleet *fleet = &history->fleet;
    const struct instance_row *only = NULL;
    void *memory = NULL;
    enum status status = STATUS_OK;
    if (*history->asked->version != '\0')
        status = query_find_version(fleet, history->asked->version, &history->deployment, why);
    if (status == STATUS_OK && *history->asked->instance != '\0')
        status = query_find_instance(fleet, history->asked->instance, &only, why);
    if (status == STATUS_OK)
        status =
            query_alloc(history->query, (fleet->instance_count + 1) * sizeof(void *), &memory, why);
    if (status != STATUS_OK)
        return status;
    history->chosen = memory;
    for (size_t i = 0; i < fleet->instance_count; i++) {
        const struct instance_row *row = &fleet->instances[i];
        if ((history->deployment == NULL || row->deployment_id == history->deployment->id) &&
            (only == NULL || row == only) && row->last_seen_ms >= history->from_ms &&
            row->last_seen_ms != 0 && row->started_ms <= history->to_ms)
            history->chosen[history->chosen_count++] = row;
    }
    return STATUS_OK;
}

/*
 * Those that were seen within the span or later; a whole day that begins before it, and an interval
 * between two snapshots, reach back by a day each. But all of them where one is named: an older one
 * may be meant. Of a long span the type's place is asked of those that are not rolled up yet, as a
 * rule.
 */
static struct instance_filter choose_filter(const struct history *history)
{
    const Heapfleet__V1__GetHistoryRequest *asked = history->asked;
    struct instance_filter ret = {0};
    if (*asked->instance != '\0')
        return ret;
    if (history->from_ms > 2 * day_ms)
        ret.seen_from_ms = history->from_ms - 2 * day_ms;
    if (!asked->raw && history->to_ms - history->from_ms > exact_span_ms)
        ret.of_type_from_ms = history->query->now_ms - tail_span_ms;
    return ret;
}

/* Both are by start and id. */
static void take_type_indices(struct fleet *fleet, const struct fleet *from)
{
    size_t at = 0;
    for (size_t i = 0; i < fleet->instance_count; i++) {
        struct instance_row *row = &fleet->instances[i];
        const struct instance_row *other = from->instances;
        while (at < from->instance_count &&
               (other[at].started_ms < row->started_ms ||
                (other[at].started_ms == row->started_ms && other[at].id < row->id)))
            at++;
        if (at < from->instance_count && other[at].id == row->id)
            row->type_index = other[at].type_index;
    }
}

enum status history_know_type(struct history *history, int64_t from_ms, struct why *why)
{
    if (history->type_id == 0 || from_ms >= history->read.of_type_from_ms)
        return STATUS_OK;
    struct fleet all = history->fleet;
    history->read.of_type_from_ms = 0;
    struct instance_filter filter = query_with_type(&history->read, history->type_id);
    enum status status = query_read_processes(history->query, &filter, &all, why);
    if (status == STATUS_OK)
        take_type_indices(&history->fleet, &all);
    return status;
}

static void ask_names(const struct history *history)
{
    const struct query *query = history->query;
    struct service_row *services;
    size_t count;
    int32_t type_id;
    db_ask_ahead(query->db, 1);
    enum status status = service_list(query->db, query->arena, &services, &count, NULL);
    if (*history->asked->type != '\0')
        status |= type_id_find(query->db, history->asked->type, &type_id, NULL);
    db_ask_ahead(query->db, 0);
    ASSERT(status != STATUS_OK);
}

static void ask_processes(const struct history *history)
{
    struct query *query = history->query;
    struct fleet fleet = history->fleet;
    struct instance_filter filter = query_with_type(&history->read, history->type_id);
    int64_t end_ms;
    db_ask_ahead(query->db, 1);
    enum status status = deployment_versions(query->db, fleet.service.id, query->arena,
                                             &fleet.deployments, &fleet.deployment_count, NULL);
    status |= query_read_processes(query, &filter, &fleet, NULL);
    status |= level_end(query->db, fleet.service.id, query->now_ms, &end_ms, NULL);
    db_ask_ahead(query->db, 0);
    ASSERT(status != STATUS_OK);
}

static enum status read_processes(struct history *history, struct why *why)
{
    const Heapfleet__V1__GetHistoryRequest *asked = history->asked;
    struct query *query = history->query;
    struct fleet *fleet = &history->fleet;
    history->read = choose_filter(history);
    ask_names(history);
    enum status status = query_find_service(query, asked->service, &fleet->service, why);
    if (status == STATUS_OK)
        status = query_find_type(query, fleet, asked->type, &history->type_id, why);
    if (status != STATUS_OK)
        return status;
    ask_processes(history);
    status = deployment_versions(query->db, fleet->service.id, query->arena, &fleet->deployments,
                                 &fleet->deployment_count, why);
    if (status == STATUS_OK)
        status =
            query_read_having(query, &history->read, asked->type, history->type_id, fleet, why);
    return status;
}

static enum status check_times(struct history *history, struct why *why)
{
    const Heapfleet__V1__GetHistoryRequest *asked = history->asked;
    history->from_ms = asked->from_ms;
    history->to_ms = asked->to_ms != 0 ? asked->to_ms : history->query->now_ms;
    if (asked->step_ms < 0)
        return why_fail(why, STATUS_INVALID, "a step cannot be negative");
    enum status status =
        query_check_span(history->from_ms, history->to_ms, history->query->now_ms, why);
    /* steps that nobody has lived yet are none; a snapshot of a fast clock is one */
    if (!asked->raw && history->to_ms > history->query->now_ms &&
        history->from_ms < history->query->now_ms)
        history->to_ms = history->query->now_ms;
    return status;
}

struct type_value history_value(const struct history *history,
                                const struct history_snapshot *snapshot, uint32_t index)
{
    if (history->type_id == 0)
        return (struct type_value){snapshot->objects, snapshot->bytes};
    return query_value_of(snapshot, index);
}

double history_snapshots(const struct history *history)
{
    double snapshots = 0;
    for (size_t i = 0; i < history->chosen_count; i++) {
        const struct instance_row *row = history->chosen[i];
        int64_t from_ms = row->started_ms > history->from_ms ? row->started_ms : history->from_ms;
        int64_t to_ms = row->last_seen_ms < history->to_ms ? row->last_seen_ms : history->to_ms;
        if (to_ms > from_ms)
            snapshots += (double)(to_ms - from_ms) / (double)query_interval_ms(row);
    }
    return snapshots;
}

static int ascending(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

enum status history_interval(const struct history *history, int64_t *ret, struct why *why)
{
    void *memory = NULL;
    enum status status =
        query_alloc(history->query, (history->chosen_count + 1) * sizeof(int64_t), &memory, why);
    if (status != STATUS_OK)
        return status;
    int64_t *intervals = memory;
    for (size_t i = 0; i < history->chosen_count; i++)
        intervals[i] = query_interval_ms(history->chosen[i]);
    qsort(intervals, history->chosen_count, sizeof(*intervals), ascending);
    *ret = intervals[history->chosen_count / 2];
    return STATUS_OK;
}

/* ---- points --------------------------------------------------------------------------------- */

enum status history_begin_points(const struct history *history, size_t count,
                                 Heapfleet__V1__GetHistoryResponse *response, struct why *why)
{
    void *memory = NULL;
    enum status status = query_alloc(history->query, (count + 1) * sizeof(void *), &memory, why);
    if (status == STATUS_OK)
        response->points = memory;
    return status;
}

enum status history_add_point(const struct history *history,
                              Heapfleet__V1__GetHistoryResponse *response,
                              Heapfleet__V1__HistoryPoint **ret, struct why *why)
{
    void *memory = NULL;
    enum status status =
        query_alloc(history->query, sizeof(Heapfleet__V1__HistoryPoint), &memory, why);
    if (status != STATUS_OK)
        return status;
    *ret = memory;
    heapfleet__v1__history_point__init(*ret);
    response->points[response->n_points++] = *ret;
    return STATUS_OK;
}

/* ---- which level ---------------------------------------------------------------------------- */

/* What has been seen may be shorter than what was asked for. */
static int64_t seen_span_ms(const struct history *history)
{
    int64_t from_ms = history->to_ms;
    for (size_t i = 0; i < history->chosen_count; i++) {
        if (history->chosen[i]->started_ms < from_ms)
            from_ms = history->chosen[i]->started_ms;
    }
    return history->to_ms - (from_ms > history->from_ms ? from_ms : history->from_ms);
}

static Heapfleet__V1__Resolution choose_resolution(const struct history *history)
{
    int64_t span_ms = seen_span_ms(history), step_ms = history->asked->step_ms;
    if (*history->asked->instance != '\0')
        return HEAPFLEET__V1__RESOLUTION__RESOLUTION_EXACT;
    if ((span_ms > hours_span_ms && step_ms == 0) ||
        (span_ms > exact_span_ms && step_ms != 0 && step_ms % day_ms == 0))
        return HEAPFLEET__V1__RESOLUTION__RESOLUTION_DAY;
    int fits_hours = step_ms == 0 || step_ms % hour_ms == 0;
    if (fits_hours && (span_ms > exact_span_ms || history_snapshots(history) > snapshots_max))
        return HEAPFLEET__V1__RESOLUTION__RESOLUTION_HOUR;
    return HEAPFLEET__V1__RESOLUTION__RESOLUTION_EXACT;
}

static enum status check_exact(const struct history *history, struct why *why)
{
    double snapshots = history_snapshots(history);
    if (snapshots <= snapshots_max)
        return STATUS_OK;
    return why_fail(why, STATUS_INVALID,
                    "every minute of this span is %.1f million snapshots of %zu processes, at most "
                    "%.0f million can be read: ask for hours, one version, or a shorter span",
                    snapshots / 1e6, history->chosen_count, snapshots_max / 1e6);
}

static enum status check_level(const struct history *history, Heapfleet__V1__Resolution resolution,
                               struct why *why)
{
    int64_t unit_ms = resolution == HEAPFLEET__V1__RESOLUTION__RESOLUTION_DAY ? day_ms : hour_ms;
    if (*history->asked->instance != '\0')
        return why_fail(
            why, STATUS_INVALID,
            "hours and days are of all processes together: one process has minutes only");
    if (history->asked->step_ms % unit_ms != 0)
        return why_fail(why, STATUS_INVALID, "a step of %s must be a multiple of one",
                        unit_ms == day_ms ? "days" : "hours");
    return STATUS_OK;
}

static enum status read_level(struct history *history, Heapfleet__V1__Resolution resolution,
                              Heapfleet__V1__GetHistoryResponse *response, struct why *why)
{
    response->resolution = resolution;
    int is_exact = resolution == HEAPFLEET__V1__RESOLUTION__RESOLUTION_EXACT;
    enum status status =
        is_exact ? check_exact(history, why) : check_level(history, resolution, why);
    if (status == STATUS_OK && is_exact)
        status = history_know_type(history, 0, why);
    if (status != STATUS_OK)
        return status;
    if (is_exact)
        return history_by_steps(history, response, why);
    return history_by_level(history, resolution, response, why);
}

/* What the span suggests; when that is not kept any more, what is coarser. */
static enum status read_best(struct history *history, Heapfleet__V1__GetHistoryResponse *response,
                             struct why *why)
{
    Heapfleet__V1__Resolution resolution = choose_resolution(history);
    const struct history asked = *history;
    enum status status = read_level(history, resolution, response, why);
    while (status == STATUS_OK && response->n_points == 0 && history->chosen_count > 0 &&
           resolution < HEAPFLEET__V1__RESOLUTION__RESOLUTION_DAY &&
           check_level(history, resolution + 1, NULL) == STATUS_OK) {
        *history = asked;
        status = read_level(history, ++resolution, response, why);
    }
    return status;
}

static enum status read_chosen(struct history *history, Heapfleet__V1__GetHistoryResponse *response,
                               struct why *why)
{
    Heapfleet__V1__Resolution resolution = history->asked->resolution;
    if ((unsigned)resolution > HEAPFLEET__V1__RESOLUTION__RESOLUTION_DAY)
        return why_fail(why, STATUS_INVALID, "there is no resolution %d", (int)resolution);
    if (!history->asked->raw && resolution == HEAPFLEET__V1__RESOLUTION__RESOLUTION_AUTO)
        return read_best(history, response, why);
    if (!history->asked->raw)
        return read_level(history, resolution, response, why);
    if (resolution > HEAPFLEET__V1__RESOLUTION__RESOLUTION_EXACT)
        return why_fail(why, STATUS_INVALID, "hours and days have no raw snapshots");
    response->resolution = HEAPFLEET__V1__RESOLUTION__RESOLUTION_EXACT;
    return history_raw(history, response, why);
}

static enum status answer(struct history *history, ProtobufCMessage **ret, struct why *why)
{
    void *memory = NULL;
    enum status status =
        query_alloc(history->query, sizeof(Heapfleet__V1__GetHistoryResponse), &memory, why);
    if (status == STATUS_OK)
        status = check_times(history, why);
    if (status == STATUS_OK)
        status = read_processes(history, why);
    if (status == STATUS_OK)
        status = choose_instances(history, why);
    if (status != STATUS_OK)
        return status;
    Heapfleet__V1__GetHistoryResponse *response = memory;
    heapfleet__v1__get_history_response__init(response);
    status = read_chosen(history, response, why);
    if (status == STATUS_OK)
        *ret = &response->base;
    return status;
}

enum status query_get_history(struct query *query, const ProtobufCMessage *request,
                              ProtobufCMessage **ret, struct why *why)
{
    struct history history = {.query = query, .asked = (const void *)request};
    enum status status = answer(&history, ret, why);
    db_forget_ahead(query->db);
    return status;
}
