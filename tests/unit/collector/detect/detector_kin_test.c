/* Two types grow with each other in every life there is now: other lives tell whether they are one
 * leak. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "detect_scene.h"
#include "kin.h"

enum {
    CART,
    DICT,
    STR,
    USER,
    LIVES = 3,
    SECOND = SCENE_HORIZON * 2, /* when the second version is deployed, and the third */
    THIRD = SCENE_HORIZON * 4,
    END = SCENE_HORIZON * 6,
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

/* All lives of a version end with the next one's deployment. */
static void deploy(const char *version, uint32_t start, uint32_t end, scene_model_fn *model)
{
    for (uint32_t i = 0; i < LIVES; i++)
        scene_add(&scene, version, start + i, end == 0 ? 0 : end + i, model);
}

static uint32_t count_of(const char *type, enum verdict_tier tier, struct verdict *ret)
{
    uint32_t count;
    uint32_t found = 0;
    const struct verdict *verdicts = detector_verdicts(scene.detector, &count);
    for (uint32_t i = 0; i < count; i++)
        if (verdicts[i].tier == tier && strcmp(verdicts[i].type, type) == 0) {
            *ret = verdicts[i];
            found++;
        }
    return found;
}

static uint32_t confirmed_count(void)
{
    const struct verdict *verdict;
    return scene_verdicts(&scene, VERDICT_CONFIRMED, &verdict);
}

static uint32_t resolved_count(void)
{
    const struct verdict *verdict;
    return scene_verdicts(&scene, VERDICT_RESOLVED, &verdict);
}

/* ---- versions -------------------------------------------------------------------------------- */

static int is_first(const char *version)
{
    return strcmp(version, "v1") == 0;
}

/* A few carts since the first version; dicts since the second, and more of them. */
static double dicts_since_second(uint32_t type, const char *version, uint32_t bin)
{
    double carts = type == CART ? scene_leaked(bin, 1) : 0;
    double dicts = type == DICT && !is_first(version) ? scene_leaked(bin, 30) : 0;
    return scene_steady(type, version, bin) + carts + dicts;
}

static void test_a_small_leak_hides_no_later_one(void **state)
{
    (void)state;
    struct verdict verdict;
    deploy("v1", 0, SECOND, dicts_since_second);
    deploy("v2", SECOND, 0, dicts_since_second);
    scene_run(&scene, SECOND + 2 * SCENE_HORIZON);
    assert_int_equal(confirmed_count(), 2);
    assert_int_equal(count_of("dict", VERDICT_CONFIRMED, &verdict), 1);
    assert_string_equal(verdict.introduced_in, "v2");
    assert_int_equal(count_of("shop.Cart", VERDICT_CONFIRMED, &verdict), 1);
}

/* Each cart has a dict; since the second version, others leak many more. */
static double carts_have_dicts(uint32_t type, const char *version, uint32_t bin)
{
    double one = type == DICT ? scene_leaked(bin, 1) : 0;
    return dicts_since_second(type, version, bin) + one;
}

static void test_nor_does_one_whose_companions_they_were(void **state)
{
    (void)state;
    struct verdict verdict;
    deploy("v1", 0, SECOND, carts_have_dicts);
    deploy("v2", SECOND, 0, carts_have_dicts);
    scene_run(&scene, SECOND - 2);
    assert_int_equal(count_of("shop.Cart", VERDICT_CONFIRMED, &verdict), 1);
    assert_int_equal(verdict.companion_count, 1);
    assert_string_equal(verdict.companions[0], "dict");
    scene_run(&scene, SECOND + 2 * SCENE_HORIZON);
    assert_int_equal(count_of("dict", VERDICT_CONFIRMED, &verdict), 1);
}

static void test_a_small_leak_hides_no_later_one_of_native_memory(void **state)
{
    (void)state;
    struct verdict verdict;
    deploy("v1", 0, SECOND, dicts_since_second);
    deploy("v2", SECOND, 0, dicts_since_second);
    for (uint32_t i = 0; i < scene.life_count; i++) {
        scene.lives[i].process.rss_bytes = 200 << 20;
        scene.lives[i].process.not_objects_bytes = 100 << 20;
        scene.lives[i].native_per_bin = i < LIVES ? 0 : 100 << 10;
        scene.lives[i].model = scene_leaking;
    }
    scene_run(&scene, SECOND + 2 * SCENE_HORIZON);
    assert_int_equal(count_of("(native memory)", VERDICT_CONFIRMED, &verdict), 1);
    assert_string_equal(verdict.introduced_in, "v2");
}

