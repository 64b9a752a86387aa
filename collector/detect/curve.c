/*
 * All models are linear once tau or the knee is chosen, so each is fitted exactly for every value
 * of a small grid, by projecting the curve on the orthonormalised columns of the model:
 *
 *     what is left = y - sum over columns q of (q . y) q,        SSE = its square
 */
#include "curve.h"

#include <float.h>
#include <math.h>

#include "attributes.h"
#include "trend.h"

enum { POINTS_MAX = TREND_POINTS_MAX, COLUMNS_MAX = 3, BEND_MAX = 100 };

static const double warm_up_taus[] = {0.06, 0.12, 0.2};
static const double saturation_taus[] = {0.06, 0.12, 0.2, 0.3, 0.45, 0.65, 1};

/* A knee in the last stretch cannot be told from a straight line. */
static const double knee_max = 0.85;
static const double plateau_evidence = 6; /* n ln(SSE of the line / SSE with the knee) */
static const double degrees_of_freedom = 6;

static const double straight_rest = 1e-8; /* of the square of the rise: rounding, not a shape */

struct model {
    double columns[COLUMNS_MAX][POINTS_MAX];
    size_t column_count;
    size_t points;
    const double *x; /* 0 .. 1, never falling */
};

/* Late and early, of the axis; an axis counts beside one over which three times less is left. */
static const double early_end = 0.4;
static const double late_start = 0.6;
static const double far_better = 3;
static const double idle_share = 0.8;
static const double idle_min = 0.1;

/* What begins in mid life: points on either side, and n ln(SSE of the line / SSE with the knee). */
static const size_t onset_points_min = 3;
static const double onset_evidence = 10;
static const size_t end_points_min = 3; /* by which to draw a line on */

/* Sums of squares that the models leave. */
struct fits {
    double line, warm, exponential, hinge;
};

/* How long what follows the load may remember it, in points; and the points before the first. */
static const size_t windows[] = {1, 2, 3, 4, 6, 8, 10, 13};
static const double points_before = 0.1 / 0.9 * CURVE_POINTS;
/* Points whose work may still be there in what follows it soon. */
static const size_t short_window = 4;

