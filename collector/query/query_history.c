/*
 * GetHistory: one type of a service over time.
 *
 * A step must hold a snapshot of every process, or the sums would jump with who happens to be in
 * it. So a step that we choose is at least two snapshot intervals wide, and the steps are counted
 * back from the end, so that the last one, which people look at, is whole.
 */
#include <inttypes.h>

#include "query_find.h"
#include "query_life.h"
#include "report.h"

enum {
    STEPS_CHOSEN = 240, /* at most, when the request leaves the step to us */
    STEPS_MAX = 10000,
    RAW_POINTS_MAX = 200000,
};
static const int64_t time_max_ms = 253402300800000; /* the year 10000 */

struct history {
    struct query *query;
    const Heapfleet__V1__GetHistoryRequest *asked;
    struct fleet fleet;
    const struct instance_row **chosen; /* the processes that the request speaks of */
    size_t chosen_count;
    int32_t type_id;
    int64_t from_ms, to_ms, step_ms;
};

/* ---- which processes, which times ----------------------------------------------------------- */

static enum status choose_instances(struct history *history, struct why *why)
{
    const struct fleet *fleet = &history->fleet;
    const struct deployment_row *deployment = NULL;
    const struct instance_row *only = NULL;
    void *memory = NULL;
    enum status status = STATUS_OK;
    if (*history->asked->version != '\0')
        status = query_find_version(fleet, history->asked->version, &deployment, why);
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
        if ((deployment == NULL || row->deployment_id == deployment->id) &&
            (only == NULL || row == only) && row->last_seen_ms >= history->from_ms &&
            row->last_seen_ms != 0)
            history->chosen[history->chosen_count++] = row;
    }
    return STATUS_OK;
}

static enum status check_times(struct history *history, struct why *why)
{
    const Heapfleet__V1__GetHistoryRequest *asked = history->asked;
    history->from_ms = asked->from_ms;
    history->to_ms = asked->to_ms != 0 ? asked->to_ms : history->query->now_ms;
    if (asked->from_ms < 0 || asked->to_ms < 0 || asked->step_ms < 0)
        return why_fail(why, STATUS_INVALID, "times and steps cannot be negative");
    if (asked->to_ms > time_max_ms || asked->step_ms > time_max_ms)
        return why_fail(why, STATUS_INVALID, "times and steps end with the year 9999");
    if (history->from_ms >= history->to_ms)
        return why_fail(why, STATUS_INVALID, "the span ends before it begins");
    return STATUS_OK;
}

/* Leave out the time before anything was seen. */
static enum status clip_start(struct history *history, struct why *why)
{
    int64_t first_ms = INT64_MAX;
    for (size_t i = 0; i < history->chosen_count; i++) {
        int64_t found_ms = 0;
        enum status status =
            life_find_first(history->query, history->fleet.service.id, history->chosen[i]->id,
                            history->from_ms, &found_ms, why);
        if (status != STATUS_OK)
            return status;
        if (found_ms != 0 && found_ms < first_ms)
            first_ms = found_ms;
    }
    if (first_ms > history->from_ms && first_ms < history->to_ms)
        history->from_ms = first_ms;
    return STATUS_OK;
}

static int ascending(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* The median, so that one process that was paused does not widen the steps of all. */
static enum status median_interval(const struct history *history, int64_t *ret, struct why *why)
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

/* The next width that people count in. */
static int64_t round_step(int64_t step_ms)
{
    static const int64_t widths[] = {
        100,    200,    500,    1000,   2000,    5000,    10000,   15000,    30000,    60000,
        120000, 300000, 600000, 900000, 1800000, 3600000, 7200000, 10800000, 21600000, 43200000,
    };
    for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
        if (widths[i] >= step_ms)
            return widths[i];
    }
    const int64_t day_ms = 86400000;
    return (step_ms + day_ms - 1) / day_ms * day_ms;
}

static enum status choose_step(struct history *history, struct why *why)
{
    history->step_ms = history->asked->step_ms;
    if (history->step_ms == 0) {
        int64_t interval_ms = 0;
        enum status status = clip_start(history, why);
        if (status == STATUS_OK)
            status = median_interval(history, &interval_ms, why);
        if (status != STATUS_OK)
            return status;
        int64_t least_ms = (history->to_ms - history->from_ms + STEPS_CHOSEN - 1) / STEPS_CHOSEN;
        int64_t whole_ms = history->chosen_count == 1 ? interval_ms : 2 * interval_ms;
        history->step_ms = round_step(least_ms > whole_ms ? least_ms : whole_ms);
    }
    int64_t span_ms = history->to_ms - history->from_ms;
    int64_t steps = span_ms / history->step_ms + (span_ms % history->step_ms != 0);
    if (steps > STEPS_MAX)
        return why_fail(why, STATUS_INVALID,
                        "the span has %" PRId64 " steps: at most %d; ask for wider ones", steps,
                        STEPS_MAX);
    history->from_ms = history->to_ms - steps * history->step_ms;
    return STATUS_OK;
}

