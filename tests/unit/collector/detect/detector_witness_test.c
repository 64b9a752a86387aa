/*
 * What looks like a line in the lives that are judged, and what others tell of it: a cache that
 * another life has filled, and lives that are replaced after so many requests.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "detect_scene.h"

enum { FIRST_BINS = 3 * SCENE_HORIZON, NIGHTS = 4, NIGHT = 168, DAYS = 12, DAY = 50, KILLED = 24 };

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

/* How often, asked each half hour until then, a leak was told of. */
static uint32_t told_until(uint32_t bins)
{
    const struct verdict *verdict;
    uint32_t told = 0;
    for (; scene.now < bins; scene_run(&scene, scene.now + 6))
        told += scene_verdicts(&scene, VERDICT_CONFIRMED, &verdict);
    return told;
}

/* ---- what was filled before ------------------------------------------------------------------ */

/* It was filled in a quiet week before; now it is filled in a line until it is full. */
static double filling(uint32_t type, const char *version, uint32_t bin)
{
    double held = strcmp(version, "v1") == 0 ? 3000 * (1 - exp(-(double)bin / 150))
                                             : fmin(scene_leaked(bin, 6), 3000);
    return scene_steady(type, version, bin) + (type == 0 ? held : 0);
}

static double filling_for_ever(uint32_t type, const char *version, uint32_t bin)
{
    double held =
        strcmp(version, "v1") == 0 ? 3000 * (1 - exp(-(double)bin / 150)) : scene_leaked(bin, 6);
    return scene_steady(type, version, bin) + (type == 0 ? held : 0);
}

/* The life before was as large from its start on. */
static double large_before(uint32_t type, const char *version, uint32_t bin)
{
    double held = strcmp(version, "v1") == 0 ? 3000 : scene_leaked(bin, 6);
    return scene_steady(type, version, bin) + (type == 0 ? held : 0);
}

static void add_two_versions(scene_model_fn *model)
{
    for (uint32_t i = 0; i < 3; i++) {
        scene_add(&scene, "v1", i, FIRST_BINS + i, model);
        scene_add(&scene, "v2", FIRST_BINS + i, 0, model);
    }
}

static void test_what_another_life_has_filled_is_no_leak(void **state)
{
    (void)state;
    add_two_versions(filling);
    assert_int_equal(told_until(FIRST_BINS + 3 * SCENE_HORIZON), 0);
}

static void test_what_goes_on_where_it_was_full_is_a_leak(void **state)
{
    (void)state;
    add_two_versions(filling_for_ever);
    assert_int_equal(told_until(FIRST_BINS + SCENE_HORIZON), 0);
    assert_int_not_equal(told_until(FIRST_BINS + 2 * SCENE_HORIZON), 0);
}

static void test_a_life_that_did_not_grow_tells_of_no_cache(void **state)
{
    (void)state;
    add_two_versions(large_before);
    assert_int_not_equal(told_until(FIRST_BINS + SCENE_HORIZON + SCENE_HORIZON / 6), 0);
}

/* ---- younger lives beside old ones ----------------------------------------------------------- */

enum { ADDED = 5 * SCENE_HORIZON };

/* What every life fills in its first two horizons. */
static double filling_at_first(uint32_t type, const char *version, uint32_t bin)
{
    uint32_t until = bin < 2 * SCENE_HORIZON ? bin : 2 * SCENE_HORIZON;
    return scene_steady(type, version, bin) + (type == 0 ? scene_leaked(until, 3) : 0);
}

static void add_younger(scene_model_fn *old, scene_model_fn *younger)
{
    scene_add(&scene, "v1", 0, 0, old);
    scene_add(&scene, "v1", 1, 0, old);
    scene_add(&scene, "v1", ADDED, 0, younger);
}

static void test_a_life_that_was_added_is_judged_beside_old_ones(void **state)
{
    (void)state;
    add_younger(scene_steady, scene_leaking);
    assert_int_equal(told_until(ADDED + SCENE_HORIZON), 0);
    assert_int_not_equal(told_until(ADDED + SCENE_HORIZON * 3 / 2), 0);
    const struct verdict *verdict;
    scene_run(&scene, ADDED + 4 * SCENE_HORIZON);
    assert_int_equal(scene_verdicts(&scene, VERDICT_CONFIRMED, &verdict), 1);
    assert_int_equal(scene_verdicts(&scene, VERDICT_RESOLVED, &verdict), 0);
}

static void test_what_old_lives_have_filled_is_no_leak_of_one_that_was_added(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2; i++)
        scene_add(&scene, "v1", i, 0, filling_at_first);
    scene_run(&scene, ADDED);
    const struct verdict *verdict;
    uint32_t told = scene_verdicts(&scene, VERDICT_CONFIRMED, &verdict);
    scene_add(&scene, "v1", ADDED, 0, filling_at_first);
    for (; scene.now < ADDED + 3 * SCENE_HORIZON; scene_run(&scene, scene.now + 6))
        assert_int_equal(scene_verdicts(&scene, VERDICT_CONFIRMED, &verdict), told);
}

