/* Single services, made by hand: what is reported of a leak, and what must never hurt. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arena.h"
#include "attributes.h"
#include "detect.h"

enum { HORIZON_MS = 48000, BIN_MS = HORIZON_MS / DETECT_BINS_PER_HORIZON, TYPES = 6, BINS = 96 };

static const char *const types[TYPES] = {"dict",      "shop.Cart", "str",
                                         "shop.User", "(other)",   "collections.deque"};
static const char *const versions[] = {"v1", "v2", "v3"};
static const struct detect_config config = {.horizon_ms = HORIZON_MS};

/* Objects of a type at an uptime in bins, in a version. */
typedef double model_fn(uint32_t type, uint32_t version, uint32_t bin);

struct scene {
    struct arena arena;
    struct detect_life lives[16];
    uint32_t life_count;
    struct detect_findings findings;
};

static int setup(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    arena_init(&scene->arena, 64u << 20);
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;
    arena_done(&scene->arena);
    free(scene);
    return 0;
}

static void add_life(struct scene *scene, uint32_t version, int64_t start_bin, uint32_t bins,
                     model_fn *model)
{
    struct detect_floor *floors = arena_must(&scene->arena, sizeof(*floors) * TYPES * bins + 1);
    for (uint32_t type = 0; type < TYPES; type++)
        for (uint32_t bin = 0; bin < bins; bin++) {
            double count = model(type, version, bin);
            floors[type * bins + bin] = (struct detect_floor){count, count * 100};
        }
    scene->lives[scene->life_count++] = (struct detect_life){
        .version = version, .started_ms = start_bin * BIN_MS, .bins = bins, .floors = floors};
}

static void run(struct scene *scene)
{
    struct detect_service service = {
        types, TYPES, versions, ARRAY_SIZE(versions), scene->lives, scene->life_count};
    detect_service_leaks(&config, &service, &scene->arena, &scene->findings);
}

static const struct detect_finding *only_finding(const struct scene *scene)
{
    assert_int_equal(scene->findings.count, 1);
    return &scene->findings.items[0];
}

/* Steps of about `rate` a bin that repeat for the same bin, as one cause has in all its types. */
static double leaked(uint32_t bin, double rate)
{
    double sum = 0;
    for (uint32_t i = 0; i < bin; i++)
        sum += rate * (1 + 0.5 * sin((double)(i * i)));
    return floor(sum);
}

static double noise(uint32_t type, uint32_t bin)
{
    return floor(3 + 3 * sin((double)(bin * (7 + type) * 13)));
}

static double constant(uint32_t type, uint32_t version, uint32_t bin)
{
    (void)type, (void)version, (void)bin;
    return 1e6;
}

/* ---- what is said of a leak --------------------------------------------------------------------
 */

/* From v2 on each request leaves a cart with a dict and two strings. */
static double carts(uint32_t type, uint32_t version, uint32_t bin)
{
    static const double base[TYPES] = {5000, 20, 9000, 400, 0, 70};
    static const double parts[TYPES] = {1, 1, 2};
    double grown = version >= 1 ? leaked(bin, 20) * parts[type] : 0;
    return base[type] + grown + noise(type, bin);
}

static void test_the_finding_names_class_version_rate_and_companions(void **state)
{
    struct scene *scene = *state;
    for (uint32_t i = 0; i < 3; i++) {
        add_life(scene, 0, 0, 60, carts);
        add_life(scene, 1, 60, 60, carts);
    }
    run(scene);
    const struct detect_finding *finding = only_finding(scene);
    assert_string_equal(types[finding->type], "shop.Cart");
    assert_int_equal(finding->version, 1);
    assert_true(finding->has_introduced);
    assert_int_equal(finding->introduced_in, 1);
    assert_int_equal(finding->lives, 3);
    /* 20 a bin of one second */
    assert_true(fabs(finding->count_per_hour / (20 * 3600) - 1) < 0.05);
    assert_true(fabs(finding->bytes_per_hour / (2000 * 3600) - 1) < 0.05);
    assert_true(finding->confidence > 0.5 && finding->confidence <= 1);
    assert_int_equal(finding->companion_count, 2);
    for (uint32_t i = 0; i < 2; i++)
        assert_true(finding->companions[i] == 0 || finding->companions[i] == 2);
}

static void test_the_oldest_version_known_introduces_nothing(void **state)
{
    struct scene *scene = *state;
    add_life(scene, 1, 0, 60, carts);
    add_life(scene, 2, 60, 60, carts);
    run(scene);
    const struct detect_finding *finding = only_finding(scene);
    assert_int_equal(finding->version, 2);
    assert_false(finding->has_introduced);
}

