/* Which version brought a leak: where those before it had none of the class, or lived briefly. */
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

enum { OTHER = 4, DEPLOYED = SCENE_HORIZON };

static const struct verdict *confirmed(void)
{
    const struct verdict *verdict;
    assert_int_equal(scene_verdicts(&scene, VERDICT_CONFIRMED, &verdict), 1);
    return verdict;
}

/* ---- a class that is new --------------------------------------------------------------------- */

static double new_in_v2(uint32_t type, const char *version, uint32_t bin)
{
    if (type == OTHER)
        return 0;
    if (version[1] == '1')
        return type == 0 ? NAN : scene_steady(type, version, bin);
    return scene_leaking(type, version, bin) - (type == 0 ? 500 : 0);
}

/* The rest of the types is counted in one number. */
static double new_in_v2_or_not(uint32_t type, const char *version, uint32_t bin)
{
    return type == OTHER ? 40 : new_in_v2(type, version, bin);
}

static void deploy(scene_model_fn *model)
{
    for (uint32_t i = 0; i < 2; i++) {
        scene_add(&scene, "v1", i, DEPLOYED + i, model);
        scene_add(&scene, "v2", DEPLOYED + i, 0, model);
    }
    scene_run(&scene, DEPLOYED + 3 * SCENE_HORIZON / 2);
}

static void test_a_version_that_had_none_did_not_leak(void **state)
{
    (void)state;
    deploy(new_in_v2);
    assert_string_equal(confirmed()->type, "shop.Cart");
    assert_string_equal(confirmed()->introduced_in, "v2");
}

static void test_what_is_counted_in_the_rest_is_not_known(void **state)
{
    (void)state;
    deploy(new_in_v2_or_not);
    assert_string_equal(confirmed()->type, "shop.Cart");
    assert_string_equal(confirmed()->introduced_in, "");
    assert_string_equal(confirmed()->oldest_in, "v2");
}

/* ---- short lives ----------------------------------------------------------------------------- */

enum { VERSIONS = 12, LIFE = SCENE_HORIZON / 9, FIRST_THAT_LEAKS = 4 };

static double leaking_later(uint32_t type, const char *version, uint32_t bin)
{
    return version[1] - 'a' < FIRST_THAT_LEAKS ? scene_steady(type, version, bin)
                                               : scene_leaking(type, version, bin);
}

static void test_short_lives_are_compared_with_short_lives(void **state)
{
    (void)state;
    static const char *const versions[VERSIONS] = {"va", "vb", "vc", "vd", "ve", "vf",
                                                   "vg", "vh", "vi", "vj", "vk", "vl"};
    for (uint32_t i = 0; i < VERSIONS; i++)
        for (uint32_t k = 0; k < 2; k++)
            scene_add(&scene, versions[i], i * LIFE + k, (i + 1) * LIFE + k, leaking_later);
    scene_run(&scene, VERSIONS * LIFE);
    assert_string_equal(confirmed()->type, "shop.Cart");
    assert_int_equal(confirmed()->rule, VERDICT_RULE_B);
    assert_string_equal(confirmed()->introduced_in, versions[FIRST_THAT_LEAKS]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_version_that_had_none_did_not_leak, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_counted_in_the_rest_is_not_known, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_short_lives_are_compared_with_short_lives, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
