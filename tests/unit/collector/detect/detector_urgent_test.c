/* Leaks that end their containers: what is said, and when. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "detect_scene.h"
#include "urgent.h"

static const uint64_t megabyte = 1024 * 1024;

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

/* In a container that the process fills at `per_bin`, with `room` at its start. */
static struct scene_life *add_limited(const char *version, uint32_t start, uint32_t end,
                                      scene_model_fn *model, uint64_t per_bin, uint64_t room)
{
    struct scene_life *life = scene_add(&scene, version, start, end, model);
    life->process.rss_bytes = 100 * megabyte;
    life->process.container_limit_bytes = 100 * megabyte + room;
    life->native_per_bin = per_bin;
    return life;
}

/* ---- a limit that is near ----------------------------------------------------------------------
 */

static double leaked(uint32_t type, uint32_t bin)
{
    return scene_leaking(type, "", bin) - scene_steady(type, "", bin);
}

/* Loads all it has within the first bins; then nothing grows. */
static double booting(uint32_t type, const char *version, uint32_t bin)
{
    return scene_steady(type, version, bin) * fmin(1, 0.2 + 0.4 * bin);
}

static double booting_and_leaking(uint32_t type, const char *version, uint32_t bin)
{
    return booting(type, version, bin) + leaked(type, bin);
}

/* What a program builds when it starts is no growth of the version before. */
static void test_a_start_up_hides_no_leak(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        add_limited("v1", i, 300 + i, booting, 0, 150000);
        add_limited("v2", 300 + i, 0, booting_and_leaking, 1200, 150000);
    }
    scene_run(&scene, 300 + 30);
    assert_non_null(confirmed());
    assert_string_equal(confirmed()->type, "shop.Cart");
    assert_int_equal(confirmed()->rule, VERDICT_RULE_D);
    assert_string_equal(confirmed()->introduced_in, "v2");
}

/* Dicts and strings of everybody. */
static double among_many(uint32_t type, const char *version, uint32_t bin)
{
    double others = type == 1 || type == 2 ? 2000 + 50 * sin(bin * 0.9 + type) : 0;
    return scene_steady(type, version, bin) + others;
}

static double leaking_among_many(uint32_t type, const char *version, uint32_t bin)
{
    return among_many(type, version, bin) + leaked(type, bin);
}

/* A cart is a sixth of what it holds; the rest is not seen to grow in a line. */
static void test_a_class_has_its_part_of_the_built_ins(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        add_limited("v1", i, 300 + i, among_many, 0, 150000);
        add_limited("v2", 300 + i, 0, leaking_among_many, 1200, 150000);
    }
    scene_run(&scene, 300 + 50);
    assert_non_null(confirmed());
    assert_string_equal(confirmed()->type, "shop.Cart");
    assert_int_equal(confirmed()->rule, VERDICT_RULE_D);
}

/* Day, and from bin 120 on night. */
static double by_day(uint32_t bin)
{
    return fmin(bin, 120) + 0.3 * fmax(0, (double)bin - 120);
}

static double leaking_by_day(uint32_t type, const char *version, uint32_t bin)
{
    return scene_steady(type, version, bin) + leaked(type, (uint32_t)(2 * by_day(bin)));
}

/* No version without the leak is known, nor is the memory; but that it was killed is. */
static void test_a_life_that_was_killed_is_witness_enough(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        struct scene_life *first = scene_add(&scene, "v1", i, 200 + i, leaking_by_day);
        first->oom_killed = 1;
        first->work = by_day;
    }
    scene_run(&scene, 200 + 16);
    assert_non_null(confirmed());
    assert_string_equal(confirmed()->type, "shop.Cart");
    assert_int_equal(confirmed()->rule, VERDICT_RULE_D);
}

/* A deployment in the morning: there is ever more to do, from a fifth to the double. */
static double by_morning(uint32_t bin)
{
    return 0.2 * bin + bin * bin / 60.0;
}

static double leaking_by_morning(uint32_t type, const char *version, uint32_t bin)
{
    return booting(type, version, bin) + leaked(type, (uint32_t)by_morning(bin));
}

/* What is in work, and for how long. */
static double busy_by_morning(uint32_t type, const char *version, uint32_t bin)
{
    double load = (by_morning(bin) - by_morning(bin > 6 ? bin - 6 : 0)) / 6;
    return booting(type, version, bin) + 150 * load;
}

