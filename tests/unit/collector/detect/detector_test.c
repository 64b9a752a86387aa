/* Single services, made by hand: what is said of a leak, and what must never hurt. */
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "detect_scene.h"

/* The horizon, three major passes, and one that is under way. */
enum { VERDICT_BINS = SCENE_HORIZON + 4 * SCENE_HORIZON / 15 };

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

static const struct verdict *only_confirmed(void)
{
    const struct verdict *verdict;
    assert_int_equal(scene_verdicts(&scene, VERDICT_CONFIRMED, &verdict), 1);
    return verdict;
}

static void assert_nothing_confirmed(void)
{
    const struct verdict *verdict;
    assert_int_equal(scene_verdicts(&scene, VERDICT_CONFIRMED, &verdict), 0);
}

static int has_companion(const struct verdict *verdict, const char *type)
{
    for (uint32_t i = 0; i < verdict->companion_count; i++)
        if (strcmp(verdict->companions[i], type) == 0)
            return 1;
    return 0;
}

/* ---- leaks ------------------------------------------------------------------------------------
 */

static void test_a_verdict_names_class_version_rate_and_companions(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        scene_add(&scene, "v1", i, 400 + i, scene_steady);
        scene_add(&scene, "v2", 400 + i, 0, scene_leaking);
    }
    const struct verdict *verdict;
    scene_run(&scene, 400 + SCENE_HORIZON * 2 / 3); /* who brought it is told of a suspect, too */
    assert_int_equal(scene_verdicts(&scene, VERDICT_SUSPECT, &verdict), 1);
    assert_string_equal(verdict->introduced_in, "v2");
    scene_run(&scene, 400 + VERDICT_BINS);
    verdict = only_confirmed();
    assert_string_equal(verdict->type, "shop.Cart");
    assert_string_equal(verdict->introduced_in, "v2");
    assert_string_equal(verdict->still_in, "v2");
    assert_string_equal(verdict->fixed_in, "");
    assert_int_equal(verdict->rule, VERDICT_RULE_A);
    assert_int_equal(verdict->kind, VERDICT_OBJECTS);
    assert_int_equal(verdict->evidence.lives, 3);
    assert_true(has_companion(verdict, "dict") && has_companion(verdict, "str"));
    assert_true(fabs(verdict->count_per_hour - 7200) < 720);
    assert_true(fabs(verdict->bytes_per_hour - 720000) < 72000);
    assert_true(verdict->curve_count == 2 && verdict->curves[0].lives == 3);
    assert_true(verdict->curves[0].values[15] > verdict->curves[0].values[0] + 600);
}

static void test_a_verdict_climbs(void **state)
{
    (void)state;
    const struct verdict *verdict;
    for (uint32_t i = 0; i < 3; i++)
        scene_add(&scene, "v1", i, 0, scene_leaking);
    scene_run(&scene, SCENE_HORIZON / 4);
    assert_true(scene_verdicts(&scene, VERDICT_WATCH, &verdict) >= 1);
    scene_run(&scene, SCENE_HORIZON * 2 / 3);
    assert_int_equal(scene_verdicts(&scene, VERDICT_SUSPECT, &verdict), 1);
    assert_string_equal(verdict->type, "shop.Cart");
    assert_string_equal(verdict->introduced_in, "");
    assert_string_equal(verdict->oldest_in, "v1");
    scene_run(&scene, VERDICT_BINS);
    verdict = only_confirmed();
    assert_string_equal(verdict->introduced_in, "");
    assert_string_equal(verdict->oldest_in, "v1");
    assert_true(verdict->first_ms < verdict->since_ms);
}

