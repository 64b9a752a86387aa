#include "attribute.h"

#include <math.h>

#include "attributes.h"
#include "stairs.h"
#include "trend.h"

static const double uptime_min = LIFE_BINS_PER_HORIZON / 8.0;

/* An earlier version that grows by less than this share of the present slope did not leak. */
static const double same_leak_min = 0.3;

/* A day's load rises over a night: points, and the share of the load that is not the uptime's. */
static const uint32_t points_min = 8;
static const double apart_min = 0.3;
static const double nearly = 0.95; /* as long */

/* What leaks goes on: one that has lived so many times longer is asked for all of its life, too,
 * since a day's load may rise just then. */
static const double whole_life_min = 1.5;

/* What stops is quiet for longer than it may have been before; by more than so much, it grows. */
static const double recent_part = 1.0 / 3;
static const double recent_growth_max = 0.03;
static const double idle_load_max = 0.5;   /* of its mean: who has so little to do tells nothing */
static const double recent_horizons = 1.5; /* by then the next life in its place can tell */

/* Half of the version's lives have reached this uptime. 0: there are none. */
static double median_uptime(const struct judge *judge, uint32_t version)
{
    size_t count = 0;
    for (uint32_t i = 0; i < judge->life_count; i++)
        if (judge->lives[i].version == version && life_uptime(&judge->lives[i]) > 0)
            judge->space[count++] = life_uptime(&judge->lives[i]);
    return count == 0 ? 0 : trend_median(judge->space, count);
}

static double median_of_steepest(double *slopes, size_t count, double share)
{
    if (count == 0)
        return NAN;
    trend_sort(slopes, count);
    size_t steepest = (size_t)ceil(share * (double)count);
    steepest = steepest < 1 ? 1 : steepest > count ? count : steepest;
    return trend_median(slopes + count - steepest, steepest);
}

/* Slope of a life over the uptime [from, to), a bin. NaN: not known. */
typedef double slope_fn(const struct judge *judge, const struct life *life, uint32_t type,
                        enum life_value value, double elasticity, double from, double to);

static double slope_as_seen(const struct judge *judge, const struct life *life, uint32_t type,
                            enum life_value value, double elasticity, double from, double to)
{
    double slope = life_slope(life, type, value, elasticity, from, to);
    (void)judge;
    if (!isfinite(slope) && value == LIFE_COUNT && to < uptime_min)
        slope = life_early_slope(life, type, elasticity, from, to);
    return slope;
}

/* Products of what deviates from its mean. */
struct products {
    double time_time, load_load, time_load, time_value, load_value;
};

static struct products products_of(const struct life_curve *curve, uint32_t count)
{
    struct products sum = {0};
    double load = 0;
    double value = 0;
    for (uint32_t i = 0; i < count; i++) {
        load += curve->load[i] / count;
        value += curve->values[i] / count;
    }
    for (uint32_t i = 0; i < count; i++) {
        double x = i - (count - 1) / 2.0;
        double y = curve->load[i] - load;
        double z = curve->values[i] - value;
        sum.time_time += x * x;
        sum.load_load += y * y;
        sum.time_load += x * y;
        sum.time_value += x * z;
        sum.load_value += y * z;
    }
    return sum;
}

/* The curve of a life over [from, to). 0: it is not known well enough. */
static int trace_between(const struct life *life, uint32_t type, enum life_value value,
                         double elasticity, double from, double to, struct life_curve *ret)
{
    if (life->late || to > life->bin || !life_trace(life, type, value, from, elasticity, ret))
        return 0;
    while (ret->count > 0 && ret->from + ret->count * ret->width > to)
        ret->count--;
    return ret->count >= points_min;
}

/* What a snapshot does not list it has none of, unless it tells of the rest in one number. */
static int may_have(const struct judge *judge, const struct life *life, uint32_t type)
{
    return type < judge->listed_from || !judge->has_room || isfinite(life_high(life, type)) ||
           (judge->rest_type >= 0 && life_high(life, (uint32_t)judge->rest_type) > 0);
}