static void test_a_morning_hides_no_leak(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        add_limited("v1", i, 300 + i, booting, 0, 150000);
        add_limited("v2", 300 + i, 0, leaking_by_morning, 1200, 150000)->work = by_morning;
    }
    scene_run(&scene, 300 + 60);
    assert_non_null(confirmed());
    assert_int_equal(confirmed()->rule, VERDICT_RULE_D);
}

static void test_a_morning_is_no_leak(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        add_limited("v1", i, 300 + i, booting, 0, 150000);
        add_limited("v2", 300 + i, 0, busy_by_morning, 1200, 150000)->work = by_morning;
    }
    for (uint32_t bin = 310; bin < 400; bin += 4) {
        scene_run(&scene, bin);
        assert_null(confirmed());
    }
}

/* In a line that is as good as drawn. */
static double leaking_evenly(uint32_t type, const char *version, uint32_t bin)
{
    static const double drag[SCENE_TYPES] = {1, 1, 3};
    return booting(type, version, bin) + 20 * drag[type] * bin;
}

/* No life tells whether it is usual: then it must have used up as much of the room as what is left
 * would last, of a day; half of it, if it is no line as good as drawn. */
static void test_a_first_life_must_use_up_some_room(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        add_limited("v1", i, 0, leaking_evenly, 12000, 2400000);
    scene_run(&scene, 70);
    assert_null(confirmed());
    scene_run(&scene, 98);
    assert_non_null(confirmed());
    assert_string_equal(confirmed()->type, "shop.Cart");
    scene_end(&scene);
    scene_begin(&scene);
    for (uint32_t i = 0; i < 3; i++)
        add_limited("v1", i, 0, leaking_evenly, 12000, 864000);
    scene_run(&scene, 30);
    assert_non_null(confirmed());
    scene_end(&scene);
    scene_begin(&scene);
    for (uint32_t i = 0; i < 3; i++)
        add_limited("v1", i, 0, booting_and_leaking, 1200, 120000);
    scene_run(&scene, 49);
    assert_null(confirmed());
    scene_run(&scene, 66);
    assert_non_null(confirmed());
}

static double before_carts(uint32_t type, const char *version, uint32_t bin)
{
    return type == 0 ? 0 : booting(type, version, bin);
}

static double with_carts(uint32_t type, const char *version, uint32_t bin)
{
    return leaking_evenly(type, version, bin) - (type == 0 ? booting(type, version, bin) : 0);
}

/* A class that came with the code may be a cache: that no version before grew so says nothing, nor
 * does it of the dicts that it brings. */
static void test_lives_without_the_class_tell_nothing(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        add_limited("v1", i, 300 + i, before_carts, 0, 2400000);
        add_limited("v2", 300 + i, 0, with_carts, 12000, 2400000);
    }
    scene_run(&scene, 300 + 70);
    assert_null(confirmed());
    scene_run(&scene, 300 + 98);
    assert_non_null(confirmed());
    assert_string_equal(confirmed()->type, "shop.Cart");
}

/* A class that was there before, and was steady, is told by the first pass that sees the line; a
 * piece of it is seen a pass earlier, one of those that are made while a life is young. */
static void test_a_new_line_of_a_known_class_is_told_at_once(void **state)
{
    (void)state;
    const struct verdict *verdict;
    uint32_t suspected = 0;
    for (uint32_t i = 0; i < 3; i++) {
        add_limited("v1", i, 300 + i, booting, 0, 2400000);
        add_limited("v2", 300 + i, 0, leaking_evenly, 12000, 2400000);
    }
    uint32_t bin = 300;
    while (bin < 330 && confirmed() == NULL) {
        scene_run(&scene, ++bin);
        suspected += scene_verdicts(&scene, VERDICT_SUSPECT, &verdict) > 0;
    }
    assert_non_null(confirmed());
    assert_string_equal(confirmed()->introduced_in, "v2");
    assert_int_equal(suspected, 360 / DETECT_PASSES_PER_HORIZON);
}

static uint32_t passes_due(int64_t horizon_ms)
{
    const struct detect_config config = {.horizon_ms = horizon_ms};
    struct scene odd = {.detector = detector_new(&config)};
    struct scene_life *life = scene_add(&odd, "v1", 0, 0, leaking_evenly);
    uint32_t due = 0;
    life->process.rss_bytes = 100 * megabyte;
    life->process.container_limit_bytes = 100 * megabyte + 2400000;
    life->native_per_bin = 12000;
    for (uint32_t bin = 100; bin < 200; bin++) {
        scene_run(&odd, bin);
        due += (uint32_t)urgent_is_due(odd.detector);
    }
    scene_end(&odd);
    return due;
}