static void test_one_finding_survives_redeployment_until_it_is_fixed(void **state)
{
    (void)state;
    const struct verdict *verdict;
    for (uint32_t i = 0; i < 3; i++) {
        scene_add(&scene, "v1", i, 480 + i, scene_leaking);
        scene_add(&scene, "v2", 480 + i, 960 + i, scene_leaking);
        scene_add(&scene, "v3", 960 + i, 0, scene_steady);
    }
    scene_run(&scene, 480);
    int64_t since_ms = only_confirmed()->since_ms;
    scene_run(&scene, 500);
    assert_int_equal(only_confirmed()->since_ms, since_ms);
    scene_run(&scene, 960);
    assert_int_equal(only_confirmed()->since_ms, since_ms);
    assert_string_equal(only_confirmed()->still_in, "v2");
    scene_run(&scene, 1200);
    assert_nothing_confirmed();
    assert_int_equal(scene_verdicts(&scene, VERDICT_RESOLVED, &verdict), 1);
    assert_string_equal(verdict->fixed_in, "v3");
}

static void test_one_container_of_six_is_enough(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 6; i++)
        scene_add(&scene, "v1", i, 0, i == 2 ? scene_leaking : scene_steady);
    scene_run(&scene, SCENE_HORIZON * 5 / 4 + 100);
    const struct verdict *verdict = only_confirmed();
    assert_string_equal(verdict->type, "shop.Cart");
    assert_int_equal(verdict->rule, VERDICT_RULE_SOME);
    assert_int_equal(verdict->evidence.lives_growing, 1);
}

static void test_short_lives_are_pooled(void **state)
{
    (void)state;
    static const char *const versions[5] = {"v1", "v2", "v3", "v4", "v5"};
    for (uint32_t i = 0; i < 5; i++)
        for (uint32_t k = 0; k < 3; k++)
            scene_add(&scene, versions[i], 280 * i + k, 280 * (i + 1), scene_leaking);
    scene_run(&scene, 1300);
    const struct verdict *verdict = only_confirmed();
    assert_string_equal(verdict->type, "shop.Cart");
    assert_int_equal(verdict->rule, VERDICT_RULE_B);
}

static double creeping(uint32_t type, const char *version, uint32_t bin)
{
    double level = pow(1.07, (double)strtol(version + 1, NULL, 10));
    return scene_steady(type, version, bin) * (type == 0 ? level : 1);
}

static double creeping_and_leaking(uint32_t type, const char *version, uint32_t bin)
{
    return creeping(type, version, bin) +
           (strcmp(version, "v8") == 0 && type == 0 ? scene_leaked(bin, 2) : 0);
}

static void add_creep(scene_model_fn *model)
{
    static const char *const versions[8] = {"v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8"};
    for (uint32_t i = 0; i < 8; i++)
        for (uint32_t k = 0; k < 2; k++)
            scene_add(&scene, versions[i], 90 * i + k, i < 7 ? 90 * (i + 1) : 0, model);
}

/* Nothing grows within a life: somebody should look at it, nobody be woken. */
static void test_creep_is_suspect(void **state)
{
    (void)state;
    const struct verdict *verdict;
    add_creep(creeping);
    for (uint32_t until = 90; until <= 7 * 90 + 200; until += 10) {
        scene_run(&scene, until);
        assert_nothing_confirmed();
    }
    assert_int_equal(scene_verdicts(&scene, VERDICT_SUSPECT, &verdict), 1);
    assert_string_equal(verdict->type, "shop.Cart");
    assert_int_equal(verdict->rule, VERDICT_RULE_C);
    assert_string_equal(verdict->introduced_in, "v2");
    assert_true(verdict_is_settled(verdict));
}

static void test_creep_that_leaks_is_a_leak(void **state)
{
    (void)state;
    const struct verdict *verdict;
    add_creep(creeping_and_leaking);
    scene_run(&scene, 7 * 90 + 120);
    assert_int_equal(scene_verdicts(&scene, VERDICT_SUSPECT, &verdict), 1);
    assert_int_equal(verdict->rule, VERDICT_RULE_C);
    int64_t first_ms = verdict->first_ms;
    scene_run(&scene, 7 * 90 + VERDICT_BINS);
    verdict = only_confirmed();
    assert_string_equal(verdict->type, "shop.Cart");
    assert_int_equal(verdict->rule, VERDICT_RULE_A);
    assert_string_equal(verdict->introduced_in, "v8");
    assert_int_equal(verdict->first_ms, first_ms);
    assert_int_equal(scene_verdicts(&scene, VERDICT_SUSPECT, &verdict), 0);
}

