#include "trend.h"

#include <math.h>

#include "attributes.h"

enum { PAIRS_MAX = TREND_POINTS_MAX * (TREND_POINTS_MAX - 1) / 2 };

/* A slow wander may make up to this much of what is left beside the line. */
static const double lag_correlation_max = 0.9;

/* What is left beside a line that is straight but for rounding, over the line's rise: no wander. */
static const double straight_rest = 1e-8;

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

void trend_sort(double *values, size_t count)
{
    if (count > 1)
        qsort(values, count, sizeof(*values), compare_doubles);
}

static void swap(double *a, double *b)
{
    double kept = *a;
    *a = *b;
    *b = kept;
}

/* Bring the value of rank `rank` to its place, smaller ones before it (Hoare 1961, "find"). */
static double select_rank(double *values, size_t count, size_t rank)
{
    size_t left = 0;
    size_t right = count - 1;
    while (left < right) {
        double pivot = values[left + (right - left) / 2];
        size_t i = left;
        size_t j = right;
        for (;;) {
            while (values[i] < pivot)
                i++;
            while (values[j] > pivot)
                j--;
            if (i >= j)
                break;
            swap(&values[i++], &values[j--]);
        }
        /* values[left .. j] <= pivot <= values[j + 1 .. right] */
        if (rank <= j)
            right = j;
        else
            left = j + 1;
    }
    return values[rank];
}

double trend_median(double *values, size_t count)
{
    ASSERT(count > 0);
    size_t middle = count / 2;
    double upper = select_rank(values, count, middle);
    if (count % 2 == 1)
        return upper;
    double lower = values[0];
    for (size_t i = 1; i < middle; i++)
        lower = values[i] > lower ? values[i] : lower;
    return lower + (upper - lower) / 2;
}

double trend_slope(const double *values, size_t count)
{
    ASSERT(count <= TREND_POINTS_MAX);
    double slopes[PAIRS_MAX];
    size_t pairs = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t j = i + 1; j < count; j++)
            slopes[pairs++] = (values[j] - values[i]) / (double)(j - i);
    return pairs == 0 ? 0 : trend_median(slopes, pairs);
}

/* Lag-1 correlation of the residuals, kept within 0 .. lag_correlation_max. */
static double lag_correlation(const double *values, size_t count, double slope)
{
    double rest[TREND_POINTS_MAX];
    double mean = 0;
    for (size_t i = 0; i < count; i++) {
        rest[i] = values[i] - slope * (double)i;
        mean += rest[i] / (double)count;
    }
    double square = 0;
    double product = 0;
    for (size_t i = 0; i < count; i++) {
        square += (rest[i] - mean) * (rest[i] - mean);
        if (i > 0)
            product += (rest[i] - mean) * (rest[i - 1] - mean);
    }
    double rise = slope * (double)(count - 1);
    if (!(square > straight_rest * rise * rise * (double)count) || !isfinite(square))
        return 0;
    return fmin(fmax(product / square, 0), lag_correlation_max);
}

/* What ties take from the variance: t (t-1) (2t+5) for each group of t equal values. */
static double tie_correction(const double *values, size_t count)
{
    double sorted[TREND_POINTS_MAX];
    memcpy(sorted, values, count * sizeof(*values));
    trend_sort(sorted, count);
    double correction = 0;
    for (size_t i = 0; i < count;) {
        size_t end = i + 1;
        while (end < count && !(sorted[end] > sorted[i]))
            end++;
        double ties = (double)(end - i);
        correction += ties * (ties - 1) * (2 * ties + 5);
        i = end;
    }
    return correction;
}

double trend_z(const double *values, size_t count, double slope)
{
    ASSERT(count <= TREND_POINTS_MAX);
    if (count < 4)
        return 0;
    int sum = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t j = i + 1; j < count; j++)
            sum += (values[j] > values[i]) - (values[j] < values[i]);
    double n = (double)count;
    double variance = (n * (n - 1) * (2 * n + 5) - tie_correction(values, count)) / 18;
    if (!(variance > 0))
        return 0;
    double r = lag_correlation(values, count, slope);
    return sum / sqrt(variance * (1 + r) / (1 - r));
}

double trend_left_by(const double *x, const double *y, size_t count)
{
    double n = (double)count;
    double mean_x = 0;
    double mean_y = 0;
    for (size_t i = 0; i < count; i++) {
        mean_x += x[i] / n;
        mean_y += y[i] / n;
    }
    double xx = 0;
    double xy = 0;
    double yy = 0;
    for (size_t i = 0; i < count; i++) {
        xx += (x[i] - mean_x) * (x[i] - mean_x);
        xy += (x[i] - mean_x) * (y[i] - mean_y);
        yy += (y[i] - mean_y) * (y[i] - mean_y);
    }
    double scale = xx * yy;
    return scale > 0 && isfinite(scale) ? fmax(1 - xy / scale * xy, 0) : 1;
}
