/* What is in buffers that ask for more room than they need, and what is none. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "attributes.h"
#include "stairs.h"

enum { BIN_MS = 1000, BINS = 920, OTHERS = 800000 };
static const double settled = BINS / 10.0;
static const double full = 4e6;

static struct life life;

static int setup(void **state)
{
    (void)state;
    const struct detect_key key = {{1}};
    life_init(&life, &key, 0, BIN_MS);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    life_free(&life);
    return 0;
}

typedef double content_fn(double x);

static double straight(double x)
{
    return x;
}
static double from_much(double x)
{
    return 0.3 + 0.7 * x;
}
static double root(double x)
{
    return sqrt(x);
}
static double fills_up(double x)
{
    return 1 - exp(-6 * x);
}
static double stops(double x)
{
    return fmin(x, 0.4);
}

/* Bytes of each bin. */
static void live(uint32_t bins, double (*bytes)(uint32_t bin, void *context), void *context)
{
    uint64_t room = 1024;
    for (uint32_t bin = 0; bin < bins; bin++) {
        const struct detect_process process = {0};
        const struct detect_value value = {0, 1000, (uint64_t)bytes(bin, context)};
        assert_true(life_snapshot(&life, BIN_MS, (int64_t)(bin + 1) * BIN_MS, &process));
        life_values(&life, &value, 1, &room);
    }
}

struct buffer {
    content_fn *content;
    double factor, first, room;
};

static double room_of(uint32_t bin, void *context)
{
    struct buffer *buffer = context;
    buffer->room = bin == 0 ? buffer->first : buffer->room;
    while (buffer->room < full * buffer->content((double)bin / BINS))
        buffer->room *= buffer->factor;
    return OTHERS + buffer->room;
}

static void fill_a_buffer(content_fn *content, double factor, double first)
{
    struct buffer buffer = {content, factor, first, 0};
    life_free(&life);
    (void)setup(NULL);
    live(BINS, room_of, &buffer);
}

/* The largest difference to the true content, over all of it. */
static double worst(const struct life_curve *curve, content_fn *content)
{
    double most = 0;
    for (uint32_t i = 0; i < curve->count; i++) {
        double bin = curve->from + (i + 0.5) * curve->width;
        double truth = OTHERS + full * content(bin / BINS);
        most = fmax(most, fabs(curve->values[i] - truth) / full);
    }
    return most;
}

/* At any phase of its steps: read, and as it was; to how many of twelve. */
static uint32_t read_at_all_phases(content_fn *content, double factor, double error)
{
    uint32_t read = 0;
    for (uint32_t phase = 0; phase < 12; phase++) {
        struct life_curve raw;
        struct life_curve curve;
        fill_a_buffer(content, factor, 1000 * pow(factor, phase / 12.0));
        assert_true(life_trace(&life, 0, LIFE_BYTES, settled, 0, &raw));
        if (!stairs_trace(&life, 0, settled, &curve))
            continue;
        assert_int_equal(curve.count, raw.count);
        assert_true(fabs(curve.from - raw.from) < 1e-9);
        read += worst(&curve, content) < error;
    }
    return read;
}

static void test_the_content_of_buffers_is_read(void **state)
{
    (void)state;
    assert_true(read_at_all_phases(straight, 1.125, 0.05) >= 11);
    assert_true(read_at_all_phases(straight, 1.25, 0.05) >= 11);
    assert_true(read_at_all_phases(straight, 1.5, 0.05) >= 11);
    assert_true(read_at_all_phases(from_much, 1.0625, 0.05) >= 11);
    assert_true(read_at_all_phases(from_much, 1.25, 0.05) >= 11);
    assert_true(read_at_all_phases(root, 1.125, 0.05) >= 11);
    /* doubled: after a step; by the time of the next all of it might have come in its last half */
    assert_in_range(read_at_all_phases(straight, 2, 0.05), 5, 11);
    assert_int_equal(read_at_all_phases(root, 2, 0.5), 0);
}

static void test_what_has_stopped_is_flat_at_its_end(void **state)
{
    (void)state;
    static content_fn *const contents[] = {stops, fills_up};
    for (size_t k = 0; k < ARRAY_SIZE(contents); k++)
        for (double factor = 1.1; factor < 2.1; factor += 0.05) {
            struct life_curve curve;
            fill_a_buffer(contents[k], factor, 1000);
            if (!stairs_trace(&life, 0, settled, &curve))
                continue;
            double rise = curve.values[curve.count - 1] - curve.values[0];
            double late = curve.values[curve.count - 1] - curve.values[curve.count * 4 / 5];
            assert_true(late < 0.05 * rise);
        }
}

/* ---- what is no buffer ----------------------------------------------------------------------- */

struct levels {
    uint32_t count;
    double at[8], height[8]; /* of all bins; of all bytes */
};

static double level_of(uint32_t bin, void *context)
{
    const struct levels *levels = context;
    double bytes = OTHERS;
    for (uint32_t i = 0; i < levels->count; i++)
        bytes += bin >= levels->at[i] * BINS ? full * levels->height[i] : 0;
    return bytes;
}

