/*
 * Is a rising curve a line that will go on, or something that fills up and stops? The question that
 * tells a leak from a cache.
 *
 * Pure. Values must be finite.
 */
#ifndef COLLECTOR_DETECT_CURVE_H
#define COLLECTOR_DETECT_CURVE_H

#include <stddef.h>

enum { CURVE_POINTS = 16 }; /* evenly spaced */

/* Where along an axis a curve grows. */
struct curve_course {
    double second_half; /* share of the growth in the second half; a line: 0.5 */
    double tail;        /* slope of the last five points over the whole slope; a line: 1 */
    double jump; /* the largest step, three points against three, over the growth; a line: 0.23 */
    double bend; /* late slope over early slope; a line: 1 */
};

struct curve_shape {
    double growth; /* end minus start, each the median of three points */
    double r2;     /* of the best line */
    double p;      /* of a line as straight as this by chance, one-sided */
    double
        line_gain; /* BIC of the best saturating curve minus that of the best line; > 0: a line */
    double load_gain; /* as line_gain, of the best curve that follows the load; 0: not known */
    /* The same of one that follows it soon, against a line over the work: before a whole day of
     * the load was seen, any line and the load of long ago are alike. 0: time is the better axis.
     */
    double early_load_gain;
    struct curve_course time; /* along the time */
    struct curve_course best; /* along that of time and work on which the line is better */
    /* Over work without what idling makes of it, where that is much; busy_r2 0: it is not. */
    double busy_r2, busy_gain;
    struct curve_course busy;
    double bend; /* the least of time and work; a line: 1 */
};

/*
 * Zero-filled, with p = 1, unless the curve rises.
 *
 * Lines: y = a + b x, and that plus a short-lived warm-up c (1 - exp(-x / tau)), tau <= 0.2 of the
 * span. Saturating: y = a + b (1 - exp(-x / tau)), and y = a + b min(x, knee). They are compared by
 * BIC = n ln(SSE / n) + parameters ln n (Schwarz 1978). p is Student's, of t = sqrt(6 R2 / (1 -
 * R2)) with 6 degrees of freedom: sixteen points of one wandering curve are not sixteen witnesses.
 *
 * `work`, if not NULL, is the load up to each point, from 0 to 1 and never falling: each model is
 * then fitted over it as well, and the better fit counts. A leak by request is a line over the work
 * done, a cache fills up over it.
 *
 * The bend is what no model of these tells: sets of keys grow by a power of the work, or by its
 * logarithm, and never look full; and a line with a short exponential fits them well. But they bend
 * alike at any age, while behind a true warm-up a line gets straight. Time, work, and work without
 * what a process does when it has nothing to do are asked: of those that explain the curve well
 * (none leaves less than a third of what they leave), the one over which it bends most counts. So a
 * load that rises hides no bend over time, nor one that hardly shows in what idles; and a timer is
 * not asked about work, nor requests about time.
 */
void curve_measure(const double values[CURVE_POINTS], const double *work, struct curve_shape *ret);

/*
 * Whether a line goes on to its very end, where a knee is too late for any model: the rise behind
 * `since`, a share of the time, over that of the line before, on the axis (as above) on which that
 * is straightest; the line begins at `onset`, a share, too, or behind the first quarter. What such
 * lines are wrong by is taken off, so that 1 is a perfect one, and what is doubtful is less; 0: too
 * few points before, or none behind.
 */
double curve_end_share(const double values[CURVE_POINTS], const double *work, double onset,
                       double since);

/*
 * Where along the time a growth begins that the first part of a life does not have, as something
 * that was switched on: flat before, a line behind, and over time and work (as above) that fits far
 * better than any line. 0: it was there from the start.
 */
double curve_onset(const double values[CURVE_POINTS], const double *work);

/* The p of an R2. */
double curve_chance(double r2);

/* The largest step up, the median of three points against that of the three before. */
double curve_largest_step(const double values[CURVE_POINTS]);

/* End minus start, each the median of three points. */
double curve_growth(const double values[CURVE_POINTS]);

/* 1 if a line with a knee, flat behind it, fits `count` points far better than a straight one: over
 * time, or, with `work` as above, over that axis on which the straight one is better. */
int curve_is_plateau(const double *values, const double *work, size_t count);

#endif
