/*
 * The thresholds are those that were found on simulated services; tests/bench/README.md says which
 * seeds chose them and which judged them.
 */
#include "judge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attributes.h"
#include "judge_ends.h"
#include "stairs.h"
#include "trend.h"

static const double objects_min = 10; /* of a type in a container */
static const double objects_grown_min = 5;
static const double z_min = 1.5;
static const double chance_max = 3e-5;
static const double line_gain_min = 2;
static const double load_growth_factor = 2.5;
static const double early_load_factor = 1.25;
static const double load_gain_min = 10;       /* from which on the load explains nothing, */
static const double early_load_gain_min = 30; /* of lives that have not seen a day of it, */
static const double day_horizons = 0.7;
static const double member_growth_min = 0.05;
static const double witness_share_min = 0.15;
static const double growing_growth_min = 0.015;
static const double growing_tail_min = 0.3;
static const double own_step_max = 0.45; /* of a life, over its growth; median */
static const double fall_share = 0.5;    /* of the growth: a fall by which it fell back */
static const double rising_z_min = 1.2;  /* without what makes it smaller, before anything dearer */

/* What differs between the rules; of long lives, the bend says all that halves and tails would. */
struct rule {
    double growth_min, jump_max, tail_min, bend_min, r2_min;
    double second_half_min, second_half_max;
    double plateau_max; /* share of the lives, below; 2: not asked */
    double witnesses;   /* share of the lives that must grow */
    double correction; /* of what the load's correction has changed, the growth is at least so much;
                        * short lives may all see the same hours of the day */
};
static const struct rule rules[] = {
    [VERDICT_RULE_A] = {0.03, 0.43, 0, 0.8, 0, 0, 1, 2, 0.5, 0.5},
    [VERDICT_RULE_SOME] = {0.06, 0.34, 0, 0.8, 0, 0, 1, 2, 0, 0.5},
    [VERDICT_RULE_B] = {0.03, 0.43, 0.7, 0.8, 0.95, 0.42, 0.75, 0.4, 0.6, 1.25},
};
static const double some_horizons = 1.25;

/* A line that is straight to its very end need not be as long: one that fills up at its end, as a
 * store of sessions does after their time to live, is not straight there. */
static const double strong_r2 = 0.985;
static const double strong_line_gain = 6;
static const double strong_tail = 0.85;
static const double strong_bend = 0.9;
static const double bent_max = 0.6;

/* Where nobody knows the load, its rise from a night to the next day makes a set of keys straight:
 * a line must be one for longer than that. */
static const double blind_horizons = 1.1;
static const double rough_max = 0.5;

struct judge_member {
    uint16_t life;
    int grows;
    int plateau, plateau_best; /* over time; over the better axis */
    double growth, raw_growth; /* over its own stretch, relative to its median */
    double load_growth;
    double z;
    double slope;                /* a bin */
    double first, last;          /* at the ends of the common stretch */
    double step;                 /* the largest, over the growth; both over the common stretch */
    double points[CURVE_POINTS]; /* over the common stretch, relative to the median */
    double work[CURVE_POINTS];   /* load up to each point */
    int has_load;
};

void judge_init(struct judge *judge, double bin_ms)
{
    *judge = (struct judge){
        .bin_ms = bin_ms,
        .members = calloc(DETECT_LIVES_MAX, sizeof(struct judge_member)),
        .space = calloc(DETECT_LIVES_MAX, sizeof(double)),
    };
    ASSERT(judge->members != NULL && judge->space != NULL);
}

void judge_done(struct judge *judge)
{
    free(judge->members);
    free(judge->space);
}

/* ---- one life -------------------------------------------------------------------------------- */

/* What the points of a life are divided by; a type that is not there at all stays flat. */
static double scale_of(const double *points, size_t count)
{
    double copy[TREND_POINTS_MAX];
    double mean = 0;
    for (size_t i = 0; i < count; i++) {
        copy[i] = points[i];
        mean += points[i] / (double)count;
    }
    double median = trend_median(copy, count);
    if (median > 0)
        return median;
    return mean > 0 ? mean : 1;
}

/* Do enough of the pairs of points rise for anything dearer? */
static int rises(const double *points, uint32_t count)
{
    int sum = 0;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = i + 1; j < count; j++)
            sum += (points[j] > points[i]) - (points[j] < points[i]);
    double n = count;
    return sum >= rising_z_min * sqrt(n * (n - 1) * (2 * n + 5) / 18);
}

