/*
 * History from hours and days.
 *
 *       hours or days of the database          snapshots, by hour
 *     |-----|-----|-----|-----|-----|--------|----|----|----|
 *     from_ms                            rolled up until     to_ms
 *
 * The database has means of a process in each hour of a deployment. How many processes there were
 * on average comes from their lives: two that were there for half an hour each are one. What is not
 * rolled up yet is read from the snapshots and made hours of here.
 */
#include <inttypes.h>
#include <math.h>

#include "history_ranges.h"
#include "history_type.h"
#include "levels.h"
#include "query_history.h"

static const int64_t hour_ms = 3600000;
static const int64_t day_ms = 86400000;

/* Of one answer from what is not rolled up yet. */
static const double tail_snapshots_max = 5e6;

/* An hour or a day, all deployments together. */
struct unit {
    double count, bytes, processes; /* sums over `parts` hours, or of one day */
    uint32_t parts;
};

struct levels {
    struct history *history;
    struct unit *units;
    size_t count;
    int64_t unit_ms;
    int64_t end_ms; /* rolled up until here */
};

/* ---- how many processes --------------------------------------------------------------------- */

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The share of a time that a life covers. */
static double overlap(const struct instance_row *row, int64_t from_ms, int64_t width_ms)
{
    int64_t begin_ms = later(row->started_ms, from_ms);
    int64_t end_ms = earlier(row->last_seen_ms + query_interval_ms(row), from_ms + width_ms);
    return end_ms > begin_ms ? (double)(end_ms - begin_ms) / (double)width_ms : 0;
}

static int is_wanted(const struct history *history, const struct instance_row *row)
{
    return row->last_seen_ms != 0 &&
           (history->deployment == NULL || row->deployment_id == history->deployment->id);
}

/* Of processes by start, the first from `first` on that had not ended before. */
static size_t pass_ended(const struct history *history, size_t first, int64_t time_ms)
{
    const struct fleet *fleet = &history->fleet;
    while (first < fleet->instance_count &&
           fleet->instances[first].last_seen_ms + query_interval_ms(&fleet->instances[first]) <=
               time_ms)
        first++;
    return first;
}

/* The share of a time in which there was any of them. They are by start, those before `first` ended
 * before it. */
static double covered(const struct history *history, size_t first, int64_t from_ms,
                      int64_t width_ms)
{
    int64_t behind_ms = from_ms, sum_ms = 0;
    for (size_t i = first; i < history->fleet.instance_count; i++) {
        const struct instance_row *row = &history->fleet.instances[i];
        if (!is_wanted(history, row))
            continue;
        int64_t begin_ms = later(row->started_ms, behind_ms);
        int64_t end_ms = earlier(row->last_seen_ms + query_interval_ms(row), from_ms + width_ms);
        if (begin_ms >= from_ms + width_ms)
            break;
        if (end_ms > begin_ms) {
            sum_ms += end_ms - begin_ms;
            behind_ms = end_ms;
        }
    }
    return (double)sum_ms / (double)width_ms;
}

/*
 * Mean number of a deployment's processes while there was any of the service. The lives that are
 * known may not be those that were rolled up: then it is what the hour says, and at least one.
 */
static double processes_of(const struct history *history, size_t first, const struct level_row *row,
                           int64_t width_ms)
{
    double processes = 0;
    double share = covered(history, first, row->time_ms, width_ms);
    for (size_t i = first; i < history->fleet.instance_count && share > 0; i++) {
        const struct instance_row *instance = &history->fleet.instances[i];
        if (instance->started_ms >= row->time_ms + width_ms)
            break;
        if (instance->last_seen_ms != 0 && instance->deployment_id == row->deployment_id)
            processes += overlap(instance, row->time_ms, width_ms) / share;
    }
    if (row->instances != 0 && (processes <= 0 || processes > row->instances))
        return row->instances;
    return processes > 0 ? processes : 1;
}

/* ---- what the database has ------------------------------------------------------------------ */

/* Rows by time: those of one hour or day are one part. */
static void add_rows(struct levels *levels, const struct level_row *rows, size_t count,
                     int64_t width_ms)
{
    const struct history *history = levels->history;
    int64_t behind_ms = INT64_MIN;
    size_t first = 0;
    for (size_t i = 0; i < count; i++) {
        if (history->deployment != NULL && rows[i].deployment_id != history->deployment->id)
            continue;
        int64_t at = (rows[i].time_ms - history->from_ms) / levels->unit_ms;
        ASSERT(at >= 0 && (size_t)at < levels->count);
        struct unit *unit = &levels->units[at];
        first = pass_ended(history, first, rows[i].time_ms);
        double processes = processes_of(history, first, &rows[i], width_ms);
        unit->count += rows[i].count * processes;
        unit->bytes += rows[i].bytes * processes;
        unit->processes += processes;
        unit->parts += rows[i].time_ms != behind_ms;
        behind_ms = rows[i].time_ms;
    }
}