/* It is all there: carts, their dicts, and memory that is neither. */
static void test_native_memory_is_told_apart(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        struct scene_life *life = scene_add(&scene, "v1", i, 0, scene_steady);
        life->process.rss_bytes = 90 << 20;
        life->process.not_objects_bytes = 30 << 20;
        life->native_per_bin = 100000;
    }
    scene_run(&scene, VERDICT_BINS);
    const struct verdict *verdict = only_confirmed();
    assert_int_equal(verdict->kind, VERDICT_NATIVE);
    assert_string_equal(verdict->type, "(native memory)");
}

static void run_with_free(uint64_t pools_per_bin, uint64_t malloc_per_bin)
{
    for (uint32_t i = 0; i < 3; i++) {
        struct scene_life *life = scene_add(&scene, "v1", i, 0, scene_steady);
        life->process = (struct detect_process){.rss_bytes = 90 << 20,
                                                .not_objects_bytes = 30 << 20,
                                                .free_pool_bytes = 2 << 20,
                                                .free_malloc_bytes = 1 << 20};
        life->native_per_bin = 100000;
        life->pools_per_bin = pools_per_bin;
        life->malloc_per_bin = malloc_per_bin;
    }
    scene_run(&scene, VERDICT_BINS);
    assert_string_equal(only_confirmed()->type, "(free heap space)");
    assert_int_equal(only_confirmed()->kind, VERDICT_FRAGMENTATION);
}

static void test_pools_that_are_kept_are_fragmentation(void **state)
{
    (void)state;
    run_with_free(100000, 0);
}

static void test_what_malloc_keeps_is_fragmentation(void **state)
{
    (void)state;
    run_with_free(0, 95000);
}

/* ---- what is watched ---------------------------------------------------------------------------
 */

static double filling_carts(uint32_t type, const char *version, uint32_t bin)
{
    return scene_steady(type, version, bin) * (type == 0 ? 1 + fmin(bin / 150.0, 1) : 1);
}

static void test_a_watch_comes_and_goes_once(void **state)
{
    (void)state;
    const struct verdict *verdict;
    uint32_t changes = 0;
    uint32_t before = 0;
    int64_t since_ms = 0;
    for (uint32_t i = 0; i < 3; i++)
        scene_add(&scene, "v1", i, 0, filling_carts);
    for (uint32_t until = 6; until <= 3 * SCENE_HORIZON; until += 6) {
        scene_run(&scene, until);
        uint32_t now = scene_verdicts(&scene, VERDICT_WATCH, &verdict);
        assert_true(now <= 1);
        changes += now != before;
        before = now;
        if (now == 0)
            continue;
        assert_string_equal(verdict->type, "shop.Cart");
        assert_true(since_ms == 0 || since_ms == verdict->since_ms);
        since_ms = verdict->since_ms;
    }
    assert_int_equal(changes, 2);
    assert_int_equal(before, 0);
    assert_nothing_confirmed();
}

/* Grows for a while, rests, and again: a rest of less than a fifth of the horizon is no end. */
static double in_bursts(uint32_t type, const char *version, uint32_t bin)
{
    uint32_t round = bin / 120;
    return scene_steady(type, version, bin) + 200.0 * round + 2 * fmin(bin % 120, 100);
}

static void test_what_is_said_does_not_waver(void **state)
{
    (void)state;
    const struct verdict *verdict;
    uint32_t begins = 0;
    uint32_t before = 0;
    for (uint32_t i = 0; i < 3; i++)
        scene_add(&scene, "v1", i, 0, in_bursts);
    for (uint32_t until = 6; until <= SCENE_HORIZON; until += 6) {
        scene_run(&scene, until);
        uint32_t now = scene_verdicts(&scene, VERDICT_WATCH, &verdict) +
                       scene_verdicts(&scene, VERDICT_SUSPECT, &verdict);
        begins += now > before;
        before = now;
    }
    assert_int_equal(begins, 1);
}

