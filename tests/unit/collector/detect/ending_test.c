/* When a leak that was told is fixed, or has stopped, and when it only rests. */
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

enum { DAY = SCENE_HORIZON * 4 / 5, HOUR = DAY / 24 };

static uint32_t confirmed(void)
{
    const struct verdict *verdict;
    return scene_verdicts(&scene, VERDICT_CONFIRMED, &verdict);
}

/* The version in which it is fixed, "" if it has stopped, NULL if it goes on. */
static const char *resolved_in(void)
{
    const struct verdict *verdict;
    return scene_verdicts(&scene, VERDICT_RESOLVED, &verdict) == 0 ? NULL : verdict->fixed_in;
}

/* ---- deployed each day ----------------------------------------------------------------------- */

enum { LIFE = 252, FIRST_CLEAN = 5, LAST = 8 };

/* From noon until the next morning. */
static double work_from_noon(uint32_t bin)
{
    return bin + 0.6 * LIFE / M_PI * sin(M_PI * bin / LIFE);
}

static double leaking_in_v2_to_v4(uint32_t type, const char *version, uint32_t bin)
{
    return version[1] == '1' || version[1] - '0' >= FIRST_CLEAN
               ? scene_steady(type, version, bin)
               : scene_leaking(type, version, (uint32_t)work_from_noon(bin));
}

static void deploy_daily(void)
{
    static const char *const versions[] = {"v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8"};
    for (uint32_t i = 0; i < LAST; i++)
        for (uint32_t k = 0; k < 2; k++)
            scene_add(&scene, versions[i], i * LIFE + k, (i + 1) * LIFE + k, leaking_in_v2_to_v4)
                ->work = work_from_noon;
}

/* The load falls in each of them, and what that hides in one nobody knows. */
static void test_clean_versions_in_a_row_are_a_fix(void **state)
{
    (void)state;
    deploy_daily();
    scene_run(&scene, (FIRST_CLEAN - 1) * LIFE);
    assert_int_equal(confirmed(), 1);
    scene_run(&scene, (FIRST_CLEAN + 1) * LIFE);
    assert_null(resolved_in());
    scene_run(&scene, LAST * LIFE);
    assert_string_equal(resolved_in(), "v5");
}

/* ---- the class goes with the leak ------------------------------------------------------------ */

static double gone_in_v2(uint32_t type, const char *version, uint32_t bin)
{
    if (version[1] == '1')
        return type == 4 ? 0 : scene_leaking(type, version, bin);
    return type == 0 ? NAN : type == 4 ? 0 : scene_steady(type, version, bin);
}

static void test_a_version_without_the_class_is_a_fix(void **state)
{
    (void)state;
    const uint32_t deployed = 3 * SCENE_HORIZON / 2;
    for (uint32_t i = 0; i < 2; i++) {
        scene_add(&scene, "v1", i, deployed + i, gone_in_v2);
        scene_add(&scene, "v2", deployed + i, 0, gone_in_v2);
    }
    scene_run(&scene, deployed);
    assert_int_equal(confirmed(), 1);
    scene_run(&scene, deployed + SCENE_HORIZON);
    assert_string_equal(resolved_in(), "v2");
}

/* ---- weekends -------------------------------------------------------------------------------- */

enum {
    WEDNESDAY = 2 * DAY,
    FRIDAY_EVENING = 5 * DAY - 4 * HOUR,
    SATURDAY = 5 * DAY,
    MONDAY = 7 * DAY
};

/* Bins of office hours, from Monday 0:00 on. */
static double office_bins(uint32_t bin)
{
    uint32_t day = bin / DAY;
    uint32_t weekday = day % 7;
    uint32_t before = day / 7 * 5 + (weekday < 5 ? weekday : 5);
    double today = fmin(fmax((double)(bin % DAY) - 8 * HOUR, 0), 10 * HOUR);
    return before * 10.0 * HOUR + (weekday < 5 ? today : 0);
}

static double kept_in_office_hours(uint32_t type, const char *version, uint32_t bin, uint32_t until)
{
    uint32_t start = version[1] == '1' ? WEDNESDAY : FRIDAY_EVENING;
    uint32_t now = start + bin < until ? start + bin : until;
    double kept = floor(4 * (office_bins(now) - office_bins(start)));
    return scene_steady(type, version, bin) + (type <= 1 ? kept : 0);
}

static double leaking_in_office_hours(uint32_t type, const char *version, uint32_t bin)
{
    return kept_in_office_hours(type, version, bin, UINT32_MAX);
}

static double leaking_until_saturday(uint32_t type, const char *version, uint32_t bin)
{
    return kept_in_office_hours(type, version, bin, SATURDAY);
}

static double given_back_on_saturday(uint32_t type, const char *version, uint32_t bin)
{
    return WEDNESDAY + bin < SATURDAY ? leaking_in_office_hours(type, version, bin)
                                      : scene_steady(type, version, bin);
}

/* The service has work at all hours, least at three in the morning. */
static double work_of_days(uint32_t bin)
{
    return bin + 0.6 * DAY / (2 * M_PI) * (1 - cos(2 * M_PI * ((double)bin / DAY - 9.0 / 24)));
}

static double work_from_friday(uint32_t bin)
{
    return work_of_days(FRIDAY_EVENING + bin) - work_of_days(FRIDAY_EVENING);
}

/* Confirmed by the evening of Friday. */
static void run_from_wednesday(scene_model_fn *model, uint32_t end)
{
    for (uint32_t i = 0; i < 3; i++)
        scene_add(&scene, "v1", WEDNESDAY, end, model)->work = work_of_days;
    scene_run(&scene, FRIDAY_EVENING);
    assert_int_equal(confirmed(), 1);
}

static void goes_on_until(uint32_t until)
{
    for (uint32_t now = FRIDAY_EVENING; now < until; now += 2 * HOUR) {
        scene_run(&scene, now);
        assert_null(resolved_in());
    }
    assert_int_equal(confirmed(), 1);
}

static void test_a_weekend_is_no_end_of_a_leak(void **state)
{
    (void)state;
    run_from_wednesday(leaking_in_office_hours, 0);
    goes_on_until(MONDAY + DAY);
}

static void test_a_version_of_friday_evening_is_no_fix(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        scene_add(&scene, "v2", FRIDAY_EVENING, 0, leaking_in_office_hours)->work =
            work_from_friday;
    run_from_wednesday(leaking_in_office_hours, FRIDAY_EVENING);
    goes_on_until(MONDAY + 12 * HOUR);
}

static void test_what_rests_for_longer_than_a_weekend_has_stopped(void **state)
{
    (void)state;
    run_from_wednesday(leaking_until_saturday, 0);
    goes_on_until(MONDAY + 12 * HOUR);
    scene_run(&scene, SATURDAY + 7 * SCENE_HORIZON / 2);
    assert_string_equal(resolved_in(), "");
}

static void test_what_is_given_back_is_no_rest(void **state)
{
    (void)state;
    run_from_wednesday(given_back_on_saturday, 0);
    scene_run(&scene, SATURDAY + DAY);
    assert_string_equal(resolved_in(), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_clean_versions_in_a_row_are_a_fix, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_version_without_the_class_is_a_fix, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_weekend_is_no_end_of_a_leak, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_version_of_friday_evening_is_no_fix, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_rests_for_longer_than_a_weekend_has_stopped,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_given_back_is_no_rest, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