/* Carts since the second version, users, the rarer ones, since the third. */
static double one_after_the_other(uint32_t type, const char *version, uint32_t bin)
{
    double carts = type == CART && !is_first(version) ? scene_leaked(bin, 4) : 0;
    double users = type == USER && strcmp(version, "v3") == 0 ? scene_leaked(bin, 2) : 0;
    return scene_steady(type, version, bin) + carts + users;
}

static void test_an_older_leak_is_no_part_of_a_newer_one(void **state)
{
    (void)state;
    struct verdict verdict;
    deploy("v1", 0, SECOND, one_after_the_other);
    deploy("v2", SECOND, THIRD, one_after_the_other);
    deploy("v3", THIRD, 0, one_after_the_other);
    scene_run(&scene, END);
    assert_int_equal(resolved_count(), 0);
    assert_int_equal(confirmed_count(), 2);
    assert_int_equal(count_of("shop.Cart", VERDICT_CONFIRMED, &verdict), 1);
    assert_string_equal(verdict.introduced_in, "v2");
    assert_int_equal(count_of("shop.User", VERDICT_CONFIRMED, &verdict), 1);
    assert_string_equal(verdict.introduced_in, "v3");
}

/* The same number of dicts and strings for each cart, in any version. */
static void test_companions_of_all_versions_stay_companions(void **state)
{
    (void)state;
    struct verdict verdict;
    deploy("v1", 0, SECOND, scene_leaking);
    deploy("v2", SECOND, 0, scene_leaking);
    scene_run(&scene, SECOND + 2 * SCENE_HORIZON);
    assert_int_equal(confirmed_count(), 1);
    assert_int_equal(count_of("shop.Cart", VERDICT_CONFIRMED, &verdict), 1);
    assert_int_equal(verdict.companion_count, 2);
}

/* A table that has all carts: in the first version it had room for more than came, in the second
 * it grows by an eighth whenever it is full. */
static double carts_in_a_table(uint32_t type, const char *version, uint32_t bin)
{
    return scene_steady(type, version, bin) + (type == CART ? scene_leaked(bin, 10) : 0);
}

static double table_bytes(uint32_t type, const char *version, uint32_t bin)
{
    double room = 600 << 10;
    if (type != DICT)
        return 100 * carts_in_a_table(type, version, bin);
    while (!is_first(version) && room < (550 << 10) + 150 * scene_leaked(bin, 10))
        room *= 1.125;
    return is_first(version) ? 8 << 20 : room;
}

static void test_a_table_that_had_room_before_is_no_second_leak(void **state)
{
    (void)state;
    struct verdict verdict;
    deploy("v1", 0, SECOND, carts_in_a_table);
    deploy("v2", SECOND, 0, carts_in_a_table);
    for (uint32_t i = 0; i < scene.life_count; i++)
        scene.lives[i].bytes = table_bytes;
    scene_run(&scene, SECOND + 2 * SCENE_HORIZON);
    assert_int_equal(confirmed_count(), 1);
    assert_int_equal(count_of("shop.Cart", VERDICT_CONFIRMED, &verdict), 1);
    assert_int_equal(verdict.companion_count, 1);
    assert_string_equal(verdict.companions[0], "dict");
}

/* Dicts of a cache that was filled in the first version, and is full from the start in the second.
 */
static double after_a_cache(uint32_t type, const char *version, uint32_t bin)
{
    double filled = is_first(version) ? 3000 * (1 - exp(-(double)bin / 120)) : 3000;
    return is_first(version) ? scene_steady(type, version, bin) + (type == DICT ? filled : 0)
                             : scene_leaking(type, version, bin) + (type == DICT ? filled : 0);
}

static void test_a_warm_up_before_makes_no_second_leak(void **state)
{
    (void)state;
    struct verdict verdict;
    deploy("v1", 0, SECOND, after_a_cache);
    deploy("v2", SECOND, 0, after_a_cache);
    scene_run(&scene, SECOND + 2 * SCENE_HORIZON);
    assert_int_equal(confirmed_count(), 1);
    assert_int_equal(count_of("shop.Cart", VERDICT_CONFIRMED, &verdict), 1);
}

/* ---- lives of one version -------------------------------------------------------------------- */

static double some_have_dicts_too(uint32_t type, const char *version, uint32_t bin)
{
    double carts = type == CART ? scene_leaked(bin, 4) : 0;
    double dicts = type == DICT && strcmp(version, "v1") != 0 ? scene_leaked(bin, 30) : 0;
    return scene_steady(type, version, bin) + carts + dicts;
}

static double carts_alone(uint32_t type, const char *version, uint32_t bin)
{
    (void)version;
    return some_have_dicts_too(type, "v1", bin);
}

