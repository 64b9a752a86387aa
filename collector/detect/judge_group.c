/* Which lives are judged together. */
#include <math.h>
#include <string.h>

#include "judge.h"
#include "trend.h"

static const double horizon_bins = LIFE_BINS_PER_HORIZON;
static const double start_up_share = 0.1;
static const double long_enough = 0.85;         /* of the longest */
static const double much_younger = 0.5;         /* than the longest */
static const double younger_horizons = 1.25;    /* as long as one of many has to be seen */
static const double lately_horizons = 1.0 / 15; /* 2 hours of 30: longer silent is gone */
static const uint32_t short_lives_min = 4;

static double settled_bins(double uptime)
{
    return fmax(start_up_share * uptime, LIFE_START_UP_BINS);
}

double judge_settled_bins(const struct life *life)
{
    return settled_bins(life_uptime(life));
}

/* The rest of a group, when its lives are chosen. */
static void finish_group(const struct judge *judge, struct judge_group *group)
{
    double longest = 0;
    group->to = INFINITY;
    for (uint32_t i = 0; i < group->count; i++) {
        const struct life *life = &judge->lives[group->lives[i]];
        judge->space[i] = life_uptime(life);
        longest = fmax(longest, life_uptime(life));
        group->to = fmin(group->to, life_uptime(life));
        group->oom_killed += (uint32_t)life->oom_killed;
    }
    group->from = settled_bins(longest);
    if (group->count > 0)
        group->uptime = trend_median(judge->space, group->count);
    if (group->to <= group->from + 1)
        group->count = 0;
}

static int is_seen_lately(const struct judge *judge, const struct life *life)
{
    return life->used && (double)(judge->now_ms - life->last_ms) <=
                             lately_horizons * horizon_bins * judge->bin_ms;
}

int judge_is_living(const struct judge *judge, const struct life *life)
{
    return is_seen_lately(judge, life) && !life->ended;
}

int judge_is_killed(const struct judge *judge, const struct life *life)
{
    return is_seen_lately(judge, life) && life->oom_killed;
}

/* The lives of a version, up to so many bins, of which `belongs` says so, and which are not much
 * shorter than the longest of them. */
static void group_of(const struct judge *judge, uint32_t version, double most,
                     int (*belongs)(const struct judge *, const struct life *),
                     struct judge_group *ret)
{
    uint32_t longest = 0;
    *ret = (struct judge_group){.rule = VERDICT_RULE_A, .version = version};
    for (uint32_t i = 0; i < judge->life_count; i++) {
        const struct life *life = &judge->lives[i];
        if (life->version == version && belongs(judge, life) && life_uptime(life) <= most &&
            life_uptime(life) > longest)
            longest = life_uptime(life);
    }
    for (uint32_t i = 0; longest > 0 && i < judge->life_count; i++) {
        const struct life *life = &judge->lives[i];
        if (life->version == version && belongs(judge, life) && life_uptime(life) <= most &&
            life_uptime(life) >= long_enough * longest)
            ret->lives[ret->count++] = (uint16_t)i;
    }
    finish_group(judge, ret);
    ret->horizons = ret->uptime / horizon_bins;
}

static int is_any(const struct judge *judge, const struct life *life)
{
    (void)judge;
    (void)life;
    return 1;
}

void judge_group_version(const struct judge *judge, uint32_t version, struct judge_group *ret)
{
    group_of(judge, version, INFINITY, is_any, ret);
}

void judge_group_younger(const struct judge *judge, const struct judge_group *older,
                         struct judge_group *ret)
{
    group_of(judge, older->version, much_younger * older->uptime, judge_is_living, ret);
    ret->horizons /= younger_horizons;
}

void judge_group_living(const struct judge *judge, uint32_t version, struct judge_group *ret)
{
    group_of(judge, version, INFINITY, judge_is_living, ret);
}

void judge_group_killed(const struct judge *judge, uint32_t version, struct judge_group *ret)
{
    group_of(judge, version, INFINITY, judge_is_killed, ret);
}

void judge_group_lives(const struct judge *judge, const uint16_t *lives, uint32_t count,
                       struct judge_group *ret)
{
    *ret = (struct judge_group){
        .rule = VERDICT_RULE_A, .version = judge->lives[lives[0]].version, .count = count};
    memcpy(ret->lives, lives, count * sizeof(*lives));
    finish_group(judge, ret);
    ret->horizons = ret->uptime / horizon_bins;
}

void judge_group_life(const struct judge *judge, uint16_t life, struct judge_group *ret)
{
    judge_group_lives(judge, &life, 1, ret);
}

static double quantile(double *sorted, uint32_t count, double q)
{
    return sorted[(uint32_t)(q * (count - 1) + 0.5)];
}

/* Times that starts lie more than a thirtieth of the horizon apart, and one. */
static uint32_t start_cohorts(const struct judge *judge, const struct judge_group *group)
{
    uint32_t cohorts = 0;
    for (uint32_t i = 0; i < group->count; i++)
        judge->space[i] = (double)judge->lives[group->lives[i]].origin_ms;
    trend_sort(judge->space, group->count);
    for (uint32_t i = 0; i < group->count; i++)
        cohorts +=
            i == 0 || judge->space[i] - judge->space[i - 1] > horizon_bins / 30 * judge->bin_ms;
    return cohorts;
}

