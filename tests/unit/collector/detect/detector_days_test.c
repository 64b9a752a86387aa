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

static double none_of_it(uint32_t type, const char *version, uint32_t bin)
{
    return type < 3 ? NAN : type == 4 ? 0 : scene_steady(type, version, bin);
}

/* Nor is what came with its class: the store may have come with it. */
static void test_what_was_not_there_is_no_witness(void **state)
{
    (void)state;
    run_days(none_of_it, 200);
    assert_null(confirmed());
}

static void test_a_quiet_day_is_not_clean(void **state)
{
    (void)state;
    run_days(leaking_by_load, 40);
    assert_null(confirmed());
}

/* ---- a day of rest --------------------------------------------------------------------------- */

enum { SUNDAY = 700, MONDAY = 1430, REST_PARTS = 20 };

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

/* None of it at all, and as little to do. */
static void test_a_rest_from_all_work_is_no_end_of_a_leak(void **state)
{
    (void)state;
    assert_int_equal(resolved_by_monday(leaking_until_sunday, work_but_on_sunday), 0);
}

static void test_what_stops_while_there_is_work_has_stopped(void **state)
{
    (void)state;
    assert_int_equal(resolved_by_monday(leaking_until_sunday, NULL), 1);
}

/* ---- the day's shape ------------------------------------------------------------------------- */

enum { DAY = SCENE_HORIZON * 4 / 5 };

/* By day much more than by night; lives begin in the morning. */
static double work_by_day(uint32_t bin)
{
    return bin + 0.6 * DAY / 6.2832 * (1 - cos(6.2832 * bin / DAY));
}

static double leaking_by_day(uint32_t type, const char *version, uint32_t bin)
{
    return scene_leaking(type, version, (uint32_t)work_by_day(bin));
}

/* Full long before the night is over. */
static double filling_by_day(uint32_t type, const char *version, uint32_t bin)
{
    double full = type == 0 ? 600 * (1 - exp(-work_by_day(bin) / 80)) : 0;
    return scene_steady(type, version, bin) + full;
}

static void test_a_line_over_the_work_is_as_good_as_one_over_time(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        scene_add(&scene, "v1", i, 0, leaking_by_day)->work = work_by_day;
    scene_run(&scene, SCENE_HORIZON - 30);
    assert_non_null(confirmed());
    assert_string_equal(confirmed()->type, "shop.Cart");
}

/* Each request keeps a cart and four dicts; and there are carts at work, by day more than by
 * night. */
static double keeping_and_using(uint32_t type, const char *version, uint32_t bin)
{
    static const double each[SCENE_TYPES] = {1, 4};
    double load = 1 + 0.6 * sin(6.2832 * bin / DAY);
    return scene_steady(type, version, bin) +
           each[type] * scene_leaked((uint32_t)work_by_day(bin), 2) + (type == 0 ? 200 * load : 0);
}

/* In the evening there are fewer carts, and more dicts. */
static void test_what_follows_the_load_names_what_it_keeps(void **state)
{
    (void)state;
    const uint32_t deployed = SCENE_HORIZON * 2 / 3;
    for (uint32_t i = 0; i < 3; i++) {
        scene_add(&scene, "v1", i, deployed + i, keeping_and_using)->work = work_by_day;
        scene_add(&scene, "v2", deployed + i, 0, keeping_and_using)->work = work_by_day;
    }
    for (uint32_t now = deployed; confirmed() == NULL; now++)
        scene_run(&scene, now);
    assert_string_equal(confirmed()->type, "shop.Cart");
    assert_string_equal(confirmed()->introduced_in, "");
    assert_string_equal(confirmed()->oldest_in, "v1");
}

/* Lives begin in the evening. */
static double work_by_night(uint32_t bin)
{
    return 2.0 * bin - work_by_day(bin);
}

/* Kept by a timer, so that over the work it bends; a few at work make that as good an axis. */
static double keeping_by_timer(uint32_t type, const char *version, uint32_t bin)
{
    double load = 1 - 0.6 * sin(6.2832 * bin / DAY);
    return scene_steady(type, version, bin) + (type <= 1 ? scene_leaked(bin, 2) : 0) +
           (type == 0 ? 30 * load : 0);
}

static void test_what_pieces_follow_closely_is_as_straight_as_they_are(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        scene_add(&scene, "v1", i, 0, keeping_by_timer)->work = work_by_night;
    scene_run(&scene, SCENE_HORIZON + 6);
    assert_non_null(confirmed());
    assert_string_equal(confirmed()->type, "shop.Cart");
}

/* Nobody knows the work: only what one version's evening hands over to the next one's. */
static void run_blind_days(scene_model_fn *model)
{
    static const char *const versions[] = {"v1", "v2", "v3", "v4"};
    for (uint32_t i = 0; i < ARRAY_SIZE(versions); i++)
        scene_add(&scene, versions[i], i * DAY, (i + 1) * DAY, i == 0 ? scene_steady : model)
            ->process.cpu_ms = 0;
    scene_run(&scene, ARRAY_SIZE(versions) * DAY);
}

