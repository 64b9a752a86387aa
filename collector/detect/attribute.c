#include "attribute.h"

#include <math.h>

#include "attributes.h"
#include "trend.h"

static const double uptime_min = LIFE_BINS_PER_HORIZON / 8.0;

/* An earlier version that grows by less than this share of the present slope did not leak. */
static const double same_leak_min = 0.3;

/* What leaks goes on: one that has lived so many times longer is asked for all of its life, too,
 * since a day's load may rise just then. */
static const double whole_life_min = 1.5;

/* Half of the version's lives have reached this uptime. 0: there are none. */
static double median_uptime(const struct judge *judge, uint32_t version)
{
    size_t count = 0;
    for (uint32_t i = 0; i < judge->life_count; i++)
        if (judge->lives[i].version == version && life_uptime(&judge->lives[i]) > 0)
            judge->space[count++] = life_uptime(&judge->lives[i]);
    return count == 0 ? 0 : trend_median(judge->space, count);
}

/*
 * Slope of a version over the uptime [from, to): the median of the steepest `share` of its lives,
 * so that a leak in a few containers is compared with the steepest few of the other version. NaN
 * when no life covers it.
 */
static double version_slope(const struct judge *judge, uint32_t type, enum life_value value,
                            uint32_t version, double from, double to, double share)
{
    size_t count = 0;
    for (uint32_t i = 0; i < judge->life_count; i++) {
        if (judge->lives[i].version != version)
            continue;
        double slope = life_slope(&judge->lives[i], type, value, from, to);
        if (!isfinite(slope) && value == LIFE_COUNT && to < uptime_min)
            slope = life_early_slope(&judge->lives[i], type, from, to);
        if (isfinite(slope))
            judge->space[count++] = slope;
    }
    if (count == 0)
        return NAN;
    trend_sort(judge->space, count);
    size_t steepest = (size_t)ceil(share * (double)count);
    steepest = steepest < 1 ? 1 : steepest > count ? count : steepest;
    return trend_median(judge->space + count - steepest, steepest);
}

static double share_of(const struct judge *judge, uint32_t type, enum life_value value,
                       uint32_t other, uint32_t leaking, const struct judge_look *look,
                       double *ret_slope)
{
    double share = (double)look->growing_count / fmax(look->evidence.lives, 1);
    double to = fmin(fmin(median_uptime(judge, other), median_uptime(judge, leaking)), look->to);
    double least = look->rule == VERDICT_RULE_D ? LIFE_SLOT_BINS : uptime_min;
    if (to < least)
        return NAN;
    double from = fmax(to / 10, LIFE_SLOT_BINS);
    double now = version_slope(judge, type, value, leaking, from, to, share);
    if (!isfinite(now) || now < look->slope / 2)
        now = look->slope; /* that early it is not known, or not yet as it is now */
    *ret_slope = version_slope(judge, type, value, other, from, to, share);
    double long_to = median_uptime(judge, other);
    if (long_to >= whole_life_min * to) {
        double whole = version_slope(judge, type, value, other, from, long_to, share);
        *ret_slope = whole < *ret_slope ? whole : *ret_slope;
    }
    return *ret_slope / now;
}

double attribute_share(const struct judge *judge, uint32_t type, enum life_value value,
                       uint32_t version, uint32_t leaking_version, const struct judge_look *look)
{
    double slope;
    return share_of(judge, type, value, version, leaking_version, look, &slope);
}

void attribute_leak(const struct judge *judge, const struct version_order *order, uint32_t type,
                    enum life_value value, uint32_t version, const struct judge_look *look,
                    struct attribution *ret)
{
    uint32_t place = 0;
    while (place < order->count && order->versions[place] != version)
        place++;
    *ret = (struct attribution){.version = version};
    while (place-- > 0) {
        double slope = NAN;
        double share = share_of(judge, type, value, order->versions[place], version, look, &slope);
        if (!isfinite(share))
            continue;
        if (share < same_leak_min) {
            ret->is_known = 1;
            ret->before = slope;
            return;
        }
        ret->version = order->versions[place];
    }
}

/* ---- creep ----------------------------------------------------------------------------------- */

enum {
    early_from = 2, /* slots: 2 h to 6 h of 30 */
    early_to = 6,
    rises_min = 5,
};
static const double rise_min = 0.03;
static const double rise_all_min = 0.3;
static const double load_factor_each = 1;
static const double load_factor_all = 2.5;
static const double steadiness_min = 2.5; /* mean rise over its standard deviation */
static const double early_objects_min = 10;

/* The beginning of a version, means of its lives. */
struct early {
    double floor; /* NaN: none has got that far */
    double load;  /* NaN: not known */
};

static struct early early_of(const struct judge *judge, uint32_t type, uint32_t version)
{
    struct early sum = {0, 0};
    uint32_t count = 0;
    for (uint32_t i = 0; i < judge->life_count; i++) {
        if (judge->lives[i].version != version)
            continue;
        double floor = life_slot_floor(&judge->lives[i], type, early_from, early_to);
        if (isfinite(floor)) {
            sum.floor += floor;
            sum.load += life_slot_load(&judge->lives[i], early_from, early_to);
            count++;
        }
    }
    return (struct early){sum.floor / count, sum.load / count};
}

/* By how much the load has grown; 0 where it has not, or nobody knows. */
static double load_growth(const struct early *before, const struct early *after)
{
    double growth = before->load > 0 ? after->load / before->load - 1 : 0;
    return isfinite(growth) ? fmax(growth, 0) : 0;
}

static int is_steady(const double *rises, uint32_t count)
{
    double mean = 0;
    double square = 0;
    for (uint32_t i = 0; i < count; i++)
        mean += rises[i] / count;
    for (uint32_t i = 0; i < count; i++)
        square += (rises[i] - mean) * (rises[i] - mean) / (count - 1);
    return mean >= steadiness_min * sqrt(square);
}

/*
 * Versions that are deployed a little later each day meet another load at equal uptime, and what
 * follows the load rises or falls from one to the next.
 */
int attribute_creep(const struct judge *judge, const struct version_order *order, uint32_t type,
                    struct creep *ret)
{
    double rises[DETECT_VERSIONS_MAX];
    struct early later = {NAN, NAN};
    struct early newest = {NAN, NAN};
    uint32_t later_version = 0;
    uint32_t count = 0;
    *ret = (struct creep){0};
    for (uint32_t place = order->count; place-- > 0;) {
        uint32_t version = order->versions[place];
        struct early early = early_of(judge, type, version);
        if (!isfinite(early.floor))
            continue;
        if (isfinite(later.floor)) {
            double rise = early.floor > 0 ? later.floor / early.floor - 1 : 0;
            if (rise < fmax(rise_min, load_factor_each * load_growth(&early, &later)))
                break;
            rises[count++] = rise;
            ret->since = later_version;
        } else {
            newest = early;
            ret->newest = version;
        }
        later = early;
        later_version = version;
    }
    if (count < rises_min || !(newest.floor >= early_objects_min) || !is_steady(rises, count))
        return 0;
    ret->versions = count;
    ret->growth = newest.floor / later.floor - 1;
    return ret->growth >= fmax(rise_all_min, load_factor_all * load_growth(&later, &newest));
}