static enum status add_stored(struct levels *levels, level_read_fn *read, int64_t from_ms,
                              int64_t to_ms, int64_t width_ms, struct why *why)
{
    const struct history *history = levels->history;
    struct level_row *rows = NULL;
    size_t count = 0;
    if (from_ms >= to_ms)
        return STATUS_OK;
    const struct level_span span = {history->fleet.service.id, history->type_id, from_ms, to_ms};
    enum status status = read(history->query->db, &span, history->query->arena, &rows, &count, why);
    if (status == STATUS_OK)
        add_rows(levels, rows, count, width_ms);
    return status;
}

/* ---- what is not rolled up yet -------------------------------------------------------------- */

struct tail_hour {
    double count, bytes;
    uint64_t snapshots;
    uint32_t instances;
    size_t newest_range; /* + 1 */
};

struct tail {
    const struct history *history;
    int64_t from_ms;
    size_t hours;
    struct tail_hour *cells;               /* [hours][deployments] */
    const struct instance_row **instances; /* of the ranges */
    struct history_range *ranges;
    struct type_range *types; /* the same, where one type is asked for */
    size_t count;
};

static size_t deployment_index(const struct fleet *fleet, int64_t id)
{
    size_t i = 0;
    while (i < fleet->deployment_count && fleet->deployments[i].id != id)
        i++;
    return i;
}

static enum status see_value(void *user, size_t range, int64_t time_ms, struct type_value value)
{
    struct tail *tail = user;
    const struct fleet *fleet = &tail->history->fleet;
    size_t hour = (size_t)((time_ms - tail->from_ms) / hour_ms);
    size_t deployment = deployment_index(fleet, tail->instances[range]->deployment_id);
    if (hour >= tail->hours || deployment == fleet->deployment_count)
        return STATUS_OK;
    struct tail_hour *cell = &tail->cells[hour * fleet->deployment_count + deployment];
    cell->count += (double)value.count;
    cell->bytes += (double)value.bytes;
    cell->snapshots++;
    cell->instances += cell->newest_range != range + 1;
    cell->newest_range = range + 1;
    return STATUS_OK;
}

static enum status see_total(void *user, size_t range, const struct history_snapshot *snapshot)
{
    return see_value(user, range, snapshot->time_ms,
                     (struct type_value){snapshot->objects, snapshot->bytes});
}

static enum status make_tail(struct tail *tail, int64_t to_ms, struct why *why)
{
    const struct history *history = tail->history;
    struct query *query = history->query;
    void *cells = NULL, *instances = NULL, *ranges = NULL, *types = NULL;
    /* whole hours or days reach back before what was asked for: more processes than were chosen */
    size_t most = history->fleet.instance_count + 1;
    enum status status = query_alloc(
        query, tail->hours * history->fleet.deployment_count * sizeof(*tail->cells), &cells, why);
    if (status == STATUS_OK)
        status = query_alloc(query, most * sizeof(void *), &instances, why);
    if (status == STATUS_OK)
        status = query_alloc(query, most * sizeof(*tail->ranges), &ranges, why);
    if (status == STATUS_OK)
        status = query_alloc(query, most * sizeof(*tail->types), &types, why);
    if (status != STATUS_OK)
        return status;
    tail->cells = cells;
    tail->instances = instances;
    tail->ranges = ranges;
    tail->types = types;
    for (size_t i = 0; i < history->fleet.instance_count; i++) {
        const struct instance_row *row = &history->fleet.instances[i];
        if (!is_wanted(history, row) || row->last_seen_ms < tail->from_ms ||
            row->started_ms > to_ms)
            continue;
        tail->instances[tail->count] = row;
        tail->types[tail->count] = (struct type_range){row->id, row->type_index};
        tail->ranges[tail->count++] = (struct history_range){row->id, tail->from_ms, to_ms};
    }
    return STATUS_OK;
}

