/*
 * A worker that has just begun cannot be measured yet; it will grow as those beside it do, so that
 * a container whose workers are killed one by one does not seem to have twice the time.
 *
 * Where a process's own memory is not known, its container's stands for it (detector.c): then each
 * life says what all of them do, and the sum would count it as often as there are lives.
 */
#include "room.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attributes.h"
#include "detector_state.h"
#include "trend.h"

static const double recent_share = 0.4;
static const double filler_share_min = 0.3; /* of the fastest */

struct rooms {
    uint32_t known;                   /* lives whose first is known; 0: nothing is yet */
    uint16_t first[DETECT_LIVES_MAX]; /* the first life of the same container */
    uint8_t is_measured[DETECT_LIVES_MAX];
    struct room list[DETECT_LIVES_MAX]; /* by the first life of each */
};

struct rooms *rooms_new(void)
{
    struct rooms *rooms = calloc(1, sizeof(*rooms));
    ASSERT(rooms != NULL);
    return rooms;
}

void rooms_forget(const struct detector *detector)
{
    detector->rooms->known = 0;
    memset(detector->rooms->is_measured, 0, sizeof(detector->rooms->is_measured));
}

static int has_container(const struct life *life)
{
    static const struct detect_key none;
    return memcmp(&life->container, &none, sizeof(none)) != 0;
}

/* The first life that lives in the same container; itself if it does not live, or is alone. */
static uint32_t find_first(const struct detector *detector, uint32_t index)
{
    const struct life *life = &detector->lives[index];
    if (!has_container(life) || !judge_is_living(&detector->judge, life))
        return index;
    for (uint32_t i = 0; i < index; i++) {
        const struct life *other = &detector->lives[i];
        if (memcmp(&other->container, &life->container, sizeof(life->container)) == 0 &&
            judge_is_living(&detector->judge, other))
            return i;
    }
    return index;
}

static uint32_t first_of(const struct detector *detector, uint32_t index)
{
    struct rooms *rooms = detector->rooms;
    for (; rooms->known < detector->life_count; rooms->known++)
        rooms->first[rooms->known] = (uint16_t)find_first(detector, rooms->known);
    return rooms->first[index];
}

double room_process_slope(const struct life *life)
{
    struct life_curve curve;
    double settled = fmax(life_uptime(life) * recent_share, LIFE_START_UP_BINS);
    if (!life_trace(life, TYPE_PROCESS_MEMORY, LIFE_BYTES, settled, 0, &curve) &&
        !life_trace(life, TYPE_PROCESS_MEMORY, LIFE_BYTES, LIFE_START_UP_BINS, 0, &curve))
        return NAN;
    return trend_slope(curve.values, curve.count) / curve.width;
}

/* What the lives of a container have said of it. */
struct members {
    uint32_t count, measured;
    double slopes[DETECT_LIVES_MAX]; /* of those that are measured */
    double sum, fastest, grown;
    const struct life *newest;
};

static void add_member(const struct life *life, struct members *members)
{
    double slope = room_process_slope(life);
    if (life->last_ms > members->newest->last_ms)
        members->newest = life;
    members->count++;
    if (!isfinite(slope))
        return;
    members->slopes[members->measured++] = slope;
    members->sum += slope;
    members->grown += slope * life_uptime(life);
    members->fastest = fmax(members->fastest, slope);
}

static double count_fillers(const struct members *members)
{
    double fillers = 0;
    for (uint32_t i = 0; i < members->measured; i++)
        fillers +=
            members->slopes[i] > 0 && members->slopes[i] >= filler_share_min * members->fastest;
    return fillers;
}

static void measure(const struct detector *detector, uint32_t first, struct room *ret)
{
    struct members members = {.newest = &detector->lives[first]};
    for (uint32_t i = first; i < detector->life_count; i++)
        if (first_of(detector, i) == first)
            add_member(&detector->lives[i], &members);
    const struct life *newest = members.newest;
    double like_them = members.measured > 0 ? (double)members.count / members.measured : 1;
    *ret = (struct room){
        .left = newest->limit_bytes > 0
                    ? fmax((double)newest->limit_bytes - (double)newest->usage_bytes, 0)
                    : NAN,
        .slope = members.measured > 0 ? members.sum * like_them : NAN,
        .grown = members.grown,
        .fillers = fmax(count_fillers(&members) * like_them, 1),
    };
    if (newest->is_memory_shared && members.measured > 0) {
        ret->slope = trend_median(members.slopes, members.measured);
        ret->grown /= members.measured;
    }
}

const struct room *room_of(const struct detector *detector, uint32_t life)
{
    struct rooms *rooms = detector->rooms;
    uint32_t first = first_of(detector, life);
    if (!rooms->is_measured[first])
        measure(detector, first, &rooms->list[first]);
    rooms->is_measured[first] = 1;
    return &rooms->list[first];
}

int room_is_shared(const struct detector *detector, uint32_t life, uint32_t other)
{
    return first_of(detector, life) == first_of(detector, other);
}