/* As seen, and of a life that never had any, 0. Of a short life the slots are few, and its blocks
 * are as many as those of any other. */
static double slope_as_listed(const struct judge *judge, const struct life *life, uint32_t type,
                              enum life_value value, double elasticity, double from, double to)
{
    struct life_curve curve;
    if (life_uptime(life) >= to && !may_have(judge, life, type))
        return 0;
    double slope = slope_as_seen(judge, life, type, value, elasticity, from, to);
    if (isfinite(slope) || !trace_between(life, type, value, elasticity, from, to, &curve))
        return slope;
    return trend_slope(curve.values, curve.count) / curve.width;
}

/*
 * The slope in c of count = a + b load + c uptime, least squares. As it was seen, where the load is
 * not known, moves nothing or rises with the uptime, since that hides nothing; NaN where it falls.
 * What the load moves is this life's own, so no `elasticity` is taken out before.
 */
static double slope_beside_load(const struct judge *judge, const struct life *life, uint32_t type,
                                enum life_value value, double elasticity, double from, double to)
{
    struct life_curve curve;
    (void)elasticity;
    if (life_uptime(life) >= to && !may_have(judge, life, type))
        return 0;
    if (!trace_between(life, type, value, 0, from, to, &curve))
        return NAN;
    struct products p = products_of(&curve, curve.count);
    double seen = p.time_value / p.time_time / curve.width;
    double apart = p.time_time * p.load_load - p.time_load * p.time_load;
    if (!(apart > apart_min * p.time_time * p.load_load))
        return curve.has_load && p.time_load < 0 ? NAN : seen;
    if (!(p.load_value * p.time_time > p.time_value * p.time_load))
        return seen;
    return (p.time_value * p.load_load - p.load_value * p.time_load) / apart / curve.width;
}

/*
 * Slope of a version over the uptime [from, to): the median of the steepest `share` of its lives,
 * so that a leak in a few containers is compared with the steepest few of the other version. NaN
 * when no life covers it.
 */
static double version_slope(const struct judge *judge, uint32_t type, enum life_value value,
                            uint32_t version, double from, double to, double share,
                            slope_fn *slope_of)
{
    double elasticity = judge_elasticity(judge, type);
    size_t count = 0;
    for (uint32_t i = 0; i < judge->life_count; i++) {
        if (judge->lives[i].version != version)
            continue;
        double uptime = life_uptime(&judge->lives[i]);
        double end = uptime >= nearly * to ? fmin(to, uptime) : to; /* of two, one is shorter */
        double slope = slope_of(judge, &judge->lives[i], type, value, elasticity, from, end);
        if (isfinite(slope))
            judge->space[count++] = slope;
    }
    return median_of_steepest(judge->space, count, share);
}

/* The steepest lives that are compared. */
static double share_of_lives(const struct judge_look *look)
{
    return (double)look->growing_count / fmax(look->evidence.lives, 1);
}

/* The stretch of uptime that both versions have; 0: there is none yet. */
static int equal_uptime(const struct judge *judge, uint32_t other, uint32_t leaking,
                        const struct judge_look *look, double *ret_from, double *ret_to)
{
    double to = fmin(fmin(median_uptime(judge, other), median_uptime(judge, leaking)), look->to);
    *ret_to = to;
    *ret_from = fmax(to / 10, LIFE_SLOT_BINS);
    return to >= (look->rule == VERDICT_RULE_D   ? LIFE_SLOT_BINS
                  : look->rule == VERDICT_RULE_B ? fmin(uptime_min, nearly * look->to)
                                                 : uptime_min);
}

