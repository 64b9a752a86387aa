/* Leaks in a class of which many are at work: its base follows the load, what leaks is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "detect_scene.h"

enum { DAY = SCENE_HORIZON * 4 / 5 };
static const double swing = 0.6;   /* of the load, by day and by night */
static const double at_work = 800; /* carts, at the mean load */

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

/* ---- models ---------------------------------------------------------------------------------- */

/* Lives begin in the evening, when there is ever less to do. */
static double evening_load(uint32_t bin)
{
    return 1 - swing * sin(6.2832 * bin / DAY);
}

static double evening_work(uint32_t bin)
{
    return bin - swing * DAY / 6.2832 * (1 - cos(6.2832 * bin / DAY));
}

/* Or at noon: soon it falls ever faster, but for what goes up and down within the hours. */
static double noon_work(uint32_t bin)
{
    const double hours = 0.3 * (1 - cos(6.2832 * bin / 33));
    return bin + hours +
           swing * DAY / 6.2832 * (sin(6.2832 * (bin - 36.0) / DAY) + sin(6.2832 * 36 / DAY));
}

static double growing_load(uint32_t bin)
{
    return 0.6 + bin / 900.0;
}

static double growing_work(uint32_t bin)
{
    return 0.6 * bin + bin * (double)bin / 1800;
}

static double working(uint32_t type, uint32_t bin, double load)
{
    return scene_steady(type, "", bin) + (type == 0 ? at_work * load : 0);
}

static double working_by_day(uint32_t type, const char *version, uint32_t bin)
{
    (void)version;
    return working(type, bin, evening_load(bin));
}

static double leaking_at_work(uint32_t type, const char *version, uint32_t bin)
{
    return working_by_day(type, version, bin) + (type == 0 ? scene_leaked(bin, 1.5) : 0);
}

static double working_ever_more(uint32_t type, const char *version, uint32_t bin)
{
    (void)version;
    return working(type, bin, growing_load(bin));
}

/* Carts at work, and the dicts and strings of those that are kept. */
static double leaking_with_parts(uint32_t type, const char *version, uint32_t bin)
{
    double leaked = scene_leaking(type, version, bin) - scene_steady(type, version, bin);
    return working_by_day(type, version, bin) + leaked;
}

static double leaking_parts(uint32_t type, const char *version, uint32_t bin)
{
    return type == 0 ? scene_steady(type, version, bin) : scene_leaking(type, version, bin);
}

/* Users are a cache that fills while strings leak. */
static double leaking_parts_beside_a_cache(uint32_t type, const char *version, uint32_t bin)
{
    double users = type == 3 ? 2000 * (1 - exp(-(double)bin / 50)) : 0;
    return leaking_parts(type, version, bin) + users;
}

/* Its process fills its container within 200 bins. */
static struct scene_life *add_urgent(const char *version, uint32_t start, uint32_t end,
                                     scene_model_fn *model)
{
    struct scene_life *life = scene_add(&scene, version, start, end, model);
    life->process.rss_bytes = 100000000;
    life->native_per_bin = 1200;
    life->process.container_limit_bytes = 100000000 + 200 * life->native_per_bin;
    return life;
}

/* ---- tests ----------------------------------------------------------------------------------- */

/* By half of what it leaks in a horizon it falls each evening, and that is no fall of a queue. */
static void test_what_goes_in_the_evening_is_not_what_leaks(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        scene_add(&scene, "v1", i, 0, leaking_at_work)->work = evening_work;
    scene_run(&scene, SCENE_HORIZON * 5 / 4);
    assert_non_null(confirmed());
    assert_string_equal(confirmed()->type, "shop.Cart");
    assert_true(confirmed()->evidence.elasticity > 0.3);
}

static void test_what_only_works_leaks_nothing(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        scene_add(&scene, "v1", i, 0, working_by_day)->work = evening_work;
    scene_add(&scene, "v1", 3, 0, working_ever_more)->work = growing_work;
    for (uint32_t now = SCENE_HORIZON / 2; now < 3 * SCENE_HORIZON; now += 12) {
        scene_run(&scene, now);
        assert_null(confirmed());
    }
}

/* The next version is deployed at the same time of the day, and leaks alike: while the load falls,
 * its count does, too. */
static void test_a_leak_behind_a_falling_load_is_not_fixed(void **state)
{
    (void)state;
    const struct verdict *verdict;
    const uint32_t deployed = 2 * DAY;
    for (uint32_t i = 0; i < 3; i++) {
        scene_add(&scene, "v1", i, deployed + i, leaking_at_work)->work = evening_work;
        scene_add(&scene, "v2", deployed + i, 0, leaking_at_work)->work = evening_work;
    }
    scene_run(&scene, deployed);
    assert_non_null(confirmed());
    for (uint32_t now = deployed; now < deployed + 2 * DAY; now += 6) {
        scene_run(&scene, now);
        assert_int_equal(scene_verdicts(&scene, VERDICT_RESOLVED, &verdict), 0);
    }
}

/* In the evening there are ever fewer carts, while the strings of those that leak are a line. */
static void test_an_urgent_leak_waits_for_its_class(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        add_urgent("v1", i, 0, leaking_with_parts)->work = evening_work;
    for (uint32_t now = 20; now < 190; now += 4) {
        scene_run(&scene, now);
        if (confirmed() != NULL)
            assert_string_equal(confirmed()->type, "shop.Cart");
    }
    assert_non_null(confirmed());
    assert_int_equal(confirmed()->rule, VERDICT_RULE_D);
}

static void test_an_urgent_leak_is_not_named_after_a_cache(void **state)
{
    (void)state;
    const struct verdict *verdict;
    for (uint32_t i = 0; i < 3; i++)
        add_urgent("v1", i, 0, leaking_parts_beside_a_cache)->work = noon_work;
    for (uint32_t now = 20; now < 190; now += 4) {
        scene_run(&scene, now);
        assert_null(confirmed());
    }
    assert_true(scene_verdicts(&scene, VERDICT_SUSPECT, &verdict) > 0);
}

/* There is no class: lives before tell that it is no cache. */
static void test_an_urgent_leak_of_strings_is_told(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        add_urgent("v1", i, 300 + i, scene_steady)->native_per_bin = 0;
        add_urgent("v2", 300 + i, 0, leaking_parts);
    }
    scene_run(&scene, 300 + 100);
    assert_non_null(confirmed());
    assert_int_equal(confirmed()->rule, VERDICT_RULE_D);
    assert_string_not_equal(confirmed()->type, "shop.Cart");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_goes_in_the_evening_is_not_what_leaks, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_only_works_leaks_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_leak_behind_a_falling_load_is_not_fixed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_an_urgent_leak_waits_for_its_class, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_urgent_leak_is_not_named_after_a_cache, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_an_urgent_leak_of_strings_is_told, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
