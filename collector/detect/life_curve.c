/* What a life is asked for: its floors, with the load taken out of their base. */
#include <math.h>

#include "life.h"
#include "trend.h"

enum {
    points_min = 8, /* of a curve */
    base_from = 2,  /* slots that are the beginning: settled, and little has gathered */
    base_slots = 3,
};

static const double usual_error = 0.2; /* by which a life may follow the load as others do not */

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

/* Blocks that are complete, and one more if it is half complete. */
static uint32_t blocks_done(const struct life *life)
{
    uint32_t whole = life->bin / life->block_bins;
    uint32_t rest = life->bin % life->block_bins;
    return whole + (rest * 2 >= life->block_bins && rest > 0 ? 1 : 0);
}

static void read_load(const struct life *life, uint32_t first, struct life_curve *curve)
{
    double mean = 0;
    uint32_t known = 0;
    for (uint32_t i = 0; i < curve->count; i++) {
        double ms = life->load_ms[first + i];
        curve->load[i] = ms > 0 ? life->load[first + i] / ms : NAN;
        if (ms > 0) {
            mean += curve->load[i];
            known++;
        }
    }
    mean /= known > 0 ? known : 1;
    curve->has_load = known * 4 >= curve->count * 3 && mean > 0;
    if (curve->has_load)
        fill_gaps(curve->load, curve->count);
    for (uint32_t i = 0; i < curve->count; i++)
        curve->load[i] = curve->has_load ? curve->load[i] / mean : 1;
}

double life_mean_load(const struct life *life)
{
    double load = 0;
    double ms = 0;
    for (uint32_t i = 0; i < LIFE_BLOCKS; i++) {
        load += life->load[i];
        ms += life->load_ms[i];
    }
    return ms > 0 ? load / ms : NAN;
}

double life_base(const struct life *life, uint32_t type, double elasticity)
{
    const struct life_series *series = life_find(life, type);
    double count = 0;
    double load = 0;
    uint32_t known = 0;
    for (uint32_t i = base_from; series != NULL && i < LIFE_SLOTS && known < base_slots; i++) {
        if (!isfinite(series->slots[i]) || !isfinite(life->slot_lows[i]))
            continue;
        count += series->slots[i];
        load += life->slot_lows[i];
        known++;
    }
    return count / known / fmax(0.2, 1 + elasticity * (load / known / life_mean_load(life) - 1));
}

/* What its own moves say about a mean load more, behind its own steady growth; `*ret_error`: the
 * square of the standard error, infinite where they say nothing. */
static double own_step(const struct life *life, const struct life_series *series, double *ret_error)
{
    const struct life_moves *up = &series->rising;
    const struct life_moves *down = &series->falling;
    double n = up->count + down->count;
    double x = up->x + down->x;
    double y = up->y + down->y;
    double xx = up->xx + down->xx - x * x / n;
    double xy = up->xy + down->xy - x * y / n;
    double rest = up->yy + down->yy - y * y / n - xy * xy / xx;
    double load = life_mean_load(life);
    *ret_error = fmax(rest, 0) / (n - 2) / xx * load * load;
    if (!(n > 2) || !(xx > 0) || !isfinite(*ret_error))
        *ret_error = INFINITY;
    return xy / xx * load;
}

/*
 * What a mean load more makes of the floors: what all lives' moves say, and this one's own, each as
 * far as it is known. Of bytes: as much as the first objects weigh.
 */
static double load_step(const struct life *life, uint32_t type, enum life_value value,
                        double elasticity)
{
    const struct life_series *series = life_find(life, type);
    double usual = elasticity > 0 ? elasticity * life_base(life, type, elasticity) : 0;
    double error = 0;
    if (!(usual > 0) || !isfinite(usual))
        return 0;
    double own = own_step(life, series, &error);
    double differ = usual_error * usual_error * usual * usual;
    double step = isfinite(error) ? usual + (own - usual) * differ / (differ + error) : usual;
    if (value == LIFE_COUNT)
        return fmax(step, 0);
    uint32_t first = 0;
    while (first < LIFE_BLOCKS - 1 && !(series->blocks[LIFE_COUNT][first] > 0))
        first++;
    step *= (double)series->blocks[LIFE_BYTES][first] / series->blocks[LIFE_COUNT][first];
    return isfinite(step) ? fmax(step, 0) : 0;
}

/* `step`: for each mean load. NaN: the load is not known. */
static double without_load(const struct life *life, double floor, double load, double step)
{
    return step > 0 ? floor - step * (load / life_mean_load(life) - 1) : floor;
}

static double block_without_load(const struct life *life, const float *floors, uint32_t block,
                                 double step)
{
    int has_low = life->block_bins >= LIFE_LOAD_BINS && isfinite(life->lows[block]);
    double mean = (double)life->load[block] / life->load_ms[block];
    return without_load(life, floors[block], has_low ? life->lows[block] : mean, step);
}

