#include "attribute.h"

#include <math.h>

#include "attributes.h"
#include "life_points.h"
#include "trend.h"

enum { points_max = 16, points_min = 4, uptime_min = DETECT_BINS_PER_HORIZON / 8 };

/* An earlier version that grows by less than this share of the present slope did not leak. */
static const double same_leak_min = 0.3;

/* Half of the version's lives have reached this uptime. 0: there are none. */
static uint32_t median_uptime(const struct detect_service *service, uint32_t version, double *space)
{
    size_t count = 0;
    for (uint32_t i = 0; i < service->life_count; i++)
        if (service->lives[i].version == version && service->lives[i].bins > 0)
            space[count++] = life_uptime(&service->lives[i]);
    return count == 0 ? 0 : (uint32_t)trend_median(space, count);
}

/*
 * Slope of a version over the uptime [from, to): the median of the steepest `share` of its lives,
 * so that a leak in a few containers is compared with the steepest few of the other version. NaN
 * when no life covers it.
 */
static double version_slope(const struct detect_service *service, uint32_t type, uint32_t version,
                            uint32_t from, uint32_t to, double share, double *space)
{
    size_t points = to > from + points_max ? points_max : to - from;
    size_t count = 0;
    if (to <= from || points < points_min)
        return NAN;
    for (uint32_t i = 0; i < service->life_count; i++) {
        if (service->lives[i].version != version)
            continue;
        double slope = life_slope(&service->lives[i], type, LIFE_COUNT, from, to, points);
        if (isfinite(slope))
            space[count++] = slope;
    }
    if (count == 0)
        return NAN;
    trend_sort(space, count);
    size_t steepest = (size_t)ceil(share * (double)count);
    steepest = steepest < 1 ? 1 : steepest > count ? count : steepest;
    return trend_median(space + count - steepest, steepest);
}

/* How much of the present slope the earlier version had; NaN when it cannot be told. */
static double earlier_share(const struct detect_service *service, uint32_t type, uint32_t earlier,
                            uint32_t version, const struct judge_evidence *evidence, double *space)
{
    uint32_t reached = median_uptime(service, earlier, space);
    uint32_t to = reached < evidence->uptime ? reached : evidence->uptime;
    if (to < uptime_min)
        return NAN;
    uint32_t from = to / 10 > 1 ? to / 10 : 1;
    double now = version_slope(service, type, version, from, to, evidence->share, space);
    double later = version_slope(service, type, version, evidence->settled, evidence->uptime,
                                 evidence->share, space);
    if (!isfinite(now) || now < later / 2)
        now = later; /* that early it is not known, or not yet as it is now */
    double before = version_slope(service, type, earlier, from, to, evidence->share, space);
    return before / now;
}

int attribute_leak(const struct detect_service *service, uint32_t type, uint32_t version,
                   const struct judge_evidence *evidence, struct arena *arena, uint32_t *ret)
{
    double *space = arena_must(arena, service->life_count * sizeof(*space));
    uint32_t oldest_leaking = version;
    for (uint32_t earlier = version; earlier-- > 0;) {
        double share = earlier_share(service, type, earlier, version, evidence, space);
        if (!isfinite(share))
            continue;
        if (share < same_leak_min) {
            *ret = oldest_leaking;
            return 1;
        }
        oldest_leaking = earlier;
    }
    return 0;
}
