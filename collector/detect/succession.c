#include "succession.h"

#include <math.h>

static const double witness_horizons = 0.25; /* a shorter version says nothing */
static const double span_horizons = 2;       /* of uptime, of all witnesses */
static const uint32_t witnesses_min = 3;
static const double clean_share_max = 0.3; /* of the slope, at equal uptime and load */

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

/* Its slope as a share of the newest one's. A quiet day makes no leak slow. */
static double share_at_load(const struct judge *judge, uint32_t type, enum life_value value,
                            const struct judge_group *earlier, const struct judge_group *newest,
                            const struct judge_look *look)
{
    double share = attribute_share(judge, type, value, earlier->version, newest->version, look);
    double uptime = fmin(earlier->uptime, newest->uptime);
    double load =
        early_load(judge, newest->version, uptime) / early_load(judge, earlier->version, uptime);
    return share > 0 && load > 1 && isfinite(load) ? share * load : share;
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

int succession_judge(const struct judge *judge, const struct version_order *order,
                     const struct judge_group *group, uint32_t type, enum life_value value,
                     double elasticity, struct judge_look *look)
{
    struct judge_look all = *look;
    struct judge_group earlier;
    uint32_t place = 0;
    if (group->rule != VERDICT_RULE_A || !(look->passes || look->passes_early) ||
        group->horizons < witness_horizons)
        return 0;
    while (place < order->count && order->versions[place] != group->version)
        place++;
    all.horizons = group->horizons;
    all.evidence.versions_rising = 1;
    while (place-- > 0) {
        struct judge_look witness;
        judge_group_version(judge, order->versions[place], &earlier);
        if (earlier.count == 0 || earlier.horizons < witness_horizons)
            continue;
        double share = share_at_load(judge, type, value, &earlier, group, look);
        if (share < clean_share_max) {
            if (all.evidence.versions_rising < witnesses_min || all.horizons < span_horizons)
                return 0;
            all.rule = VERDICT_RULE_B;
            all.passes = 1;
            *look = all;
            return 1;
        }
        judge_look_at(judge, &earlier, type, value, elasticity, &witness);
        if (!isfinite(share) || !(witness.passes || witness.passes_early))
            return 0;
        witness.horizons = earlier.horizons;
        add_witness(&witness, &all);
    }
    return 0;
}
