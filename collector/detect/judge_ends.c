#include "judge_ends.h"

#include <math.h>

#include "trend.h"

static const double horizon_bins = LIFE_BINS_PER_HORIZON;
static const double strong_horizons = 0.835;
static const double short_strong_horizons = 0.78; /* of the span of short lives */
static const double fill_horizons = 0.8;   /* a day of 30 hours: stores may fill for so long */
static const double shown_horizons = 0.88; /* from then on such a one is seen to be full */
static const double idle_min = 0.35;       /* horizons; what is loaded first is no mid life */
static const double onset_horizons = 1.5;  /* behind the onset of what began in mid life */
static const double last_part = 0.7;       /* of it, from where on it must go on */
static const double rest_min = 0.6;        /* of the rise that the line before would make */
static const double almost_horizons = 0.99;

static const double day_bins = 0.8 * LIFE_BINS_PER_HORIZON;
static const double handover_bins = LIFE_BINS_PER_HORIZON / 15.0;
static const double same_ramp_min = 0.2; /* of the growth that would be the present one's */
static const double raised_min = 0.6;    /* of what the life before had gained */

/* Where an uptime lies between the first point and the last. */
static double share_of_bin(const struct judge_group *group, double bin)
{
    double place = (bin - group->from) / (group->to - group->from) * CURVE_POINTS - 0.5;
    return place / (CURVE_POINTS - 1);
}

static double bin_of_share(const struct judge_group *group, double share)
{
    double place = (share * (CURVE_POINTS - 1) + 0.5) / CURVE_POINTS;
    return group->from + place * (group->to - group->from);
}

void judge_ends_measure(const struct judge_group *group, const double curve[CURVE_POINTS],
                        const double *work, struct judge_ends *ret)
{
    double onset = curve_onset(curve, work);
    double begun = onset > 0 ? bin_of_share(group, onset) : 0;
    if (begun < idle_min * horizon_bins)
        onset = begun = 0;
    double late = onset > 0 ? onset + last_part * (1 - onset)
                            : share_of_bin(group, fill_horizons * horizon_bins);
    ret->idle = begun / horizon_bins;
    ret->rest = curve_end_share(curve, work, onset, late);
}

double judge_almost(double horizons)
{
    return fmin(horizons, almost_horizons);
}

double judge_ends_horizons(const struct judge_ends *ends, const struct judge_group *group,
                           double horizons, int is_strong)
{
    double uptime = group->uptime / horizon_bins;
    if (group->rule != VERDICT_RULE_A) /* short lives end before anything of this shows */
        return is_strong ? horizons / short_strong_horizons : horizons;
    if (ends->idle > 0) {
        double since = horizons * (1 - ends->idle / uptime) / onset_horizons;
        return ends->rest >= rest_min ? since : judge_almost(since);
    }
    if (is_strong && (uptime < shown_horizons || ends->rest >= rest_min))
        return horizons / strong_horizons;
    return horizons;
}

/* What a life began with, behind its start-up. NaN: not known. */
static double first_level(const struct life *life, uint32_t type, enum life_value value)
{
    struct life_curve curve;
    if (life->late || !life_trace(life, type, value, LIFE_START_UP_BINS, 0, &curve))
        return NAN;
    return curve.values[0];
}

/* A life that was seen for more than a day up to about that time. */
static int hands_over(const struct judge *judge, const struct life *life, int64_t time_ms)
{
    return life->used && life->origin_ms < time_ms && life_uptime(life) > day_bins &&
           fabs((double)(life->last_ms - time_ms)) <= handover_bins * judge->bin_ms;
}

/* By how much the lives that ended when `life` began had risen over a day, and so far; 0: nobody
 * knows. */
static int level_before(const struct judge *judge, const struct life *life, uint32_t type,
                        enum life_value value, double *ret_risen, double *ret_level)
{
    uint32_t count = 0;
    double risen = 0;
    double level = 0;
    for (uint32_t i = 0; i < judge->life_count; i++) {
        const struct life *before = &judge->lives[i];
        double rise = hands_over(judge, before, life->origin_ms)
                          ? life_recent_slope(before, type, value, 0, day_bins) * day_bins
                          : NAN;
        if (!isfinite(rise))
            continue;
        risen += rise;
        level += life_newest(before, type, value);
        count++;
    }
    *ret_risen = risen / count;
    *ret_level = level / count;
    return count > 0;
}

int judge_goes_by_the_clock(const struct judge *judge, uint32_t type, enum life_value value,
                            const struct judge_look *look)
{
    uint32_t told = 0;
    uint32_t alike = 0;
    for (uint32_t i = 0; i < look->growing_count; i++) {
        const struct life *life = &judge->lives[look->growing[i]];
        double began = first_level(life, type, value);
        double risen = 0;
        double level = 0;
        if (!isfinite(began) || !level_before(judge, life, type, value, &risen, &level))
            continue;
        told++;
        alike += risen >= same_ramp_min * look->slope * day_bins &&
                 began >= level - (1 - raised_min) * risen;
    }
    return 2 * alike > told;
}