int judge_trace(const struct life *life, uint32_t type, enum life_value value, double from,
                double elasticity, struct life_curve *ret)
{
    if (value == LIFE_BYTES && stairs_trace(life, type, from, ret))
        return 1;
    return life_trace(life, type, value, from, elasticity, ret);
}

int judge_look_has(const struct judge_look *look, uint32_t life)
{
    for (uint32_t i = 0; i < look->growing_count; i++)
        if (look->growing[i] == life)
            return 1;
    return 0;
}

/* Cheap: whether it rises at all, and the curve, left for the rest. */
static int begin_member(const struct judge *judge, uint32_t type, enum life_value value,
                        double elasticity, struct judge_member *member, struct life_curve *curve)
{
    const struct life *life = &judge->lives[member->life];
    if (!judge_trace(life, type, value, judge_settled_bins(life), elasticity, curve))
        return -1;
    return rises(curve->values, curve->count);
}

static void measure_growth(const struct life_curve *curve, struct judge_member *member)
{
    double slope = trend_slope(curve->values, curve->count);
    double span = curve->count - 1;
    member->slope = slope / curve->width;
    member->growth = slope * span / scale_of(curve->values, curve->count);
    member->z = trend_z(curve->values, curve->count, slope);
    member->load_growth = curve->has_load ? trend_slope(curve->load, curve->count) * span : 0;
    double growth = curve_growth(member->points);
    member->step = growth > 0 ? curve_largest_step(member->points) / growth : 0;
}

/* The load up to each point. */
static void sum_load(const struct life_curve *curve, double work[LIFE_BLOCKS])
{
    work[0] = 0;
    for (uint32_t i = 1; i < curve->count; i++)
        work[i] = work[i - 1] + fmax(curve->load[i - 1], 0) * curve->width;
}

static int is_plateau_at_best(const struct life_curve *curve)
{
    double work[LIFE_BLOCKS];
    sum_load(curve, work);
    double all = work[curve->count - 1];
    for (uint32_t i = 0; i < curve->count && all > 0; i++)
        work[i] /= all;
    return curve_is_plateau(curve->values, curve->has_load && all > 0 ? work : NULL, curve->count);
}

/* What the load's correction has changed of the growth is doubtful. */
static void measure_adjustment(const struct judge *judge, uint32_t type, enum life_value value,
                               struct judge_member *member)
{
    struct life_curve raw;
    const struct life *life = &judge->lives[member->life];
    if (!judge_trace(life, type, value, judge_settled_bins(life), 0, &raw))
        return;
    member->raw_growth =
        trend_slope(raw.values, raw.count) * (raw.count - 1) / scale_of(raw.values, raw.count);
}

static void measure_common(const struct judge_group *group, const struct life_curve *curve,
                           struct judge_member *member)
{
    double work[LIFE_BLOCKS];
    sum_load(curve, work);
    life_resample(curve, curve->values, group->from, group->to, CURVE_POINTS, member->points);
    life_resample(curve, work, group->from, group->to, CURVE_POINTS, member->work);
    member->has_load = curve->has_load;
    member->first = member->points[0];
    member->last = member->points[CURVE_POINTS - 1];
    double scale = scale_of(member->points, CURVE_POINTS);
    for (size_t i = 0; i < CURVE_POINTS; i++)
        member->points[i] /= scale;
}

/* Fill judge->members; returns how many lives have the type. */
static uint32_t measure(const struct judge *judge, const struct judge_group *group, uint32_t type,
                        enum life_value value, double elasticity)
{
    struct life_curve curve;
    uint32_t count = 0;
    for (uint32_t i = 0; i < group->count; i++) {
        struct judge_member *member = &judge->members[count];
        *member = (struct judge_member){.life = group->lives[i]};
        int rising = begin_member(judge, type, value, elasticity, member, &curve);
        if (rising < 0)
            continue;
        count++;
        measure_common(group, &curve, member);
        if (!rising)
            continue;
        measure_growth(&curve, member);
        member->grows = member->z >= z_min && member->growth > 0;
        member->plateau = member->grows && curve_is_plateau(curve.values, NULL, curve.count);
        member->plateau_best = member->plateau && is_plateau_at_best(&curve);
        member->raw_growth = member->growth;
        if (elasticity > 0)
            measure_adjustment(judge, type, value, member);
    }
    return count;
}