int life_trace(const struct life *life, uint32_t type, enum life_value value, double settled,
               double elasticity, struct life_curve *ret)
{
    const struct life_series *series = life_find(life, type);
    if (series == NULL) /* nor has a life that was forgotten any block */
        return 0;
    uint32_t first = (uint32_t)ceil(settled / life->block_bins);
    uint32_t end = blocks_done(life);
    while (first < end && life->seen[first] == 0)
        first++;
    if (first + points_min > end)
        return 0;
    uint32_t empty = 0;
    int before = 1; /* no object of it yet: there are none */
    *ret = (struct life_curve){
        .count = end - first, .from = (double)first * life->block_bins, .width = life->block_bins};
    read_load(life, first, ret);
    double step = ret->has_load ? load_step(life, type, value, elasticity) : 0;
    for (uint32_t i = 0; i < ret->count; i++) {
        double floor = block_without_load(life, series->blocks[value], first + i, step);
        before = before && !isfinite(series->blocks[value][first + i]);
        ret->values[i] = before && life->seen[first + i] > 0 ? 0 : floor < 0 ? 0 : floor;
        empty += (uint32_t)!isfinite(ret->values[i]);
    }
    if (before || empty * 4 > ret->count)
        return 0;
    fill_gaps(ret->values, ret->count);
    return 1;
}

void life_resample(const struct life_curve *curve, const double *values, double from, double to,
                   size_t count, double *ret)
{
    double last = curve->count - 1;
    for (size_t i = 0; i < count; i++) {
        double bin = from + (to - from) * ((double)i + 0.5) / (double)count;
        double place = fmin(fmax((bin - curve->from) / curve->width - 0.5, 0), last);
        uint32_t left = (uint32_t)place;
        uint32_t right = left + 1 < curve->count ? left + 1 : left;
        ret[i] = values[left] + (values[right] - values[left]) * (place - left);
    }
}

static double points_slope(double *points, size_t count, double width)
{
    size_t known = 0;
    for (size_t i = 0; i < count; i++)
        known += (size_t)isfinite(points[i]);
    if (count < 4 || known * 4 < count * 3)
        return NAN;
    fill_gaps(points, count);
    return trend_slope(points, count) / width;
}

double life_slope(const struct life *life, uint32_t type, enum life_value value, double elasticity,
                  double from, double to)
{
    const struct life_series *series = life_find(life, type);
    int use_slots = value == LIFE_COUNT && to <= LIFE_SLOTS * LIFE_SLOT_BINS;
    double width = use_slots ? LIFE_SLOT_BINS : life->block_bins;
    const float *floors = series == NULL ? NULL : use_slots ? series->slots : series->blocks[value];
    uint32_t first = (uint32_t)ceil(from / width);
    uint32_t end = (uint32_t)(to / width);
    double points[LIFE_BLOCKS] = {0};
    if (floors == NULL || to > life->bin || end > LIFE_BLOCKS || end <= first || life->late)
        return NAN;
    double step = load_step(life, type, value, elasticity);
    for (uint32_t i = first; i < end; i++)
        points[i - first] = use_slots ? without_load(life, floors[i], life->slot_lows[i], step)
                                      : block_without_load(life, floors, i, step);
    return points_slope(points, end - first, width);
}

/* With so few points, the ends say as much as all pairs would. */
double life_early_slope(const struct life *life, uint32_t type, double elasticity, double from,
                        double to)
{
    const struct life_series *series = life_find(life, type);
    uint32_t first = (uint32_t)(from / LIFE_SLOT_BINS);
    uint32_t last = (uint32_t)(to / LIFE_SLOT_BINS);
    last = last < first + 2 ? first + 2 : last;
    if (series == NULL || life->late || last >= LIFE_SLOTS ||
        life->bin < (last + 1) * LIFE_SLOT_BINS)
        return NAN;
    double step = load_step(life, type, LIFE_COUNT, elasticity);
    double rise = without_load(life, series->slots[last], life->slot_lows[last], step) -
                  without_load(life, series->slots[first], life->slot_lows[first], step);
    return rise / ((double)(last - first) * LIFE_SLOT_BINS);
}

double life_high(const struct life *life, uint32_t type)
{
    const struct life_series *series = life_find(life, type);
    return series == NULL ? NAN : (double)series->high;
}

/* Two, since a torn snapshot may be the floor of a bin. */
static double largest_fall(const double *floors, uint32_t count)
{
    double highest = 0;
    double largest = 0;
    for (uint32_t i = 0; i + 1 < count; i++) {
        double low = fmax(floors[i], floors[i + 1]); /* of a gap and a number, the number */
        largest = fmax(largest, highest - low);
        highest = fmax(highest, floors[i]);
    }
    return largest;
}

static double slots_fall(const struct life *life, const struct life_series *series, double step)
{
    double floors[LIFE_SLOTS];
    uint32_t count = life->bin / LIFE_SLOT_BINS;
    count = count < LIFE_SLOTS ? count : LIFE_SLOTS;
    for (uint32_t i = 0; i < count; i++)
        floors[i] = without_load(life, series->slots[i], life->slot_lows[i], step);
    return largest_fall(floors, count);
}