/* A horizon that is no multiple of the number of its passes has as many. */
static void test_any_horizon_has_its_passes(void **state)
{
    (void)state;
    uint32_t due = passes_due(SCENE_HORIZON_MS);
    uint32_t due_odd = passes_due(SCENE_HORIZON_MS + 100);
    assert_true(due > 0);
    assert_in_range(due_odd, due - 2, due + 2);
}

/* What is a small part of what the process grows by may be the cache that fills beside others. */
static void test_what_is_new_must_be_a_large_part(void **state)
{
    (void)state;
    static const uint64_t per_bin[] = {2000, 8000};
    for (uint32_t step = 0; step < 2; step++) {
        for (uint32_t i = 0; i < 3; i++) {
            add_limited("v1", i, 300 + i, booting, 0, 250 * per_bin[step]);
            add_limited("v2", 300 + i, 0, booting_and_leaking, per_bin[step], 250 * per_bin[step]);
        }
        scene_run(&scene, 300 + 50);
        assert_int_equal(confirmed() != NULL, step == 0);
        scene_end(&scene);
        scene_begin(&scene);
    }
}

/* A queue that backs up since some time after the deployment. */
static double backing_up(uint32_t type, const char *version, uint32_t bin)
{
    return booting(type, version, bin) + 2 * pow(fmax(0, (double)bin - 5), 1.7);
}

static void test_what_began_later_is_no_line(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        add_limited("v1", i, 300 + i, booting, 0, 400000);
        add_limited("v2", 300 + i, 0, backing_up, 3000, 400000);
    }
    for (uint32_t bin = 310; bin < 360; bin += 4) {
        scene_run(&scene, bin);
        assert_null(confirmed());
    }
}

/* Garbage in cycles: in a line up to what the collector waits for, and then it is gone. */
static double in_cycles(uint32_t type, const char *version, uint32_t bin)
{
    uint32_t since = bin % 45;
    return scene_steady(type, version, bin) + leaked(type, since);
}

static void test_what_was_held_before_is_usual(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        add_limited("v1", i, 300 + i, in_cycles, 0, 150000);
        add_limited("v2", 300 + i, 0, in_cycles, 1200, 150000);
    }
    for (uint32_t bin = 310; bin < 350; bin += 4) {
        scene_run(&scene, bin);
        assert_null(confirmed());
    }
}

/* A cache that is asked little at first, and then much. */
static double filled_by_night(uint32_t type, const char *version, uint32_t bin)
{
    double asked = 0.2 * fmin(bin, 60) + 2 * fmax(0, (double)bin - 60);
    return scene_steady(type, version, bin) + leaked(type, (uint32_t)fmin(asked, 120));
}

static double filled_by_day(uint32_t type, const char *version, uint32_t bin)
{
    return scene_steady(type, version, bin) + leaked(type, (uint32_t)fmin(bin, 120));
}

/* Taken back in the morning, a version fills faster than it did when it was deployed at night. */
static void test_what_filled_up_before_is_usual(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        add_limited("v1", i, 300 + i, filled_by_night, 0, 150000);
        add_limited("v2", 300 + i, 303 + i, booting, 0, 150000);
        add_limited("v1", 304 + i, 0, filled_by_day, 1200, 150000);
    }
    for (uint32_t bin = 310; bin < 350; bin += 4) {
        scene_run(&scene, bin);
        assert_null(confirmed());
    }
}

/* A cache, in a line for as long as the next life's container would last. */
static double filled_soon(uint32_t type, const char *version, uint32_t bin)
{
    return scene_steady(type, version, bin) + (type == 3 ? 20 * fmin(bin, 50) : 0);
}

static void test_what_had_stopped_is_not_what_killed(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        add_limited("v1", i, 200 + i, filled_soon, 1200, 240000)->oom_killed = 1;
        add_limited("v1", 201 + i, 0, filled_soon, 1200, 72000);
    }
    for (uint32_t bin = 210; bin < 250; bin += 2) {
        scene_run(&scene, bin);
        assert_null(confirmed());
    }
}