static void test_a_young_version_leaves_the_finding_and_a_clean_one_closes_it(void **state)
{
    struct scene *scene = *state;
    add_life(scene, 0, 0, 60, carts);
    add_life(scene, 1, 60, 60, carts);
    add_life(scene, 2, 120, 10, constant);
    run(scene);
    assert_int_equal(only_finding(scene)->version, 1);
    add_life(scene, 2, 130, 60, constant);
    run(scene);
    assert_int_equal(scene->findings.count, 0);
}

static void test_going_back_to_a_clean_version_closes_it(void **state)
{
    struct scene *scene = *state;
    add_life(scene, 0, 0, 60, carts);
    add_life(scene, 1, 60, 60, carts);
    run(scene);
    (void)only_finding(scene);
    add_life(scene, 0, 120, 10, carts);
    run(scene);
    assert_int_equal(scene->findings.count, 0);
}

static void test_nothing_is_said_before_the_horizon(void **state)
{
    struct scene *scene = *state;
    add_life(scene, 0, 0, 60, carts);
    add_life(scene, 1, 60, DETECT_BINS_PER_HORIZON - 1, carts);
    run(scene);
    assert_int_equal(scene->findings.count, 0);
}

/* One route leaks, and one container gets all of its requests. */
static void test_a_leak_in_one_container_of_six_is_found(void **state)
{
    struct scene *scene = *state;
    for (uint32_t i = 0; i < 6; i++)
        add_life(scene, i == 2 ? 1 : 0, 0, 90, carts);
    scene->lives[2].version = 0;
    run(scene);
    const struct detect_finding *finding = only_finding(scene);
    assert_string_equal(types[finding->type], "shop.Cart");
    assert_int_equal(finding->lives, 1);
}

/* Two classes that grow, each with an unevenness of its own. */
static double two_leaks(uint32_t type, uint32_t version, uint32_t bin)
{
    (void)version;
    double a = leaked(bin, 20);
    double b = floor(12 * (bin + 4 * sin(bin / 5.0)));
    const double counts[TYPES] = {5000 + a, 20 + a, 100, 300 + b, 0, 70};
    return counts[type];
}

static void test_two_leaks_are_two_findings(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < 3; i++)
        add_life(scene, 0, 0, 90, two_leaks);
    run(scene);
    assert_int_equal(scene->findings.count, 2);
    for (uint32_t i = 0; i < 2; i++)
        assert_true(scene->findings.items[i].type == 1 || scene->findings.items[i].type == 3);
}

static double only_dicts(uint32_t type, uint32_t version, uint32_t bin)
{
    (void)version;
    return type == 0 ? 1000 + leaked(bin, 20) : 100;
}

static void test_dicts_alone_are_named_dict(void **state)
{
    struct scene *scene = *state;
    add_life(scene, 0, 0, 90, only_dicts);
    run(scene);
    assert_string_equal(types[only_finding(scene)->type], "dict");
}

static double folded_types(uint32_t type, uint32_t version, uint32_t bin)
{
    (void)version;
    return type == 4 ? 1000 + leaked(bin, 20) : 100;
}

static void test_what_is_no_type_is_not_reported(void **state)
{
    struct scene *scene = *state;
    add_life(scene, 0, 0, 90, folded_types);
    run(scene);
    assert_int_equal(scene->findings.count, 0);
}

/* A caller that has forgotten the early part, as of a life of many days. */
static void test_a_late_window_is_enough(void **state)
{
    struct scene *scene = *state;
    add_life(scene, 1, 0, 90, carts);
    scene->lives[0].first_bin = 500;
    run(scene);
    assert_string_equal(types[only_finding(scene)->type], "shop.Cart");
}

/* ---- what must never hurt ----------------------------------------------------------------------
 */

static double zero(uint32_t type, uint32_t version, uint32_t bin)
{
    (void)type, (void)version, (void)bin;
    return 0;
}

static double missing(uint32_t type, uint32_t version, uint32_t bin)
{
    (void)type, (void)version, (void)bin;
    return NAN;
}

static double two_points(uint32_t type, uint32_t version, uint32_t bin)
{
    (void)type, (void)version;
    return bin == 5 ? 100 : bin == BINS - 5 ? 1e9 : NAN;
}

static double one_huge(uint32_t type, uint32_t version, uint32_t bin)
{
    (void)type, (void)version;
    return bin == BINS / 2 ? 0x1p63 : 100;
}

static double huge_from_half(uint32_t type, uint32_t version, uint32_t bin)
{
    (void)type, (void)version;
    return bin >= BINS / 2 ? 0x1p63 : 100;
}

