#include "succession.h"

#include <math.h>

#include "trend.h"

static const double witness_horizons = 0.25; /* a shorter version says nothing */
static const double span_horizons = 2;       /* of uptime, of all witnesses */
static const uint32_t witnesses_min = 3;
static const double clean_share_max = 0.3; /* of the slope, at equal uptime and load */
static const double end_bins = LIFE_BINS_PER_HORIZON / 10.0;
static const double handed_share_min = 0.5;

static int is_straight(const struct judge_look *look)
{
    return look->passes || look->passes_early || look->passes_busy;
}

/* Median of the lives' slopes, late or early in them. NaN: not known. */
static double end_slope(const struct judge *judge, uint32_t version, uint32_t type,
                        double elasticity, int late)
{
    size_t count = 0;
    for (uint32_t i = 0; i < judge->life_count; i++) {
        const struct life *life = &judge->lives[i];
        double slope = life->version != version ? NAN
                       : late ? life_recent_slope(life, type, LIFE_COUNT, elasticity, end_bins)
                              : life_early_slope(life, type, elasticity, 0, end_bins);
        if (isfinite(slope))
            judge->space[count++] = slope;
    }
    return count > 0 ? trend_median(judge->space, count) : NAN;
}

/* What the one gets over its last hours, the next one gets at the same time of the day. */
static int is_handed_over(const struct judge *judge, uint32_t version, uint32_t next, uint32_t type,
                          double elasticity)
{
    double before = end_slope(judge, version, type, elasticity, 1);
    double after = end_slope(judge, next, type, elasticity, 0);
    return after > 0 && before >= handed_share_min * after;
}

static void add_witness(const struct judge_look *witness, struct judge_look *sum)
{
    sum->horizons += witness->horizons;
    sum->evidence.versions_rising++;
    sum->evidence.lives += witness->evidence.lives;
    sum->evidence.lives_growing += witness->evidence.lives_growing;
    sum->evidence.r2 = fmin(sum->evidence.r2, witness->evidence.r2);
    sum->evidence.p = fmin(sum->evidence.p, witness->evidence.p);
    for (uint32_t i = 0; i < witness->growing_count && sum->growing_count < DETECT_LIVES_MAX; i++)
        sum->growing[sum->growing_count++] = witness->growing[i];
}

/* The group of the version before `*place` that is long enough to say something; 0: none. */
static int step_back(const struct judge *judge, const struct version_order *order, uint32_t *place,
                     struct judge_group *ret)
{
    while ((*place)-- > 0) {
        judge_group_version(judge, order->versions[*place], ret);
        if (ret->count > 0 && ret->horizons >= witness_horizons)
            return 1;
    }
    return 0;
}

/* The newest version before `place` in which the type does not grow. -1: there is none, or it had
 * none of it: what comes with its class may be a store that comes with it. */
static int find_clean(const struct judge *judge, const struct version_order *order, uint32_t place,
                      const struct judge_group *group, uint32_t type, enum life_value value,
                      const struct judge_look *look)
{
    struct judge_group earlier;
    while (step_back(judge, order, &place, &earlier)) {
        double share = attribute_share_at_load(judge, type, value, &earlier, group->version,
                                               group->uptime, look);
        if (!isfinite(share) || !attribute_had(judge, type, earlier.version))
            return -1;
        if (share < clean_share_max)
            return (int)place;
    }
    return -1;
}

int succession_judge(const struct judge *judge, const struct version_order *order,
                     const struct judge_group *group, uint32_t type, enum life_value value,
                     double elasticity, struct judge_look *look)
{
    struct judge_look all = *look;
    struct judge_look later = *look;
    struct judge_group earlier;
    uint32_t later_version = group->version;
    uint32_t place = 0;
    if (group->rule != VERDICT_RULE_A || !(is_straight(look) || look->climbs) ||
        group->horizons < witness_horizons)
        return 0;
    while (place < order->count && order->versions[place] != group->version)
        place++;
    int clean = find_clean(judge, order, place, group, type, value, look);
    all.horizons = group->horizons;
    all.evidence.versions_rising = 1;
    while (clean >= 0 && step_back(judge, order, &place, &earlier) && (int)place > clean) {
        struct judge_look witness = {0};
        judge_look_at(judge, &earlier, type, value, elasticity, &witness);
        if (!is_straight(&witness) && !witness.climbs)
            return 0;
        if (!(is_straight(&witness) && is_straight(&later)) &&
            !(value == LIFE_COUNT &&
              is_handed_over(judge, earlier.version, later_version, type, elasticity)))
            return 0;
        witness.horizons = earlier.horizons;
        add_witness(&witness, &all);
        later = witness;
        later_version = earlier.version;
    }
    if (clean < 0 || all.evidence.versions_rising < witnesses_min || all.horizons < span_horizons)
        return 0;
    all.rule = VERDICT_RULE_B;
    all.passes = 1;
    *look = all;
    return 1;
}