static uint32_t type_index(const struct instance_row *instance, int32_t type_id)
{
    uint32_t i = 0;
    while (i < instance->type_count && instance->type_ids[i] != type_id)
        i++;
    return i;
}

/* Of a type that the process does not have (yet): nothing. */
static struct type_value value_of(const struct history_snapshot *snapshot, uint32_t index)
{
    if (index >= snapshot->values->types)
        return (struct type_value){0};
    return snapshot->values->values[index];
}

/* ---- steps ---------------------------------------------------------------------------------- */

struct sum {
    uint64_t count, bytes;
    uint32_t instances;
};

/* A process that ended in a step is not there at its end, and the one that took its place is. It
 * counts where nobody else is left, so that short-lived ones are seen at all. */
struct step {
    struct sum stay, end;
    struct type_value last; /* of the process that is being read */
    int is_set;
};

/* Step k covers from + k * width < time <= from + (k + 1) * width; the first has its start too. */
struct step_walk {
    const struct history *history;
    struct step *steps;
    size_t count;
    uint32_t index;
};

static size_t step_of(const struct history *history, int64_t time_ms)
{
    int64_t since_ms = time_ms - history->from_ms;
    return since_ms <= 0 ? 0 : (size_t)((since_ms - 1) / history->step_ms);
}

static enum status see_step(void *user, const struct history_snapshot *snapshot)
{
    struct step_walk *walk = user;
    size_t at = step_of(walk->history, snapshot->time_ms);
    ASSERT(at < walk->count);
    walk->steps[at].last = value_of(snapshot, walk->index);
    walk->steps[at].is_set = 1;
    return STATUS_OK;
}

static void add_process(struct step_walk *walk, const struct instance_row *instance)
{
    const struct history *history = walk->history;
    int is_live = query_is_live(instance, history->query->now_ms);
    size_t last = is_live ? walk->count : step_of(history, instance->last_seen_ms);
    for (size_t i = 0; i < walk->count; i++) {
        struct step *step = &walk->steps[i];
        if (!step->is_set)
            continue;
        struct sum *sum = i == last ? &step->end : &step->stay;
        sum->count += step->last.count;
        sum->bytes += step->last.bytes;
        sum->instances++;
        step->is_set = 0;
    }
}

static enum status add_point(struct query *query, Heapfleet__V1__GetHistoryResponse *response,
                             Heapfleet__V1__HistoryPoint **ret, struct why *why)
{
    void *memory = NULL;
    enum status status = query_alloc(query, sizeof(Heapfleet__V1__HistoryPoint), &memory, why);
    if (status != STATUS_OK)
        return status;
    *ret = memory;
    heapfleet__v1__history_point__init(*ret);
    response->points[response->n_points++] = *ret;
    return STATUS_OK;
}

static enum status write_steps(const struct step_walk *walk,
                               Heapfleet__V1__GetHistoryResponse *response, struct why *why)
{
    const struct history *history = walk->history;
    for (size_t i = 0; i < walk->count; i++) {
        const struct step *step = &walk->steps[i];
        const struct sum *sum = step->stay.instances > 0 ? &step->stay : &step->end;
        if (sum->instances == 0)
            continue;
        Heapfleet__V1__HistoryPoint *point = NULL;
        enum status status = add_point(history->query, response, &point, why);
        if (status != STATUS_OK)
            return status;
        point->time_ms = history->from_ms + (int64_t)(i + 1) * history->step_ms;
        point->count = sum->count;
        point->bytes = sum->bytes;
        point->instances = sum->instances;
    }
    return STATUS_OK;
}

static enum status read_steps(struct history *history, Heapfleet__V1__GetHistoryResponse *response,
                              struct why *why)
{
    enum status status = choose_step(history, why);
    if (status != STATUS_OK)
        return status;
    struct step_walk walk = {.history = history};
    walk.count = (size_t)((history->to_ms - history->from_ms) / history->step_ms);
    void *memory = NULL;
    status = query_alloc(history->query, walk.count * sizeof(*walk.steps), &memory, why);
    walk.steps = memory;
    for (size_t i = 0; i < history->chosen_count && status == STATUS_OK; i++) {
        walk.index = type_index(history->chosen[i], history->type_id);
        status = history_walk(history->query->db, history->fleet.service.id, history->chosen[i]->id,
                              history->from_ms, history->to_ms, see_step, &walk, why);
        add_process(&walk, history->chosen[i]);
    }
    if (status == STATUS_OK)
        status = query_alloc(history->query, (walk.count + 1) * sizeof(void *), &memory, why);
    if (status != STATUS_OK)
        return status;
    response->points = memory;
    response->step_ms = history->step_ms;
    return write_steps(&walk, response, why);
}

/* ---- snapshots ------------------------------------------------------------------------------ */

struct raw_point {
    int64_t time_ms;
    uint64_t sequence;
    struct type_value value;
    uint32_t instance; /* index into chosen */
};

