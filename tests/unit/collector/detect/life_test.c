/* What a life remembers of its last hours, when its blocks have become long. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "attributes.h"
#include "life.h"

enum { BIN_MS = 1000, RISING = 500, QUIET = 2 * LIFE_BINS_PER_HORIZON };

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

/* Two objects a bin more, or a flat rest; a fifth of the work while it rests. */
static void live(uint32_t from, uint32_t to, uint64_t level, int rests)
{
    static uint64_t cpu_ms;
    uint64_t room = 1024;
    cpu_ms = from == 0 ? 1000 : cpu_ms;
    for (uint32_t bin = from; bin < to; bin++) {
        cpu_ms += rests ? 100 : 500;
        const struct detect_process process = {.cpu_ms = cpu_ms};
        uint64_t count = level + (rests ? 0 : 2 * (uint64_t)bin);
        const struct detect_value value = {0, count, 100 * count};
        assert_true(life_snapshot(&life, BIN_MS, (int64_t)(bin + 1) * BIN_MS, &process));
        life_values(&life, &value, 1, &room);
    }
}

static void test_a_fall_is_seen_two_slots_after_it(void **state)
{
    (void)state;
    live(0, RISING + 12, 100, 0);
    assert_true(life_largest_fall(&life, 0, LIFE_COUNT, 0) < 1);
    live(RISING + 12, RISING + 12 + 2 * LIFE_SLOT_BINS, 100, 1);
    assert_true(life.block_bins >= LIFE_SLOT_BINS);
    assert_true(life_largest_fall(&life, 0, LIFE_COUNT, 0) > 900);
}

static void test_growth_within_a_slot_is_no_fall(void **state)
{
    (void)state;
    for (uint32_t bin = 0; bin < 3 * LIFE_SLOT_BINS; bin++) {
        live(bin, bin + 1, 100 + 50 * bin, 0);
        assert_true(life_largest_fall(&life, 0, LIFE_COUNT, 0) < 1);
    }
}

static void test_the_last_horizon_is_told_from_what_was_before(void **state)
{
    (void)state;
    const double horizon = LIFE_BINS_PER_HORIZON;
    live(0, 200, 100, 0);
    assert_true(isnan(life_recent_slope(&life, 0, LIFE_COUNT, 0, horizon)));
    live(200, QUIET, 100, 0);
    assert_true(fabs(life_recent_slope(&life, 0, LIFE_COUNT, 0, horizon) - 2) < 0.1);
    assert_true(fabs(life_recent_slope(&life, 0, LIFE_BYTES, 0, horizon) - 200) < 10);
    assert_true(fabs(life_recent_load(&life, horizon) - 1) < 0.05);
    live(QUIET, 2 * QUIET, 100 + 2 * QUIET, 1);
    assert_true(fabs(life_recent_slope(&life, 0, LIFE_COUNT, 0, horizon)) < 0.1);
    assert_true(life_recent_load(&life, horizon) < 0.5);
}

/* ---- load ------------------------------------------------------------------------------------ */

enum { BASE = 1000, LEAKED = 2, DAY = LIFE_BINS_PER_HORIZON * 4 / 5 };

static double load_of(uint32_t bin)
{
    return 1 - 0.5 * sin(6.2832 * bin / DAY);
}

/* Six tenths of the base are at work. */
static void live_by_load(uint32_t bins)
{
    uint64_t room = 1024;
    double cpu_ms = 1000;
    for (uint32_t bin = 0; bin < bins; bin++) {
        cpu_ms += 500 * load_of(bin);
        const struct detect_process process = {.cpu_ms = (uint64_t)cpu_ms};
        uint64_t count = (uint64_t)(BASE * (0.4 + 0.6 * load_of(bin))) + LEAKED * (uint64_t)bin;
        const struct detect_value value = {0, count, 100 * count};
        assert_true(life_snapshot(&life, BIN_MS, (int64_t)(bin + 1) * BIN_MS, &process));
        life_values(&life, &value, 1, &room);
    }
}

static void test_only_the_base_follows_the_load(void **state)
{
    (void)state;
    static const double each[LIFE_VALUES] = {1, 100};
    struct life_curve curve;
    live_by_load(2 * DAY + 1);
    assert_true(fabs(life_mean_load(&life) - 0.5) < 0.01);
    assert_true(fabs(life_base(&life, 0, 0.6) - BASE) < 0.15 * BASE);
    for (int value = 0; value < LIFE_VALUES; value++) {
        assert_true(life_trace(&life, 0, (enum life_value)value, LIFE_START_UP_BINS, 0.6, &curve));
        for (uint32_t i = 0; i < curve.count; i++) {
            double line = BASE + LEAKED * (curve.from + i * curve.width);
            assert_true(fabs(curve.values[i] / each[value] - line) < 0.1 * BASE);
        }
    }
}

static void test_what_goes_with_the_load_is_no_fall(void **state)
{
    (void)state;
    live_by_load(2 * DAY + 1);
    assert_true(life_largest_fall(&life, 0, LIFE_COUNT, 0) > 0.2 * BASE);
    assert_true(life_largest_fall(&life, 0, LIFE_COUNT, 0.6) < 0.05 * BASE);
    double slope = life_recent_slope(&life, 0, LIFE_COUNT, 0.6, DAY / 2.0);
    assert_true(fabs(slope - LEAKED) < 0.3 * LEAKED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_fall_is_seen_two_slots_after_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_growth_within_a_slot_is_no_fall, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_last_horizon_is_told_from_what_was_before, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_only_the_base_follows_the_load, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_goes_with_the_load_is_no_fall, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