/* Most services have no type that rises in any of their lives: do not even measure those. */
static int any_rises(const struct judge *judge, const struct judge_group *group, uint32_t type,
                     enum life_value value, double elasticity)
{
    struct life_curve curve;
    for (uint32_t i = 0; i < group->count; i++) {
        struct judge_member member = {.life = group->lives[i]};
        if (begin_member(judge, type, value, elasticity, &member, &curve) > 0)
            return 1;
    }
    return 0;
}

/* ---- all of them ----------------------------------------------------------------------------- */

/*
 * Members that grow go first; returns how many do. One that rises by a small part of what another
 * does is not a witness of the same leak.
 */
static uint32_t sort_growing(struct judge_member *members, uint32_t count, double growth_min)
{
    uint32_t growing = 0;
    double least = growth_min;
    for (uint32_t i = 0; i < count; i++)
        if (members[i].grows)
            least = fmax(least, members[i].growth * witness_share_min);
    for (uint32_t i = 0; i < count; i++) {
        struct judge_member member = members[i];
        if (!member.grows || member.growth < least)
            continue;
        members[i] = members[growing];
        members[growing++] = member;
    }
    return growing;
}

struct pool {
    struct curve_shape shape;
    double horizons;    /* of the lives' uptime */
    double last, grown; /* mean of the members */
    double growth;
    double adjustment, load_growth;
    double plateau, plateau_best; /* share */
    double step;                  /* median of the members that grow */
    int is_blind;                 /* nobody knows the load */
    struct judge_ends ends;
};

/* The load up to each point, as a share of all of it; NULL where one does not know it. */
static const double *pool_work(const struct judge_member *members, uint32_t count, double *work)
{
    for (size_t k = 0; k < CURVE_POINTS; k++) {
        work[k] = 0;
        for (uint32_t i = 0; i < count; i++)
            work[k] += members[i].work[k] - members[i].work[0];
    }
    for (uint32_t i = 0; i < count; i++)
        if (!members[i].has_load)
            return NULL;
    if (!(work[CURVE_POINTS - 1] > 0) || !isfinite(work[CURVE_POINTS - 1]))
        return NULL;
    for (size_t k = 0; k < CURVE_POINTS; k++)
        work[k] /= work[CURVE_POINTS - 1];
    return work;
}

/*
 * CPU time that comes in heaps is that of jobs, and says nothing of the requests between them: what
 * stretches have beyond those beside them, of all the work. Days and nights are smooth.
 */
static int is_by_jobs(const double work[CURVE_POINTS])
{
    double rough = 0;
    for (size_t i = 1; i + 2 < CURVE_POINTS; i++) {
        double here = work[i + 1] - work[i];
        double beside = (work[i + 2] - work[i - 1] - here) / 2;
        rough += fabs(here - beside);
    }
    return rough > rough_max;
}

static double median_of(const struct judge *judge, uint32_t count,
                        double (*read)(const struct judge_member *))
{
    for (uint32_t i = 0; i < count; i++)
        judge->space[i] = read(&judge->members[i]);
    return trend_median(judge->space, count);
}

static double read_slope(const struct judge_member *member)
{
    return member->slope;
}
static double read_load_growth(const struct judge_member *member)
{
    return member->load_growth;
}
static double read_adjustment(const struct judge_member *member)
{
    return fabs(member->growth - member->raw_growth);
}

static double read_step(const struct judge_member *member)
{
    return member->step;
}

/* Those that grow come first. */
static void pool_members(const struct judge *judge, const struct judge_group *group, uint32_t count,
                         uint32_t growing, struct pool *ret)
{
    double curve[CURVE_POINTS] = {0};
    double work[CURVE_POINTS];
    *ret = (struct pool){.horizons = group->uptime / LIFE_BINS_PER_HORIZON};
    for (uint32_t i = 0; i < count; i++) {
        const struct judge_member *member = &judge->members[i];
        for (size_t k = 0; k < CURVE_POINTS; k++)
            curve[k] += member->points[k] / count;
        ret->last += member->last / count;
        ret->grown += (member->last - member->first) / count;
        ret->plateau += member->plateau ? 1.0 / count : 0;
        ret->plateau_best += member->plateau_best ? 1.0 / count : 0;
    }
    const double *known_work = pool_work(judge->members, count, work);
    ret->is_blind = known_work == NULL || is_by_jobs(known_work);
    curve_measure(curve, known_work, &ret->shape);
    if (ret->shape.p <= chance_max) /* what is no line is asked nothing more */
        judge_ends_measure(group, curve, known_work, &ret->ends);
    ret->growth = ret->shape.growth;
    ret->adjustment = median_of(judge, count, read_adjustment);
    ret->load_growth = median_of(judge, count, read_load_growth);
    ret->step = median_of(judge, growing, read_step);
}