static double share_of(const struct judge *judge, uint32_t type, enum life_value value,
                       uint32_t other, uint32_t leaking, const struct judge_look *look,
                       slope_fn *slope_of, double *ret_slope)
{
    double share = share_of_lives(look);
    double from = 0;
    double to = 0;
    if (!equal_uptime(judge, other, leaking, look, &from, &to))
        return NAN;
    double now = version_slope(judge, type, value, leaking, from, to, share, slope_of);
    if (!isfinite(now) || now < look->slope / 2)
        now = look->slope; /* that early it is not known, or not yet as it is now */
    *ret_slope = version_slope(judge, type, value, other, from, to, share, slope_of);
    double long_to = median_uptime(judge, other);
    if (long_to >= whole_life_min * to) {
        double whole = version_slope(judge, type, value, other, from, long_to, share, slope_of);
        *ret_slope = whole < *ret_slope ? whole : *ret_slope;
    }
    return *ret_slope / now;
}

double attribute_share_beside_load(const struct judge *judge, uint32_t type, enum life_value value,
                                   uint32_t version, uint32_t leaking_version,
                                   const struct judge_look *look)
{
    double share = share_of_lives(look);
    double from = 0;
    double to = 0;
    if (!equal_uptime(judge, version, leaking_version, look, &from, &to))
        return NAN;
    double now =
        version_slope(judge, type, value, leaking_version, from, to, share, slope_beside_load);
    if (!isfinite(now) || now < look->slope / 2)
        now = look->slope;
    /* what is steady beside the load shows the better the longer it was watched */
    to = fmax(to, median_uptime(judge, version));
    return version_slope(judge, type, value, version, from, to, share, slope_beside_load) / now;
}

double attribute_share(const struct judge *judge, uint32_t type, enum life_value value,
                       uint32_t version, uint32_t leaking_version, const struct judge_look *look)
{
    double slope;
    return share_of(judge, type, value, version, leaking_version, look, slope_as_listed, &slope);
}

/* Mean load of a version's lives, early in them. NaN: not known. */
static double early_load(const struct judge *judge, uint32_t version, double uptime)
{
    uint32_t to = (uint32_t)fmin(uptime / LIFE_SLOT_BINS, LIFE_SLOTS);
    double sum = 0;
    uint32_t count = 0;
    for (uint32_t i = 0; i < judge->life_count; i++) {
        double load =
            judge->lives[i].version == version ? life_slot_load(&judge->lives[i], 1, to) : NAN;
        if (isfinite(load)) {
            sum += load;
            count++;
        }
    }
    return count > 0 ? sum / count : NAN;
}

double attribute_share_at_load(const struct judge *judge, uint32_t type, enum life_value value,
                               const struct judge_group *other, uint32_t leaking_version,
                               double leaking_uptime, const struct judge_look *look)
{
    double share = attribute_share(judge, type, value, other->version, leaking_version, look);
    double uptime = fmin(other->uptime, leaking_uptime);
    double load =
        early_load(judge, leaking_version, uptime) / early_load(judge, other->version, uptime);
    return share > 0 && load > 1 && isfinite(load) ? share * load : share;
}

int attribute_shows(const struct judge *judge, uint32_t type, enum life_value value,
                    uint32_t version, uint32_t leaking_version, const struct judge_look *look)
{
    double from = 0;
    double to = 0;
    if (!equal_uptime(judge, version, leaking_version, look, &from, &to))
        return 0;
    double share = share_of_lives(look);
    double early =
        version_slope(judge, type, value, leaking_version, from, to, share, slope_as_listed);
    if (!isfinite(early)) /* an old life has few blocks, but its slots */
        early = version_slope(judge, type, value, leaking_version, from,
                              fmin(to, LIFE_SLOTS * LIFE_SLOT_BINS), share, slope_as_listed);
    return !(early < look->slope / 2);
}