static void test_what_only_some_lives_have_is_another_leak(void **state)
{
    (void)state;
    struct verdict verdict;
    deploy("v2", 0, 0, some_have_dicts_too);
    deploy("v2", 0, 0, carts_alone);
    scene_run(&scene, 3 * SCENE_HORIZON);
    assert_int_equal(confirmed_count(), 2);
    assert_int_equal(count_of("dict", VERDICT_CONFIRMED, &verdict), 1);
}

/* The next carts come in a busier hour. */
static double at_night(uint32_t type, const char *version, uint32_t bin)
{
    double grown = type == CART ? 2.0 * bin : type == DICT ? 8.0 * bin : 0;
    return scene_steady(type, version, bin) + grown;
}

static double by_day(uint32_t type, const char *version, uint32_t bin)
{
    double grown = type == CART || type == DICT ? 8.0 * bin : 0;
    return scene_steady(type, version, bin) + grown;
}

static double carts_by_day(uint32_t type, const char *version, uint32_t bin)
{
    return type == CART ? by_day(type, version, bin) : scene_steady(type, version, bin);
}

static int is_apart_after(uint32_t uptime, const char *version, scene_model_fn *busy)
{
    struct judge_look look = {.from = LIFE_START_UP_BINS, .to = uptime, .growing_count = 1};
    scene_add(&scene, "v1", 0, 0, at_night);
    scene_add(&scene, version, 0, 0, busy);
    scene_add(&scene, version, 0, 0, busy);
    scene_run(&scene, uptime + 2);
    const struct kin_side cart = {
        (uint32_t)detector_type(scene.detector, scene_types[CART], strlen(scene_types[CART])),
        LIFE_COUNT};
    const struct kin_side dict = {
        (uint32_t)detector_type(scene.detector, scene_types[DICT], strlen(scene_types[DICT])),
        LIFE_COUNT};
    return kin_is_apart(scene.detector, cart, dict, &look);
}

static void assert_told_by_a_day(const char *version, scene_model_fn *busy)
{
    scene_end(&scene);
    scene_begin(&scene);
    assert_false(is_apart_after(SCENE_HORIZON / 3, version, busy));
    scene_end(&scene);
    scene_begin(&scene);
    assert_true(is_apart_after(SCENE_HORIZON, version, busy));
}

static void test_lives_tell_when_they_have_seen_a_day(void **state)
{
    (void)state;
    assert_told_by_a_day("v1", carts_by_day);
    assert_told_by_a_day("v2", by_day);
}

/* ---- clock and work -------------------------------------------------------------------------- */

/* A day's waves; all of the work until a bin. */
static double daily_work(uint32_t bin)
{
    const double day = 2 * M_PI / (0.8 * SCENE_HORIZON);
    return bin + 0.7 / day * (1 - cos(day * bin));
}

static double by_clock_and_by_work(uint32_t type, const char *version, uint32_t bin)
{
    double carts = type == CART ? floor(3 * daily_work(bin)) : 0;
    double users = type == USER ? floor(bin * 2.0) : 0;
    return scene_steady(type, version, bin) + carts + users;
}

static double both_by_work(uint32_t type, const char *version, uint32_t bin)
{
    double carts = type == CART ? floor(3 * daily_work(bin)) : 0;
    double users = type == USER ? floor(2 * daily_work(bin)) : 0;
    return scene_steady(type, version, bin) + carts + users;
}

static void run_under_load(scene_model_fn *model)
{
    deploy("v1", 0, 0, model);
    for (uint32_t i = 0; i < scene.life_count; i++)
        scene.lives[i].work = daily_work;
    scene_run(&scene, 2 * SCENE_HORIZON);
}

static void test_a_timer_and_requests_are_two_leaks(void **state)
{
    (void)state;
    struct verdict verdict;
    run_under_load(by_clock_and_by_work);
    assert_int_equal(count_of("shop.Cart", VERDICT_CONFIRMED, &verdict), 1);
    assert_int_equal(count_of("shop.User", VERDICT_CONFIRMED, &verdict), 1);
}

static void test_two_that_go_by_requests_are_one(void **state)
{
    (void)state;
    struct verdict verdict;
    run_under_load(both_by_work);
    assert_int_equal(confirmed_count(), 1);
    assert_int_equal(count_of("shop.User", VERDICT_CONFIRMED, &verdict), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_small_leak_hides_no_later_one, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nor_does_one_whose_companions_they_were, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_small_leak_hides_no_later_one_of_native_memory,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_older_leak_is_no_part_of_a_newer_one, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_companions_of_all_versions_stay_companions, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_table_that_had_room_before_is_no_second_leak, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_warm_up_before_makes_no_second_leak, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_only_some_lives_have_is_another_leak, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_lives_tell_when_they_have_seen_a_day, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_timer_and_requests_are_two_leaks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_that_go_by_requests_are_one, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
