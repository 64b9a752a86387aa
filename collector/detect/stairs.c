#include "stairs.h"

#include <math.h>
#include <string.h>

#include "attributes.h"

enum {
    steps_min = 4,
    steps_many = 8, /* from which on some of them may be two in one block */
    flat_part = 4,  /* at least a quarter of the points stand still */
};

static const double wander_max = 0.01;     /* of the rise: standing still */
static const double drift_max = 0.2;       /* of the rise, in all */
static const double factor_min = 1.02;     /* of a step over the one before */
static const double factor_max = 4.4;      /* sets of up to 50,000 */
static const double factor_spread = 1.5;   /* a dict's indices get wider, too */
static const double many_factor_min = 1.1; /* of the last third of them over the first */
static const double shift_min = 2;         /* of a step over those beside it: not the buffer's */
static const double slope_kept_min = 0.8;  /* of what went before, in the last of few steps */
static const double steps_from = 0.5;      /* of what is not judged: there are so few of them */
static const double place_error = 0.5;     /* points */
static const double wait_slack = 1.25;     /* of the time to the next step */
static const double behind_max = 0.35;     /* of the points, behind the last of few */

/* A staircase: the last point before each step, where the content is as much as there is room. */
struct stairs {
    uint32_t count;
    uint32_t at[LIFE_BLOCKS];
    double height[LIFE_BLOCKS];
};

/* 0 if it falls, drifts, or moves most of the time. */
static int find_steps(const struct life_curve *curve, struct stairs *ret)
{
    const double *values = curve->values;
    double rise = values[curve->count - 1] - values[0];
    double wander = wander_max * rise;
    double highest = values[0];
    double drift = rise;
    *ret = (struct stairs){0};
    for (uint32_t i = 1; i < curve->count; i++) {
        double step = values[i] - values[i - 1];
        if (values[i] < highest - wander)
            return 0;
        highest = fmax(highest, values[i]);
        if (step <= wander)
            continue;
        ret->at[ret->count] = i - 1;
        ret->height[ret->count++] = step;
        drift -= step;
    }
    uint32_t flat = curve->count - 1 - ret->count;
    return rise > 0 && flat * flat_part >= curve->count && fabs(drift) <= drift_max * rise;
}

/*
 * A step that is far higher than the ones beside it is not the buffer's alone: something came at
 * once, and had it been there from the start, the buffer would grow as it does.
 */
static void lift_what_was_before(struct life_curve *curve, struct stairs *stairs)
{
    double *height = stairs->height;
    for (uint32_t k = 1; k + 1 < stairs->count; k++) {
        double usual = sqrt(height[k - 1] * height[k + 1]);
        if (height[k] < shift_min * fmax(height[k - 1], height[k + 1]))
            continue;
        for (uint32_t i = 0; i <= stairs->at[k]; i++)
            curve->values[i] += height[k] - usual;
        height[k] = usual;
        return;
    }
}

static double mean_height(const struct stairs *stairs, uint32_t from, uint32_t to)
{
    double sum = 0;
    for (uint32_t i = from; i < to; i++)
        sum += stairs->height[i];
    return sum / (to - from);
}

static int is_factor(double factor)
{
    return factor >= factor_min && factor <= factor_max;
}

/* Do the steps get higher as those of one buffer do? */
static int are_of_a_buffer(const struct stairs *stairs)
{
    uint32_t third = stairs->count / 3;
    if (stairs->count < steps_min)
        return 0;
    if (stairs->count >= steps_many)
        return mean_height(stairs, stairs->count - third, stairs->count) >=
               many_factor_min * mean_height(stairs, 0, third);
    double least = INFINITY;
    double most = 0;
    /* the first may have been two, if enough are left */
    for (uint32_t i = stairs->count > steps_min ? 2 : 1; i < stairs->count; i++) {
        double factor = stairs->height[i] / stairs->height[i - 1];
        least = fmin(least, factor);
        most = fmax(most, factor);
    }
    return is_factor(least) && is_factor(most) && most <= factor_spread * least;
}

static double slope_between(const struct stairs *stairs, const double *values, uint32_t first,
                            uint32_t last)
{
    uint32_t from = stairs->at[first];
    uint32_t to = stairs->at[last];
    return (values[to] - values[from]) / (to - from);
}

/* The nearest step before `last` from which it is at least so many points; the first if none is. */
static uint32_t step_before(const struct stairs *stairs, uint32_t last, double points)
{
    uint32_t first = last;
    while (first > 0 && (first == last || stairs->at[last] - stairs->at[first] < points))
        first--;
    return first;
}

