/*
 * A type is a leak once it has passed the test at three moments in a row, passes_apart bins apart,
 * within the last while, and still grows. Both are read off the floors themselves by looking at
 * them as they were at earlier moments ("cut"), so nothing has to be remembered: a restarted
 * collector says the same.
 *
 *     uptime 0        settled                       U - cut            U
 *     |---------------|##############################|.................|
 *       start-up        what the test sees             cut away
 *
 * The numbers were set on simulated services (tests/support/fleet_sim.h).
 */
#include "judge.h"

#include <math.h>

#include "attributes.h"
#include "curve.h"
#include "life_points.h"
#include "trend.h"

enum {
    horizon_bins = DETECT_BINS_PER_HORIZON,
    settled_bins = horizon_bins * 4 / 5, /* least length of what is left of it without start-up */
    passes_apart = horizon_bins / 15,    /* two hours of thirty */
    passes_needed = 3,
    passes_looked_at = 15,
};

static const double objects_min = 10; /* of a type in a container */
static const double objects_grown_min = 5;
static const double z_min = 1.5;
static const double chance_max = 3e-5;
static const double line_gain_min = 2;
static const double second_half_min = 0.33;
static const double second_half_max = 0.75;
static const double tail_min = 0.6;
static const double growing_tail_min = 0.3;
static const double growing_growth_min = 0.015;
static const double member_growth_min = 0.05;
static const double witness_share_min = 0.15;

/* What differs between a leak in all containers and one in some of them. */
struct rule {
    double growth_min;
    double jump_max;
    double horizons; /* least median uptime */
};
static const struct rule rule_all = {0.03, 0.43, 1};
static const struct rule rule_some = {0.06, 0.34, 1.25};

struct judge_member {
    uint32_t life;
    uint32_t uptime; /* bins, after the cut */
    double growth;   /* over its own stretch, relative to its median */
    double z;
    int plateau;
    double first, last;          /* objects at the ends of the common stretch */
    double points[CURVE_POINTS]; /* over the common stretch, relative to the median */
};

struct group {
    struct judge_member *members;
    uint32_t count;
    uint32_t from, to; /* the stretch of uptime that all of them have */
    double median_uptime;
};

void judge_init(struct judge *judge, const struct detect_service *service, double bin_ms,
                struct arena *arena)
{
    *judge = (struct judge){
        .service = service,
        .bin_ms = bin_ms,
        .members = arena_must(arena, service->life_count * sizeof(struct judge_member)),
        .space = arena_must(arena, service->life_count * sizeof(double)),
    };
}

/* ---- which lives ----------------------------------------------------------------------------- */

static double life_end_ms(const struct judge *judge, const struct detect_life *life)
{
    return (double)life->started_ms + life_uptime(life) * judge->bin_ms;
}

static double version_end_ms(const struct judge *judge, uint32_t version)
{
    double end = -INFINITY;
    for (uint32_t i = 0; i < judge->service->life_count; i++)
        if (judge->service->lives[i].version == version)
            end = fmax(end, life_end_ms(judge, &judge->service->lives[i]));
    return end;
}

/* What the life's uptime was `cut` bins before the version's newest moment. */
static uint32_t uptime_before(const struct judge *judge, const struct detect_life *life,
                              double version_end, uint32_t cut)
{
    uint32_t uptime = life_uptime(life);
    double already = (version_end - life_end_ms(judge, life)) / judge->bin_ms;
    if (already >= cut)
        return uptime;
    uint32_t away = cut - (uint32_t)already;
    return uptime > away ? uptime - away : 0;
}

static void collect(const struct judge *judge, uint32_t version, uint32_t cut, struct group *ret)
{
    double end = version_end_ms(judge, version);
    *ret = (struct group){.members = judge->members};
    uint32_t longest = 0;
    for (uint32_t i = 0; i < judge->service->life_count; i++) {
        const struct detect_life *life = &judge->service->lives[i];
        if (life->version != version)
            continue;
        struct judge_member member = {.life = i, .uptime = uptime_before(judge, life, end, cut)};
        if (member.uptime <= life->first_bin)
            continue;
        ret->members[ret->count++] = member;
        longest = member.uptime > longest ? member.uptime : longest;
    }
    /* Nearly as old as the oldest, so that the stretch they share is long. */
    uint32_t kept = 0;
    for (uint32_t i = 0; i < ret->count; i++) {
        uint32_t uptime = ret->members[i].uptime;
        if (uptime >= 0.85 * longest && longest - uptime <= 2 * horizon_bins)
            ret->members[kept++] = ret->members[i];
    }
    ret->count = kept;
}

