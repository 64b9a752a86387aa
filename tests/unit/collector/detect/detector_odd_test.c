/*
 * Services that are odd: sparse, still, damaged, with broken clocks, too many containers or
 * versions. None may crash, and none be taken for a leak; and beside each, where it makes sense,
 * the same with a leak, which must be found all the same.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "detect_scene.h"

/* The horizon, three major passes, and one that is under way. */
enum {
    VERDICT_BINS = SCENE_HORIZON + 4 * SCENE_HORIZON / 15,
    SERIES_OF_A_LIFE = 64, /* in chunks */
};

static struct detector *detector;

static int setup(void **state)
{
    (void)state;
    static const struct detect_config config = {.horizon_ms = SCENE_HORIZON_MS};
    detector = detector_new(&config);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    detector_free(detector);
    return 0;
}

/* Leaks, and creep, of which nothing may be said here either. */
static uint32_t settled(void)
{
    uint32_t count;
    uint32_t found = 0;
    const struct verdict *verdicts = detector_verdicts(detector, &count);
    for (uint32_t i = 0; i < count; i++)
        found += verdicts[i].tier != VERDICT_RESOLVED && verdict_is_settled(&verdicts[i]);
    return found;
}

/* One snapshot, of a service with one type. */
static void see(uint32_t life, const char *version, int64_t time_ms, uint64_t count)
{
    const struct detect_process process = {.cpu_ms = 1};
    struct detect_key key = scene_key(life);
    int number = detector_life(detector, &key, version, strlen(version), time_ms);
    const struct detect_value value = {detector_type(detector, "shop.Cart", 9), count, count * 100};
    if (number >= 0)
        detector_snapshot(detector, number, time_ms, &process, &value, 1);
}

/* Three containers of a model, for `bins`; never a leak on the way. Returns what is found then. */
static uint32_t run_model(scene_model_fn *model, uint32_t bins)
{
    struct scene scene = {.detector = detector};
    detector_free(detector);
    scene_begin(&scene);
    detector = scene.detector;
    for (uint32_t i = 0; i < 3; i++)
        scene_add(&scene, "v1", i, 0, model);
    scene_run(&scene, bins);
    return settled();
}

static void assert_never(scene_model_fn *model)
{
    for (uint32_t bins = 60; bins <= 3 * SCENE_HORIZON; bins += 90)
        assert_int_equal(run_model(model, bins), 0);
}

/* ---- sparse ---------------------------------------------------------------------------------- */

static const int64_t day_ms = (int64_t)24 * 3600 * 1000;

/* With the horizon of thirty hours. */
static uint32_t run_days(uint32_t days, double growth)
{
    static const struct detect_config config = {.horizon_ms = DETECT_HORIZON_DEFAULT_MS};
    detector_free(detector);
    detector = detector_new(&config);
    for (uint32_t day = 0; day < days; day++)
        for (uint32_t life = 0; life < 3; life++) {
            int64_t time_ms = scene_start_ms + day * day_ms + life * 1000;
            (void)detector_advance(detector, time_ms);
            see(life, "v1", time_ms, 1000 + (day + life) % 3 + (uint64_t)(growth * day));
        }
    return settled();
}

static void test_one_snapshot_a_day(void **state)
{
    (void)state;
    for (uint32_t days = 1; days < 60; days += 7)
        assert_int_equal(run_days(days, 0), 0);
    assert_int_equal(run_days(60, 20), 1);
}

static void test_two_points_are_no_line(void **state)
{
    (void)state;
    static const uint32_t gaps[] = {1, 20, SCENE_HORIZON / 2, SCENE_HORIZON, 5 * SCENE_HORIZON};
    for (size_t i = 0; i < ARRAY_SIZE(gaps); i++)
        for (uint32_t life = 0; life < 3; life++) {
            uint32_t first = 100 * (uint32_t)i + life;
            int64_t later_ms = scene_start_ms + (int64_t)gaps[i] * SCENE_BIN_MS;
            see(first, "v1", scene_start_ms, 1000);
            (void)detector_advance(detector, later_ms);
            see(first, "v1", later_ms, 1000000);
            for (int64_t wait = 0; wait <= 3 * SCENE_HORIZON; wait += 10) {
                (void)detector_advance(detector, later_ms + wait * SCENE_BIN_MS);
                assert_int_equal(settled(), 0);
            }
        }
}

/* ---- still, and damaged ---------------------------------------------------------------------- */

static double constant(uint32_t type, const char *version, uint32_t bin)
{
    (void)version, (void)bin;
    return 500 + 300.0 * type;
}

static double constant_but_one(uint32_t type, const char *version, uint32_t bin)
{
    return constant(type, version, bin) + (type == 0 ? scene_leaked(bin, 2) : 0);
}

static double zero(uint32_t type, const char *version, uint32_t bin)
{
    (void)type, (void)version, (void)bin;
    return 0;
}

static double zero_but_one(uint32_t type, const char *version, uint32_t bin)
{
    (void)version;
    return type == 0 ? scene_leaked(bin, 2) : 0;
}

static void test_constant_series(void **state)
{
    (void)state;
    assert_never(constant);
    assert_int_equal(run_model(constant_but_one, VERDICT_BINS), 1);
}

static void test_all_zero_series(void **state)
{
    (void)state;
    assert_never(zero);
    assert_int_equal(run_model(zero_but_one, VERDICT_BINS), 1);
}

static double stays_huge(uint32_t type, const char *version, uint32_t bin)
{
    return 0x1p63 + 4096.0 * scene_steady(type, version, bin);
}