double life_largest_fall(const struct life *life, uint32_t type, enum life_value value,
                         double elasticity)
{
    const struct life_series *series = life_find(life, type);
    double floors[LIFE_BLOCKS] = {0};
    if (series == NULL)
        return 0;
    double step = load_step(life, type, value, elasticity);
    uint32_t count = blocks_done(life);
    for (uint32_t i = 0; i < count; i++)
        floors[i] = block_without_load(life, series->blocks[value], i, step);
    double fall = largest_fall(floors, count);
    if (value != LIFE_COUNT)
        return fall;
    fall = fmax(fall, slots_fall(life, series, step));
    if (!isfinite(series->slot_low) || !isfinite(series->slot_before))
        return fall;
    /* blocks may be hours long: against the last two slots, those before them */
    double load =
        isfinite(life->slot_load_low) ? life->slot_load_low : life->slot_cpu / life->slot_ms;
    double now = fmax(without_load(life, series->slot_low, load, step),
                      without_load(life, series->slot_before, life->slot_load_before, step));
    uint32_t slots = life->bin / LIFE_SLOT_BINS;
    for (uint32_t i = 0; (i + 1) * life->block_bins + LIFE_SLOT_BINS <= slots * LIFE_SLOT_BINS; i++)
        fall = fmax(fall, floors[i] - now);
    return fall;
}

double life_newest(const struct life *life, uint32_t type, enum life_value value)
{
    const struct life_series *series = life_find(life, type);
    uint32_t end = blocks_done(life);
    return series == NULL || end < 2
               ? NAN
               : fmaxf(series->blocks[value][end - 1], series->blocks[value][end - 2]);
}

double life_recent_slope(const struct life *life, uint32_t type, enum life_value value,
                         double elasticity, double bins)
{
    const struct life_series *series = life_find(life, type);
    uint32_t end = blocks_done(life);
    uint32_t back = (uint32_t)ceil(bins / life->block_bins);
    if (series == NULL || end < back + 2)
        return NAN;
    const float *floors = series->blocks[value];
    double step = load_step(life, type, value, elasticity);
    double highest[2];
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t last = end - 1 - i * back;
        highest[i] = fmax(block_without_load(life, floors, last, step),
                          block_without_load(life, floors, last - 1, step));
    }
    return (highest[0] - highest[1]) / ((double)back * life->block_bins);
}

double life_recent_load(const struct life *life, double bins)
{
    uint32_t end = blocks_done(life);
    uint32_t back = (uint32_t)ceil(bins / life->block_bins);
    double recent = 0;
    double recent_ms = 0;
    double all = 0;
    double all_ms = 0;
    for (uint32_t i = 0; i < end; i++) {
        all += life->load[i];
        all_ms += life->load_ms[i];
        recent += i + back >= end ? life->load[i] : 0;
        recent_ms += i + back >= end ? life->load_ms[i] : 0;
    }
    return recent_ms > 0 && all > 0 ? recent / recent_ms / (all / all_ms) : NAN;
}

double life_slot_floor(const struct life *life, uint32_t type, uint32_t from, uint32_t to)
{
    const struct life_series *series = life_find(life, type);
    float low = NAN;
    if (series == NULL || life->bin < to * LIFE_SLOT_BINS || to > LIFE_SLOTS || life->late)
        return NAN;
    for (uint32_t i = from; i < to; i++)
        low = fminf(low, series->slots[i]);
    return low;
}

double life_slot_load(const struct life *life, uint32_t from, uint32_t to)
{
    double sum = 0;
    if (life->bin < to * LIFE_SLOT_BINS || to > LIFE_SLOTS || life->late)
        return NAN;
    for (uint32_t i = from; i < to; i++)
        sum += life->slot_loads[i] / (double)(to - from);
    return sum;
}

double life_slot_idlest(const struct life *life, uint32_t from, uint32_t to)
{
    float low = NAN;
    if (life->bin < to * LIFE_SLOT_BINS || to > LIFE_SLOTS || life->late)
        return NAN;
    for (uint32_t i = from; i < to; i++)
        low = fminf(low, life->slot_lows[i]);
    return low;
}

double life_object_growth(const struct life *life, uint32_t type)
{
    const struct life_series *series = life_find(life, type);
    uint32_t end = series == NULL ? 0 : blocks_done(life);
    if (end < points_min)
        return 0;
    const float *count = series->blocks[LIFE_COUNT];
    const float *bytes = series->blocks[LIFE_BYTES];
    uint32_t first = end / 4;
    uint32_t last = end - 1;
    if (!(count[first] > 0) || !(bytes[first] > 0) || !(count[last] > 0))
        return 0;
    double growth = (double)bytes[last] / count[last] / ((double)bytes[first] / count[first]) - 1;
    return isfinite(growth) ? growth : 0;
}
