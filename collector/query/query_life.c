#include "query_life.h"

#include <math.h>

#include "history_ranges.h"

enum {
    WINDOWS_A_LIFE = 10,
    SNAPSHOTS_MIN = 10,         /* for an opinion on growth */
    WINDOW_SNAPSHOTS_MAX = 64,  /* more would add cost, not certainty */
    FLOOR_SNAPSHOTS = 4,        /* from here on the second-lowest counts */
    REACH_INTERVALS = 3,        /* how far back the newest snapshot is looked for at first */
    LIVES_AT_ONCE = 32,         /* two ranges each: one batch of the store */
    BEFORE_START_MS = 86400000, /* a clock may be set back after a process has started */
};

/* ---- floors --------------------------------------------------------------------------------- */

static void see(struct lowest *lowest, uint64_t value)
{
    if (value < lowest->first) {
        lowest->second = lowest->first;
        lowest->first = value;
    } else if (value < lowest->second) {
        lowest->second = value;
    }
}

/* As if `snapshots` zeros had been seen: what a type was before it was first seen. */
static struct lowest unseen(uint32_t snapshots)
{
    return (struct lowest){snapshots >= 1 ? 0 : UINT64_MAX, snapshots >= 2 ? 0 : UINT64_MAX};
}

static void window_grow(struct floor_window *window, uint32_t types)
{
    if (types > window->capacity) {
        window->counts = realloc(window->counts, types * sizeof(*window->counts));
        window->bytes = realloc(window->bytes, types * sizeof(*window->bytes));
        ASSERT(window->counts != NULL && window->bytes != NULL);
        window->capacity = types;
    }
    for (uint32_t i = window->types; i < types; i++)
        window->counts[i] = window->bytes[i] = unseen(window->snapshots);
    window->types = types;
}

static void window_see(struct floor_window *window, int64_t time_ms, uint64_t total_bytes,
                       const struct heap_values *values)
{
    if (window->snapshots == 0) {
        window->first_ms = time_ms;
        window->total_bytes = unseen(0);
    }
    if (values->types > window->types)
        window_grow(window, values->types);
    for (uint32_t i = 0; i < window->types; i++) {
        int known = i < values->types;
        see(&window->counts[i], known ? values->values[i].count : 0);
        see(&window->bytes[i], known ? values->values[i].bytes : 0);
    }
    see(&window->total_bytes, total_bytes);
    window->time_sum_ms += (double)(time_ms - window->first_ms);
    window->snapshots++;
}

static double window_middle_ms(const struct floor_window *window)
{
    return (double)window->first_ms + window->time_sum_ms / window->snapshots;
}

static double floor_of(const struct floor_window *window, struct lowest lowest)
{
    return (double)(window->snapshots >= FLOOR_SNAPSHOTS ? lowest.second : lowest.first);
}

static void window_done(struct floor_window *window)
{
    free(window->counts);
    free(window->bytes);
    *window = (struct floor_window){0};
}

/* ---- what is read --------------------------------------------------------------------------- */

/* A life that is being read: its windows are the ranges of one batch. */
struct reading {
    const struct instance_row *instance;
    struct life *life;
    int64_t until_ms;
    int64_t width_ms;      /* of a window */
    int64_t start_ms;      /* where its start window begins; 0: it is too short for one */
    uint64_t newest_bytes; /* of all types, in life->newest */
};

struct batch {
    struct query *query;
    int64_t service_id;
    struct reading readings[LIVES_AT_ONCE];
    size_t count;
    struct history_range ranges[2 * LIVES_AT_ONCE];
    size_t range_count;
    uint32_t of[2 * LIVES_AT_ONCE]; /* of each range: 2 * its reading, + 1 if it is a start */
};