/* A bit for each of the types below that is said to be watched. */
static uint64_t said_kinds(void)
{
    uint32_t count;
    uint64_t kinds = 0;
    const struct verdict *verdicts = detector_verdicts(scene.detector, &count);
    for (uint32_t i = 0; i < count; i++)
        if (verdicts[i].tier == VERDICT_WATCH)
            kinds |= (uint64_t)1 << strtoul(verdicts[i].type + strlen("shop.Kind"), NULL, 10);
    return kinds;
}

/* Each in a container of its own, so that none follows another. Who has a place keeps it. */
static void test_many_that_grow_are_few_that_are_said(void **state)
{
    (void)state;
    enum { MANY = 40, LIVES = MANY };
    struct detector *detector = scene.detector;
    const struct detect_process process = {.cpu_ms = 1};
    struct detect_value values[MANY];
    char names[MANY][32];
    uint64_t before = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        int size = snprintf(names[i], sizeof(names[i]), "shop.Kind%u", i);
        values[i].type = detector_type(detector, names[i], (size_t)size);
    }
    for (uint32_t bin = 0; bin < SCENE_HORIZON * 3 / 8; bin++) { /* before any is suspect */
        int64_t now_ms = scene_start_ms + (int64_t)bin * SCENE_BIN_MS;
        (void)detector_advance(detector, now_ms);
        for (uint32_t life = 0; life < LIVES; life++) {
            struct detect_key key = scene_key(life);
            int number = detector_life(detector, &key, "v1", 2, now_ms);
            for (uint32_t i = 0; i < MANY; i++) {
                double grown = life == i ? scene_leaked(bin, 4 + i) : 0;
                values[i].count = 1000 + (bin + i) % 7 + (uint64_t)grown;
                values[i].bytes = values[i].count * 100;
            }
            detector_snapshot(detector, number, now_ms, &process, values, MANY);
        }
        uint64_t now = said_kinds();
        assert_true(__builtin_popcountll(now) <= DETECT_WATCHES_MAX);
        assert_true((before & ~now) == 0);
        before = now;
    }
    assert_int_equal(__builtin_popcountll(before), DETECT_WATCHES_MAX);
}

/* Whoever goes on from a saved state says what it said, at once. */
static void test_a_watch_survives_a_restart(void **state)
{
    (void)state;
    static const struct detect_config config = {.horizon_ms = SCENE_HORIZON_MS};
    const struct verdict *verdict;
    struct why why;
    for (uint32_t i = 0; i < 3; i++)
        scene_add(&scene, "v1", i, 0, in_bursts);
    for (uint32_t until = 10; until <= SCENE_HORIZON; until += 10) {
        struct buf saved = BUF_INIT;
        scene_run(&scene, until);
        uint32_t watched = scene_verdicts(&scene, VERDICT_WATCH, &verdict);
        uint32_t suspect = scene_verdicts(&scene, VERDICT_SUSPECT, &verdict);
        detector_save(scene.detector, &saved);
        detector_free(scene.detector);
        assert_int_equal(detector_load(&config, saved.data, saved.size, &scene.detector, &why),
                         STATUS_OK);
        assert_int_equal(scene_verdicts(&scene, VERDICT_WATCH, &verdict), watched);
        assert_int_equal(scene_verdicts(&scene, VERDICT_SUSPECT, &verdict), suspect);
        buf_done(&saved);
    }
}

/* ---- what must never hurt ----------------------------------------------------------------------
 */

static double zero(uint32_t type, const char *version, uint32_t bin)
{
    (void)type, (void)version, (void)bin;
    return 0;
}

static double huge(uint32_t type, const char *version, uint32_t bin)
{
    return bin % 50 == 20 ? 0x1p63 : scene_steady(type, version, bin);
}

static double stepped(uint32_t type, const char *version, uint32_t bin)
{
    return scene_steady(type, version, bin) * (bin < 170 ? 1 : 1.4);
}