static enum status check_tail(const struct history *history, int64_t from_ms, struct why *why)
{
    struct history tail = *history;
    tail.from_ms = from_ms;
    double snapshots = history_snapshots(&tail);
    if (snapshots <= tail_snapshots_max)
        return STATUS_OK;
    return why_fail(
        why, STATUS_LIMIT,
        "%.1f million snapshots of this span are not rolled up yet, at most %.0f million "
        "can be read instead: ask for an earlier or shorter span",
        snapshots / 1e6, tail_snapshots_max / 1e6);
}

static enum status add_cells(struct levels *levels, const struct tail *tail, struct why *why)
{
    const struct fleet *fleet = &levels->history->fleet;
    void *memory = NULL;
    enum status status =
        query_alloc(levels->history->query,
                    (fleet->deployment_count + 1) * sizeof(struct level_row), &memory, why);
    struct level_row *rows = memory;
    for (size_t hour = 0; hour < tail->hours && status == STATUS_OK; hour++) {
        size_t count = 0;
        for (size_t i = 0; i < fleet->deployment_count; i++) {
            const struct tail_hour *cell = &tail->cells[hour * fleet->deployment_count + i];
            if (cell->snapshots == 0)
                continue;
            rows[count++] = (struct level_row){
                .time_ms = tail->from_ms + (int64_t)hour * hour_ms,
                .deployment_id = fleet->deployments[i].id,
                .count = cell->count / (double)cell->snapshots,
                .bytes = cell->bytes / (double)cell->snapshots,
                .instances = cell->instances,
            };
        }
        add_rows(levels, rows, count, hour_ms);
    }
    return status;
}

static enum status walk_tail(const struct levels *levels, struct tail *tail, struct why *why)
{
    const struct history *history = levels->history;
    struct db *db = history->query->db;
    const struct type_span span = {.service_id = history->fleet.service.id,
                                   .from_ms = tail->from_ms,
                                   .to_ms = history->to_ms,
                                   .now_ms = history->query->now_ms,
                                   .end_ms = levels->end_ms};
    if (history->type_id != 0)
        return history_walk_type(db, &span, tail->types, tail->count, see_value, tail, why);
    if (tail->from_ms == levels->end_ms)
        return history_walk_tail(db, span.service_id, tail->ranges, tail->count, see_total, tail,
                                 why);
    return history_walk_ranges(db, span.service_id, tail->ranges, tail->count, see_total, tail,
                               why);
}

/* For hours of the snapshots from `from_ms`, the beginning of an hour, on. */
static enum status begin_tail(struct levels *levels, int64_t from_ms, struct tail *ret,
                              struct why *why)
{
    struct history *history = levels->history;
    *ret = (struct tail){.history = history, .from_ms = from_ms};
    if (from_ms > history->to_ms || history->chosen_count == 0)
        return STATUS_OK;
    ret->hours = (size_t)((history->to_ms - from_ms) / hour_ms) + 1;
    enum status status = check_tail(history, from_ms, why);
    if (status == STATUS_OK)
        status = history_know_type(history, from_ms, why);
    return status == STATUS_OK ? make_tail(ret, history->to_ms, why) : status;
}

/* ---- points --------------------------------------------------------------------------------- */

/* One point of units that follow each other, and belong to one step. */
static enum status add_step(const struct levels *levels, size_t first, size_t count,
                            Heapfleet__V1__GetHistoryResponse *response, struct why *why)
{
    const struct history *history = levels->history;
    struct unit sum = {0};
    for (size_t i = first; i < first + count; i++) {
        const struct unit *unit = &levels->units[i];
        if (unit->parts == 0)
            continue;
        sum.count += unit->count / unit->parts;
        sum.bytes += unit->bytes / unit->parts;
        sum.processes += unit->processes / unit->parts;
        sum.parts++;
    }
    if (sum.parts == 0)
        return STATUS_OK;
    Heapfleet__V1__HistoryPoint *point = NULL;
    enum status status = history_add_point(history, response, &point, why);
    if (status != STATUS_OK)
        return status;
    int64_t begin_ms = history->from_ms + (int64_t)first * levels->unit_ms;
    point->time_ms =
        earlier(begin_ms - begin_ms % history->step_ms + history->step_ms, history->to_ms);
    point->count = (uint64_t)(sum.count / sum.parts + 0.5);
    point->bytes = (uint64_t)(sum.bytes / sum.parts + 0.5);
    point->instances = (uint32_t)fmax(sum.processes / sum.parts + 0.5, 1);
    return STATUS_OK;
}

