/*
 * What looks like a line and is none: sets of keys that grow ever more slowly, code that is
 * imported on first use, logs that are cleared; and beside each a leak that must be found all the
 * same.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "detect_scene.h"

enum {
    VERDICT_BINS = SCENE_HORIZON + 4 * SCENE_HORIZON / 15,
    IMPORTING_LIVES = 6,
};

static struct scene scene;

static int setup(void **state)
{
    (void)state;
    scene_begin(&scene);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scene_end(&scene);
    return 0;
}

static uint32_t confirmed(void)
{
    const struct verdict *verdict;
    return scene_verdicts(&scene, VERDICT_CONFIRMED, &verdict);
}

static void assert_never_until(uint32_t bins)
{
    for (uint32_t now = SCENE_HORIZON; now <= bins; now += 12) {
        scene_run(&scene, now);
        assert_int_equal(confirmed(), 0);
    }
}

/* ---- sets of keys ---------------------------------------------------------------------------- */

/* Distinct names among so many words grow by a power of them (Heaps' law). */
static double heaps(uint32_t type, const char *version, uint32_t bin)
{
    double steady = scene_steady(type, version, bin);
    return type == 0 ? steady + 100 * pow(scene_leaked(bin, 1), 0.55) : steady;
}

/* A cache that is full after a fifth of the horizon, and a leak of the same class. */
static double warm_and_leaking(uint32_t type, const char *version, uint32_t bin)
{
    double filled = type == 0 ? 400 * (1 - exp(-(double)bin / 40)) : 0;
    return scene_leaking(type, version, bin) + filled;
}

static void test_what_grows_by_a_power_of_the_work_is_no_leak(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        scene_add(&scene, "v1", i, 0, heaps);
    assert_never_until(4 * SCENE_HORIZON);
}

/* Carts are kept by a set that bends; what leaks are dicts alone. */
static double dicts_beside_a_set(uint32_t type, const char *version, uint32_t bin)
{
    double leaked = type == 1 ? scene_leaked(bin, 2) : 0;
    return scene_steady(type, version, bin) + leaked +
           (type == 0 ? 60 * pow(scene_leaked(bin, 1), 0.4) : 0);
}

static void test_what_bends_gives_no_name_to_what_leaks(void **state)
{
    (void)state;
    const struct verdict *verdict;
    for (uint32_t i = 0; i < 3; i++)
        scene_add(&scene, "v1", i, 0, dicts_beside_a_set);
    scene_run(&scene, VERDICT_BINS);
    assert_int_equal(scene_verdicts(&scene, VERDICT_CONFIRMED, &verdict), 1);
    assert_string_equal(verdict->type, "dict");
}

/* Carts are imported twice, which a line explains well; what leaks are dicts alone. */
static double dicts_beside_steps(uint32_t type, const char *version, uint32_t bin)
{
    double leaked = type == 1 ? scene_leaked(bin, 2) : 0;
    return scene_steady(type, version, bin) + leaked + (type == 0 && bin > 130 ? 800 : 0) +
           (type == 0 && bin > 260 ? 500 : 0);
}

static void test_steps_give_no_name_to_what_leaks(void **state)
{
    (void)state;
    const struct verdict *verdict;
    scene_add(&scene, "v1", 0, 0, dicts_beside_steps);
    scene_run(&scene, VERDICT_BINS);
    assert_int_equal(scene_verdicts(&scene, VERDICT_CONFIRMED, &verdict), 1);
    assert_string_equal(verdict->type, "dict");
}

static void test_a_leak_behind_a_cache_that_filled_is_found_later(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        scene_add(&scene, "v1", i, 0, warm_and_leaking);
    scene_run(&scene, 2 * SCENE_HORIZON);
    assert_int_equal(confirmed(), 1);
}

/* Requests until then, of lives that begin in the evening: the morning makes up for the bend. */
static double asked_by_day(uint32_t bin)
{
    const double turn = 2 * acos(-1) / (SCENE_HORIZON * 0.8);
    const double night = SCENE_HORIZON / 4.0;
    return bin - 0.5 * (sin(turn * (bin - night)) + sin(turn * night)) / turn;
}

static double keys_by_day(uint32_t type, const char *version, uint32_t bin)
{
    return scene_steady(type, version, bin) + (type == 0 ? 60 * pow(asked_by_day(bin), 0.6) : 0);
}

static double leaking_by_day(uint32_t type, const char *version, uint32_t bin)
{
    return scene_steady(type, version, bin) + (type == 0 ? 4 * asked_by_day(bin) : 0);
}

static void add_blind(scene_model_fn *model)
{
    for (uint32_t i = 0; i < 3; i++)
        scene_add(&scene, "v1", i, 0, model)->process.cpu_ms = 0;
}

static void test_where_no_load_is_known_a_morning_makes_no_line(void **state)
{
    (void)state;
    add_blind(keys_by_day);
    assert_never_until(2 * SCENE_HORIZON);
}