static int is_a_buffer(struct levels *levels)
{
    struct life_curve curve;
    life_free(&life);
    (void)setup(NULL);
    live(BINS, level_of, levels);
    return stairs_trace(&life, 0, settled, &curve);
}

static void test_imports_and_falls_are_no_buffer(void **state)
{
    (void)state;
    struct levels buffer = {5, {0.1, 0.2, 0.35, 0.55, 0.85}, {0.1, 0.13, 0.17, 0.22, 0.29}};
    struct levels imports = {5, {0.1, 0.2, 0.35, 0.55, 0.85}, {0.2, 0.1, 0.15, 0.05, 0.1}};
    struct levels equal = {5, {0.1, 0.3, 0.5, 0.7, 0.9}, {0.2, 0.2, 0.2, 0.2, 0.2}};
    struct levels few = {3, {0.2, 0.4, 0.8}, {0.1, 0.2, 0.4}};
    struct levels falls = {
        6, {0.1, 0.2, 0.3, 0.35, 0.55, 0.85}, {0.1, 0.13, -0.1, 0.17, 0.22, 0.29}};
    assert_true(is_a_buffer(&buffer));
    assert_false(is_a_buffer(&imports));
    assert_false(is_a_buffer(&equal));
    assert_false(is_a_buffer(&few));
    assert_false(is_a_buffer(&falls));
}

static void test_what_came_at_once_is_no_growth(void **state)
{
    (void)state;
    struct life_curve curve;
    struct levels shifted = {
        6, {0.1, 0.2, 0.3, 0.35, 0.55, 0.85}, {0.05, 0.06, 0.5, 0.07, 0.09, 0.11}};
    assert_true(is_a_buffer(&shifted));
    assert_true(stairs_trace(&life, 0, settled, &curve));
    assert_true(curve.values[curve.count - 1] - curve.values[0] < 0.5 * full);
    assert_true(curve.values[0] > OTHERS + 0.4 * full);
}

/* ---- standing still -------------------------------------------------------------------------- */

static void test_a_buffer_may_rise_until_its_step_is_overdue(void **state)
{
    (void)state;
    struct levels waits = {3, {0.1, 0.25, 0.55}, {0.1, 0.2, 0.4}};
    struct levels overdue = {3, {0.05, 0.1, 0.2}, {0.1, 0.2, 0.4}};
    struct levels smaller = {3, {0.1, 0.25, 0.55}, {0.4, 0.2, 0.1}};
    live(BINS, level_of, &waits);
    assert_true(stairs_wait(&life, 0));
    assert_false(stairs_wait(&life, 1));
    (void)is_a_buffer(&overdue);
    assert_false(stairs_wait(&life, 0));
    (void)is_a_buffer(&smaller);
    assert_false(stairs_wait(&life, 0));
}

/* ---- anything at all -------------------------------------------------------------------------
 */

struct odd {
    uint64_t random;
    double value, step, likely;
};

static double next_of(struct odd *odd)
{
    odd->random = odd->random * 6364136223846793005U + 1442695040888963407U;
    return (double)(odd->random >> 11) / 9007199254740992.0;
}

/* Steps of any height, between which it wanders a little, up to the largest number there can be. */
static double odd_bytes(uint32_t bin, void *context)
{
    static const double largest = 1152921504606846976.0; /* 2^60 */
    struct odd *odd = context;
    if (bin == 0 || next_of(odd) < odd->likely) {
        odd->step *= 0.7 + 2 * next_of(odd);
        odd->value = fmin(odd->value + odd->step, largest);
    }
    return fmax(odd->value - 0.005 * odd->step * next_of(odd), 0);
}

static void test_whatever_it_is_it_becomes_numbers(void **state)
{
    (void)state;
    uint32_t read = 0;
    for (uint32_t seed = 0; seed < 600; seed++) {
        struct odd odd = {.random = seed * 2654435761U};
        odd.likely = next_of(&odd) / (1 + seed % 40);
        odd.step = seed % 7 == 0 ? 0 : exp2(60 * next_of(&odd));
        uint32_t bins = seed % 5 == 0 ? 1 + seed % 9 : BINS;
        struct life_curve curve;
        life_free(&life);
        (void)setup(NULL);
        live(bins, odd_bytes, &odd);
        (void)stairs_wait(&life, 0);
        if (!stairs_trace(&life, 0, settled, &curve))
            continue;
        for (uint32_t i = 0; i < curve.count; i++)
            assert_true(isfinite(curve.values[i]) && curve.values[i] >= 0);
        read++;
    }
    assert_true(read > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_content_of_buffers_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_has_stopped_is_flat_at_its_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_imports_and_falls_are_no_buffer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_came_at_once_is_no_growth, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_buffer_may_rise_until_its_step_is_overdue, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_whatever_it_is_it_becomes_numbers, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