static double filling(uint32_t type, const char *version, uint32_t bin)
{
    return scene_steady(type, version, bin) * (1 + fmin(bin / 200.0, 1));
}

static double saturating(uint32_t type, const char *version, uint32_t bin)
{
    return scene_steady(type, version, bin) * (2 - exp(-(double)bin / 120));
}

static double wave(uint32_t type, const char *version, uint32_t bin)
{
    return scene_steady(type, version, bin) * (1.5 + 0.4 * sin((double)bin / 46));
}

static void test_odd_series_are_not_leaks(void **state)
{
    (void)state;
    scene_model_fn *const models[] = {zero, huge, stepped, filling, saturating, wave};
    for (size_t i = 0; i < ARRAY_SIZE(models); i++) {
        scene_end(&scene);
        scene_begin(&scene);
        for (uint32_t k = 0; k < 3; k++)
            scene_add(&scene, "v1", k, 0, models[i]);
        for (uint32_t until = 100; until <= 1000; until += 100) {
            scene_run(&scene, until);
            assert_nothing_confirmed();
        }
    }
}

static void test_clocks_that_go_back_and_forth_are_borne(void **state)
{
    (void)state;
    struct detector *detector = scene.detector;
    const struct detect_process process = {.cpu_ms = 1};
    int type = detector_type(detector, "shop.Cart", 9);
    uint64_t random = 7;
    for (uint32_t i = 0; i < 5000; i++) {
        struct detect_key key = scene_key(i % 4);
        random = random * 6364136223846793005U + 1442695040888963407U;
        int64_t time_ms = scene_start_ms + (int64_t)(random >> 40) - (1 << 20);
        if (i % 97 == 0)
            time_ms = i % 2 == 0 ? INT64_MAX : INT64_MIN;
        int life = detector_life(detector, &key, "v1", 2, time_ms);
        const struct detect_value value = {type, i, (uint64_t)i * 100};
        detector_snapshot(detector, life, time_ms, &process, &value, 1);
        (void)detector_advance(detector, time_ms < scene_start_ms * 2 ? time_ms : 0);
    }
    assert_nothing_confirmed();
}

static void test_a_version_for_every_bin_is_bounded(void **state)
{
    (void)state;
    struct detector *detector = scene.detector;
    const struct detect_process process = {.cpu_ms = 1};
    int type = detector_type(detector, "shop.Cart", 9);
    struct detect_key key = scene_key(1);
    for (uint32_t i = 0; i < 3000; i++) {
        char version[32];
        int64_t time_ms = scene_start_ms + (int64_t)i * SCENE_BIN_MS;
        int size = snprintf(version, sizeof(version), "build-%u", i);
        int life = detector_life(detector, &key, version, (size_t)size, time_ms);
        const struct detect_value value = {type, 1000 + 3 * i, 100000 + 300 * i};
        if (life >= 0)
            detector_snapshot(detector, life, time_ms, &process, &value, 1);
        (void)detector_advance(detector, time_ms);
    }
    assert_true(detector_size(detector).series <= (uint64_t)DETECT_LIVES_MAX * 64);
    assert_nothing_confirmed();
}

/* ---- state -------------------------------------------------------------------------------------
 */

static void test_saved_and_loaded_it_says_the_same(void **state)
{
    (void)state;
    static const struct detect_config config = {.horizon_ms = SCENE_HORIZON_MS};
    struct why why;
    for (uint32_t i = 0; i < 3; i++) {
        scene_add(&scene, "v1", i, 400 + i, scene_steady);
        scene_add(&scene, "v2", 400 + i, 0, scene_leaking);
    }
    scene_run(&scene, 400 + VERDICT_BINS);
    struct verdict without = *only_confirmed();
    scene_end(&scene);
    uint32_t lives = scene.life_count;
    scene.detector = detector_new(&config);
    scene.now = 0;
    for (uint32_t until = 100; until <= 400 + VERDICT_BINS; until += 100) {
        struct buf saved = BUF_INIT;
        scene_run(&scene, until < 350 + VERDICT_BINS ? until : 400 + VERDICT_BINS);
        detector_save(scene.detector, &saved);
        detector_free(scene.detector);
        assert_int_equal(detector_load(&config, saved.data, saved.size, &scene.detector, &why),
                         STATUS_OK);
        buf_done(&saved);
    }
    scene_run(&scene, 400 + VERDICT_BINS);
    assert_int_equal(scene.life_count, lives);
    const struct verdict *with = only_confirmed();
    assert_int_equal(with->since_ms, without.since_ms);
    assert_memory_equal(&with->evidence, &without.evidence, sizeof(without.evidence));
}