static int runs_straight(const struct curve_course *course, double bend, double plateau,
                         const struct rule *rule)
{
    return course->second_half >= rule->second_half_min &&
           course->second_half <= rule->second_half_max && course->tail >= rule->tail_min &&
           course->jump <= rule->jump_max && bend >= rule->bend_min && plateau < rule->plateau_max;
}

static int passes(const struct pool *pool, const struct rule *rule, double chances,
                  double load_factor)
{
    const struct curve_shape *shape = &pool->shape;
    int explained = pool->horizons < day_horizons ? shape->early_load_gain < early_load_gain_min
                                                  : shape->load_gain < load_gain_min;
    double by_load = explained ? load_factor * pool->load_growth : 0;
    double growth_min = fmax(rule->growth_min, fmax(rule->correction * pool->adjustment, by_load));
    return shape->p * chances <= chance_max && shape->r2 >= rule->r2_min &&
           shape->growth >= growth_min && pool->last >= objects_min &&
           pool->grown >= objects_grown_min && pool->step <= own_step_max &&
           shape->line_gain >= line_gain_min;
}

static int climbs(const struct pool *pool, const struct rule *rule)
{
    struct pool any = *pool;
    any.shape.line_gain = line_gain_min;
    any.step = 0;
    return passes(&any, rule, 1, early_load_factor);
}

/* The same over the work without any idling, which may be most of it. */
static int passes_busy(const struct pool *pool, const struct rule *rule)
{
    struct pool busy = *pool;
    busy.shape.r2 = pool->shape.busy_r2;
    busy.shape.p = curve_chance(busy.shape.r2);
    busy.shape.line_gain = pool->shape.busy_gain;
    const struct curve_course *course = &pool->shape.busy;
    return pool->shape.busy_r2 > 0 && passes(&busy, rule, 1, early_load_factor) &&
           runs_straight(course, course->bend, 0, rule);
}

/* What rose as far before and fell again is a log of the day, a queue, or garbage in cycles. */
static int fell_back(const struct judge *judge, uint32_t type, enum life_value value,
                     double elasticity, const struct pool *pool)
{
    for (uint32_t i = 0; i < judge->life_count; i++)
        if (judge->lives[i].used && life_largest_fall(&judge->lives[i], type, value, elasticity) >=
                                        fall_share * pool->grown)
            return 1;
    return 0;
}

static int still_grows(const struct pool *pool)
{
    return pool->shape.growth >= growing_growth_min && pool->shape.time.tail >= growing_tail_min &&
           pool->plateau < 0.5 && pool->last >= objects_min;
}

static int is_strong(const struct pool *pool)
{
    const struct curve_shape *shape = &pool->shape;
    return shape->r2 >= strong_r2 && shape->line_gain >= strong_line_gain &&
           shape->best.tail >= strong_tail && shape->best.bend >= strong_bend &&
           shape->best.second_half >= 0.42 && shape->best.second_half <= 0.65 &&
           !(pool->plateau_best > 0.2);
}

/* How long the lives are, of what is needed: 1 is enough. What began in mid life waits for longer
 * than what has no load does. */
static double horizons_of(const struct pool *pool, const struct judge_group *group,
                          enum verdict_rule rule, enum life_value value, double horizons)
{
    int is_blind =
        pool->is_blind && rule != VERDICT_RULE_B && value == LIFE_COUNT && !(pool->ends.idle > 0);
    return judge_ends_horizons(&pool->ends, group, is_blind ? horizons / blind_horizons : horizons,
                               is_strong(pool) && !is_blind);
}

/* Ways to choose m of n: a few of many that happen to grow are not evidence. */
static double choices(uint32_t n, uint32_t m)
{
    return exp(lgamma(n + 1.0) - lgamma(m + 1.0) - lgamma(n - m + 1.0));
}