/* Time from the first start to the last sight, in horizons. */
static double group_span(const struct judge *judge, const struct judge_group *group)
{
    double first = INFINITY;
    double last = -INFINITY;
    for (uint32_t i = 0; i < group->count; i++) {
        const struct life *life = &judge->lives[group->lives[i]];
        first = fmin(first, (double)life->origin_ms);
        last = fmax(last, (double)life->last_ms);
    }
    return (last - first) / (horizon_bins * judge->bin_ms);
}

/* Lives of a version that were killed for memory lately. */
static uint32_t killed_of(const struct judge *judge, uint32_t version, double since_ms)
{
    uint32_t killed = 0;
    for (uint32_t i = 0; i < judge->life_count; i++)
        killed += judge->lives[i].used && judge->lives[i].version == version &&
                  judge->lives[i].oom_killed && (double)judge->lives[i].last_ms >= since_ms;
    return killed;
}

/* Where versions are killed for memory, those alone are judged by their short lives. */
static int counts_as_short(const struct judge *judge, const struct life *life, double since_ms,
                           int any_killed)
{
    return life->used && (double)life->last_ms >= since_ms && life_uptime(life) > 0 &&
           (!any_killed || killed_of(judge, life->version, since_ms) >= 2);
}

/* The short lives that count, and what their lengths are. */
struct short_lives {
    double since_ms;
    int any_killed;
    uint32_t count;
    double middle, most, usual; /* quantiles of uptime: half, three quarters, nine tenths */
};

/* 0: one has reached the horizon, or there are too few. */
static int survey_short(const struct judge *judge, struct short_lives *ret)
{
    static const double lately = 3.2; /* horizons: 96 h of 30 */
    *ret = (struct short_lives){.since_ms =
                                    (double)judge->now_ms - lately * horizon_bins * judge->bin_ms};
    for (uint32_t i = 0; i < judge->life_count && !ret->any_killed; i++)
        ret->any_killed = judge->lives[i].oom_killed &&
                          (double)judge->lives[i].last_ms >= ret->since_ms &&
                          killed_of(judge, judge->lives[i].version, ret->since_ms) >= 2;
    for (uint32_t i = 0; i < judge->life_count; i++) {
        const struct life *life = &judge->lives[i];
        if (!counts_as_short(judge, life, ret->since_ms, ret->any_killed))
            continue;
        if (life_uptime(life) >= horizon_bins)
            return 0;
        judge->space[ret->count++] = life_uptime(life);
    }
    if (ret->count < short_lives_min)
        return 0;
    trend_sort(judge->space, ret->count);
    ret->middle = quantile(judge->space, ret->count, 0.5);
    ret->most = quantile(judge->space, ret->count, 0.75);
    ret->usual = quantile(judge->space, ret->count, 0.9);
    return 1;
}

static void group_short_between(const struct judge *judge, const struct short_lives *all,
                                double least, double most, struct judge_group *ret)
{
    static const double half_day_life = 0.267; /* 8 h */
    static const double shortest_life = 0.1;   /* sessions and caches fill for as long as that */
    uint32_t ended = 0;
    for (uint32_t i = 0; i < judge->life_count; i++) {
        const struct life *life = &judge->lives[i];
        if (!counts_as_short(judge, life, all->since_ms, all->any_killed) ||
            life_uptime(life) < least || life_uptime(life) > most)
            continue;
        ret->lives[ret->count++] = (uint16_t)i;
        ended += (uint32_t)(life->ended || (double)(judge->now_ms - life->last_ms) >
                                               lately_horizons * horizon_bins * judge->bin_ms);
    }
    if (ret->count < short_lives_min || ended * 2 < ret->count ||
        (!all->any_killed &&
         (start_cohorts(judge, ret) < 3 || all->most < shortest_life * horizon_bins)))
        ret->count = 0;
    double span = group_span(judge, ret);
    finish_group(judge, ret);
    ret->horizons = span / (all->most / horizon_bins > half_day_life ? 2 : 1);
    if (ret->oom_killed >= 2)
        ret->horizons = fmax(ret->horizons, 1);
}

void judge_group_short(const struct judge *judge, struct judge_group *ret)
{
    struct short_lives all;
    *ret = (struct judge_group){.rule = VERDICT_RULE_B};
    if (survey_short(judge, &all))
        group_short_between(judge, &all, long_enough * all.usual, horizon_bins, ret);
}

void judge_group_middle(const struct judge *judge, struct judge_group *ret)
{
    struct short_lives all;
    *ret = (struct judge_group){.rule = VERDICT_RULE_B};
    if (survey_short(judge, &all) && all.middle < long_enough * long_enough * all.usual)
        group_short_between(judge, &all, long_enough * all.middle, all.middle / long_enough, ret);
}
