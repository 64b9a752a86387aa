#include "urgent.h"

#include <math.h>

static const double ms_per_hour = 3600e3;

/* Growth of the process a hour; NaN: its memory is not known. */
static double process_per_hour(const struct detector *detector, const struct life *life)
{
    struct life_curve curve;
    double settled = fmax(life_uptime(life) / 10.0, 4);
    if (!life_trace(life, TYPE_PROCESS_MEMORY, LIFE_BYTES, settled, 0, &curve))
        return NAN;
    double rise = curve.values[curve.count - 1] - curve.values[0];
    return rise / (curve.width * (curve.count - 1)) * ms_per_hour / detector->bin_ms;
}

static double until_limit_ms(const struct detector *detector, const struct life *life,
                             double bytes_per_hour)
{
    double process = process_per_hour(detector, life);
    double rate = isfinite(process) ? process : bytes_per_hour;
    if (life->ended || life->limit_bytes == 0 || !(rate > 0))
        return INFINITY;
    double room = (double)life->limit_bytes - (double)life->usage_bytes;
    return fmax(room, 0) / rate * ms_per_hour;
}

int64_t urgent_until_limit_ms(const struct detector *detector, const struct judge_look *look,
                              uint32_t version, double bytes_per_hour)
{
    double shortest = INFINITY;
    for (uint32_t i = 0; i < look->growing_count; i++) {
        const struct life *life = &detector->lives[look->growing[i]];
        if (life->version == version)
            shortest = fmin(shortest, until_limit_ms(detector, life, bytes_per_hour));
    }
    if (!isfinite(shortest) || shortest >= (double)INT64_MAX / 2)
        return 0;
    return shortest < 1 ? 1 : (int64_t)shortest;
}

int urgent_is_possible(const struct detector *detector)
{
    (void)detector;
    return 0;
}

void urgent_judge(struct detector *detector, const struct judge_group *groups, uint32_t count)
{
    (void)detector;
    (void)groups;
    (void)count;
}