static void describe(const struct judge *judge, const struct judge_group *group, uint32_t count,
                     uint32_t growing, const struct pool *pool, double elasticity,
                     struct judge_look *ret)
{
    const struct curve_shape *shape = &pool->shape;
    ret->evidence = (struct verdict_evidence){
        .lives = count,
        .lives_growing = growing,
        .lives_oom_killed = group->oom_killed,
        .uptime_ms = (int64_t)(group->uptime * judge->bin_ms),
        .growth = shape->growth,
        .load_growth = pool->load_growth,
        .elasticity = elasticity,
        .p = shape->p,
        .r2 = shape->r2,
        .line_gain = shape->line_gain,
        .second_half = shape->time.second_half,
        .tail = shape->time.tail,
        .jump = shape->time.jump,
        .plateau_share = pool->plateau,
    };
    ret->level = pool->last;
    ret->course = shape->best;
    ret->from = group->from;
    ret->to = group->to;
    ret->growing_count = growing;
    for (uint32_t i = 0; i < growing; i++)
        ret->growing[i] = judge->members[i].life;
    if (growing > 0)
        ret->slope = median_of(judge, growing, read_slope);
}

static void look_at_some(const struct judge *judge, const struct judge_group *group, uint32_t type,
                         enum life_value value, uint32_t count, double elasticity,
                         struct judge_look *ret)
{
    uint32_t growing = sort_growing(judge->members, count, member_growth_min);
    if (growing == 0 || growing == count)
        return;
    struct pool pool;
    pool_members(judge, group, growing, growing, &pool);
    const struct rule *rule = &rules[VERDICT_RULE_SOME];
    int passing = passes(&pool, rule, choices(count, growing), load_growth_factor) &&
                  runs_straight(&pool.shape.time, pool.shape.bend, pool.plateau, rule) &&
                  !fell_back(judge, type, value, elasticity, &pool);
    if (!passing && (ret->grows || !still_grows(&pool)))
        return;
    *ret = (struct judge_look){.grows = 1, .passes = passing, .rule = VERDICT_RULE_SOME};
    ret->horizons = horizons_of(&pool, group, ret->rule, value, group->horizons / some_horizons);
    describe(judge, group, count, growing, &pool, elasticity, ret);
}

void judge_look_at(const struct judge *judge, const struct judge_group *group, uint32_t type,
                   enum life_value value, double elasticity, struct judge_look *ret)
{
    const struct rule *rule = &rules[group->rule];
    ret->grows = ret->passes = ret->passes_early = 0;
    ret->passes_busy = ret->climbs = 0;
    ret->bends = 0;
    ret->growing_count = 0;
    if (group->count == 0 || !any_rises(judge, group, type, value, elasticity))
        return;
    uint32_t count = measure(judge, group, type, value, elasticity);
    uint32_t growing = sort_growing(judge->members, count, 0);
    if (growing > 0 && growing >= rule->witnesses * count) {
        struct pool pool;
        pool_members(judge, group, count, growing, &pool);
        *ret = (struct judge_look){
            .grows = still_grows(&pool),
            .passes_early =
                passes(&pool, rule, 1, early_load_factor) &&
                runs_straight(&pool.shape.best, pool.shape.best.bend, pool.plateau_best, rule),
            .bends = pool.shape.bend < bent_max,
            .rule = group->rule,
            .horizons = horizons_of(&pool, group, group->rule, value, group->horizons)};
        ret->passes = passes(&pool, rule, 1, load_growth_factor) &&
                      runs_straight(&pool.shape.time, pool.shape.bend, pool.plateau, rule);
        ret->passes_busy = (uint8_t)passes_busy(&pool, rule);
        ret->climbs = (uint8_t)climbs(&pool, rule);
        if ((ret->passes || ret->passes_early || ret->passes_busy || ret->climbs) &&
            fell_back(judge, type, value, elasticity, &pool))
            ret->passes = ret->passes_early = ret->passes_busy = ret->climbs = 0;
        ret->grows |= ret->passes;
        describe(judge, group, count, growing, &pool, elasticity, ret);
    }
    if (!ret->passes && group->rule == VERDICT_RULE_A)
        look_at_some(judge, group, type, value, count, elasticity, ret);
}