/* ---- less work than now ---------------------------------------------------------------------- */

/* The life before began at night; those that are killed now begin by day. */
static double work_from_night_on(uint32_t bin)
{
    return bin < 40 ? 0.4 * bin : bin - 24.0;
}

static double work_by_day(uint32_t bin)
{
    return bin;
}

/* What was asked for is kept for as long as those that are killed live. */
static double stored(uint32_t type, scene_work_fn *work, uint32_t bin)
{
    double since = bin < KILLED ? 0 : work(bin - KILLED);
    return scene_steady(type, "", bin) + (type == 0 ? 40 * (work(bin) - since) : 0);
}

static double stored_from_night_on(uint32_t type, const char *version, uint32_t bin)
{
    (void)version;
    return stored(type, work_from_night_on, bin);
}

static double stored_by_day(uint32_t type, const char *version, uint32_t bin)
{
    (void)version;
    return stored(type, work_by_day, bin);
}

static void test_a_store_that_a_quiet_life_has_filled_is_no_leak_of_busy_ones(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2; i++)
        scene_add(&scene, "v1", i, FIRST_BINS + i, stored_from_night_on)->work = work_from_night_on;
    for (uint32_t i = 0; i < 16; i++) {
        uint32_t start = FIRST_BINS + (KILLED + 2) * i;
        scene_add(&scene, "v2", start, start + KILLED, stored_by_day)->oom_killed = 1;
    }
    assert_int_equal(told_until(FIRST_BINS + 2 * SCENE_HORIZON), 0);
}

/* ---- lives of so many requests --------------------------------------------------------------- */

/* At night, requests come ever faster towards the morning; by day they come evenly. */
static double asked_by_night(uint32_t bin)
{
    return 1000 * pow((double)bin / NIGHT, 2);
}
static double asked_by_day(uint32_t bin)
{
    return 1000 * (double)bin / DAY;
}

/* A set of keys, by Heaps' law. */
static double keys_by_night(uint32_t type, const char *version, uint32_t bin)
{
    return scene_steady(type, version, bin) + (type == 0 ? 40 * sqrt(asked_by_night(bin)) : 0);
}
static double keys_by_day(uint32_t type, const char *version, uint32_t bin)
{
    return scene_steady(type, version, bin) + (type == 0 ? 40 * sqrt(asked_by_day(bin)) : 0);
}

/* Most of the work of a night is done in its last hours. */
static double late_work(uint32_t bin)
{
    return NIGHT * pow((double)bin / NIGHT, 6);
}
static double leaked_by_night(uint32_t type, const char *version, uint32_t bin)
{
    return scene_steady(type, version, bin) + (type == 0 ? 6 * late_work(bin) : 0);
}
static double leaked_by_day(uint32_t type, const char *version, uint32_t bin)
{
    return scene_steady(type, version, bin) + (type == 0 ? asked_by_day(bin) : 0);
}

static void add_recycled(scene_model_fn *night, scene_model_fn *day, scene_work_fn *work)
{
    for (uint32_t i = 0; i < NIGHTS + DAYS; i++) {
        uint32_t start = i < NIGHTS ? 120 * i : 40 * (i - NIGHTS);
        struct scene_life *life = scene_add(&scene, "v1", start, start + (i < NIGHTS ? NIGHT : DAY),
                                            i < NIGHTS ? night : day);
        life->work = i < NIGHTS ? work : NULL;
        life->process.cpu_ms = work != NULL ? 200 : 0;
    }
}

static void test_a_set_that_is_straight_by_night_bends_by_day(void **state)
{
    (void)state;
    add_recycled(keys_by_night, keys_by_day, NULL);
    assert_int_equal(told_until(3 * SCENE_HORIZON), 0);
}

static void test_a_leak_that_is_bent_by_night_is_straight_by_day(void **state)
{
    (void)state;
    add_recycled(leaked_by_night, leaked_by_day, late_work);
    assert_int_not_equal(told_until(3 * SCENE_HORIZON), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_another_life_has_filled_is_no_leak, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_goes_on_where_it_was_full_is_a_leak, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_life_that_was_added_is_judged_beside_old_ones, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_what_old_lives_have_filled_is_no_leak_of_one_that_was_added, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_life_that_did_not_grow_tells_of_no_cache, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_a_store_that_a_quiet_life_has_filled_is_no_leak_of_busy_ones, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_set_that_is_straight_by_night_bends_by_day, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_leak_that_is_bent_by_night_is_straight_by_day, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