/* The stretch of uptime that all members share; empty unless it is long enough to judge. */
static int common_stretch(const struct judge *judge, struct group *group)
{
    group->from = 0;
    group->to = UINT32_MAX;
    for (uint32_t i = 0; i < group->count; i++) {
        const struct judge_member *member = &group->members[i];
        uint32_t from = life_settled(&judge->service->lives[member->life], member->uptime);
        group->from = from > group->from ? from : group->from;
        group->to = member->uptime < group->to ? member->uptime : group->to;
        judge->space[i] = member->uptime;
    }
    if (group->count == 0 || group->to < group->from + settled_bins)
        return 0;
    group->median_uptime = trend_median(judge->space, group->count);
    return group->median_uptime >= horizon_bins;
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

static int measure_member(const struct judge *judge, uint32_t type, const struct group *group,
                          struct judge_member *member)
{
    const struct detect_life *life = &judge->service->lives[member->life];
    const size_t count = TREND_POINTS_MAX;
    double points[TREND_POINTS_MAX];
    uint32_t from = life_settled(life, member->uptime);
    if (!life_points(life, type, LIFE_COUNT, from, member->uptime, count, points))
        return 0;
    double slope = trend_slope(points, count);
    member->growth = slope * (double)(count - 1) / scale_of(points, count);
    member->z = trend_z(points, count, slope);
    member->plateau = curve_is_plateau(points, count);
    if (!life_points(life, type, LIFE_COUNT, group->from, group->to, CURVE_POINTS, member->points))
        return 0;
    member->first = member->points[0];
    member->last = member->points[CURVE_POINTS - 1];
    double scale = scale_of(member->points, CURVE_POINTS);
    for (size_t i = 0; i < CURVE_POINTS; i++)
        member->points[i] /= scale;
    return 1;
}

static void measure(const struct judge *judge, uint32_t type, struct group *group)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < group->count; i++)
        if (measure_member(judge, type, group, &group->members[i]))
            group->members[kept++] = group->members[i];
    group->count = kept;
}

/* ---- all of them ----------------------------------------------------------------------------- */

/*
 * Members that grow go first; returns how many do. One that rises by a small part of what another
 * does is not a witness of the same leak.
 */
static uint32_t sort_growing(struct group *group, double growth_min)
{
    uint32_t growing = 0;
    double least = growth_min;
    for (uint32_t i = 0; i < group->count; i++)
        if (group->members[i].z >= z_min)
            least = fmax(least, group->members[i].growth * witness_share_min);
    for (uint32_t i = 0; i < group->count; i++) {
        struct judge_member member = group->members[i];
        if (member.z < z_min || member.growth < least)
            continue;
        group->members[i] = group->members[growing];
        group->members[growing++] = member;
    }
    return growing;
}

struct pool {
    struct curve_shape shape;
    double objects, grown; /* mean of the members */
    int plateau;           /* half of them fill up */
};

static void pool_members(const struct group *group, uint32_t count, struct pool *ret)
{
    double curve[CURVE_POINTS] = {0};
    uint32_t plateaus = 0;
    *ret = (struct pool){0};
    for (uint32_t i = 0; i < count; i++) {
        const struct judge_member *member = &group->members[i];
        for (size_t k = 0; k < CURVE_POINTS; k++)
            curve[k] += member->points[k] / count;
        ret->objects += member->last / count;
        ret->grown += (member->last - member->first) / count;
        plateaus += (uint32_t)member->plateau;
    }
    curve_measure(curve, &ret->shape);
    ret->plateau = plateaus * 2 >= count;
}

static int passes(const struct group *group, const struct pool *pool, const struct rule *rule,
                  double chances)
{
    const struct curve_shape *shape = &pool->shape;
    return group->median_uptime >= rule->horizons * horizon_bins &&
           shape->p * chances <= chance_max && shape->growth >= rule->growth_min &&
           pool->objects >= objects_min && pool->grown >= objects_grown_min &&
           shape->second_half >= second_half_min && shape->second_half <= second_half_max &&
           shape->tail >= tail_min && shape->jump <= rule->jump_max &&
           shape->line_gain >= line_gain_min && !pool->plateau;
}

