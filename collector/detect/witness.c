#include "witness.h"

#include <math.h>

static const double lives_on_min = 1.3; /* times the uptime */
static const double alike_share_min = 0.5;
static const double rest_bins = LIFE_BINS_PER_HORIZON / 5.0; /* at least so long, */
static const double rest_part = 0.25;                        /* and so much of its life */
static const double rest_share_max = 0.1;                    /* of the slope */
static const double rest_load_min = 0.5;                     /* of the mean */
static const double line_gain_min = 2;
static const double clear_r2 = 0.95; /* from which on a curve says by how much it bends */
static const double bend_min = 0.8;

/* What rests for want of work says nothing; where nobody knows the load, it had its nights. */
static int is_at_rest(const struct life *life, uint32_t type, double elasticity, double slope)
{
    double bins = fmax(rest_bins, rest_part * life_uptime(life));
    double load = life_recent_load(life, bins);
    return life_recent_slope(life, type, LIFE_COUNT, elasticity, bins) <= rest_share_max * slope &&
           !(load < rest_load_min);
}

/* Over the same uptime; blocks of an old life may be too long, then over what its slots have. */
static double grew_then(const struct life *life, uint32_t type, double elasticity,
                        const struct judge_look *look)
{
    static const double slots_end = LIFE_SLOT_BINS * (LIFE_SLOTS - 1);
    double slope = life_slope(life, type, LIFE_COUNT, elasticity, look->from, look->to);
    return isfinite(slope)
               ? slope
               : life_early_slope(life, type, elasticity, look->from, fmin(look->to, slots_end));
}

/* What a request leaves is the same at night, but there are fewer: how much less work, of that in
 * the lives of `look`, the life had over the same uptime. Longer ones have seen most hours. */
static double work_share(const struct judge *judge, const struct life *life,
                         const struct judge_look *look)
{
    uint32_t slots = (uint32_t)fmax(ceil(look->to / LIFE_SLOT_BINS), 2);
    double sum = 0;
    for (uint32_t i = 0; i < look->growing_count; i++)
        sum += life_mean_load(&judge->lives[look->growing[i]]);
    double share = life_slot_load(life, 1, slots) / (sum / look->growing_count);
    return isfinite(share) ? fmin(share, 1) : 1;
}

int witness_came_to_rest(const struct judge *judge, uint32_t type, const struct judge_look *look)
{
    double elasticity = judge_elasticity(judge, type);
    for (uint32_t i = 0; i < judge->life_count; i++) {
        const struct life *life = &judge->lives[i];
        if (!life->used || life->late || life->oom_killed || judge_look_has(look, i) ||
            life_uptime(life) < lives_on_min * look->to || life_high(life, type) < look->level)
            continue;
        double alike = alike_share_min * work_share(judge, life, look);
        if (grew_then(life, type, elasticity, look) >= alike * look->slope &&
            is_at_rest(life, type, elasticity, look->slope))
            return 1;
    }
    return 0;
}

void witness_judge_short(const struct judge *judge, const struct judge_group *longest,
                         const struct judge_group *middle, uint32_t type, enum life_value value,
                         double elasticity, struct judge_look *ret)
{
    struct judge_look look = {0};
    judge_look_at(judge, longest, type, value, elasticity, ret);
    if (ret->growing_count == 0 || middle->count == 0)
        return;
    judge_look_at(judge, middle, type, value, elasticity, &look);
    int goes_on = ret->climbs && !ret->bends && ret->evidence.line_gain >= line_gain_min;
    if (look.passes && goes_on && (!ret->passes || look.horizons > ret->horizons))
        *ret = look;
    else if (look.bends || (look.evidence.r2 >= clear_r2 && look.course.bend < bend_min))
        ret->passes = 0;
}
