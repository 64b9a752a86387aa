/*
 * If `other` is a part of `root`'s leak, so many of it come with each leaked one, in any life. That
 * number is measured where both grow; what is left of `other` elsewhere, when as many for each of
 * `root` are taken off, is then level. It falls where the root leaked alone, and rises where the
 * other did.
 */
#include "kin.h"

#include <math.h>

#include "stairs.h"
#include "trend.h"

enum {
    lives_max = 8, /* of one version, and of those that are judged: more would say the same */
};

static const double uptime_share_min = 0.5;     /* of the stretch that was judged */
static const double alike_share_min = 0.5;      /* of the slope there: it grew then, too */
static const double left_share_min = 0.6;       /* of what should have grown: not by that number; */
static const double left_share_early_min = 0.9; /* before a day of the load was seen */
static const double day_bins = 0.8 * LIFE_BINS_PER_HORIZON;
static const double late_share_min = 0.3; /* of the slope, over the second half: no warm-up */
static const double z_min = 2.5;
static const double z_alone_min = 4;       /* of one life */
static const double axis_factor = 3;       /* so much less is left by the axis that it goes by, */
static const double axis_left_min = 0.001; /* and so much by the other one: else they are one */

/* Two sides, and what the load makes of each. */
struct question {
    const struct detector *detector;
    const struct judge_look *look;
    struct kin_side sides[2]; /* root, other */
    double elasticities[2];
};

static struct question ask(const struct detector *detector, struct kin_side root,
                           struct kin_side other, const struct judge_look *look)
{
    struct question question = {detector, look, {root, other}, {0}};
    for (int i = 0; i < 2; i++)
        if (question.sides[i].type >= TYPES_OWN)
            question.elasticities[i] =
                judge_elasticity_likely(&detector->judge, question.sides[i].type);
    return question;
}

/* Both, in one life. */
struct pair {
    uint32_t count;
    double width;
    double root[LIFE_BLOCKS], other[LIFE_BLOCKS];
    struct life_curve seen; /* the axis */
};

/* What is in a buffer, if it steps up; one that does not says nothing: it may have room. */
static int read_buffer(const struct question *question, const struct life *life, uint32_t type,
                       struct life_curve *ret)
{
    double from = question->look->from;
    if (life_find(life, type) == NULL)
        return 0;
    if (stairs_trace(life, type, from, ret))
        return 1;
    return life_trace(life, type, LIFE_BYTES, from, 0, ret) &&
                   trend_z(ret->values, ret->count, trend_slope(ret->values, ret->count)) >= z_min
               ? 1
               : -1;
}

/* 0: what is not among a life's types was not there. -1: nobody knows, as of the process's memory
 * then. */
static int read_side(const struct question *question, const struct life *life, int side,
                     struct life_curve *ret)
{
    const struct kin_side *asked = &question->sides[side];
    if (asked->type >= TYPES_OWN && asked->value == LIFE_BYTES)
        return read_buffer(question, life, asked->type, ret);
    if (life_trace(life, asked->type, asked->value, question->look->from,
                   question->elasticities[side], ret))
        return 1;
    return asked->type < TYPES_OWN || life_find(life, asked->type) != NULL ? -1 : 0;
}

static int read_pair(const struct question *question, const struct life *life, struct pair *ret)
{
    struct life_curve x;
    struct life_curve y;
    int has_root = read_side(question, life, 0, &x);
    int has_other = read_side(question, life, 1, &y);
    if (has_root < 0 || has_other < 0 || has_root + has_other == 0 ||
        (has_root && has_other && x.count != y.count))
        return 0;
    ret->seen = has_other ? y : x;
    ret->count = ret->seen.count;
    ret->width = ret->seen.width;
    for (uint32_t i = 0; i < ret->count; i++) {
        ret->root[i] = has_root ? x.values[i] : 0;
        ret->other[i] = has_other ? y.values[i] : 0;
    }
    return 1;
}

/* How both grow where they grow together, medians, a bin. */
struct together {
    double root, other;
    double number;   /* of `other` for each of `root` */
    double left_min; /* share of the growth: what is left is another leak's */
};

/* In some hours a class of which many are at work moves by more than it leaks. */
static int saw_a_day(const struct judge_look *look)
{
    return look->to - look->from >= day_bins;
}

static int has_version(const struct question *question, uint32_t version)
{
    for (uint32_t i = 0; i < question->look->growing_count; i++)
        if (question->detector->lives[question->look->growing[i]].version == version)
            return 1;
    return 0;
}

static int measure_together(const struct question *question, struct together *ret)
{
    const struct judge_look *look = question->look;
    double roots[lives_max];
    double others[lives_max];
    double numbers[lives_max];
    size_t count = 0;
    for (uint32_t i = 0; i < look->growing_count && count < lives_max; i++) {
        struct pair pair;
        if (!read_pair(question, &question->detector->lives[look->growing[i]], &pair))
            continue;
        roots[count] = trend_slope(pair.root, pair.count) / pair.width;
        others[count] = trend_slope(pair.other, pair.count) / pair.width;
        numbers[count] = others[count] / roots[count];
        count += roots[count] > 0 && others[count] > 0;
    }
    if (count == 0)
        return 0;
    *ret = (struct together){trend_median(roots, count), trend_median(others, count),
                             trend_median(numbers, count),
                             saw_a_day(look) ? left_share_min : left_share_early_min};
    return 1;
}

