/* Two types grow with each other: which one the leak is called by, and when they are two leaks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "detect_scene.h"

enum { VERDICT_BINS = SCENE_HORIZON + 4 * SCENE_HORIZON / 15, LIVES = 2 };

/* Memory that is not Python's, for each leaked one of the first. */
static uint64_t native_each;
/* Bins before the first of them, in which code is loaded, as much in each as is lost later. */
static uint32_t loading_bins;
/* Objects of the second that come and go, at the most. */
static uint64_t passing;
static uint32_t bins = VERDICT_BINS;

struct grown {
    const char *name;
    uint64_t bytes, each; /* of one; so many of them for each leaked one */
    uint64_t grows_by;    /* bytes of all of them for each leaked one, whose number is the same */
};

/* How many leaks there are in a service in which both grow; the first is left in `ret`. */
static uint32_t find(struct grown first, struct grown second, struct verdict *ret)
{
    static const struct detect_config config = {.horizon_ms = SCENE_HORIZON_MS};
    const struct grown *const both[] = {&first, &second};
    struct scene scene = {.detector = detector_new(&config)};
    struct detect_process process = {0};
    struct detect_value values[2];
    for (uint32_t bin = 0; bin < bins; bin++) {
        int64_t now_ms = scene_start_ms + (int64_t)bin * SCENE_BIN_MS;
        process.cpu_ms = 100 * (uint64_t)(bin + 1);
        (void)detector_advance(scene.detector, now_ms);
        for (uint32_t life = 0; life < LIVES; life++) {
            struct detect_key key = scene_key(life);
            int number = detector_life(scene.detector, &key, "v1", 2, now_ms);
            uint32_t loading = bin < loading_bins ? bin : loading_bins;
            uint64_t leaked = (uint64_t)scene_leaked(bin - loading, 100);
            uint64_t native = (uint64_t)scene_leaked(loading, 100) + leaked;
            process.not_objects_bytes = native_each == 0 ? 0 : (4 << 20) + native * native_each;
            process.rss_bytes = 2 * process.not_objects_bytes;
            for (int i = 0; i < 2; i++) {
                values[i].type =
                    detector_type(scene.detector, both[i]->name, strlen(both[i]->name));
                uint64_t present = i == 1 ? bin / (SCENE_HORIZON / 6) * 5 % 4 * passing : 0;
                values[i].count = 50 + leaked * both[i]->each + present;
                values[i].bytes = values[i].count * both[i]->bytes + leaked * both[i]->grows_by;
            }
            detector_snapshot(scene.detector, number, now_ms, &process, values, 2);
        }
    }
    const struct verdict *verdict;
    uint32_t count = scene_verdicts(&scene, VERDICT_CONFIRMED, &verdict);
    assert_true(count > 0);
    *ret = *verdict;
    ret->type = strcmp(verdict->type, first.name) == 0 ? first.name : second.name;
    detector_free(scene.detector);
    return count;
}

static void assert_named(const char *name, struct grown first, struct grown second)
{
    struct verdict verdict;
    assert_int_equal(find(first, second, &verdict), 1);
    assert_string_equal(verdict.type, name);
    assert_int_equal(verdict.companion_count, 1);
}

/* In either order, since a name's number is a matter of chance. */
static void assert_told(const char *name, struct grown first, struct grown second)
{
    assert_named(name, first, second);
    assert_named(name, second, first);
}

static void test_data_is_named_after_what_has_it(void **state)
{
    (void)state;
    assert_told("generator", (struct grown){"str", 600, 1, 0},
                (struct grown){"generator", 112, 1, 0});
    assert_told("_asyncio.Task", (struct grown){"_contextvars.Context", 500, 1, 0},
                (struct grown){"_asyncio.Task", 200, 1, 0});
}

static void test_what_weighs_more_is_named(void **state)
{
    (void)state;
    assert_told("logging.StreamHandler", (struct grown){"logging.Formatter", 48, 1, 0},
                (struct grown){"logging.StreamHandler", 90, 1, 0});
    assert_told("list", (struct grown){"int", 28, 1, 0}, (struct grown){"list", 56, 1, 0});
}

static void test_the_rarer_is_named(void **state)
{
    (void)state;
    assert_told("tuple", (struct grown){"function", 160, 3, 0}, (struct grown){"tuple", 48, 1, 0});
}

static void test_of_plain_containers_the_heavier_is_named(void **state)
{
    (void)state;
    assert_told("dict", (struct grown){"list", 72, 1, 0}, (struct grown){"dict", 200, 2, 0});
    assert_told("list", (struct grown){"list", 900, 1, 0}, (struct grown){"dict", 200, 2, 0});
}

static void test_what_comes_with_others_is_not_named(void **state)
{
    (void)state;
    assert_told("type", (struct grown){"weakref.ReferenceType", 72, 1, 0},
                (struct grown){"type", 1064, 1, 0});
    assert_told("ValueError", (struct grown){"datetime.datetime", 48, 1, 0},
                (struct grown){"ValueError", 80, 1, 0});
    assert_told("threading.Thread", (struct grown){"threading.Event", 48, 1, 0},
                (struct grown){"threading.Thread", 48, 1, 0});
    assert_told("datetime.datetime", (struct grown){"dict", 200, 1, 0},
                (struct grown){"datetime.datetime", 48, 1, 0});
}

static uint32_t find_with_native(const char *name, uint64_t each, struct verdict *ret)
{
    native_each = each;
    uint32_t count = find((struct grown){name, 300, 1, 0}, (struct grown){"float", 24, 0, 0}, ret);
    native_each = 0;
    return count;
}

