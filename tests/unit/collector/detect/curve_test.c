#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "attributes.h"
#include "curve.h"

enum { LONG_POINTS = 32 };

/* A little deterministic unevenness, so that no fit is perfect. */
static double uneven(size_t i)
{
    return 0.01 * sin((double)(i * i) * 1.7);
}

static double place(size_t i, size_t count)
{
    return (double)i / (double)(count - 1);
}

static struct curve_shape measure(double (*curve)(double))
{
    double values[CURVE_POINTS];
    struct curve_shape shape;
    for (size_t i = 0; i < CURVE_POINTS; i++)
        values[i] = curve(place(i, CURVE_POINTS)) + uneven(i);
    curve_measure(values, NULL, &shape);
    return shape;
}

static double line(double x)
{
    return 1 + x;
}

static double warm_line(double x)
{
    return 1 + x + 0.5 * (1 - exp(-x / 0.1));
}

static double saturating(double x)
{
    return 1 + (1 - exp(-x / 0.3));
}

static double hinge(double x)
{
    return 1 + fmin(x, 0.6);
}

static double falling(double x)
{
    return 2 - x;
}

static double step(double x)
{
    return x < 0.5 ? 1 : 2;
}

static void test_a_line_is_a_line(void **state)
{
    (void)state;
    struct curve_shape shape = measure(line);
    assert_true(shape.line_gain > 2);
    assert_true(shape.p < 1e-6);
    assert_true(fabs(shape.time.second_half - 0.5) < 0.05);
    assert_true(fabs(shape.time.tail - 1) < 0.2);
    assert_true(shape.time.jump < 0.3);
    assert_true(fabs(shape.growth - 13.0 / 15) <
                0.05); /* medians of the three points at either end */
}

static void test_a_line_behind_a_warm_up_is_a_line(void **state)
{
    (void)state;
    assert_true(measure(warm_line).line_gain > 2);
}

static void test_what_fills_up_is_none(void **state)
{
    (void)state;
    assert_true(measure(saturating).line_gain < -2);
    assert_true(measure(hinge).line_gain < -2);
    assert_true(measure(hinge).time.tail < 0.3);
}

static double root(double x)
{
    return 1 + sqrt(0.1 + x);
}

static void test_a_power_of_the_work_bends(void **state)
{
    (void)state;
    assert_true(measure(root).bend < 0.75);
    assert_true(measure(line).bend > 0.9 && measure(line).bend < 1.1);
    assert_true(measure(step).bend < 2);
}

/* Work that comes in waves, from 0 to 1. */
static double waves(double x)
{
    return x + 0.1 * sin(6.28 * x);
}

static double work_of_a_rising_load(double x)
{
    return 0.1 * x + 0.9 * x * x;
}

static double root_of_a_rising_load(double x)
{
    return root(work_of_a_rising_load(x));
}

static struct curve_shape measure_by_work(double (*curve)(double), double (*work_at)(double),
                                          double unevenness)
{
    double values[CURVE_POINTS];
    double work[CURVE_POINTS];
    struct curve_shape shape;
    for (size_t i = 0; i < CURVE_POINTS; i++) {
        values[i] = curve(place(i, CURVE_POINTS)) + unevenness * uneven(i);
        work[i] = work_at(place(i, CURVE_POINTS));
    }
    curve_measure(values, work, &shape);
    return shape;
}

static double bend_over_work(double (*curve)(double), double (*work_at)(double))
{
    return measure_by_work(curve, work_at, 1).bend;
}

static void test_it_bends_over_what_explains_it(void **state)
{
    (void)state;
    assert_true(bend_over_work(line, work_of_a_rising_load) > 0.9); /* a timer's leak */
    assert_true(bend_over_work(waves, waves) > 0.9);                /* one by request */
    assert_true(measure(root_of_a_rising_load).bend > 0.8);
    assert_true(bend_over_work(root_of_a_rising_load, work_of_a_rising_load) < 0.75);
}

static double mostly_idle(double x)
{
    return 0.7 * x + 0.3 * work_of_a_rising_load(x);
}

static double mostly_idle_waves(double x)
{
    return 0.7 * x + 0.3 * waves(x);
}

static void test_it_bends_over_work_without_idling(void **state)
{
    (void)state;
    assert_true(bend_over_work(root_of_a_rising_load, mostly_idle) < 0.8);
    assert_true(bend_over_work(waves, mostly_idle_waves) > 0.9);
}