/* The rest of a life that has no snapshot until then is empty. */
static void plan(struct reading *reading, const struct life_wanted *wanted, int64_t first_ms,
                 struct life *life)
{
    const struct instance_row *instance = wanted->instance;
    int64_t until_ms =
        wanted->until_ms < instance->last_seen_ms ? wanted->until_ms : instance->last_seen_ms;
    *life = (struct life){0};
    *reading = (struct reading){.instance = instance, .life = life, .until_ms = until_ms};
    if (first_ms == 0 || first_ms > until_ms)
        return;
    life->first_ms = first_ms;
    int64_t interval_ms = query_interval_ms(instance);
    int64_t length_ms = until_ms - first_ms;
    reading->width_ms = length_ms / WINDOWS_A_LIFE;
    if (reading->width_ms / WINDOW_SNAPSHOTS_MAX > interval_ms)
        reading->width_ms = WINDOW_SNAPSHOTS_MAX * interval_ms;
    if (length_ms / (SNAPSHOTS_MIN - 1) >= interval_ms)
        reading->start_ms = first_ms + length_ms / WINDOWS_A_LIFE;
}

static void add_range(struct batch *batch, size_t reading, int is_start, int64_t from_ms,
                      int64_t to_ms)
{
    int64_t id = batch->readings[reading].instance->id;
    batch->of[batch->range_count] = 2 * (uint32_t)reading + (uint32_t)is_start;
    batch->ranges[batch->range_count++] = (struct history_range){id, from_ms, to_ms};
}

static void add_ranges(struct batch *batch, size_t i)
{
    const struct reading *reading = &batch->readings[i];
    if (reading->life->first_ms == 0)
        return;
    int64_t reach_ms = REACH_INTERVALS * query_interval_ms(reading->instance);
    if (reach_ms < reading->width_ms)
        reach_ms = reading->width_ms;
    add_range(batch, i, 0, reading->until_ms - reach_ms, reading->until_ms);
    if (reading->start_ms != 0)
        add_range(batch, i, 1, reading->start_ms, reading->start_ms + reading->width_ms);
}

/* ---- walks ---------------------------------------------------------------------------------- */

/* The end of a life: the newest snapshot, and a window of those that are near it. */
static enum status see_end(void *user, const struct history_snapshot *snapshot)
{
    struct reading *reading = user;
    struct life *life = reading->life;
    heap_values_copy(&life->newest, snapshot->values);
    life->newest_ms = snapshot->time_ms;
    reading->newest_bytes = snapshot->bytes;
    if (snapshot->time_ms >= reading->until_ms - reading->width_ms)
        window_see(&life->end, snapshot->time_ms, snapshot->bytes, snapshot->values);
    return STATUS_OK;
}

static enum status see_start(void *user, const struct history_snapshot *snapshot)
{
    struct reading *reading = user;
    struct floor_window *window = &reading->life->start;
    if (snapshot->time_ms > reading->start_ms + reading->width_ms && window->snapshots > 0)
        return STATUS_CANCELED;
    window_see(window, snapshot->time_ms, snapshot->bytes, snapshot->values);
    return STATUS_OK;
}

static enum status see_window(void *user, size_t range, const struct history_snapshot *snapshot)
{
    struct batch *batch = user;
    struct reading *reading = &batch->readings[batch->of[range] / 2];
    return batch->of[range] % 2 ? see_start(reading, snapshot) : see_end(reading, snapshot);
}

/* A window lies in a gap: take what is before the end, and behind the start. */
static enum status read_over_gaps(const struct batch *batch, struct reading *reading,
                                  struct why *why)
{
    struct life *life = reading->life;
    enum status status = STATUS_OK;
    if (life->first_ms == 0)
        return STATUS_OK;
    if (life->newest_ms == 0)
        status = history_walk(batch->query->db, batch->service_id, reading->instance->id,
                              life->first_ms, reading->until_ms, see_end, reading, why);
    if (status == STATUS_OK && life->end.snapshots == 0 && life->newest_ms != 0)
        window_see(&life->end, life->newest_ms, reading->newest_bytes, &life->newest);
    if (status == STATUS_OK && reading->start_ms != 0 && life->start.snapshots == 0)
        status = history_walk(batch->query->db, batch->service_id, reading->instance->id,
                              reading->start_ms, life->newest_ms, see_start, reading, why);
    return status == STATUS_CANCELED ? STATUS_OK : status;
}

static void measure_hours(struct life *life)
{
    if (life->start.snapshots == 0 || life->end.snapshots == 0)
        return;
    double hours = (window_middle_ms(&life->end) - window_middle_ms(&life->start)) / 3.6e6;
    life->hours = hours > 0 ? hours : 0;
}