static void save_a_life(struct buf *ret)
{
    scene_end(&scene);
    scene_begin(&scene);
    for (uint32_t i = 0; i < 3; i++) {
        scene_add(&scene, "v1", i, 480 + i, scene_leaking);
        scene_add(&scene, "v2", 480 + i, 0, scene_steady);
    }
    scene_run(&scene, 720);
    detector_save(scene.detector, ret);
}

/* Nothing is saved of what lay in memory before. valgrind looks at what is written to a file. */
static void test_the_same_state_is_the_same_bytes(void **state)
{
    (void)state;
    const struct verdict *verdict;
    struct buf first = BUF_INIT;
    struct buf second = BUF_INIT;
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    save_a_life(&first);
    save_a_life(&second);
    assert_int_equal(scene_verdicts(&scene, VERDICT_RESOLVED, &verdict), 1);
    assert_int_equal(write(null, first.data, first.size), first.size);
    assert_int_equal(first.size, second.size);
    assert_memory_equal(first.data, second.data, first.size);
    (void)close(null);
    buf_done(&first);
    buf_done(&second);
}

static void test_a_damaged_state_is_refused(void **state)
{
    (void)state;
    static const struct detect_config config = {.horizon_ms = SCENE_HORIZON_MS};
    static const struct detect_config other = {.horizon_ms = SCENE_HORIZON_MS * 2};
    struct detector *loaded = NULL;
    struct buf saved = BUF_INIT;
    struct why why;
    scene_add(&scene, "v1", 0, 0, scene_leaking);
    scene_run(&scene, 200);
    detector_save(scene.detector, &saved);
    assert_int_equal(detector_load(&other, saved.data, saved.size, &loaded, &why), STATUS_INVALID);
    for (size_t size = 0; size < saved.size; size += saved.size / 50)
        assert_int_equal(detector_load(&config, saved.data, size, &loaded, &why), STATUS_INVALID);
    for (size_t at = 0; at < saved.size; at += saved.size / 200) {
        saved.data[at] ^= 0x10;
        enum status status = detector_load(&config, saved.data, saved.size, &loaded, &why);
        saved.data[at] ^= 0x10;
        if (status == STATUS_OK) /* in the head's numbers that have no sum */
            detector_free(loaded);
        else
            assert_int_equal(status, STATUS_INVALID);
    }
    buf_done(&saved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_verdict_names_class_version_rate_and_companions,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_verdict_climbs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_finding_survives_redeployment_until_it_is_fixed,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_container_of_six_is_enough, setup, teardown),
        cmocka_unit_test_setup_teardown(test_short_lives_are_pooled, setup, teardown),
        cmocka_unit_test_setup_teardown(test_creep_is_suspect, setup, teardown),
        cmocka_unit_test_setup_teardown(test_creep_that_leaks_is_a_leak, setup, teardown),
        cmocka_unit_test_setup_teardown(test_native_memory_is_told_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pools_that_are_kept_are_fragmentation, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_malloc_keeps_is_fragmentation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_watch_comes_and_goes_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_said_does_not_waver, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_that_grow_are_few_that_are_said, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_watch_survives_a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_odd_series_are_not_leaks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_clocks_that_go_back_and_forth_are_borne, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_version_for_every_bin_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_saved_and_loaded_it_says_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_same_state_is_the_same_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_damaged_state_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