/* Jobs of all sizes, a sixth of a day apart, take more than what is asked for. */
static double jobs_by_day(uint32_t bin)
{
    static const double sizes[] = {0, 40, 5, 90, 0, 20, 70};
    double work = 0.3 * asked_by_day(bin);
    for (uint32_t job = 0; 48 * job < bin; job++)
        work += sizes[job % ARRAY_SIZE(sizes)] * fmin((bin - 48 * job) / 12.0, 1);
    return work;
}

static void test_jobs_tell_no_load(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        scene_add(&scene, "v1", i, 0, keys_by_day)->work = jobs_by_day;
    assert_never_until(2 * SCENE_HORIZON);
}

static void test_where_no_load_is_known_what_repeats_is_a_leak(void **state)
{
    (void)state;
    add_blind(leaking_by_day);
    scene_run(&scene, 3 * SCENE_HORIZON);
    assert_int_equal(confirmed(), 1);
}

/* ---- what fills for a day -------------------------------------------------------------------- */

enum { DAY = SCENE_HORIZON * 4 / 5 };

static double filling_for_a_day(uint32_t type, const char *version, uint32_t bin)
{
    double filled = type == 0 ? 3 * scene_leaked(bin < DAY ? bin : DAY, 2) : 0;
    return scene_steady(type, version, bin) + filled;
}

/* Until it is full it is as straight as a leak. */
static void test_what_fills_for_a_day_is_no_leak(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        scene_add(&scene, "v1", 4 * i, 0, filling_for_a_day);
    for (uint32_t now = SCENE_HORIZON / 2; now <= 2 * SCENE_HORIZON; now += 4) {
        scene_run(&scene, now);
        assert_int_equal(confirmed(), 0);
    }
}

/* What goes on behind it need not wait for the horizon. */
static void test_what_goes_on_after_a_day_is_a_leak_soon(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        scene_add(&scene, "v1", 4 * i, 0, scene_leaking);
    scene_run(&scene, SCENE_HORIZON);
    assert_int_equal(confirmed(), 1);
}

/* A cache fills for as long as these live. */
static void test_very_short_lives_tell_nothing(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < SCENE_LIVES; i++)
        scene_add(&scene, "v1", 30 * i, 30 * (i + 1), scene_leaking);
    for (uint32_t now = 0; now <= 30 * SCENE_LIVES; now += 12) {
        scene_run(&scene, now);
        assert_int_equal(confirmed(), 0);
    }
}

/* ---- features that are rolled out ------------------------------------------------------------ */

enum { SWITCHED_ON = SCENE_HORIZON, ROLLED_OUT = SWITCHED_ON + DAY * 3 / 2 };

static double rolled_out(uint32_t type, uint32_t start, uint32_t bin)
{
    double now = fmin(fmax(start + bin, SWITCHED_ON), ROLLED_OUT) - SWITCHED_ON;
    return scene_steady(type, "", bin) + (type == 0 ? scene_leaked((uint32_t)now, 2) : 0);
}

static double rolled_out_in_mid_life(uint32_t type, const char *version, uint32_t bin)
{
    (void)version;
    return rolled_out(type, 0, bin);
}

static double rolled_out_since(uint32_t type, const char *version, uint32_t bin)
{
    (void)version;
    return rolled_out(type, SWITCHED_ON + DAY / 3, bin);
}

static void test_what_is_rolled_out_in_mid_life_is_no_leak(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        scene_add(&scene, "v1", i, 0, rolled_out_in_mid_life);
    assert_never_until(ROLLED_OUT + SCENE_HORIZON);
}

/* What goes on for longer than that is one, in a process that was well before. */
static double leaking_late(uint32_t type, const char *version, uint32_t bin)
{
    (void)version;
    uint32_t since = bin > SWITCHED_ON ? bin - SWITCHED_ON : 0;
    return scene_steady(type, "", bin) + (type == 0 ? scene_leaked(since, 4) : 0);
}

static void assert_found_late(void)
{
    assert_never_until(SWITCHED_ON + SCENE_HORIZON * 5 / 4);
    scene_run(&scene, SWITCHED_ON + SCENE_HORIZON * 5 / 3);
    assert_int_equal(confirmed(), 1);
}

static void test_what_begins_late_and_goes_on_is_a_leak(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        scene_add(&scene, "v1", i, 0, leaking_late);
    assert_found_late();
}

static void test_what_begins_late_waits_no_longer_where_no_load_is_known(void **state)
{
    (void)state;
    add_blind(leaking_late);
    assert_found_late();
}