/* Whoever is not heard of any more does not stand for the lives that go on. */
static void test_the_silent_are_not_the_living(void **state)
{
    (void)state;
    add_limited("v1", 0, 0, booting, 0, 150000);
    struct scene_life *silent = add_limited("v2", 300, 0, booting, 0, 150000);
    scene_run(&scene, 420);
    silent->start = UINT32_MAX;
    add_limited("v2", 420, 0, booting_and_leaking, 1200, 150000);
    scene_run(&scene, 420 + 60);
    assert_non_null(confirmed());
    assert_int_equal(confirmed()->rule, VERDICT_RULE_D);
}

/* Killed after 0.97 horizons it would be seen to grow for long before; after 0.83 it would not. */
static void test_what_takes_longer_than_a_day_can_wait(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        add_limited("v1", i, 300 + i, booting, 0, 420000);
        add_limited("v2", 300 + i, 0, booting_and_leaking, 1200, 420000);
    }
    scene_run(&scene, 300 + 190);
    assert_null(confirmed());
    scene_run(&scene, 300 + 240); /* 0.3 horizons are left */
    assert_non_null(confirmed());
    assert_int_equal(confirmed()->rule, VERDICT_RULE_D);
    scene_end(&scene);
    scene_begin(&scene);
    for (uint32_t i = 0; i < 3; i++) {
        add_limited("v1", i, 300 + i, booting, 0, 300000);
        add_limited("v2", 300 + i, 0, booting_and_leaking, 1200, 300000);
    }
    scene_run(&scene, 300 + 60);
    assert_non_null(confirmed());
}

/* ---- a container that several share ------------------------------------------------------------
 */

enum { WORKERS = 4, DEPLOYED = 300 };

/* The workers of one container, which has `room` at their start. */
static void add_workers(const char *version, uint32_t start, uint32_t end, scene_model_fn *model,
                        uint64_t per_bin, uint64_t room, uint8_t container)
{
    for (uint32_t i = 0; i < WORKERS; i++) {
        struct scene_life *life = add_limited(version, start, end, model, per_bin, room);
        life->process.container_limit_bytes += (WORKERS - 1) * life->process.rss_bytes;
        life->container = container;
    }
}

/* Each alone would need 1.1 horizons to fill the container; together they need 0.28. */
static void test_workers_fill_their_container_together(void **state)
{
    (void)state;
    add_workers("v1", 0, DEPLOYED, booting, 0, 480000, 1);
    add_workers("v2", DEPLOYED, 0, booting_and_leaking, 1200, 480000, 2);
    scene_run(&scene, DEPLOYED + 40);
    assert_non_null(confirmed());
    assert_int_equal(confirmed()->rule, VERDICT_RULE_D);
    scene_run(&scene, DEPLOYED + 62);
    int64_t until_ms = (480000 / 1200 / WORKERS - 60) * SCENE_BIN_MS;
    assert_true(llabs(confirmed()->until_limit_ms - until_ms) < until_ms / 5);
}

/* The same room, but each has it alone. */
static void test_who_lives_alone_has_all_the_room(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < WORKERS; i++) {
        add_limited("v1", i, DEPLOYED + i, booting, 0, 480000);
        add_limited("v2", DEPLOYED + i, 0, booting_and_leaking, 1200, 480000);
    }
    scene_run(&scene, DEPLOYED + 40);
    assert_null(confirmed());
}

/* One leaks, beside three that do not: nobody fills the container but that one. */
static void test_one_of_the_workers_has_the_room_of_all(void **state)
{
    (void)state;
    add_workers("v1", 0, DEPLOYED, booting, 0, 480000, 1);
    add_workers("v2", DEPLOYED, 0, booting, 0, 480000, 2);
    scene.lives[2 * WORKERS - 1].model = booting_and_leaking;
    scene.lives[2 * WORKERS - 1].native_per_bin = 1200;
    scene_run(&scene, DEPLOYED + 60);
    assert_null(confirmed());
    scene_run(&scene, DEPLOYED + 340);
    assert_non_null(confirmed());
    int64_t until_ms = (480000 / 1200 - 340) * SCENE_BIN_MS;
    assert_true(confirmed()->until_limit_ms > until_ms);
}

/* Most of what the processes grow by is something else; but the leak alone is enough for the
 * container, since it is in all of them. */
static void test_a_leak_in_all_is_deadly_in_each(void **state)
{
    (void)state;
    add_workers("v1", 0, DEPLOYED, booting, 0, 800000, 1);
    add_workers("v2", DEPLOYED, 0, booting_and_leaking, 5000, 800000, 2);
    scene_run(&scene, DEPLOYED + 34);
    assert_non_null(confirmed());
    assert_int_equal(confirmed()->rule, VERDICT_RULE_D);
}

