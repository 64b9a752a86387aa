/* Leaks in lives of a day, deployed again before any of them is old enough to be judged; and days
 * on which there is little to do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "detect_scene.h"

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

static const struct verdict *confirmed(void)
{
    const struct verdict *verdict;
    return scene_verdicts(&scene, VERDICT_CONFIRMED, &verdict) == 1 ? verdict : NULL;
}

static double leaking_by_load(uint32_t type, const char *version, uint32_t bin)
{
    return scene_steady(type, version, bin) +
           0.2 * (scene_leaking(type, version, bin) - scene_steady(type, version, bin));
}

static void run_days(scene_model_fn *before, uint64_t cpu_ms)
{
    struct scene_life *first = scene_add(&scene, "v1", 0, 150, before);
    first->process.cpu_ms = cpu_ms;
    scene_add(&scene, "v2", 150, 402, scene_leaking);
    scene_add(&scene, "v3", 402, 654, scene_leaking);
    scene_add(&scene, "v4", 654, 906, scene_leaking);
    scene_run(&scene, 840);
    assert_null(confirmed());
    scene_run(&scene, 905);
}

static void test_three_days_in_a_row_are_witnesses(void **state)
{
    (void)state;
    run_days(scene_steady, 200);
    assert_non_null(confirmed());
    assert_string_equal(confirmed()->type, "shop.Cart");
    assert_int_equal(confirmed()->rule, VERDICT_RULE_B);
    assert_int_equal(confirmed()->evidence.versions_rising, 3);
    assert_non_null(strstr(confirmed()->reason, "3 versions in a row, 3 of 3 lives"));
    assert_int_equal(confirmed()->evidence.lives, 3);
    assert_string_equal(confirmed()->introduced_in, "v2");
}

/* It may be a store that each deployment empties. */
static void test_what_always_grew_is_not_new(void **state)
{
    (void)state;
    run_days(scene_leaking, 200);
    assert_null(confirmed());
}

static void test_a_quiet_day_is_not_clean(void **state)
{
    (void)state;
    run_days(leaking_by_load, 40);
    assert_null(confirmed());
}

/* ---- a day of rest --------------------------------------------------------------------------- */

enum { SUNDAY = 700, MONDAY = 1340, REST_PARTS = 20 };

static double work_but_on_sunday(uint32_t bin)
{
    double rest = bin <= SUNDAY ? 0 : (bin < MONDAY ? bin : MONDAY) - SUNDAY;
    return bin - rest * (REST_PARTS - 1) / REST_PARTS;
}

static double leaking_by_work(uint32_t type, const char *version, uint32_t bin)
{
    return scene_leaking(type, version, (uint32_t)work_but_on_sunday(bin));
}

static double leaking_until_sunday(uint32_t type, const char *version, uint32_t bin)
{
    return scene_leaking(type, version, bin < SUNDAY ? bin : SUNDAY);
}

/* A finding that is resolved is told for a horizon. */
static int resolved_by_monday(scene_model_fn *model, scene_work_fn *work)
{
    const struct verdict *verdict;
    uint32_t resolved = 0;
    for (uint32_t i = 0; i < 3; i++)
        scene_add(&scene, "v1", i, 0, model)->work = work;
    scene_run(&scene, SUNDAY);
    assert_non_null(confirmed());
    for (uint32_t bin = SUNDAY; bin <= MONDAY; bin += SCENE_HORIZON / 2) {
        scene_run(&scene, bin);
        resolved += scene_verdicts(&scene, VERDICT_RESOLVED, &verdict);
    }
    return resolved > 0;
}

static void test_a_day_of_rest_is_no_end_of_a_leak(void **state)
{
    (void)state;
    assert_int_equal(resolved_by_monday(leaking_by_work, work_but_on_sunday), 0);
}

static void test_what_stops_while_there_is_work_has_stopped(void **state)
{
    (void)state;
    assert_int_equal(resolved_by_monday(leaking_until_sunday, NULL), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_three_days_in_a_row_are_witnesses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_always_grew_is_not_new, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_quiet_day_is_not_clean, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_day_of_rest_is_no_end_of_a_leak, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_stops_while_there_is_work_has_stopped, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
