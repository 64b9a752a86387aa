#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "attributes.h"
#include "trend.h"

static int near(double a, double b)
{
    return fabs(a - b) < 1e-9;
}

static void test_median(void **state)
{
    (void)state;
    double one[] = {7};
    double odd[] = {3, 1, 2};
    double even[] = {4, 1, 3, 2};
    double equal[] = {5, 5, 5, 5, 5, 5};
    assert_true(near(trend_median(one, 1), 7));
    assert_true(near(trend_median(odd, 3), 2));
    assert_true(near(trend_median(even, 4), 2.5));
    assert_true(near(trend_median(equal, 6), 5));
}

/* Every rank of every order of seven values, some of them equal. */
static void test_median_agrees_with_sorting(void **state)
{
    (void)state;
    uint32_t random = 1;
    for (size_t round = 0; round < 2000; round++) {
        double values[16];
        double sorted[16];
        size_t count = 1 + round % 16;
        for (size_t i = 0; i < count; i++) {
            random = random * 1664525u + 1013904223u;
            values[i] = sorted[i] = random >> 29;
        }
        trend_sort(sorted, count);
        double middle =
            count % 2 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
        assert_true(near(trend_median(values, count), middle));
    }
}

static void test_slope_bears_outliers(void **state)
{
    (void)state;
    double values[20];
    for (size_t i = 0; i < 20; i++)
        values[i] = 100 + 3 * (double)i;
    values[4] = 1e18;
    values[9] = 0;
    values[15] = 1e9;
    assert_true(near(trend_slope(values, 20), 3));
    assert_true(near(trend_slope(values, 1), 0));
    assert_true(near(trend_slope(values, 0), 0));
}

/* The sum of signs of 10 rising values is 45; its variance without ties 10 * 9 * 25 / 18 = 125. */
static void test_z_of_a_line_is_kendalls(void **state)
{
    (void)state;
    double values[10];
    for (size_t i = 0; i < 10; i++)
        values[i] = (double)i;
    assert_true(near(trend_z(values, 10, 1), 45 / sqrt(125)));
    for (size_t i = 0; i < 10; i++)
        values[i] = -values[i];
    assert_true(near(trend_z(values, 10, -1), -45 / sqrt(125)));
}

static void test_z_of_nothing_is_zero(void **state)
{
    (void)state;
    double constant[] = {4, 4, 4, 4, 4, 4};
    double two[] = {1, 2};
    assert_true(near(trend_z(constant, 6, 0), 0));
    assert_true(near(trend_z(two, 2, 1), 0));
}

static void test_a_slow_wave_is_weaker_than_noise(void **state)
{
    (void)state;
    double wave[32];
    double line[32];
    for (size_t i = 0; i < 32; i++) {
        wave[i] = 10 * sin((double)i / 10);
        line[i] = (double)i + (i % 2 ? 3 : -3);
    }
    assert_true(fabs(trend_z(wave, 32, trend_slope(wave, 32))) < 1.5);
    assert_true(trend_z(line, 32, trend_slope(line, 32)) > 4);
}

static void test_a_line_leaves_what_it_does_not_explain(void **state)
{
    (void)state;
    const double x[] = {0, 1, 2, 3};
    const double line[] = {7, 5, 3, 1};
    const double across[] = {1, -1, -1, 1};
    const double steps[] = {0, 0, 1, 1};
    const double flat[] = {2, 2, 2, 2};
    assert_true(fabs(trend_left_by(x, line, 4)) < 1e-12);
    assert_true(fabs(trend_left_by(x, across, 4) - 1) < 1e-12);
    assert_true(fabs(trend_left_by(x, steps, 4) - 0.2) < 1e-12);
    assert_true(fabs(trend_left_by(x, flat, 4) - 1) < 1e-12);
    assert_true(fabs(trend_left_by(flat, x, 4) - 1) < 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_median),
        cmocka_unit_test(test_median_agrees_with_sorting),
        cmocka_unit_test(test_slope_bears_outliers),
        cmocka_unit_test(test_z_of_a_line_is_kendalls),
        cmocka_unit_test(test_z_of_nothing_is_zero),
        cmocka_unit_test(test_a_slow_wave_is_weaker_than_noise),
        cmocka_unit_test(test_a_line_leaves_what_it_does_not_explain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