/* Those that were killed come back, and are too young to be measured: the pace stays. */
static void test_who_has_just_begun_grows_as_those_beside_it(void **state)
{
    (void)state;
    add_workers("v1", 0, DEPLOYED, booting, 0, 480000, 1);
    add_workers("v2", DEPLOYED, 0, booting_and_leaking, 1200, 480000, 2);
    for (uint32_t i = 0; i < 2; i++) {
        struct scene_life *killed = &scene.lives[WORKERS + i];
        killed->end = DEPLOYED + 32;
        killed->oom_killed = 1;
        add_limited("v2", DEPLOYED + 33, 0, booting_and_leaking, 1200, 480000);
        scene.lives[scene.life_count - 1] = *killed;
        scene.lives[scene.life_count - 1].start = DEPLOYED + 33;
        scene.lives[scene.life_count - 1].end = 0;
    }
    scene_run(&scene, DEPLOYED + 40);
    assert_non_null(confirmed());
    int64_t until_ms = (480000 / 1200 / WORKERS - 20) * SCENE_BIN_MS;
    assert_true(llabs(confirmed()->until_limit_ms - until_ms) < until_ms / 4);
}

/* Where nobody knows a process's own memory, the container's is not theirs four times over. */
static void test_a_container_is_counted_once(void **state)
{
    (void)state;
    add_workers("v1", 0, DEPLOYED, booting, 0, 480000, 1);
    add_workers("v2", DEPLOYED, 0, booting_and_leaking, 1200, 480000, 2);
    for (uint32_t i = 0; i < scene.life_count; i++)
        scene.lives[i].is_memory_hidden = 1;
    scene_run(&scene, DEPLOYED + 40);
    assert_non_null(confirmed());
    scene_run(&scene, DEPLOYED + 62);
    int64_t until_ms = (480000 / 1200 / WORKERS - 60) * SCENE_BIN_MS;
    assert_true(llabs(confirmed()->until_limit_ms - until_ms) < until_ms / 5);
}

/* Strings come one to a hundred carts: too few of them to be explained by the carts, in a line that
 * only the carts can give a name to. */
static double with_a_few_strings(uint32_t type, const char *version, uint32_t bin)
{
    double carts = scene_leaked(bin, 300);
    return scene_steady(type, version, bin) + (type == 0 ? carts : type == 2 ? bin * 1.0 : 0);
}

static void test_a_type_is_said_once(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        struct scene_life *life = scene_add(&scene, "v1", i, 0, with_a_few_strings);
        life->process.rss_bytes = 100 << 20;
        life->native_per_bin = 40000;
        life->process.container_limit_bytes = (100 << 20) + 300 * 40000;
    }
    for (uint32_t bin = 1; bin < 2 * SCENE_HORIZON; bin++) {
        uint32_t count;
        scene_run(&scene, bin);
        const struct verdict *verdicts = detector_verdicts(scene.detector, &count);
        for (uint32_t i = 1; i < count; i++)
            for (uint32_t k = 0; k < i; k++)
                assert_string_not_equal(verdicts[i].type, verdicts[k].type);
    }
    assert_non_null(confirmed());
    assert_string_equal(confirmed()->type, "shop.Cart");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_start_up_hides_no_leak, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_class_has_its_part_of_the_built_ins, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_life_that_was_killed_is_witness_enough, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_morning_hides_no_leak, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_morning_is_no_leak, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_first_life_must_use_up_some_room, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lives_without_the_class_tell_nothing, setup, teardown),
        cmocka_unit_test(test_any_horizon_has_its_passes),
        cmocka_unit_test_setup_teardown(test_a_new_line_of_a_known_class_is_told_at_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_is_new_must_be_a_large_part, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_began_later_is_no_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_was_held_before_is_usual, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_filled_up_before_is_usual, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_had_stopped_is_not_what_killed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_silent_are_not_the_living, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_takes_longer_than_a_day_can_wait, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_workers_fill_their_container_together, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_who_lives_alone_has_all_the_room, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_of_the_workers_has_the_room_of_all, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_leak_in_all_is_deadly_in_each, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_has_just_begun_grows_as_those_beside_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_container_is_counted_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_type_is_said_once, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
