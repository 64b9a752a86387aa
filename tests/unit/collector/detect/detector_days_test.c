/* Leaks in lives of a day, deployed again before any of them is old enough to be judged. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_three_days_in_a_row_are_witnesses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_always_grew_is_not_new, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_quiet_day_is_not_clean, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