/* How surely the life says that they are two; 0: it says that they are one; NaN: neither. */
static double apart_by(const struct pair *pair, const struct together *together)
{
    double left[LIFE_BLOCKS];
    double root = trend_slope(pair->root, pair->count) / pair->width;
    double other = trend_slope(pair->other, pair->count) / pair->width;
    int root_grew = root >= alike_share_min * together->root &&
                    trend_z(pair->root, pair->count, root * pair->width) >= z_min;
    int other_grew = other >= alike_share_min * together->other &&
                     trend_z(pair->other, pair->count, other * pair->width) >= z_min;
    if (!root_grew && !other_grew)
        return NAN;
    for (uint32_t i = 0; i < pair->count; i++)
        left[i] = pair->other[i] - together->number * pair->root[i];
    double slope = trend_slope(left, pair->count);
    double z = fabs(trend_z(left, pair->count, slope));
    slope /= pair->width;
    if (root_grew && slope <= -together->left_min * together->number * root)
        return z;
    uint32_t half = pair->count / 2;
    double late = trend_slope(left + half, pair->count - half) / pair->width;
    if (other_grew && slope >= together->left_min * other &&
        late >= late_share_min * together->other)
        return z;
    return 0;
}

/* What the lives of a version say, without those that are judged. */
static int version_says_apart(const struct question *question, uint32_t version,
                              const struct together *together)
{
    const struct detector *detector = question->detector;
    const struct judge_look *look = question->look;
    const double uptime_min = look->from + uptime_share_min * (look->to - look->from);
    uint32_t asked = 0;
    uint32_t say = 0;
    uint32_t apart = 0;
    double surest = 0;
    for (uint32_t i = 0; i < detector->life_count && asked < lives_max; i++) {
        const struct life *life = &detector->lives[i];
        struct pair pair;
        if (!life->used || life->version != version || judge_look_has(look, i) ||
            life_uptime(life) < uptime_min || !read_pair(question, life, &pair))
            continue;
        double z = apart_by(&pair, together);
        asked++;
        say += isfinite(z) ? 1 : 0;
        apart += z >= z_min;
        surest = z > surest ? z : surest;
    }
    return apart * 3 >= say * 2 && (apart >= 2 || (apart == 1 && surest >= z_alone_min));
}

int kin_is_apart(const struct detector *detector, struct kin_side root, struct kin_side other,
                 const struct judge_look *look)
{
    const struct question question = ask(detector, root, other, look);
    struct together together;
    if (root.type == other.type || !measure_together(&question, &together))
        return 0;
    for (uint32_t i = 0; i < DETECT_VERSIONS_MAX; i++)
        if (detector->versions[i].lives > 0 && (saw_a_day(look) || !has_version(&question, i)) &&
            version_says_apart(&question, i, &together))
            return 1;
    return 0;
}

/* What each leaves, sums over the lives. */
struct axes {
    double clock[2], work[2];
    uint32_t lives;
};

static void add_axes(const struct pair *pair, struct axes *axes)
{
    const double *const sides[] = {pair->root, pair->other};
    double clock[LIFE_BLOCKS];
    double work[LIFE_BLOCKS];
    for (uint32_t i = 0; i < pair->count; i++) {
        clock[i] = i;
        work[i] = i == 0 ? 0 : work[i - 1] + fmax(pair->seen.load[i - 1], 0);
    }
    for (int i = 0; i < 2; i++) {
        axes->clock[i] += trend_left_by(clock, sides[i], pair->count);
        axes->work[i] += trend_left_by(work, sides[i], pair->count);
    }
    axes->lives++;
}

static int is_axis(double left, double left_by_other, uint32_t lives)
{
    return left_by_other >= fmax(axis_factor * left, axis_left_min * lives);
}

int kin_differs_in_axis(const struct detector *detector, struct kin_side root,
                        struct kin_side other, const struct judge_look *look)
{
    const struct question question = ask(detector, root, other, look);
    struct axes axes = {0};
    for (uint32_t i = 0; i < look->growing_count && i < lives_max; i++) {
        struct pair pair;
        if (read_pair(&question, &detector->lives[look->growing[i]], &pair) && pair.seen.has_load)
            add_axes(&pair, &axes);
    }
    if (axes.lives == 0)
        return 0;
    int by_clock[2];
    int by_work[2];
    for (int i = 0; i < 2; i++) {
        by_clock[i] = is_axis(axes.clock[i], axes.work[i], axes.lives);
        by_work[i] = is_axis(axes.work[i], axes.clock[i], axes.lives);
    }
    return (by_clock[0] && by_work[1]) || (by_work[0] && by_clock[1]);
}
