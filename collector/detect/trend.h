/*
 * How steadily a short series rises, without believing in any one of its points.
 *
 * Pure. Values must be finite; at most TREND_POINTS_MAX of them.
 */
#ifndef COLLECTOR_DETECT_TREND_H
#define COLLECTOR_DETECT_TREND_H

#include <stddef.h>

enum { TREND_POINTS_MAX = 32 };

/* Ascending. */
void trend_sort(double *values, size_t count);

/* The median of `count` > 0 values, which are put in another order. */
double trend_median(double *values, size_t count);

/*
 * Median of the slopes of all pairs of points, per step (Theil 1950, Sen 1968). Bears 29 % of
 * arbitrary points. 0 for fewer than two points.
 */
double trend_slope(const double *values, size_t count);

/*
 * Kendall's S (1938) over its standard deviation, with ties; the variance is widened by
 * (1 + r) / (1 - r), r = lag-1 correlation of what is left beside the line with `slope`, because a
 * slow wander of a series is no evidence. 0 for fewer than four points and for constants.
 */
double trend_z(const double *values, size_t count, double slope);

/* Share of the variance of `y` that the least-squares line over `x` leaves: 1 - r^2. 1 where either
 * is constant. */
double trend_left_by(const double *x, const double *y, size_t count);

#endif