static void find_first(const struct judge *judge, const struct version_order *order, uint32_t type,
                       enum life_value value, uint32_t version, const struct judge_look *look,
                       slope_fn *slope_of, struct attribution *ret)
{
    uint32_t place = 0;
    while (place < order->count && order->versions[place] != version)
        place++;
    *ret = (struct attribution){.version = version};
    while (place-- > 0) {
        double slope = NAN;
        uint32_t before = order->versions[place];
        double share = share_of(judge, type, value, before, version, look, slope_of, &slope);
        if (!isfinite(share))
            continue;
        double beside = attribute_share_beside_load(judge, type, value, before, version, look);
        if (fmin(share, beside) < same_leak_min) {
            ret->is_known = 1;
            ret->before = slope;
            return;
        }
        ret->version = before;
    }
}

void attribute_leak(const struct judge *judge, const struct version_order *order, uint32_t type,
                    enum life_value value, uint32_t version, const struct judge_look *look,
                    struct attribution *ret)
{
    find_first(judge, order, type, value, version, look, slope_as_seen, ret);
}

void attribute_origin(const struct judge *judge, const struct version_order *order, uint32_t type,
                      enum life_value value, uint32_t version, const struct judge_look *look,
                      struct attribution *ret)
{
    find_first(judge, order, type, value, version, look, slope_as_listed, ret);
}

int attribute_had(const struct judge *judge, uint32_t type, uint32_t version)
{
    for (uint32_t i = 0; i < judge->life_count; i++)
        if (judge->lives[i].used && judge->lives[i].version == version &&
            isfinite(life_high(&judge->lives[i], type)))
            return 1;
    return 0;
}

double attribute_recent_share(const struct judge *judge, uint32_t type, enum life_value value,
                              uint32_t version, double slope, double quiet)
{
    double elasticity = judge_elasticity(judge, type);
    double most = NAN;
    for (uint32_t i = 0; i < judge->life_count; i++) {
        const struct life *life = &judge->lives[i];
        double silent = (double)(judge->now_ms - life->last_ms) / judge->bin_ms;
        if (life->version != version || !(silent < recent_horizons * LIFE_BINS_PER_HORIZON))
            continue;
        double bins = fmax(fmax(LIFE_BINS_PER_HORIZON, quiet), recent_part * life_uptime(life));
        double recent = life_recent_slope(life, type, value, elasticity, bins);
        double load = life_recent_load(life, bins);
        if ((load < idle_load_max && isfinite(recent)) ||
            recent * bins >= recent_growth_max * life_newest(life, type, value) ||
            (value == LIFE_BYTES && stairs_wait(life, type)))
            recent = fmax(recent, slope);
        most = fmax(most, recent / slope / (load < 1 ? load : 1)); /* of NaN and a number, this */
    }
    return most;
}

/* ---- creep ----------------------------------------------------------------------------------- */

enum {
    early_from = 2, /* slots: 2 h to 6 h of 30 */
    early_to = 6,
    rises_min = 5,
    lives_to_tell = 3,
};
static const double rise_min = 0.03;
static const double rise_all_min = 0.3;
static const double error_factor = 2;     /* of a standard error */
static const double error_factor_all = 4; /* of so many rows, the one that looks best is told */
static const double load_factor_all = 2.5;
static const double steadiness_min = 2.5; /* mean rise over its standard deviation */
static const double early_objects_min = 10;
static const double fall_factor_max = 2; /* of all it rose by: what lives lose by themselves */

/* The beginning of a version, means of its lives. */
struct early {
    double floor; /* NaN: none has got that far */
    double load;  /* NaN: not known */
    double error; /* variance of the floor's mean, relative; 0: too few lives to tell */
};

static struct early early_of(const struct judge *judge, uint32_t type, uint32_t version)
{
    struct early sum = {0};
    double square = 0;
    uint32_t count = 0;
    for (uint32_t i = 0; i < judge->life_count; i++) {
        if (judge->lives[i].version != version)
            continue;
        double floor = life_slot_floor(&judge->lives[i], type, early_from, early_to);
        if (isfinite(floor)) {
            sum.floor += floor;
            square += floor * floor;
            sum.load += life_slot_idlest(&judge->lives[i], early_from, early_to);
            count++;
        }
    }
    double mean = sum.floor / count;
    double spread = fmax(square / count - mean * mean, 0) / (count - 1.0);
    double error = count >= lives_to_tell && mean > 0 ? spread / (mean * mean) : 0;
    return (struct early){mean, sum.load / count, error};
}