struct raw_walk {
    struct buf points; /* of struct raw_point */
    uint32_t instance;
    uint32_t index;
};

static enum status see_raw(void *user, const struct history_snapshot *snapshot)
{
    struct raw_walk *walk = user;
    struct raw_point point = {snapshot->time_ms, snapshot->sequence,
                              value_of(snapshot, walk->index), walk->instance};
    if (walk->points.size / sizeof(point) == RAW_POINTS_MAX)
        return STATUS_LIMIT;
    buf_append(&walk->points, &point, sizeof(point));
    return STATUS_OK;
}

static int in_time(const void *left, const void *right)
{
    const struct raw_point *a = left;
    const struct raw_point *b = right;
    if (a->time_ms != b->time_ms)
        return a->time_ms < b->time_ms ? -1 : 1;
    if (a->instance != b->instance)
        return a->instance < b->instance ? -1 : 1;
    return (a->sequence > b->sequence) - (a->sequence < b->sequence);
}

static const char *version_of(const struct fleet *fleet, int64_t deployment_id)
{
    for (size_t i = 0; i < fleet->deployment_count; i++) {
        if (fleet->deployments[i].id == deployment_id)
            return fleet->deployments[i].version;
    }
    return "";
}

/* The names of each process, written once and shared by its points. */
struct point_names {
    char digits[QUERY_INSTANCE_DIGITS + 1];
    const char *version;
};

static enum status write_raw(struct history *history, const struct raw_point *points, size_t count,
                             Heapfleet__V1__GetHistoryResponse *response, struct why *why)
{
    void *memory = NULL;
    enum status status = query_alloc(
        history->query, (history->chosen_count + 1) * sizeof(struct point_names), &memory, why);
    struct point_names *names = memory;
    if (status == STATUS_OK)
        status = query_alloc(history->query, (count + 1) * sizeof(void *), &memory, why);
    if (status != STATUS_OK)
        return status;
    response->points = memory;
    for (size_t i = 0; i < history->chosen_count; i++) {
        query_instance_digits(history->chosen[i]->uuid, names[i].digits);
        names[i].version = version_of(&history->fleet, history->chosen[i]->deployment_id);
    }
    for (size_t i = 0; i < count; i++) {
        Heapfleet__V1__HistoryPoint *point = NULL;
        status = add_point(history->query, response, &point, why);
        if (status != STATUS_OK)
            return status;
        point->time_ms = points[i].time_ms;
        point->count = points[i].value.count;
        point->bytes = points[i].value.bytes;
        point->instances = 1;
        point->sequence = points[i].sequence;
        point->instance = names[points[i].instance].digits;
        point->version = (char *)names[points[i].instance].version;
    }
    return STATUS_OK;
}

static enum status read_raw(struct history *history, Heapfleet__V1__GetHistoryResponse *response,
                            struct why *why)
{
    struct raw_walk walk = {0};
    enum status status = STATUS_OK;
    for (size_t i = 0; i < history->chosen_count && status == STATUS_OK; i++) {
        walk.instance = (uint32_t)i;
        walk.index = type_index(history->chosen[i], history->type_id);
        status = history_walk(history->query->db, history->fleet.service.id, history->chosen[i]->id,
                              history->from_ms, history->to_ms, see_raw, &walk, why);
    }
    size_t count = walk.points.size / sizeof(struct raw_point);
    if (status == STATUS_LIMIT)
        why_set(why, "the span has more than %d snapshots; ask for a shorter one", RAW_POINTS_MAX);
    if (status == STATUS_OK && count > 0) {
        struct raw_point *points = (struct raw_point *)(void *)walk.points.data;
        qsort(points, count, sizeof(*points), in_time);
        status = write_raw(history, points, count, response, why);
    }
    buf_done(&walk.points);
    return status;
}

enum status query_get_history(struct query *query, const ProtobufCMessage *request,
                              ProtobufCMessage **ret, struct why *why)
{
    struct history history = {.query = query, .asked = (const void *)request};
    void *memory = NULL;
    enum status status =
        query_alloc(query, sizeof(Heapfleet__V1__GetHistoryResponse), &memory, why);
    if (status == STATUS_OK)
        status = check_times(&history, why);
    if (status == STATUS_OK)
        status = query_read_fleet(query, history.asked->service, &history.fleet, why);
    if (status == STATUS_OK)
        status = query_find_type(query, &history.fleet, history.asked->type, &history.type_id, why);
    if (status == STATUS_OK)
        status = choose_instances(&history, why);
    if (status != STATUS_OK)
        return status;
    Heapfleet__V1__GetHistoryResponse *response = memory;
    heapfleet__v1__get_history_response__init(response);
    if (history.chosen_count > 0)
        status = history.asked->raw ? read_raw(&history, response, why)
                                    : read_steps(&history, response, why);
    if (status == STATUS_OK)
        *ret = &response->base;
    return status;
}