static double dot(const double *a, const double *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

static void subtract_along(double *values, const double *unit, size_t count)
{
    double share = dot(values, unit, count);
    for (size_t i = 0; i < count; i++)
        values[i] -= share * unit[i];
}

/* Add a column, made orthogonal to those before it; one that they already span is left out. */
static void model_add(struct model *model, const double *values)
{
    ASSERT(model->column_count < COLUMNS_MAX);
    double *column = model->columns[model->column_count];
    memcpy(column, values, model->points * sizeof(*column));
    for (size_t k = 0; k < model->column_count; k++)
        subtract_along(column, model->columns[k], model->points);
    double length = sqrt(dot(column, column, model->points));
    if (length < 1e-9)
        return;
    for (size_t i = 0; i < model->points; i++)
        column[i] /= length;
    model->column_count++;
}

static double model_sse(const struct model *model, const double *values)
{
    double rest[POINTS_MAX];
    memcpy(rest, values, model->points * sizeof(*rest));
    for (size_t k = 0; k < model->column_count; k++)
        subtract_along(rest, model->columns[k], model->points);
    return dot(rest, rest, model->points);
}

static double place(size_t index, size_t points)
{
    return (double)index / (double)(points - 1);
}

static struct model model_constant(const double *x, size_t points)
{
    struct model model = {.points = points, .x = x};
    double ones[POINTS_MAX];
    for (size_t i = 0; i < points; i++)
        ones[i] = 1;
    model_add(&model, ones);
    return model;
}

/* y = x up to the knee, flat behind it; a knee of 1 is the straight line. */
static void model_add_hinge(struct model *model, double knee)
{
    double values[POINTS_MAX];
    for (size_t i = 0; i < model->points; i++)
        values[i] = fmin(model->x[i], knee);
    model_add(model, values);
}

static void model_add_exponential(struct model *model, double tau)
{
    double values[POINTS_MAX];
    for (size_t i = 0; i < model->points; i++)
        values[i] = 1 - exp(-model->x[i] / tau);
    model_add(model, values);
}

static double line_sse(const double *x, const double *values, size_t count)
{
    struct model model = model_constant(x, count);
    model_add_hinge(&model, 1);
    return model_sse(&model, values);
}

static double warm_line_sse(const double *x, const double *values, size_t count)
{
    double best = INFINITY;
    for (size_t k = 0; k < ARRAY_SIZE(warm_up_taus); k++) {
        struct model model = model_constant(x, count);
        model_add_hinge(&model, 1);
        model_add_exponential(&model, warm_up_taus[k]);
        best = fmin(best, model_sse(&model, values));
    }
    return best;
}

static double exponential_sse(const double *x, const double *values, size_t count)
{
    double best = INFINITY;
    for (size_t k = 0; k < ARRAY_SIZE(saturation_taus); k++) {
        struct model model = model_constant(x, count);
        model_add_exponential(&model, saturation_taus[k]);
        best = fmin(best, model_sse(&model, values));
    }
    return best;
}

static double hinge_sse(const double *x, const double *values, size_t count)
{
    double best = INFINITY;
    for (size_t i = 1; i < count && place(i, count) < knee_max; i++) {
        struct model model = model_constant(x, count);
        model_add_hinge(&model, place(i, count));
        best = fmin(best, model_sse(&model, values));
    }
    return best;
}

/* `floor` keeps the logarithm finite for a perfect fit. */
static double bic(double sse, double floor, size_t parameters)
{
    double n = CURVE_POINTS;
    return n * log(fmax(sse, floor) / n) + (double)parameters * log(n);
}

/*
 * Student's distribution with 6 degrees of freedom has a closed form; with theta = atan(t / sqrt
 * 6): P(|T| < t) = sin theta (1 + cos^2 theta / 2 + 3 cos^4 theta / 8).
 */
double curve_chance(double r2)
{
    double t = sqrt(degrees_of_freedom * r2 / fmax(1 - r2, DBL_EPSILON));
    double theta = atan(t / sqrt(degrees_of_freedom));
    double cosine2 = cos(theta) * cos(theta);
    double within = sin(theta) * (1 + cosine2 / 2 + 3 * cosine2 * cosine2 / 8);
    return fmin(fmax((1 - within) / 2, 0), 1);
}

static double median_of_three(const double *values)
{
    double copy[3] = {values[0], values[1], values[2]};
    return trend_median(copy, 3);
}

double curve_largest_step(const double values[CURVE_POINTS])
{
    double largest = 0;
    for (size_t i = 3; i + 3 <= CURVE_POINTS; i++)
        largest = fmax(largest, median_of_three(values + i) - median_of_three(values + i - 3));
    return largest;
}

double curve_growth(const double values[CURVE_POINTS])
{
    return median_of_three(values + CURVE_POINTS - 3) - median_of_three(values);
}

/* Least squares; `count` > 1. */
static double slope_over(const double *x, const double *values, size_t count)
{
    double mean_x = 0;
    double mean = 0;
    double xx = 0;
    double xy = 0;
    for (size_t i = 0; i < count; i++) {
        mean_x += x[i] / (double)count;
        mean += values[i] / (double)count;
    }
    for (size_t i = 0; i < count; i++) {
        xx += (x[i] - mean_x) * (x[i] - mean_x);
        xy += (x[i] - mean_x) * (values[i] - mean);
    }
    return xx > 0 ? xy / xx : 0;
}

/* At least three points at either end. */
static double bend_over(const double *x, const double *values)
{
    size_t early = 3;
    size_t late = CURVE_POINTS - 3;
    while (early < CURVE_POINTS && x[early] <= early_end)
        early++;
    while (late > 0 && x[late - 1] >= late_start)
        late--;
    double before = slope_over(x, values, early);
    double after = slope_over(x + late, values + late, CURVE_POINTS - late);
    return before > 0 ? after / before : (after > 0 ? BEND_MAX : 0);
}

static struct fits fit_over(const double *x, const double *values)
{
    return (struct fits){
        .line = line_sse(x, values, CURVE_POINTS),
        .warm = warm_line_sse(x, values, CURVE_POINTS),
        .exponential = exponential_sse(x, values, CURVE_POINTS),
        .hinge = hinge_sse(x, values, CURVE_POINTS),
    };
}

/* Work done up to a point, which may lie before the first: then the load was as it was there. */
static double work_until(const double *work, double point)
{
    return point >= 0 ? work[(size_t)point] : fmax(point, -points_before) * (work[1] - work[0]);
}

/* What follows the load: so much of the work as was done in the last stretch, of any length to
 * `points_most`. */
static double window_sse(const double *work, const double *values, size_t points_most)
{
    double best = INFINITY;
    for (size_t k = 0; k < ARRAY_SIZE(windows) && windows[k] <= points_most; k++) {
        double window[CURVE_POINTS];
        for (size_t i = 0; i < CURVE_POINTS; i++)
            window[i] = work[i] - work_until(work, (double)i - (double)windows[k]);
        struct model model = model_constant(work, CURVE_POINTS);
        model_add(&model, window);
        best = fmin(best, model_sse(&model, values));
    }
    return best;
}

static void even_places(double *ret, size_t points)
{
    for (size_t i = 0; i < points; i++)
        ret[i] = place(i, points);
}

/* Values at even steps of an axis. */
static void resample_over(const double *work, const double *values, double *ret)
{
    size_t left = 0;
    for (size_t i = 0; i < CURVE_POINTS; i++) {
        double at = place(i, CURVE_POINTS);
        while (left + 2 < CURVE_POINTS && work[left + 1] < at)
            left++;
        double width = work[left + 1] - work[left];
        double share = width > 0 ? fmin(fmax((at - work[left]) / width, 0), 1) : 1;
        ret[i] = values[left] + (values[left + 1] - values[left]) * share;
    }
}

static struct fits best_fits(const struct fits *a, const struct fits *b)
{
    return (struct fits){
        .line = fmin(a->line, b->line),
        .warm = fmin(a->warm, b->warm),
        .exponential = fmin(a->exponential, b->exponential),
        .hinge = fmin(a->hinge, b->hinge),
    };
}

static double best_sse(const struct fits *fits)
{
    return fmin(fmin(fits->line, fits->warm), fmin(fits->exponential, fits->hinge));
}

/*
 * Work without what is done even when there is nothing to do: of the least that was done in any
 * stretch, most is taken for that. 0 if that changes nothing.
 */
static int without_idling(const double *work, double *ret)
{
    double least = 1;
    for (size_t i = 1; i < CURVE_POINTS; i++)
        least = fmin(least, (work[i] - work[i - 1]) * (CURVE_POINTS - 1));
    double idle = idle_share * least;
    for (size_t i = 0; i < CURVE_POINTS; i++)
        ret[i] = (work[i] - idle * place(i, CURVE_POINTS)) / (1 - idle);
    return idle > idle_min;
}

static double square_sum(const double *values)
{
    double mean = 0;
    double sum = 0;
    for (size_t i = 0; i < CURVE_POINTS; i++)
        mean += values[i] / CURVE_POINTS;
    for (size_t i = 0; i < CURVE_POINTS; i++)
        sum += (values[i] - mean) * (values[i] - mean);
    return sum;
}

static struct curve_course course_of(const double *values)
{
    const size_t half = CURVE_POINTS / 2;
    double even[CURVE_POINTS];
    even_places(even, CURVE_POINTS);
    double start = median_of_three(values);
    double end = median_of_three(values + CURVE_POINTS - 3);
    double middle = (values[half - 1] + values[half]) / 2;
    double slope = trend_slope(values, CURVE_POINTS);
    return (struct curve_course){
        .second_half = (end - middle) / (end - start),
        .tail = slope > 0 ? trend_slope(values + CURVE_POINTS - 5, 5) / slope : 0,
        .jump = curve_largest_step(values) / (end - start),
        .bend = bend_over(even, values),
    };
}

/*
 * Work without the idling that makes `values` straightest, if a line over time and work together
 * rises with the work: what is left of the least that was done in any stretch is not negative. 0:
 * nothing is to be taken off.
 */
static int without_any_idling(const double *work, const double *values, double *ret)
{
    static const double all_but = 0.98;
    double time[CURVE_POINTS];
    double rest[CURVE_POINTS];
    even_places(time, CURVE_POINTS);
    double drift = slope_over(time, work, CURVE_POINTS);
    double slope = slope_over(time, values, CURVE_POINTS);
    double least = 1;
    for (size_t i = 0; i < CURVE_POINTS; i++) {
        rest[i] = work[i] - drift * time[i];
        least = i > 0 ? fmin(least, (work[i] - work[i - 1]) * (CURVE_POINTS - 1)) : least;
    }
    double by_work = slope_over(rest, values, CURVE_POINTS);
    if (!(by_work > 0))
        return 0;
    double idle = fmin(drift - slope / by_work, all_but * least);
    if (!(idle > idle_min))
        return 0;
    for (size_t i = 0; i < CURVE_POINTS; i++)
        ret[i] = (work[i] - idle * time[i]) / (1 - idle);
    return 1;
}

/* As fit, over the work without its idling; nothing is said of what has none. */
static void measure_idling(const double *values, const double *work, const struct fits *fits,
                           double total, struct curve_shape *ret)
{
    double axis[CURVE_POINTS];
    double over[CURVE_POINTS];
    if (!without_any_idling(work, values, axis))
        return;
    double floor = total * 1e-9;
    double line = line_sse(axis, values, CURVE_POINTS);
    double saturating =
        fmin(fmin(fits->exponential, fits->hinge), fmin(exponential_sse(axis, values, CURVE_POINTS),
                                                        hinge_sse(axis, values, CURVE_POINTS)));
    resample_over(axis, values, over);
    ret->busy_r2 = fmax(1 - line / total, 0);
    ret->busy_gain = bic(saturating, floor, 3) - bic(line, floor, 3);
    ret->busy = course_of(over);
}

/* What fitting over time and work says beside the fits. */
struct axes {
    double bend;               /* the least over an axis that explains the curve well */
    double over[CURVE_POINTS]; /* the values along that axis on which a line is best */
    double by_work;            /* what the line leaves, if that axis is the work's; else 0 */
};

/* Time, work, and work without idling, as far as they are known; returns how many are. */
static size_t axes_of(const double *work, double ret[3][CURVE_POINTS])
{
    even_places(ret[0], CURVE_POINTS);
    if (work == NULL)
        return 1;
    memcpy(ret[1], work, sizeof(ret[1]));
    return without_idling(work, ret[2]) ? 3 : 2;
}

/* Fit over time and work. */
static struct fits fit(const double *values, const double *work, struct axes *ret)
{
    double axes[3][CURVE_POINTS];
    struct fits fits[3];
    size_t count = axes_of(work, axes);
    double best = INFINITY;
    for (size_t i = 0; i < count; i++) {
        fits[i] = fit_over(axes[i], values);
        best = fmin(best, best_sse(&fits[i]));
    }
    *ret = (struct axes){.bend = BEND_MAX};
    for (size_t i = 0; i < count; i++)
        if (best_sse(&fits[i]) <= far_better * best)
            ret->bend = fmin(ret->bend, bend_over(axes[i], values));
    size_t straightest = 0;
    for (size_t i = 1; i < count; i++)
        if (fmin(fits[i].line, fits[i].warm) < fmin(fits[straightest].line, fits[straightest].warm))
            straightest = i;
    resample_over(axes[straightest], values, ret->over);
    ret->by_work = straightest > 0 ? fits[straightest].line : 0;
    return count == 1 ? fits[0] : best_fits(&fits[0], &fits[1]);
}

void curve_measure(const double values[CURVE_POINTS], const double *work, struct curve_shape *ret)
{
    *ret = (struct curve_shape){.p = 1};
    double slope = trend_slope(values, CURVE_POINTS);
    double total = square_sum(values);
    if (!(curve_growth(values) > 0) || !(slope > 0) || !(total > 0) || !isfinite(total))
        return;

    struct axes axes;
    struct fits fits = fit(values, work, &axes);
    double floor = total * 1e-9;
    double bic_line = fmin(bic(fits.line, floor, 2), bic(fits.warm, floor, 4));
    double bic_saturating = fmin(bic(fits.exponential, floor, 3), bic(fits.hinge, floor, 3));

    ret->growth = curve_growth(values);
    ret->r2 = fmax(1 - fmin(fits.line, fits.warm) / total, 0);
    ret->p = curve_chance(ret->r2);
    ret->line_gain = bic_saturating - bic_line;
    ret->bend = axes.bend;
    ret->time = course_of(values);
    ret->best = course_of(axes.over);
    if (work == NULL)
        return;
    ret->load_gain = bic(window_sse(work, values, CURVE_POINTS), floor, 3) - bic_line;
    if (axes.by_work > 0)
        ret->early_load_gain =
            bic(window_sse(work, values, short_window), floor, 3) - bic(axes.by_work, floor, 2);
    measure_idling(values, work, &fits, total, ret);
}

/*
 * A line through the points behind the first quarter and before `since` is drawn on to the last
 * point: what that has risen by since, against the line and against itself, less what the line is
 * usually wrong by, over what it should.
 */
static double end_over(const double *x, const double *values, size_t first, size_t end, double at)
{
    size_t count = end - first;
    double slope = slope_over(x + first, values + first, count);
    double offset = 0;
    double rest = 0;
    for (size_t i = first; i < end; i++)
        offset += (values[i] - slope * x[i]) / (double)count;
    for (size_t i = first; i < end; i++)
        rest += pow(values[i] - slope * x[i] - offset, 2) / (double)(count - 2);
    double expected = slope * (x[CURVE_POINTS - 1] - at);
    double part = (at - x[end - 1]) / fmax(x[end] - x[end - 1], DBL_EPSILON);
    double seen = values[end - 1] + part * (values[end] - values[end - 1]);
    double risen = values[CURVE_POINTS - 1] - fmax(offset + slope * at, seen);
    return expected > 0 ? (risen - sqrt(rest)) / expected : 0;
}

double curve_end_share(const double values[CURVE_POINTS], const double *work, double onset,
                       double since)
{
    double axes[3][CURVE_POINTS];
    size_t count = axes_of(work, axes);
    size_t straightest = 0;
    double least = INFINITY;
    double place_since = since * (CURVE_POINTS - 1);
    size_t first = (size_t)fmax(CURVE_POINTS / 4.0, ceil(onset * (CURVE_POINTS - 1)));
    size_t end = (size_t)ceil(fmax(place_since, 0));
    if (end < first + end_points_min || end >= CURVE_POINTS)
        return 0;
    for (size_t i = 0; i < count; i++) {
        double line = line_sse(axes[i] + first, values + first, end - first);
        straightest = line < least ? i : straightest;
        least = fmin(line, least);
    }
    const double *x = axes[straightest];
    double at = x[end - 1] + (x[end] - x[end - 1]) * (place_since - (double)(end - 1));
    return end_over(x, values, first, end, at);
}

/* Flat, a line, and maybe flat again: the best place at which it begins, and what is left. */
static double onset_sse(const double *x, const double *values, size_t *ret_place)
{
    double best = INFINITY;
    for (size_t k = onset_points_min; k + onset_points_min < CURVE_POINTS; k++) {
        for (size_t end = k + onset_points_min; end < CURVE_POINTS; end++) {
            struct model model = model_constant(x, CURVE_POINTS);
            double rising[CURVE_POINTS];
            for (size_t i = 0; i < CURVE_POINTS; i++)
                rising[i] = fmin(fmax(x[i], x[k]), x[end]);
            model_add(&model, rising);
            double sse = model_sse(&model, values);
            *ret_place = sse < best ? k : *ret_place;
            best = fmin(best, sse);
        }
    }
    return best;
}

double curve_onset(const double values[CURVE_POINTS], const double *work)
{
    double axes[3][CURVE_POINTS];
    size_t count = axes_of(work, axes);
    size_t earliest = CURVE_POINTS;
    double line = INFINITY;
    double floor = square_sum(values) * 1e-9;
    for (size_t i = 0; i < count; i++)
        line = fmin(line, line_sse(axes[i], values, CURVE_POINTS));
    for (size_t i = 0; i < count; i++) {
        size_t knee = 0;
        double sse = onset_sse(axes[i], values, &knee);
        earliest = knee < earliest ? knee : earliest;
        if (!(CURVE_POINTS * log(line / fmax(sse, floor)) > onset_evidence))
            return 0;
    }
    return place(earliest, CURVE_POINTS);
}

static double line_rise(const double *values, size_t count)
{
    double rise = values[count - 1] - values[0];
    return rise * rise * (double)count;
}

int curve_is_plateau(const double *values, const double *work, size_t count)
{
    double even[POINTS_MAX];
    ASSERT(count <= POINTS_MAX);
    if (count < 8)
        return 0;
    even_places(even, count);
    double line = line_sse(even, values, count);
    const double *axis = even;
    if (work != NULL && line_sse(work, values, count) < line) {
        axis = work;
        line = line_sse(work, values, count);
    }
    double hinge = hinge_sse(axis, values, count);
    if (!(line > straight_rest * line_rise(values, count)) || !isfinite(line))
        return 0;
    return (double)count * log(line / fmax(hinge, line * 1e-9)) > plateau_evidence;
}