static double grows_hugely(uint32_t type, const char *version, uint32_t bin)
{
    (void)type, (void)version;
    return 0x1p63 * (0.9 + bin / 1e5);
}

static double jumps_to_huge(uint32_t type, const char *version, uint32_t bin)
{
    return bin / 40 % 2 ? 0x1p63 : scene_steady(type, version, bin);
}

/* Such numbers are not damaged beyond doubt. */
static double jumps_to_large(uint32_t type, const char *version, uint32_t bin)
{
    return bin / 40 % 2 ? 0x1p50 : scene_steady(type, version, bin);
}

static double leaks_with_damage(uint32_t type, const char *version, uint32_t bin)
{
    return bin % 9 == 4 ? 0x1p63 : scene_leaking(type, version, bin);
}

static void test_counts_near_the_end_of_numbers(void **state)
{
    (void)state;
    assert_never(stays_huge);
    assert_never(grows_hugely);
    assert_never(jumps_to_huge);
    assert_never(jumps_to_large);
    assert_int_equal(run_model(leaks_with_damage, VERDICT_BINS), 1);
}

/* ---- clocks ---------------------------------------------------------------------------------- */

/* The clock of all containers is set back by `back` bins, every `every`. */
static uint32_t run_clock(uint32_t bins, uint32_t every, uint32_t back, double rate)
{
    (void)teardown(NULL);
    (void)setup(NULL);
    for (uint32_t bin = 0; bin < bins; bin++) {
        int64_t clock = (int64_t)bin - (int64_t)(bin / every) * back;
        int64_t time_ms = scene_start_ms + clock * SCENE_BIN_MS;
        (void)detector_advance(detector, time_ms);
        for (uint32_t life = 0; life < 3; life++)
            see(life, "v1", time_ms, 1000 + bin % 5 + (uint64_t)scene_leaked(bin, rate));
        if (rate <= 0)
            assert_int_equal(settled(), 0);
    }
    return settled();
}

static void test_a_clock_that_goes_back(void **state)
{
    (void)state;
    static const uint32_t backs[] = {1, 30, 90, 3 * SCENE_HORIZON};
    for (size_t i = 0; i < ARRAY_SIZE(backs); i++) {
        (void)run_clock(3 * SCENE_HORIZON, 100, backs[i], 0);
        (void)run_clock(3 * SCENE_HORIZON, 500, backs[i], 0);
    }
    assert_int_equal(run_clock(VERDICT_BINS + 150, 150, 30, 2), 1);
}

/* ---- too many -------------------------------------------------------------------------------- */

/* Ten thousand containers, of which the detector has room for few; a pass in every round. */
static uint32_t run_many(double rate)
{
    enum { CONTAINERS = 10000, ROUNDS = 50, ROUND = SCENE_HORIZON / 30 };
    uint32_t passed = 0;
    (void)teardown(NULL);
    (void)setup(NULL);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        int64_t time_ms = scene_start_ms + (int64_t)round * ROUND * SCENE_BIN_MS;
        passed += detector_advance(detector, time_ms) != 0;
        for (uint32_t i = 0; i < CONTAINERS; i++)
            see(i, "v1", time_ms + i % 60, 1000 + i % 3 + (uint64_t)scene_leaked(round, rate));
    }
    assert_true(passed >= ROUNDS - 1);
    assert_true(detector_size(detector).series <= (uint64_t)DETECT_LIVES_MAX * SERIES_OF_A_LIFE);
    return settled();
}

static void test_ten_thousand_containers(void **state)
{
    (void)state;
    assert_int_equal(run_many(0), 0);
    assert_int_equal(run_many(40), 1);
}

/*
 * Four instances, and a version for each minute of them: the version of each process says when it
 * was built, or started. Then the versions stay for a while, and leak or do not: half a horizon
 * goes by until those before may be forgotten.
 */
static uint32_t run_versions(int same_process, double rate)
{
    enum { INSTANCES = 4, MINUTES = 1500 }; /* a bin each */
    (void)teardown(NULL);
    (void)setup(NULL);
    for (uint32_t minute = 0; minute < MINUTES + SCENE_HORIZON / 2 + VERDICT_BINS; minute++) {
        int64_t time_ms = scene_start_ms + (int64_t)minute * SCENE_BIN_MS;
        uint32_t built = minute < MINUTES ? minute : MINUTES;
        uint32_t uptime = minute - built;
        (void)detector_advance(detector, time_ms);
        uint32_t life = same_process ? 0 : built * INSTANCES;
        for (uint32_t i = 0; i < INSTANCES; i++) {
            char version[32];
            (void)snprintf(version, sizeof(version), "2026-11-%u.%u", built, i);
            see(life + i, version, time_ms,
                1000 + (minute * 7 + i) % 11 + (uint64_t)scene_leaked(uptime, rate));
        }
        if (minute < MINUTES)
            assert_int_equal(settled(), 0);
    }
    assert_true(detector_size(detector).series <= (uint64_t)DETECT_LIVES_MAX * SERIES_OF_A_LIFE);
    return settled();
}

static void test_a_version_for_every_minute(void **state)
{
    (void)state;
    for (int same = 0; same <= 1; same++) {
        assert_int_equal(run_versions(same, 0), 0);
        assert_int_equal(run_versions(same, 8), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_snapshot_a_day, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_points_are_no_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_constant_series, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_zero_series, setup, teardown),
        cmocka_unit_test_setup_teardown(test_counts_near_the_end_of_numbers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_clock_that_goes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ten_thousand_containers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_version_for_every_minute, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