static enum status read_batch(struct batch *batch, struct why *why)
{
    for (size_t i = 0; i < batch->count; i++)
        add_ranges(batch, i);
    enum status status = history_walk_ranges(batch->query->db, batch->service_id, batch->ranges,
                                             batch->range_count, see_window, batch, why);
    for (size_t i = 0; i < batch->count && status == STATUS_OK; i++) {
        status = read_over_gaps(batch, &batch->readings[i], why);
        measure_hours(batch->readings[i].life);
    }
    return status;
}

/* ---- all lives ------------------------------------------------------------------------------ */

static enum status find_firsts(struct query *query, int64_t service_id,
                               const struct life_wanted *wanted, size_t count, int64_t **ret,
                               struct why *why)
{
    void *ids = NULL, *firsts = NULL;
    int64_t from_ms = INT64_MAX, to_ms = 0;
    enum status status = query_alloc(query, count * sizeof(int64_t), &ids, why);
    if (status == STATUS_OK)
        status = query_alloc(query, count * sizeof(int64_t), &firsts, why);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < count; i++) {
        const struct instance_row *instance = wanted[i].instance;
        ((int64_t *)ids)[i] = instance->id;
        if (instance->started_ms < from_ms)
            from_ms = instance->started_ms;
        if (instance->last_seen_ms > to_ms)
            to_ms = instance->last_seen_ms;
    }
    from_ms = from_ms > BEFORE_START_MS ? from_ms - BEFORE_START_MS : 0;
    *ret = firsts;
    return history_first_times(query->db, service_id, ids, count, from_ms, to_ms, firsts, why);
}

static enum status read_some(struct query *query, int64_t service_id,
                             const struct life_wanted *wanted, const int64_t *firsts, size_t count,
                             struct life *ret, struct why *why)
{
    struct batch batch = {.query = query, .service_id = service_id, .count = count};
    for (size_t i = 0; i < count; i++)
        plan(&batch.readings[i], &wanted[i], firsts[i], &ret[i]);
    return read_batch(&batch, why);
}

enum status life_read_all(struct query *query, int64_t service_id, const struct life_wanted *wanted,
                          size_t count, life_visit_fn *visit, void *user, struct why *why)
{
    int64_t *firsts = NULL;
    if (count == 0)
        return STATUS_OK;
    enum status status = find_firsts(query, service_id, wanted, count, &firsts, why);
    for (size_t at = 0; at < count && status == STATUS_OK; at += LIVES_AT_ONCE) {
        size_t some = count - at < LIVES_AT_ONCE ? count - at : LIVES_AT_ONCE;
        struct life lives[LIVES_AT_ONCE];
        status = read_some(query, service_id, wanted + at, firsts + at, some, lives, why);
        for (size_t i = 0; i < some; i++) {
            if (status == STATUS_OK)
                status = visit(user, at + i, &lives[i], why);
            life_done(&lives[i]);
        }
    }
    return status;
}

void life_done(struct life *life)
{
    heap_values_done(&life->newest);
    window_done(&life->start);
    window_done(&life->end);
    *life = (struct life){0};
}

/* ---- growth --------------------------------------------------------------------------------- */

static double rise(const struct life *life, const struct lowest *start, const struct lowest *end,
                   uint32_t type)
{
    if (life->hours <= 0)
        return (double)NAN;
    double before = type < life->start.types ? floor_of(&life->start, start[type]) : 0;
    double after = type < life->end.types ? floor_of(&life->end, end[type]) : 0;
    return (after - before) / life->hours;
}

double life_count_per_hour(const struct life *life, uint32_t type)
{
    return rise(life, life->start.counts, life->end.counts, type);
}

double life_bytes_per_hour(const struct life *life, uint32_t type)
{
    return rise(life, life->start.bytes, life->end.bytes, type);
}

double life_total_bytes_per_hour(const struct life *life)
{
    if (life->hours <= 0)
        return (double)NAN;
    return (floor_of(&life->end, life->end.total_bytes) -
            floor_of(&life->start, life->start.total_bytes)) /
           life->hours;
}
