#include "life_points.h"

#include <math.h>

#include "attributes.h"
#include "trend.h"

uint32_t life_uptime(const struct detect_life *life)
{
    return life->bins == 0 ? 0 : life->first_bin + life->bins;
}

uint32_t life_settled(const struct detect_life *life, uint32_t uptime)
{
    uint32_t start_up = uptime / 10 > 1 ? uptime / 10 : 1;
    return life->first_bin > start_up ? life->first_bin : start_up;
}

/* More than any memory holds: a damaged number, as good as none. */
static const double plausible_max = 0x1p60;

static double lowest(const struct detect_floor *floors, uint32_t from, uint32_t to,
                     enum life_value value)
{
    double low = NAN;
    for (uint32_t bin = from; bin < to; bin++) {
        double floor = value == LIFE_COUNT ? floors[bin].count : floors[bin].bytes;
        if (floor >= 0 && floor <= plausible_max)
            low = fmin(low, floor);
    }
    return low;
}

/* Draw lines over the gaps; level ones at the ends. At least one point is known. */
static void fill_gaps(double *points, size_t count)
{
    size_t known = count;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(points[i]))
            continue;
        for (size_t gap = known == count ? 0 : known + 1; gap < i; gap++) {
            double share = known == count ? 1 : (double)(gap - known) / (double)(i - known);
            double left = known == count ? points[i] : points[known];
            points[gap] = left + (points[i] - left) * share;
        }
        known = i;
    }
    for (size_t gap = known + 1; gap < count; gap++)
        points[gap] = points[known];
}

int life_points(const struct detect_life *life, uint32_t type, enum life_value value, uint32_t from,
                uint32_t to, size_t count, double *ret)
{
    if (from < life->first_bin || to > life_uptime(life) || to < from || to - from < count)
        return 0;
    const struct detect_floor *floors = life->floors + (size_t)type * life->bins;
    uint64_t span = to - from;
    uint32_t offset = from - life->first_bin;
    size_t empty = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t start = offset + (uint32_t)(span * i / count);
        uint32_t end = offset + (uint32_t)(span * (i + 1) / count);
        ret[i] = lowest(floors, start, end, value);
        empty += (size_t)!isfinite(ret[i]);
    }
    if (empty * 4 > count)
        return 0;
    fill_gaps(ret, count);
    return 1;
}

double life_slope(const struct detect_life *life, uint32_t type, enum life_value value,
                  uint32_t from, uint32_t to, size_t count)
{
    double points[TREND_POINTS_MAX];
    ASSERT(count <= TREND_POINTS_MAX);
    if (!life_points(life, type, value, from, to, count, points))
        return NAN;
    return trend_slope(points, count) * (double)count / (to - from);
}