/* Ways to choose m of n: a few of many that happen to grow are not evidence. */
static double choices(uint32_t n, uint32_t m)
{
    return exp(lgamma(n + 1.0) - lgamma(m + 1.0) - lgamma(n - m + 1.0));
}

static int still_grows(const struct pool *pool)
{
    return pool->shape.growth >= growing_growth_min && pool->shape.tail >= growing_tail_min &&
           !pool->plateau;
}

struct look {
    enum judgement judgement;
    uint32_t growing; /* of the group's members, the first */
    double line_gain;
};

static struct look look_at_some(struct group *group)
{
    uint32_t growing = sort_growing(group, member_growth_min);
    if (growing == 0 || growing == group->count)
        return (struct look){.judgement = JUDGED_CLEAN};
    struct pool pool;
    pool_members(group, growing, &pool);
    if (passes(group, &pool, &rule_some, choices(group->count, growing)))
        return (struct look){JUDGED_LEAK, growing, pool.shape.line_gain};
    return (struct look){still_grows(&pool) ? JUDGED_GROWING : JUDGED_CLEAN, growing, 0};
}

static struct look look_at(const struct judge *judge, uint32_t type, uint32_t version, uint32_t cut,
                           struct group *group)
{
    collect(judge, version, cut, group);
    if (!common_stretch(judge, group))
        return (struct look){.judgement = JUDGED_YOUNG};
    measure(judge, type, group);
    if (group->count == 0)
        return (struct look){.judgement = JUDGED_YOUNG};
    uint32_t growing = sort_growing(group, 0);
    if (growing * 2 < group->count)
        return look_at_some(group);
    struct pool pool;
    pool_members(group, group->count, &pool);
    if (passes(group, &pool, &rule_all, 1))
        return (struct look){JUDGED_LEAK, growing, pool.shape.line_gain};
    struct look some = look_at_some(group);
    if (some.judgement != JUDGED_CLEAN)
        return some;
    growing = sort_growing(group, 0);
    return (struct look){still_grows(&pool) ? JUDGED_GROWING : JUDGED_CLEAN, growing, 0};
}

/* Three passes in a row at some moment of the last while. */
static int was_confirmed(const struct judge *judge, uint32_t type, uint32_t version, int now_passes)
{
    struct group group;
    uint32_t in_a_row = (uint32_t)now_passes;
    for (uint32_t pass = 1; pass < passes_looked_at; pass++) {
        struct look look = look_at(judge, type, version, pass * passes_apart, &group);
        if (look.judgement == JUDGED_YOUNG)
            return 0;
        in_a_row = look.judgement == JUDGED_LEAK ? in_a_row + 1 : 0;
        if (in_a_row == passes_needed)
            return 1;
    }
    return 0;
}

static struct judge_evidence gather_evidence(const struct group *group, const struct look *look,
                                             struct arena *arena)
{
    struct judge_evidence evidence = {
        .lives = arena_must(arena, look->growing * sizeof(*evidence.lives)),
        .life_count = look->growing,
        .settled = group->from,
        .uptime = group->to,
        .share = (double)look->growing / group->count,
        .line_gain = look->line_gain,
    };
    for (uint32_t i = 0; i < look->growing; i++)
        evidence.lives[i] = group->members[i].life;
    return evidence;
}

enum judgement judge_type(const struct judge *judge, uint32_t type, uint32_t version,
                          struct arena *arena, struct judge_evidence *ret)
{
    struct group group;
    struct look now = look_at(judge, type, version, 0, &group);
    if (now.judgement != JUDGED_LEAK && now.judgement != JUDGED_GROWING)
        return now.judgement;
    if (now.growing == 0)
        return JUDGED_CLEAN;
    struct judge_evidence evidence = gather_evidence(&group, &now, arena);
    if (!was_confirmed(judge, type, version, now.judgement == JUDGED_LEAK))
        return JUDGED_GROWING;
    *ret = evidence;
    return JUDGED_LEAK;
}
