/* Buffers that ask for more room than they need: what is in them is judged, not their room. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "detect_scene.h"

enum { TEXT = 2, LIVES = 3, LONG = 3 * SCENE_HORIZON };

static const double full = 4e6; /* bytes at the end of LONG */

typedef double content_fn(double x);

/* What the models below are of. */
static struct {
    content_fn *content;
    double factor;
} buffer;

static double straight(double x)
{
    return x;
}
static double from_much(double x)
{
    return 0.3 + 0.7 * x;
}
static double root(double x)
{
    return sqrt(x);
}
static double logarithm(double x)
{
    return log1p(60 * x) / log1p(60);
}
static double fills_up(double x)
{
    return 1 - exp(-6 * x);
}
static double stops(double x)
{
    return fmin(x, 0.2);
}

/* The next size of a buffer that began with `first`, and all that is text beside it. */
static double room_from(double first, uint32_t type, uint32_t bin)
{
    double content = fmax(full * buffer.content((double)bin / LONG), first);
    double room = first * pow(buffer.factor, ceil(log(content / first) / log(buffer.factor)));
    return 100 * scene_steady(type, "", 0) + (type == TEXT ? room : 0);
}

static double first_room(uint32_t type, const char *version, uint32_t bin)
{
    (void)version;
    return room_from(1000, type, bin);
}
static double second_room(uint32_t type, const char *version, uint32_t bin)
{
    (void)version;
    return room_from(1190, type, bin);
}
static double third_room(uint32_t type, const char *version, uint32_t bin)
{
    (void)version;
    return room_from(1430, type, bin);
}

static double as_many(uint32_t type, const char *version, uint32_t bin)
{
    (void)bin;
    return scene_steady(type, version, 0);
}

static scene_model_fn *const rooms[LIVES] = {first_room, second_room, third_room};

/* A service that runs on; 1 if the text was ever said to leak in the first bins of it. */
static int leaks(content_fn *content, double factor, uint32_t lives, uint32_t bins)
{
    struct scene scene;
    int said = 0;
    buffer.content = content;
    buffer.factor = factor;
    scene_begin(&scene);
    for (uint32_t i = 0; i < lives; i++)
        scene_add(&scene, "v1", i, 0, as_many)->bytes = rooms[i];
    for (uint32_t bin = SCENE_HORIZON / 30; bin <= bins && !said; bin += SCENE_HORIZON / 30) {
        const struct verdict *verdict;
        scene_run(&scene, bin);
        said = scene_verdicts(&scene, VERDICT_CONFIRMED, &verdict) > 0;
        if (said) {
            assert_string_equal(verdict->type, "str");
            assert_int_equal(verdict->kind, VERDICT_BUFFER);
        }
    }
    scene_end(&scene);
    return said;
}

static void test_straight_contents_are_told(void **state)
{
    (void)state;
    static const double factors[] = {1.0625, 1.125, 1.25, 1.5, 2};
    for (size_t i = 0; i < ARRAY_SIZE(factors); i++) {
        assert_true(leaks(straight, factors[i], 1, LONG));
        assert_true(leaks(straight, factors[i], LIVES, LONG));
    }
    assert_true(leaks(from_much, 1.125, LIVES, LONG));
    assert_true(leaks(from_much, 1.25, LIVES, LONG));
}

static void test_contents_that_bend_or_stop_are_not(void **state)
{
    (void)state;
    static content_fn *const contents[] = {root, logarithm, fills_up, stops};
    static const double factors[] = {1.0625, 1.125, 1.25, 1.5, 2, 4};
    for (size_t k = 0; k < ARRAY_SIZE(contents); k++)
        for (size_t i = 0; i < ARRAY_SIZE(factors); i++) {
            assert_false(leaks(contents[k], factors[i], 1, LONG));
            assert_false(leaks(contents[k], factors[i], LIVES, LONG));
        }
}

/* A table that doubles stands still for half of its life, each time. */
static void test_a_buffer_that_waits_for_its_step_is_not_resolved(void **state)
{
    (void)state;
    const struct verdict *verdict;
    struct scene scene;
    buffer.content = straight;
    buffer.factor = 2;
    scene_begin(&scene);
    scene_add(&scene, "v1", 0, 0, as_many)->bytes = first_room;
    for (uint32_t bin = SCENE_HORIZON; bin <= 4 * LONG; bin += SCENE_HORIZON / 15) {
        scene_run(&scene, bin);
        assert_int_equal(scene_verdicts(&scene, VERDICT_RESOLVED, &verdict), 0);
    }
    assert_int_equal(scene_verdicts(&scene, VERDICT_CONFIRMED, &verdict), 1);
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_straight_contents_are_told),
        cmocka_unit_test(test_contents_that_bend_or_stop_are_not),
        cmocka_unit_test(test_a_buffer_that_waits_for_its_step_is_not_resolved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