static void test_a_step_is_a_jump(void **state)
{
    (void)state;
    assert_true(measure(step).time.jump > 0.9);
}

static void test_what_falls_has_no_shape(void **state)
{
    (void)state;
    struct curve_shape shape = measure(falling);
    assert_true(shape.p >= 1);
    assert_true(shape.growth >= 0 && shape.growth <= 0);
}

static void test_a_perfect_line_divides_by_nothing(void **state)
{
    (void)state;
    double values[CURVE_POINTS];
    struct curve_shape shape;
    for (size_t i = 0; i < CURVE_POINTS; i++)
        values[i] = (double)i;
    curve_measure(values, NULL, &shape);
    assert_true(isfinite(shape.line_gain) && shape.line_gain > 2);
    assert_true(shape.p < 1e-9);
}

/* Most of the work is done by noon; then comes the night. */
static double work_by(double x)
{
    return fmin(1.6 * x, 0.9 + 0.1 * x);
}

static void test_a_day_bends_time_but_not_work(void **state)
{
    (void)state;
    double values[CURVE_POINTS];
    double work[CURVE_POINTS];
    struct curve_shape shape;
    for (size_t i = 0; i < CURVE_POINTS; i++) {
        work[i] = work_by(place(i, CURVE_POINTS));
        values[i] = line(work[i]) + 0.2 * uneven(i);
    }
    curve_measure(values, work, &shape);
    assert_true(shape.line_gain > 2);
    assert_true(shape.time.tail < 0.5);
    assert_true(fabs(shape.best.tail - 1) < 0.2 && fabs(shape.best.second_half - 0.5) < 0.1);
    for (size_t i = 0; i < CURVE_POINTS; i++)
        values[i] = saturating(work[i]) + 0.2 * uneven(i);
    curve_measure(values, work, &shape);
    assert_true(shape.line_gain < 2 && shape.best.tail < 0.5);
}

/* ---- load ------------------------------------------------------------------------------------ */

static double two_days(double x)
{
    return x + 0.06 * sin(12.56 * x);
}

static struct curve_shape measure_over(double (*curve)(double), double (*work_at)(double))
{
    return measure_by_work(curve, work_at, 0.2);
}

/* What came in the last part of the time. */
static double sessions(double x)
{
    return 1 + two_days(x) - two_days(fmax(x - 0.25, 0));
}

static double leak_by_rising_load(double x)
{
    return line(work_of_a_rising_load(x));
}

static void test_what_follows_the_load_is_told_by_it(void **state)
{
    (void)state;
    assert_true(measure_over(sessions, two_days).load_gain < 2);
    assert_true(measure_over(leak_by_rising_load, work_of_a_rising_load).load_gain > 10);
    assert_true(measure_over(line, two_days).load_gain > 10); /* a timer's leak */
    assert_true(measure_over(two_days, two_days).load_gain > 10);
}

/* The load of a morning, from a fifth to six fifths, and the work done by then, of 0 to 1. */
static double morning(double x)
{
    return 0.2 + 1 / (1 + exp((0.5 - x) / 0.08));
}

static double work_of_a_morning(double x)
{
    double done = 0.2 * x + 0.08 * log((1 + exp((x - 0.5) / 0.08)) / (1 + exp(-0.5 / 0.08)));
    return done / 0.7;
}

/* What a request needs while it is served, and what is kept for a tenth of the morning behind it.
 */
static double kept_a_while(double x)
{
    return (work_of_a_morning(x) - work_of_a_morning(fmax(x - 0.1, 0))) / 0.1;
}

static void test_a_morning_tells_what_is_kept(void **state)
{
    (void)state;
    assert_true(measure_over(work_of_a_morning, work_of_a_morning).early_load_gain > 40);
    assert_true(measure_over(morning, work_of_a_morning).early_load_gain < 10);
    assert_true(measure_over(kept_a_while, work_of_a_morning).early_load_gain < 10);
    assert_true(fabs(measure_over(line, work_of_a_morning).early_load_gain) < 1e-9); /* a timer */
}

static double nearly_idle(double x)
{
    return 0.9 * x + 0.1 * work_by(x);
}

static double leak_by_day(double x)
{
    return line(work_by(x));
}

static double cache_by_day(double x)
{
    return saturating(work_by(x));
}

