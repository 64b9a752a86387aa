#include "query_life.h"

#include <math.h>

enum {
    WINDOWS_A_LIFE = 10,
    SNAPSHOTS_MIN = 10,        /* for an opinion on growth */
    WINDOW_SNAPSHOTS_MAX = 64, /* more would add cost, not certainty */
    FLOOR_SNAPSHOTS = 4,       /* from here on the second-lowest counts */
    REACH_INTERVALS = 3,       /* how far back the newest snapshot is looked for at first */
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

/* ---- walks ---------------------------------------------------------------------------------- */

static enum status stop_at_first(void *user, const struct history_snapshot *snapshot)
{
    *(int64_t *)user = snapshot->time_ms;
    return STATUS_CANCELED;
}

enum status life_find_first(struct query *query, int64_t service_id, int64_t instance_id,
                            int64_t from_ms, int64_t *ret, struct why *why)
{
    int64_t first_ms = 0;
    enum status status = history_walk(query->db, service_id, instance_id, from_ms, INT64_MAX,
                                      stop_at_first, &first_ms, why);
    if (status != STATUS_OK && status != STATUS_CANCELED)
        return status;
    *ret = first_ms;
    return STATUS_OK;
}

/* The end of a life: the newest snapshot, and a window of those from `window_from_ms` on. */
struct end_walk {
    struct life *life;
    int64_t window_from_ms;
    uint64_t newest_bytes;
};

static enum status see_end(void *user, const struct history_snapshot *snapshot)
{
    struct end_walk *walk = user;
    heap_values_copy(&walk->life->newest, snapshot->values);
    walk->life->newest_ms = snapshot->time_ms;
    walk->newest_bytes = snapshot->bytes;
    if (snapshot->time_ms >= walk->window_from_ms)
        window_see(&walk->life->end, snapshot->time_ms, snapshot->bytes, snapshot->values);
    return STATUS_OK;
}

static enum status read_end(struct query *query, int64_t service_id,
                            const struct instance_row *instance, int64_t until_ms, int64_t width_ms,
                            struct life *life, struct why *why)
{
    struct end_walk walk = {.life = life, .window_from_ms = until_ms - width_ms};
    int64_t reach_ms = REACH_INTERVALS * query_interval_ms(instance);
    if (reach_ms < width_ms)
        reach_ms = width_ms;
    enum status status = history_walk(query->db, service_id, instance->id, until_ms - reach_ms,
                                      until_ms, see_end, &walk, why);
    if (status == STATUS_OK && life->newest_ms == 0) /* a gap: take what is before it */
        status = history_walk(query->db, service_id, instance->id, life->first_ms, until_ms,
                              see_end, &walk, why);
    if (status == STATUS_OK && life->end.snapshots == 0 && life->newest_ms != 0)
        window_see(&life->end, life->newest_ms, walk.newest_bytes, &life->newest);
    return status;
}

struct start_walk {
    struct floor_window *window;
    int64_t to_ms;
};

static enum status see_start(void *user, const struct history_snapshot *snapshot)
{
    struct start_walk *walk = user;
    if (snapshot->time_ms > walk->to_ms && walk->window->snapshots > 0)
        return STATUS_CANCELED;
    window_see(walk->window, snapshot->time_ms, snapshot->bytes, snapshot->values);
    return STATUS_OK;
}

static enum status read_start(struct query *query, int64_t service_id,
                              const struct instance_row *instance, int64_t from_ms,
                              int64_t width_ms, struct life *life, struct why *why)
{
    struct start_walk walk = {&life->start, from_ms + width_ms};
    enum status status = history_walk(query->db, service_id, instance->id, from_ms, walk.to_ms,
                                      see_start, &walk, why);
    if (status == STATUS_OK && life->start.snapshots == 0) /* a gap: take what is behind it */
        status = history_walk(query->db, service_id, instance->id, from_ms, life->newest_ms,
                              see_start, &walk, why);
    return status == STATUS_CANCELED ? STATUS_OK : status;
}

enum status life_read(struct query *query, int64_t service_id, const struct instance_row *instance,
                      int64_t until_ms, struct life *ret, struct why *why)
{
    *ret = (struct life){0};
    int64_t first_ms = 0;
    enum status status = life_find_first(query, service_id, instance->id, 0, &first_ms, why);
    if (until_ms > instance->last_seen_ms)
        until_ms = instance->last_seen_ms;
    if (status != STATUS_OK || first_ms == 0 || first_ms > until_ms)
        return status;
    ret->first_ms = first_ms;
    int64_t interval_ms = query_interval_ms(instance);
    int64_t length_ms = until_ms - first_ms;
    int64_t width_ms = length_ms / WINDOWS_A_LIFE;
    if (width_ms / WINDOW_SNAPSHOTS_MAX > interval_ms)
        width_ms = WINDOW_SNAPSHOTS_MAX * interval_ms;
    status = read_end(query, service_id, instance, until_ms, width_ms, ret, why);
    if (status != STATUS_OK || length_ms / (SNAPSHOTS_MIN - 1) < interval_ms)
        return status;
    status = read_start(query, service_id, instance, first_ms + length_ms / WINDOWS_A_LIFE,
                        width_ms, ret, why);
    if (status != STATUS_OK || ret->start.snapshots == 0 || ret->end.snapshots == 0)
        return status;
    double hours = (window_middle_ms(&ret->end) - window_middle_ms(&ret->start)) / 3.6e6;
    ret->hours = hours > 0 ? hours : 0;
    return STATUS_OK;
}

void life_done(struct life *life)
{
    heap_values_done(&life->newest);
    window_done(&life->start);
    window_done(&life->end);
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