static double huge_step(uint32_t type, uint32_t version, uint32_t bin)
{
    (void)type, (void)version;
    return bin >= BINS / 2 ? 0x1p59 : 100;
}

static double infinite(uint32_t type, uint32_t version, uint32_t bin)
{
    (void)type, (void)version;
    return bin % 2 ? INFINITY : -INFINITY;
}

static double greatest(uint32_t type, uint32_t version, uint32_t bin)
{
    (void)type, (void)version;
    return 1e308 * (bin / (double)BINS);
}

static double falls(uint32_t type, uint32_t version, uint32_t bin)
{
    (void)type, (void)version;
    return 1e6 - 1000.0 * bin;
}

static double wave(uint32_t type, uint32_t version, uint32_t bin)
{
    (void)version;
    return floor(1000 + 400 * sin(bin / 7.0 + type));
}

static double few(uint32_t type, uint32_t version, uint32_t bin)
{
    (void)type, (void)version;
    return floor(bin / 12.0);
}

static double four_more(uint32_t type, uint32_t version, uint32_t bin)
{
    (void)type, (void)version;
    return floor(50 + bin / 24.0);
}

static double slow_cache(uint32_t type, uint32_t version, uint32_t bin)
{
    (void)version;
    return floor(1000 + 900 * (1 - exp(-(double)bin / 60)) + noise(type, bin));
}

static double late_rise(uint32_t type, uint32_t version, uint32_t bin)
{
    (void)type, (void)version;
    return floor(1000 + 300 * pow(bin / (double)BINS, 4));
}

static double drift_with_a_step(uint32_t type, uint32_t version, uint32_t bin)
{
    (void)version;
    return floor(1000 + bin + (bin >= 50 ? 90 : 0) + noise(type, bin) / 3);
}

static model_fn *const harmless[] = {zero,      constant,       missing,   two_points,
                                     one_huge,  huge_from_half, huge_step, infinite,
                                     greatest,  falls,          wave,      few,
                                     four_more, slow_cache,     late_rise, drift_with_a_step};

static void test_odd_series_are_not_leaks(void **state)
{
    struct scene *scene = *state;
    for (size_t i = 0; i < ARRAY_SIZE(harmless); i++) {
        scene->life_count = 0;
        for (uint32_t life = 0; life < 4; life++)
            add_life(scene, life % 2, (int64_t)life * 10, BINS, harmless[i]);
        run(scene);
        if (scene->findings.count != 0)
            fail_msg("series %zu is taken for a leak", i);
        arena_reset(&scene->arena);
    }
}

static void test_odd_lives_are_borne(void **state)
{
    struct scene *scene = *state;
    run(scene); /* no life at all */
    assert_int_equal(scene->findings.count, 0);
    for (uint32_t bins = 0; bins < 5; bins++)
        add_life(scene, 0, 0, bins, carts);
    add_life(scene, 1, INT64_MIN / BIN_MS, BINS, carts);
    add_life(scene, 1, INT64_MAX / BIN_MS, BINS, constant);
    scene->lives[scene->life_count - 1].first_bin = UINT32_MAX - BINS;
    run(scene);
    struct detect_service nothing = {types, 0, versions, 0, NULL, 0};
    detect_service_leaks(&config, &nothing, &scene->arena, &scene->findings);
    assert_int_equal(scene->findings.count, 0);
}

static void test_a_horizon_of_one_millisecond_is_borne(void **state)
{
    struct scene *scene = *state;
    struct detect_config tiny = {.horizon_ms = 1};
    add_life(scene, 0, 0, BINS, wave);
    struct detect_service service = {types, TYPES, versions, 1, scene->lives, 1};
    detect_service_leaks(&tiny, &service, &scene->arena, &scene->findings);
    assert_int_equal(scene->findings.count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_finding_names_class_version_rate_and_companions),
        TEST(test_the_oldest_version_known_introduces_nothing),
        TEST(test_a_young_version_leaves_the_finding_and_a_clean_one_closes_it),
        TEST(test_going_back_to_a_clean_version_closes_it),
        TEST(test_nothing_is_said_before_the_horizon),
        TEST(test_a_leak_in_one_container_of_six_is_found),
        TEST(test_two_leaks_are_two_findings),
        TEST(test_dicts_alone_are_named_dict),
        TEST(test_what_is_no_type_is_not_reported),
        TEST(test_a_late_window_is_enough),
        TEST(test_odd_series_are_not_leaks),
        TEST(test_odd_lives_are_borne),
        TEST(test_a_horizon_of_one_millisecond_is_borne),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