/* What began before the life did, and was not lost with the life before, is of no process. */
static void test_what_a_restart_does_not_end_is_no_leak(void **state)
{
    (void)state;
    uint32_t restart = SWITCHED_ON + DAY / 3;
    for (uint32_t i = 0; i < 3; i++) {
        scene_add(&scene, "v1", i, restart, rolled_out_in_mid_life);
        scene_add(&scene, "v1", restart, 0, rolled_out_since);
    }
    assert_never_until(ROLLED_OUT + SCENE_HORIZON);
}

/* ---- code that is imported ------------------------------------------------------------------- */

static double importing(uint32_t type, uint32_t bin, uint32_t life)
{
    double steady = scene_steady(type, "", bin);
    if (type != 0)
        return steady;
    for (uint32_t step = 0; step < 2; step++) {
        uint32_t turn = (life + 3 * step) % IMPORTING_LIVES;
        steady += bin >= 60 + 55 * (2 * turn + step) ? 400 : 0;
    }
    return steady;
}

#define IMPORTING(life)                                                                            \
    static double importing_##life(uint32_t type, const char *version, uint32_t bin)               \
    {                                                                                              \
        (void)version;                                                                             \
        return importing(type, bin, life);                                                         \
    }
IMPORTING(0)
IMPORTING(1)
IMPORTING(2)
IMPORTING(3)
IMPORTING(4)
IMPORTING(5)

static void test_steps_at_other_times_in_each_life_are_no_line(void **state)
{
    (void)state;
    static scene_model_fn *const models[IMPORTING_LIVES] = {importing_0, importing_1, importing_2,
                                                            importing_3, importing_4, importing_5};
    for (uint32_t i = 0; i < IMPORTING_LIVES; i++)
        scene_add(&scene, "v1", 0, 0, models[i]);
    assert_never_until(3 * SCENE_HORIZON);
}

/* ---- what falls back ------------------------------------------------------------------------- */

/* A log that is cleared when it has some thousand entries; the other version never gets so far. */
static double logging(uint32_t type, const char *version, uint32_t bin)
{
    uint32_t since = strcmp(version, "v1") == 0 ? bin % 180 : bin;
    double rate = strcmp(version, "v1") == 0 ? 8 : 2;
    return scene_steady(type, version, bin) + (type == 0 ? scene_leaked(since, rate) : 0);
}

/* The same, but that what was cleared was little. */
static double logging_little(uint32_t type, const char *version, uint32_t bin)
{
    uint32_t since = strcmp(version, "v1") == 0 ? bin % 180 : bin;
    double rate = strcmp(version, "v1") == 0 ? 0.5 : 2;
    return scene_steady(type, version, bin) + (type == 0 ? scene_leaked(since, rate) : 0);
}

static void run_two_versions(scene_model_fn *model)
{
    for (uint32_t i = 0; i < 3; i++) {
        scene_add(&scene, "v1", i, 400 + i, model);
        scene_add(&scene, "v2", 400 + i, 0, model);
    }
    scene_run(&scene, 400 + VERDICT_BINS);
}

static void test_what_fell_back_from_as_high_is_no_leak(void **state)
{
    (void)state;
    run_two_versions(logging);
    assert_int_equal(confirmed(), 0);
}

static void test_what_fell_back_by_less_than_it_grows_is_a_leak(void **state)
{
    (void)state;
    run_two_versions(logging_little);
    assert_int_equal(confirmed(), 1);
}

/* Cleared each day: by then it has been a straight line for long enough. */
static double logging_by_day(uint32_t type, const char *version, uint32_t bin)
{
    return scene_steady(type, version, bin) + (type == 0 ? scene_leaked(bin % DAY, 8) : 0);
}

/* Blocks are an hour or two long by then, and a fall is seen when two of them are done. */
static void test_a_fall_is_seen_before_its_block_is_done(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        scene_add(&scene, "v1", i, 0, logging_by_day);
    for (uint32_t now = DAY; now <= 3 * DAY; now += 4) {
        scene_run(&scene, now);
        assert_int_equal(confirmed(), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_grows_by_a_power_of_the_work_is_no_leak, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_bends_gives_no_name_to_what_leaks, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_where_no_load_is_known_a_morning_makes_no_line, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_jobs_tell_no_load, setup, teardown),
        cmocka_unit_test_setup_teardown(test_where_no_load_is_known_what_repeats_is_a_leak, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_steps_give_no_name_to_what_leaks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_leak_behind_a_cache_that_filled_is_found_later,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_fills_for_a_day_is_no_leak, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_goes_on_after_a_day_is_a_leak_soon, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_very_short_lives_tell_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_rolled_out_in_mid_life_is_no_leak, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_begins_late_and_goes_on_is_a_leak, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_what_begins_late_waits_no_longer_where_no_load_is_known, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_a_restart_does_not_end_is_no_leak, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_steps_at_other_times_in_each_life_are_no_line, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_fell_back_from_as_high_is_no_leak, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_fall_is_seen_before_its_block_is_done, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_fell_back_by_less_than_it_grows_is_a_leak, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
