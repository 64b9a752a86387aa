/*
 * History from exact snapshots, by steps.
 *
 * A step must hold a snapshot of every process, or the sums would jump with who happens to be in
 * it. So a step that we choose is at least two snapshot intervals wide, and the steps are counted
 * back from the end, so that the last one, which people look at, is whole.
 */
#include <inttypes.h>

#include "history_ranges.h"
#include "history_type.h"
#include "query_history.h"

enum {
    STEPS_CHOSEN = 240, /* at most, when the request leaves the step to us */
    PROBES_MAX = 16,    /* processes of which we look for the first snapshot */
};

/* ---- the step ------------------------------------------------------------------------------- */

/* Leave out the time before anything was seen: a process may have run long before it was watched.
 */
static enum status clip_start(struct history *history, struct why *why)
{
    int64_t first_ms = INT64_MAX;
    int64_t ids[PROBES_MAX], found[PROBES_MAX];
    size_t probes = history->chosen_count < PROBES_MAX ? history->chosen_count : PROBES_MAX;
    for (size_t i = 0; i < probes; i++)
        ids[i] = history->chosen[i]->id;
    enum status status = history_first_times(history->query->db, history->fleet.service.id, ids,
                                             probes, history->from_ms, history->to_ms, found, why);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < history->chosen_count; i++) { /* by start */
        const struct instance_row *row = history->chosen[i];
        if (row->started_ms >= first_ms || first_ms <= history->from_ms + query_interval_ms(row))
            break;
        int64_t found_ms = i < probes ? found[i] : row->started_ms;
        if (found_ms != 0 && found_ms < first_ms)
            first_ms = found_ms;
    }
    if (first_ms > history->from_ms && first_ms < history->to_ms)
        history->from_ms = first_ms;
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
            status = history_interval(history, &interval_ms, why);
        if (status != STATUS_OK)
            return status;
        int64_t least_ms = (history->to_ms - history->from_ms + STEPS_CHOSEN - 1) / STEPS_CHOSEN;
        int64_t whole_ms = history->chosen_count == 1 ? interval_ms : 2 * interval_ms;
        history->step_ms = round_step(least_ms > whole_ms ? least_ms : whole_ms);
    }
    int64_t span_ms = history->to_ms - history->from_ms;
    int64_t steps = span_ms / history->step_ms + (span_ms % history->step_ms != 0);
    if (steps > HISTORY_STEPS_MAX)
        return why_fail(why, STATUS_INVALID,
                        "the span has %" PRId64 " steps: at most %d; ask for wider ones", steps,
                        HISTORY_STEPS_MAX);
    history->from_ms = history->to_ms - steps * history->step_ms;
    return STATUS_OK;
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
    size_t range; /* index into chosen, of the process that is being read */
};

static size_t step_of(const struct history *history, int64_t time_ms)
{
    int64_t since_ms = time_ms - history->from_ms;
    return since_ms <= 0 ? 0 : (size_t)((since_ms - 1) / history->step_ms);
}

static void put_step(struct step_walk *walk, int64_t time_ms, struct type_value value)
{
    size_t at = step_of(walk->history, time_ms);
    ASSERT(at < walk->count);
    walk->steps[at].last = value;
    walk->steps[at].is_set = 1;
}

/* All types together: there is no stretch of a chunk that holds them. */
static enum status see_snapshot(void *user, const struct history_snapshot *snapshot)
{
    struct step_walk *walk = user;
    put_step(walk, snapshot->time_ms, history_value(walk->history, snapshot, 0));
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
        enum status status = history_add_point(history, response, &point, why);
        if (status != STATUS_OK)
            return status;
        point->time_ms = history->from_ms + (int64_t)(i + 1) * history->step_ms;
        point->count = sum->count;
        point->bytes = sum->bytes;
        point->instances = sum->instances;
    }
    return STATUS_OK;
}

static enum status walk_totals(struct step_walk *walk, struct why *why)
{
    const struct history *history = walk->history;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < history->chosen_count && status == STATUS_OK; i++) {
        status = history_walk(history->query->db, history->fleet.service.id, history->chosen[i]->id,
                              history->from_ms, history->to_ms, see_snapshot, walk, why);
        add_process(walk, history->chosen[i]);
    }
    return status;
}

/* Processes come one after the other. */
static enum status see_type(void *user, size_t range, int64_t time_ms, struct type_value value)
{
    struct step_walk *walk = user;
    if (range != walk->range)
        add_process(walk, walk->history->chosen[walk->range]);
    walk->range = range;
    put_step(walk, time_ms, value);
    return STATUS_OK;
}

static enum status walk_type(struct step_walk *walk, struct why *why)
{
    const struct history *history = walk->history;
    void *memory = NULL;
    if (history->chosen_count == 0)
        return STATUS_OK;
    enum status status = query_alloc(
        history->query, history->chosen_count * sizeof(struct type_range), &memory, why);
    if (status != STATUS_OK)
        return status;
    struct type_range *ranges = memory;
    for (size_t i = 0; i < history->chosen_count; i++)
        ranges[i] = (struct type_range){history->chosen[i]->id, history->chosen[i]->type_index};
    const struct type_span span = {.service_id = history->fleet.service.id,
                                   .from_ms = history->from_ms,
                                   .to_ms = history->to_ms,
                                   .now_ms = history->query->now_ms};
    status = history_walk_type(history->query->db, &span, ranges, history->chosen_count, see_type,
                               walk, why);
    add_process(walk, history->chosen[walk->range]);
    return status;
}

enum status history_by_steps(struct history *history, Heapfleet__V1__GetHistoryResponse *response,
                             struct why *why)
{
    if (history->chosen_count == 0 && history->asked->step_ms == 0)
        return STATUS_OK;
    enum status status = choose_step(history, why);
    if (status != STATUS_OK)
        return status;
    struct step_walk walk = {.history = history};
    walk.count = (size_t)((history->to_ms - history->from_ms) / history->step_ms);
    void *memory = NULL;
    status = query_alloc(history->query, walk.count * sizeof(*walk.steps), &memory, why);
    walk.steps = memory;
    if (status == STATUS_OK)
        status = history->type_id == 0 ? walk_totals(&walk, why) : walk_type(&walk, why);
    if (status == STATUS_OK)
        status = history_begin_points(history, walk.count, response, why);
    if (status != STATUS_OK)
        return status;
    response->step_ms = history->step_ms;
    return write_steps(&walk, response, why);
}