/* The floor at the usual load; all of it follows the load, since nothing has gathered yet. */
static double level_of(const struct early *early, double elasticity, double usual_load)
{
    double more = early->load / usual_load - 1;
    return early->floor / (isfinite(more) ? fmax(1 + elasticity * more, 0.2) : 1);
}

/* By how much the load has grown; 0 where it has not, or nobody knows. */
static double load_growth(const struct early *before, const struct early *after)
{
    double growth = before->load > 0 ? after->load / before->load - 1 : 0;
    return isfinite(growth) ? fmax(growth, 0) : 0;
}

/* `noise`: variance of a rise that the lives' own differences make. */
static int is_steady(const double *rises, uint32_t count, double noise)
{
    double mean = 0;
    double square = 0;
    for (uint32_t i = 0; i < count; i++)
        mean += rises[i] / count;
    for (uint32_t i = 0; i < count; i++)
        square += (rises[i] - mean) * (rises[i] - mean) / (count - 1);
    return mean >= steadiness_min * sqrt(fmax(square - noise, 0));
}

/* How far it falls in a life, the median of all that have it: garbage in cycles falls by much more
 * than its floors differ, and where they happen to lie says nothing. */
static double usual_fall(const struct judge *judge, uint32_t type, double elasticity)
{
    size_t count = 0;
    for (uint32_t i = 0; i < judge->life_count; i++)
        if (judge->lives[i].used && life_find(&judge->lives[i], type) != NULL)
            judge->space[count++] =
                life_largest_fall(&judge->lives[i], type, LIFE_COUNT, elasticity);
    return count > 0 ? trend_median(judge->space, count) : 0;
}

/*
 * Versions that are deployed at another time of the day meet another load at equal uptime, and what
 * follows the load rises or falls from one to the next. That is taken out, as far as the type is
 * seen to follow it within lives; what it may follow it besides is no rise. Nor do lives of a
 * version start alike, least where only a sample of the heap is read: by how much their mean may be
 * wrong is no rise, and no lack of one.
 */
int attribute_creep(const struct judge *judge, const struct version_order *order, uint32_t type,
                    struct creep *ret)
{
    double rises[DETECT_VERSIONS_MAX];
    struct early later = {NAN, NAN, 0};
    struct early newest = {NAN, NAN, 0};
    uint32_t later_version = 0;
    uint32_t count = 0;
    double noise = 0;
    *ret = (struct creep){0};
    if (order->count <= rises_min)
        return 0;
    double usual_load = judge_usual_load(judge);
    double elasticity = judge_elasticity(judge, type);
    double follows = judge_elasticity_most(judge, type) - elasticity;
    for (uint32_t place = order->count; place-- > 0;) {
        uint32_t version = order->versions[place];
        struct early early = early_of(judge, type, version);
        if (!isfinite(early.floor))
            continue;
        early.floor = level_of(&early, elasticity, usual_load);
        if (isfinite(later.floor)) {
            double rise = early.floor > 0 ? later.floor / early.floor - 1 : 0;
            double error = early.error + later.error;
            if (rise + error_factor * sqrt(error) < rise_min)
                break;
            noise += error;
            if (rise + error_factor * sqrt(error) < follows * load_growth(&early, &later))
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
    if (count < rises_min || !(newest.floor >= early_objects_min) ||
        !is_steady(rises, count, noise / count))
        return 0;
    ret->versions = count;
    ret->growth = newest.floor / later.floor - 1;
    double all_min = fmax(rise_all_min, load_factor_all * follows * load_growth(&later, &newest));
    return ret->growth >= all_min + error_factor_all * sqrt(later.error + newest.error) &&
           usual_fall(judge, type, elasticity) <= fall_factor_max * (newest.floor - later.floor);
}