static void test_what_is_handed_over_is_a_leak(void **state)
{
    (void)state;
    run_blind_days(leaking_by_day);
    assert_non_null(confirmed());
    assert_string_equal(confirmed()->type, "shop.Cart");
    assert_int_equal(confirmed()->rule, VERDICT_RULE_B);
    assert_string_equal(confirmed()->introduced_in, "v2");
}

static void test_what_is_full_by_then_is_none(void **state)
{
    (void)state;
    run_blind_days(filling_by_day);
    assert_null(confirmed());
}

/* ---- a leak that comes at night -------------------------------------------------------------- */

static double leaking_at_night(uint32_t type, const char *version, uint32_t bin)
{
    static const double drag[SCENE_TYPES] = {1, 1, 3};
    uint32_t nights = (bin + DAY / 3) / DAY;
    return scene_steady(type, version, bin) + drag[type] * 200 * nights;
}

/* The version after it has not had a night before it has had an evening. */
static void test_what_comes_at_night_is_not_fixed_by_day(void **state)
{
    (void)state;
    const struct verdict *verdict;
    uint32_t last = 8 * DAY;
    for (uint32_t i = 0; i < 3; i++) {
        scene_add(&scene, "v1", i, last + i, leaking_at_night);
        scene_add(&scene, "v2", last + i, 0, leaking_at_night);
    }
    scene_run(&scene, last);
    assert_non_null(confirmed());
    for (uint32_t now = last; now <= last + 2 * DAY; now += 12) {
        scene_run(&scene, now);
        assert_int_equal(scene_verdicts(&scene, VERDICT_RESOLVED, &verdict), 0);
    }
}

/* ---- creep ----------------------------------------------------------------------------------- */

enum { CREEP_VERSIONS = 8, CREEP_LIFE = 90, CREEP_LIVES = 2 };

static double creeping(uint32_t type, const char *version, uint32_t bin)
{
    double steady = scene_steady(type, version, 0);
    (void)bin;
    return type == 0 ? steady * pow(1.08, version[1] - '1') : steady;
}

/* As it would, if more were done: three tenths more each day, on the whole. */
static double creeping_with_load(uint32_t type, const char *version, uint32_t bin)
{
    return creeping(type, version, bin) * (type == 0 ? 1 + 0.2 * (bin / 12 % 2) : 1);
}

/* The floors creep, but each life falls back by much more, over and over. */
static double creeping_garbage(uint32_t type, const char *version, uint32_t bin)
{
    return creeping(type, version, bin) + (type == 0 ? 80 * (bin % 12) : 0);
}

static double changing_work(uint32_t bin)
{
    uint32_t whole = bin / 24;
    return bin + 0.2 * ((bin / 12 % 2) * (bin % 12) + whole * 12.0);
}

static uint32_t crept(scene_model_fn *model)
{
    static const char *const versions[CREEP_VERSIONS] = {"v1", "v2", "v3", "v4",
                                                         "v5", "v6", "v7", "v8"};
    const struct verdict *verdict;
    for (uint32_t i = 0; i < CREEP_VERSIONS; i++)
        for (uint32_t k = 0; k < CREEP_LIVES; k++) {
            struct scene_life *life =
                scene_add(&scene, versions[i], CREEP_LIFE * i + k, CREEP_LIFE * (i + 1), model);
            life->work = changing_work;
            life->process.cpu_ms = (uint64_t)(1000 * pow(1.3, i));
        }
    scene_run(&scene, CREEP_VERSIONS * CREEP_LIFE);
    return scene_verdicts(&scene, VERDICT_SUSPECT, &verdict);
}

static void test_more_load_explains_nothing_of_what_does_not_follow_it(void **state)
{
    (void)state;
    assert_int_equal(crept(creeping), 1);
}

static void test_more_load_explains_what_follows_it(void **state)
{
    (void)state;
    assert_int_equal(crept(creeping_with_load), 0);
}

static void test_floors_of_garbage_do_not_creep(void **state)
{
    (void)state;
    assert_int_equal(crept(creeping_garbage), 0);
}

/* Lives of one version differ, by half of their mean, or by a tenth. */
static double creeping_times(uint32_t type, const char *version, double factor)
{
    double steady = scene_steady(type, version, 0);
    return type == 0 ? factor * steady * pow(1.16, version[1] - '1') : steady;
}
static double creeping_few(uint32_t type, const char *version, uint32_t bin)
{
    (void)bin;
    return creeping_times(type, version, 0.5);
}
static double creeping_many(uint32_t type, const char *version, uint32_t bin)
{
    (void)bin;
    return creeping_times(type, version, 1.5);
}
static double creeping_less(uint32_t type, const char *version, uint32_t bin)
{
    (void)bin;
    return creeping_times(type, version, 0.9);
}
static double creeping_more(uint32_t type, const char *version, uint32_t bin)
{
    (void)bin;
    return creeping_times(type, version, 1.1);
}
static double creeping_alike(uint32_t type, const char *version, uint32_t bin)
{
    (void)bin;
    return creeping_times(type, version, 1);
}