static void test_native_memory_belongs_to_the_class_that_keeps_it(void **state)
{
    (void)state;
    struct verdict verdict;
    assert_int_equal(find_with_native("ssl.SSLContext", 40000, &verdict), 1);
    assert_int_equal(verdict.kind, VERDICT_OBJECTS);
    assert_int_equal(verdict.companion_count, 1);
    assert_int_equal(find_with_native("shop.Cart", 40000, &verdict), 1);
}

static void test_code_that_is_loaded_before_it_is_not_held_against_the_class(void **state)
{
    (void)state;
    struct verdict verdict;
    loading_bins = SCENE_HORIZON / 4;
    assert_int_equal(find_with_native("ssl.SSLContext", 40000, &verdict), 1);
    assert_int_equal(verdict.kind, VERDICT_OBJECTS);
    loading_bins = 0;
}

static void test_native_memory_that_was_told_first_becomes_the_classs(void **state)
{
    (void)state;
    struct verdict verdict;
    loading_bins = SCENE_HORIZON * 6 / 10;
    bins = SCENE_HORIZON * 5 / 4;
    assert_int_equal(find_with_native("ssl.SSLContext", 40000, &verdict), 1);
    assert_int_equal(verdict.kind, VERDICT_NATIVE);
    bins = SCENE_HORIZON * 3; /* what begins in mid life is looked at for longer */
    assert_int_equal(find_with_native("ssl.SSLContext", 40000, &verdict), 1);
    assert_string_equal(verdict.type, "ssl.SSLContext");
    assert_int_equal(verdict.companion_count, 1);
    bins = VERDICT_BINS;
    loading_bins = 0;
}

static void test_native_memory_beside_plain_data_is_a_leak_of_its_own(void **state)
{
    (void)state;
    struct verdict verdict;
    assert_int_equal(find_with_native("dict", 40000, &verdict), 2);
    assert_int_equal(find_with_native("shop.Cart", 4 << 20, &verdict), 2);
}

static void test_the_programs_own_class_is_named(void **state)
{
    (void)state;
    assert_told("shop.Cart", (struct grown){"generator", 300, 1, 0},
                (struct grown){"shop.Cart", 48, 1, 0});
}

static void test_a_list_belongs_to_what_it_has(void **state)
{
    (void)state;
    assert_told("tuple", (struct grown){"list", 56, 0, 9}, (struct grown){"tuple", 48, 1, 0});
    assert_told("shop.Cart", (struct grown){"list", 56, 0, 9},
                (struct grown){"shop.Cart", 48, 1, 0});
}

/* Those that come and go hide the ones that stay for longer than their table does. */
static void test_a_table_is_named_after_what_it_has(void **state)
{
    (void)state;
    struct verdict verdict;
    passing = 2400;
    assert_int_equal(
        find((struct grown){"dict", 64, 0, 90}, (struct grown){"int", 28, 1, 0}, &verdict), 1);
    assert_string_equal(verdict.type, "int");
    assert_int_equal(verdict.kind, VERDICT_OBJECTS);
    passing = 0;
}

static void test_a_buffer_beside_is_a_leak_of_its_own(void **state)
{
    (void)state;
    struct verdict verdict;
    const struct grown cart = {"shop.Cart", 48, 1, 0};
    assert_int_equal(find((struct grown){"bytearray", 56, 0, 100}, cart, &verdict), 2);
    assert_int_equal(find((struct grown){"list", 56, 0, 900}, cart, &verdict), 2);
}

static void test_a_little_of_what_all_have_is_no_leak_beside_a_large_one(void **state)
{
    (void)state;
    struct verdict verdict;
    const struct grown list = {"list", 56, 1, 0};
    assert_int_equal(find((struct grown){"bytearray", 56, 0, 100000}, list, &verdict), 1);
    assert_string_equal(verdict.type, "bytearray");
    assert_int_equal(find((struct grown){"bytearray", 56, 0, 600}, list, &verdict), 2);
}

static void test_a_buffer_in_a_buffer_is_one(void **state)
{
    (void)state;
    struct verdict verdict;
    assert_int_equal(find((struct grown){"bytes", 56, 0, 90},
                          (struct grown){"_io.BytesIO", 90, 0, 90}, &verdict),
                     1);
    assert_string_equal(verdict.type, "_io.BytesIO");
    assert_int_equal(verdict.kind, VERDICT_BUFFER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_is_named_after_what_has_it),
        cmocka_unit_test(test_what_weighs_more_is_named),
        cmocka_unit_test(test_the_rarer_is_named),
        cmocka_unit_test(test_of_plain_containers_the_heavier_is_named),
        cmocka_unit_test(test_what_comes_with_others_is_not_named),
        cmocka_unit_test(test_native_memory_belongs_to_the_class_that_keeps_it),
        cmocka_unit_test(test_code_that_is_loaded_before_it_is_not_held_against_the_class),
        cmocka_unit_test(test_native_memory_that_was_told_first_becomes_the_classs),
        cmocka_unit_test(test_native_memory_beside_plain_data_is_a_leak_of_its_own),
        cmocka_unit_test(test_the_programs_own_class_is_named),
        cmocka_unit_test(test_a_list_belongs_to_what_it_has),
        cmocka_unit_test(test_a_table_is_named_after_what_it_has),
        cmocka_unit_test(test_a_buffer_beside_is_a_leak_of_its_own),
        cmocka_unit_test(test_a_little_of_what_all_have_is_no_leak_beside_a_large_one),
        cmocka_unit_test(test_a_buffer_in_a_buffer_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