/* By how much the content grows from point to point behind the last step. */
static double slope_behind(const struct stairs *stairs, const double *values, uint32_t count)
{
    uint32_t last = stairs->count - 1;
    double points = (count - 1 - stairs->at[last]) / 2.0;
    uint32_t middle = step_before(stairs, last, points);
    double late = slope_between(stairs, values, middle, last);
    if (middle == 0)
        return late;
    double early = slope_between(stairs, values, step_before(stairs, middle, points), middle);
    return late * fmin(1, late / early);
}

/* By how much it does before the first. */
static double slope_before(const struct stairs *stairs, const double *values)
{
    uint32_t to = 1;
    while (to + 1 < stairs->count && stairs->at[to] - stairs->at[0] < stairs->at[0])
        to++;
    return slope_between(stairs, values, 0, to);
}

/*
 * Of few steps, the last is up to half of the growth: it must not be slower than what went before,
 * nor long ago. A step's place is known to half a point.
 */
static int goes_on(const struct stairs *stairs, const struct life_curve *curve)
{
    uint32_t last = stairs->count - 1;
    double behind = curve->count - 1 - stairs->at[last];
    if (stairs->count >= steps_many)
        return 1;
    double width = stairs->at[last] - stairs->at[last - 1];
    double newest = stairs->height[last - 1] / (width - place_error);
    double width_before = stairs->at[last - 1] - stairs->at[last - 2];
    double before = stairs->height[last - 2] / (width_before + place_error);
    return behind <= behind_max * curve->count && newest >= slope_kept_min * before &&
           newest >= slope_kept_min * slope_between(stairs, curve->values, 0, last - 1);
}

static void fill_content(const struct life_curve *curve, const struct stairs *stairs, double *ret)
{
    const double *values = curve->values;
    uint32_t first = stairs->at[0];
    uint32_t last = stairs->at[stairs->count - 1];
    double before = slope_before(stairs, values);
    double behind = goes_on(stairs, curve) ? slope_behind(stairs, values, curve->count) : 0;
    for (uint32_t i = 0; i < first; i++)
        ret[i] = fmax(values[first] - before * (first - i), values[0] - stairs->height[0]);
    for (uint32_t k = 0; k + 1 < stairs->count; k++)
        for (uint32_t i = stairs->at[k]; i < stairs->at[k + 1]; i++)
            ret[i] = values[stairs->at[k]] +
                     slope_between(stairs, values, k, k + 1) * (i - stairs->at[k]);
    for (uint32_t i = last; i < curve->count; i++)
        ret[i] = fmin(values[last] + behind * (i - last), values[i]);
}

/* 0 if it is none: the values are lost then. */
static int straighten(struct life_curve *curve)
{
    struct stairs stairs;
    double content[LIFE_BLOCKS];
    if (!find_steps(curve, &stairs))
        return 0;
    lift_what_was_before(curve, &stairs);
    if (!are_of_a_buffer(&stairs))
        return 0;
    fill_content(curve, &stairs, content);
    for (uint32_t i = 0; i < curve->count; i++)
        curve->values[i] = fmax(content[i], 0);
    return 1;
}

/* The first points have said what they know: where the steps were. */
static void cut_head(struct life_curve *curve, uint32_t points)
{
    curve->count -= points;
    curve->from += points * curve->width;
    memmove(curve->values, curve->values + points, curve->count * sizeof(*curve->values));
    memmove(curve->load, curve->load + points, curve->count * sizeof(*curve->load));
}

int stairs_trace(const struct life *life, uint32_t type, double settled, struct life_curve *ret)
{
    struct life_curve asked;
    if (!life_trace(life, type, LIFE_BYTES, settled * steps_from, 0, ret) || !straighten(ret) ||
        !life_trace(life, type, LIFE_BYTES, settled, 0, &asked) || ret->count < asked.count)
        return 0;
    cut_head(ret, ret->count - asked.count);
    return 1;
}

int stairs_wait(const struct life *life, uint32_t type)
{
    struct life_curve curve;
    struct stairs stairs;
    if (!life_trace(life, type, LIFE_BYTES, LIFE_START_UP_BINS, 0, &curve) ||
        !find_steps(&curve, &stairs) || stairs.count < 2)
        return 0;
    uint32_t last = stairs.count - 1;
    double slope = slope_between(&stairs, curve.values, last - 1, last);
    double points = curve.count - 1 - stairs.at[last];
    return is_factor(stairs.height[last] / stairs.height[last - 1]) &&
           points <= wait_slack * stairs.height[last] / slope;
}