static void test_a_line_shows_beneath_the_idling(void **state)
{
    (void)state;
    struct curve_shape leak = measure_over(leak_by_day, nearly_idle);
    assert_true(leak.time.tail < 0.5 && leak.bend < 0.7);
    assert_true(leak.busy_r2 > 0.99 && leak.busy_gain > 2);
    assert_true(leak.busy.bend > 0.8 && leak.busy.tail > 0.8);
    assert_true(measure_over(cache_by_day, nearly_idle).busy_gain < 2);
}

/* The rise behind 0.85 of the time, over that of the line before. */
static double end_share(double (*curve)(double), double knee)
{
    double values[CURVE_POINTS];
    for (size_t i = 0; i < CURVE_POINTS; i++)
        values[i] = curve(fmin(place(i, CURVE_POINTS), knee)) + uneven(i) / 10;
    return curve_end_share(values, NULL, 0, 0.85);
}

static void test_a_late_knee_shows_at_the_end(void **state)
{
    (void)state;
    assert_true(end_share(line, 1) > 0.9);
    assert_true(end_share(line, 1) <= 1.01);
    assert_true(end_share(line, 0.85) < 0.1);
    assert_true(end_share(line, 0.9) < 0.5);
    assert_true(end_share(falling, 1) <= 0);
}

static void test_nothing_is_said_of_an_end_that_is_not_there(void **state)
{
    (void)state;
    double values[CURVE_POINTS];
    for (size_t i = 0; i < CURVE_POINTS; i++)
        values[i] = line(place(i, CURVE_POINTS));
    assert_true(curve_end_share(values, NULL, 0, 1.2) == 0);
    assert_true(curve_end_share(values, NULL, 0, 0.4) == 0);
    assert_true(curve_end_share(values, NULL, 0, -1) == 0);
}

static double onset_of(double begin, double end)
{
    double values[CURVE_POINTS];
    for (size_t i = 0; i < CURVE_POINTS; i++)
        values[i] = fmin(fmax(place(i, CURVE_POINTS), begin), end) + uneven(i);
    return curve_onset(values, NULL);
}

static void test_what_is_switched_on_has_an_onset(void **state)
{
    (void)state;
    assert_true(onset_of(0, 1) == 0);
    assert_true(fabs(onset_of(0.4, 1) - 0.4) < 0.07);
    assert_true(fabs(onset_of(0.4, 0.8) - 0.4) < 0.07);
}

static void test_plateau(void **state)
{
    (void)state;
    double filled[LONG_POINTS];
    double work[LONG_POINTS];
    double worked[LONG_POINTS];
    double rising[LONG_POINTS];
    double constant[LONG_POINTS] = {0};
    for (size_t i = 0; i < LONG_POINTS; i++) {
        filled[i] = hinge(place(i, LONG_POINTS)) + uneven(i);
        rising[i] = line(place(i, LONG_POINTS)) + uneven(i);
        work[i] = work_by(place(i, LONG_POINTS));
        worked[i] = line(work[i]) + 0.2 * uneven(i);
    }
    assert_true(curve_is_plateau(worked, NULL, LONG_POINTS));
    assert_false(curve_is_plateau(worked, work, LONG_POINTS));
    assert_true(curve_is_plateau(filled, NULL, LONG_POINTS));
    assert_false(curve_is_plateau(rising, NULL, LONG_POINTS));
    assert_false(curve_is_plateau(constant, NULL, LONG_POINTS));
    assert_false(curve_is_plateau(filled, NULL, 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_is_a_line),
        cmocka_unit_test(test_a_line_behind_a_warm_up_is_a_line),
        cmocka_unit_test(test_what_fills_up_is_none),
        cmocka_unit_test(test_a_power_of_the_work_bends),
        cmocka_unit_test(test_it_bends_over_what_explains_it),
        cmocka_unit_test(test_it_bends_over_work_without_idling),
        cmocka_unit_test(test_a_step_is_a_jump),
        cmocka_unit_test(test_what_falls_has_no_shape),
        cmocka_unit_test(test_a_perfect_line_divides_by_nothing),
        cmocka_unit_test(test_a_day_bends_time_but_not_work),
        cmocka_unit_test(test_what_follows_the_load_is_told_by_it),
        cmocka_unit_test(test_a_morning_tells_what_is_kept),
        cmocka_unit_test(test_a_line_shows_beneath_the_idling),
        cmocka_unit_test(test_a_late_knee_shows_at_the_end),
        cmocka_unit_test(test_nothing_is_said_of_an_end_that_is_not_there),
        cmocka_unit_test(test_what_is_switched_on_has_an_onset),
        cmocka_unit_test(test_plateau),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