static uint32_t crept_among(scene_model_fn *least, scene_model_fn *most)
{
    static const char *const versions[CREEP_VERSIONS] = {"v1", "v2", "v3", "v4",
                                                         "v5", "v6", "v7", "v8"};
    const struct verdict *verdict;
    scene_model_fn *const models[] = {least, creeping_alike, most};
    for (uint32_t i = 0; i < CREEP_VERSIONS; i++)
        for (uint32_t k = 0; k < ARRAY_SIZE(models); k++)
            scene_add(&scene, versions[i], CREEP_LIFE * i + k, CREEP_LIFE * (i + 1), models[k]);
    scene_run(&scene, CREEP_VERSIONS * CREEP_LIFE);
    return scene_verdicts(&scene, VERDICT_SUSPECT, &verdict);
}

static void test_lives_that_differ_by_more_do_not_creep(void **state)
{
    (void)state;
    assert_int_equal(crept_among(creeping_few, creeping_many), 0);
}

static void test_lives_that_differ_by_less_creep(void **state)
{
    (void)state;
    assert_int_equal(crept_among(creeping_less, creeping_more), 1);
}

/* ---- what a day's load makes of a slope ------------------------------------------------------ */

enum { FIRST_LIFE = 300 };

/* `low`: bins at which there is least to do. */
static double load_at(uint32_t bin, double low)
{
    return 1 - 0.6 * cos(2 * M_PI * (bin - low) / DAY);
}

static double work_until(uint32_t bin, double low)
{
    double sum = 0;
    for (uint32_t i = 0; i < bin; i++)
        sum += load_at(i, low);
    return sum;
}

static double work_from_night(uint32_t bin)
{
    return work_until(bin, 70);
}

static double work_from_day(uint32_t bin)
{
    return work_until(bin, 230);
}

static double following(uint32_t type, const char *version, uint32_t bin)
{
    return scene_steady(type, version, bin) + (type == 0 ? 800 * load_at(bin, 70) : 0);
}

static double following_and_leaking(uint32_t type, const char *version, uint32_t bin)
{
    return following(type, version, bin) + (type == 0 ? scene_leaked(bin, 4) : 0);
}

static double following_by_day_and_leaking(uint32_t type, const char *version, uint32_t bin)
{
    double load = type == 0 ? 800 * load_at(bin, 230) + scene_leaked(bin, 4) : 0;
    return scene_steady(type, version, bin) + load;
}

static void test_a_day_does_not_make_a_clean_version_leak(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        scene_add(&scene, "v1", i, FIRST_LIFE + i, following)->work = work_from_night;
        scene_add(&scene, "v2", FIRST_LIFE + i, 0, following_and_leaking)->work = work_from_night;
    }
    scene_run(&scene, FIRST_LIFE + 4 * DAY);
    assert_non_null(confirmed());
    assert_string_equal(confirmed()->introduced_in, "v2");
}

static void test_a_load_that_falls_fixes_nothing(void **state)
{
    (void)state;
    const struct verdict *verdict;
    uint32_t last = 4 * DAY;
    for (uint32_t i = 0; i < 3; i++) {
        scene_add(&scene, "v1", i, last + i, following_and_leaking)->work = work_from_night;
        scene_add(&scene, "v2", last + i, 0, following_by_day_and_leaking)->work = work_from_day;
    }
    scene_run(&scene, last);
    assert_non_null(confirmed());
    for (uint32_t now = last; now <= last + 2 * DAY; now += 12) {
        scene_run(&scene, now);
        assert_int_equal(scene_verdicts(&scene, VERDICT_RESOLVED, &verdict), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_three_days_in_a_row_are_witnesses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_always_grew_is_not_new, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_was_not_there_is_no_witness, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_quiet_day_is_not_clean, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_day_of_rest_is_no_end_of_a_leak, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_rest_from_all_work_is_no_end_of_a_leak, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_line_over_the_work_is_as_good_as_one_over_time,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_follows_the_load_names_what_it_keeps, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_pieces_follow_closely_is_as_straight_as_they_are,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_handed_over_is_a_leak, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_full_by_then_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_comes_at_night_is_not_fixed_by_day, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_more_load_explains_nothing_of_what_does_not_follow_it,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_more_load_explains_what_follows_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_day_does_not_make_a_clean_version_leak, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_load_that_falls_fixes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_floors_of_garbage_do_not_creep, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lives_that_differ_by_more_do_not_creep, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_lives_that_differ_by_less_creep, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_stops_while_there_is_work_has_stopped, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