/* Steps begin at multiples of their width, so that the first may lack its beginning. */
static enum status write_steps(const struct levels *levels,
                               Heapfleet__V1__GetHistoryResponse *response, struct why *why)
{
    const struct history *history = levels->history;
    size_t width = (size_t)(history->step_ms / levels->unit_ms);
    size_t first = (size_t)(history->from_ms % history->step_ms / levels->unit_ms);
    enum status status = history_begin_points(history, levels->count / width + 2, response, why);
    for (size_t i = 0; i < levels->count && status == STATUS_OK;) {
        size_t count = i == 0 ? width - first : width;
        if (count > levels->count - i)
            count = levels->count - i;
        status = add_step(levels, i, count, response, why);
        i += count;
    }
    response->step_ms = history->step_ms;
    return status;
}

/* Whole units, from where something was seen. */
static enum status make_units(struct levels *levels, struct why *why)
{
    struct history *history = levels->history;
    int64_t unit_ms = levels->unit_ms;
    int64_t first_ms = history->chosen_count > 0 ? history->chosen[0]->started_ms : 0;
    history->from_ms = later(history->from_ms, earlier(first_ms, history->to_ms));
    history->from_ms -= history->from_ms % unit_ms;
    history->step_ms = history->asked->step_ms != 0 ? history->asked->step_ms : unit_ms;
    int64_t units = (history->to_ms - history->from_ms) / unit_ms + 1;
    int64_t steps = units / (history->step_ms / unit_ms);
    if (steps > HISTORY_STEPS_MAX)
        return why_fail(why, STATUS_INVALID,
                        "the span has %" PRId64 " steps: at most %d; ask for wider ones", steps,
                        HISTORY_STEPS_MAX);
    levels->count = (size_t)units;
    void *memory = NULL;
    enum status status =
        query_alloc(history->query, levels->count * sizeof(*levels->units), &memory, why);
    levels->units = memory;
    return status;
}

/*
 * What is rolled up, and the tail. Both are asked for before either is awaited, the tail first: its
 * rows are decoded while the database looks for the hours.
 */
static enum status add_hours(struct levels *levels, int64_t from_ms, int64_t to_ms, struct why *why)
{
    struct db *db = levels->history->query->db;
    int64_t tail_ms = later(levels->history->from_ms, levels->end_ms);
    struct tail tail;
    enum status status = begin_tail(levels, tail_ms - tail_ms % hour_ms, &tail, why);
    if (status != STATUS_OK)
        return status;
    db_ask_ahead(db, 1);
    enum status asked = walk_tail(levels, &tail, NULL);
    db_flush_ahead(db);
    asked |= add_stored(levels, level_hours, from_ms, to_ms, hour_ms, NULL);
    db_ask_ahead(db, 0);
    (void)asked; /* it fails as long as it is only asked */
    status = walk_tail(levels, &tail, why);
    if (status == STATUS_OK)
        status = add_stored(levels, level_hours, from_ms, to_ms, hour_ms, why);
    return status == STATUS_OK ? add_cells(levels, &tail, why) : status;
}

enum status history_by_level(struct history *history, Heapfleet__V1__Resolution resolution,
                             Heapfleet__V1__GetHistoryResponse *response, struct why *why)
{
    struct levels levels = {.history = history, .unit_ms = hour_ms};
    int is_days = resolution == HEAPFLEET__V1__RESOLUTION__RESOLUTION_DAY;
    if (is_days)
        levels.unit_ms = day_ms;
    if (history->chosen_count == 0)
        return STATUS_OK;
    enum status status = make_units(&levels, why);
    if (status == STATUS_OK)
        status = level_end(history->query->db, history->fleet.service.id, history->query->now_ms,
                           &levels.end_ms, why);
    int64_t to_ms = (history->to_ms + hour_ms - 1) / hour_ms * hour_ms;
    int64_t hours_to_ms = earlier(levels.end_ms, to_ms), hours_from_ms = history->from_ms;
    if (status == STATUS_OK && is_days) {
        int64_t days_to_ms = 0;
        status = level_days_end(history->query->db, history->fleet.service.id, &days_to_ms, why);
        days_to_ms = earlier(days_to_ms, hours_to_ms - hours_to_ms % day_ms);
        hours_from_ms = later(hours_from_ms, days_to_ms);
    }
    if (status == STATUS_OK && is_days) {
        status = add_stored(&levels, level_days, history->from_ms, hours_from_ms, day_ms, why);
    }
    if (status == STATUS_OK)
        status = add_hours(&levels, hours_from_ms, hours_to_ms, why);
    return status == STATUS_OK ? write_steps(&levels, response, why) : status;
}
