#include "type_numbering.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NAMES(...) ((const char *const[]){__VA_ARGS__})

static const char *fresh[SNAPSHOT_TYPES_MAX + 1];
static uint32_t places[SNAPSHOT_TYPES_MAX + 1];
static uint32_t fresh_count;

/* As a session does it, with a database that adds what is missing at the end of the list. */
static enum status define(struct type_numbering *numbering, uint32_t first, uint32_t count,
                          const char *const *names)
{
    enum status status = type_numbering_unknown(numbering, names, count, fresh, &fresh_count, NULL);
    if (status != STATUS_OK)
        return status;
    if (numbering->stored + fresh_count > SNAPSHOT_TYPES_MAX)
        return STATUS_LIMIT;
    for (uint32_t i = 0; i < fresh_count; i++)
        places[i] = numbering->stored + i;
    type_numbering_learn(numbering, fresh, places, fresh_count);
    return type_numbering_define(numbering, first, names, count, NULL);
}

static void names_of_a_new_process_are_all_new(void **state)
{
    (void)state;
    struct type_numbering numbering = TYPE_NUMBERING_INIT;
    assert_int_equal(define(&numbering, 0, 3, NAMES("a", "b", "c")), STATUS_OK);
    assert_int_equal(fresh_count, 3);
    assert_string_equal(fresh[2], "c");
    assert_null(numbering.places);
    assert_int_equal(define(&numbering, 3, 1, NAMES("d")), STATUS_OK);
    assert_int_equal(fresh_count, 1);
    assert_int_equal(numbering.stored, 4);
    assert_int_equal(numbering.defined, 4);
    type_numbering_done(&numbering);
}

static void saying_it_again_adds_nothing(void **state)
{
    (void)state;
    struct type_numbering numbering = TYPE_NUMBERING_INIT;
    type_numbering_load(&numbering, NAMES("a", "b"), 2);
    assert_int_equal(define(&numbering, 0, 2, NAMES("a", "b")), STATUS_OK);
    assert_int_equal(fresh_count, 0);
    assert_int_equal(define(&numbering, 0, 3, NAMES("a", "b", "c")), STATUS_OK);
    assert_int_equal(fresh_count, 1);
    assert_null(numbering.places);
    type_numbering_done(&numbering);
}

static void another_order_is_translated_both_ways(void **state)
{
    (void)state;
    struct type_numbering numbering = TYPE_NUMBERING_INIT;
    type_numbering_load(&numbering, NAMES("a", "b", "c"), 3);
    assert_int_equal(define(&numbering, 0, 4, NAMES("a", "c", "x", "b")), STATUS_OK);
    assert_int_equal(fresh_count, 1);
    assert_string_equal(fresh[0], "x");
    assert_non_null(numbering.places);
    struct heap_values agent = HEAP_VALUES_INIT, stored = HEAP_VALUES_INIT, back = HEAP_VALUES_INIT;
    heap_values_resize(&agent, 4);
    for (uint32_t i = 0; i < 4; i++)
        agent.values[i] = (struct type_value){i + 1, i + 10};
    type_numbering_to_stored(&numbering, &agent, &stored);
    assert_int_equal(stored.types, 4);
    assert_int_equal(stored.values[0].count, 1); /* a */
    assert_int_equal(stored.values[1].count, 4); /* b */
    assert_int_equal(stored.values[2].count, 2); /* c */
    assert_int_equal(stored.values[3].count, 3); /* x */
    type_numbering_to_agent(&numbering, &stored, &back);
    assert_int_equal(back.types, 4);
    assert_memory_equal(back.values, agent.values, 4 * sizeof(*agent.values));
    /* types that were not there yet are not made up */
    heap_values_resize(&agent, 2);
    type_numbering_to_stored(&numbering, &agent, &stored);
    type_numbering_to_agent(&numbering, &stored, &back);
    assert_int_equal(back.types, 2);
    heap_values_done(&agent);
    heap_values_done(&stored);
    heap_values_done(&back);
    type_numbering_done(&numbering);
}

static void what_disagrees_is_refused(void **state)
{
    (void)state;
    static const struct {
        uint32_t first, count;
        const char *names[3];
        enum status expected;
    } cases[] = {
        {3, 1, {"d"}, STATUS_INVALID},      /* a hole */
        {0, 2, {"a", "x"}, STATUS_INVALID}, /* another name for 1 */
        {0, 2, {"b", "a"}, STATUS_INVALID}, /* swapped */
        {2, 1, {"a"}, STATUS_INVALID},      /* a has the number 0 */
        {2, 2, {"y", "y"}, STATUS_INVALID}, /* twice in one message */
        {SNAPSHOT_TYPES_MAX, 1, {"z"}, STATUS_INVALID},
        {UINT32_MAX, 2, {"z", "y"}, STATUS_INVALID},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct type_numbering numbering = TYPE_NUMBERING_INIT;
        assert_int_equal(define(&numbering, 0, 2, NAMES("a", "b")), STATUS_OK);
        assert_int_equal(define(&numbering, cases[i].first, cases[i].count, cases[i].names),
                         cases[i].expected);
        type_numbering_done(&numbering);
    }
}

static void a_name_twice_is_refused_in_another_order_too(void **state)
{
    (void)state;
    struct type_numbering numbering = TYPE_NUMBERING_INIT;
    type_numbering_load(&numbering, NAMES("a", "b", "c"), 3);
    assert_int_equal(define(&numbering, 0, 2, NAMES("c", "a")), STATUS_OK);
    assert_int_equal(define(&numbering, 2, 1, NAMES("c")), STATUS_INVALID);
    type_numbering_done(&numbering);
}

/* Another agent has added to the list between our look and our addition. */
static void the_list_may_grow_under_others_hands(void **state)
{
    (void)state;
    struct type_numbering numbering = TYPE_NUMBERING_INIT;
    assert_int_equal(define(&numbering, 0, 2, NAMES("a", "b")), STATUS_OK);
    assert_int_equal(
        type_numbering_unknown(&numbering, NAMES("c", "d"), 2, fresh, &fresh_count, NULL),
        STATUS_OK);
    assert_int_equal(fresh_count, 2);
    type_numbering_learn(&numbering, fresh, (const uint32_t[]){7, 4}, 2);
    assert_int_equal(type_numbering_define(&numbering, 2, NAMES("c", "d"), 2, NULL), STATUS_OK);
    assert_int_equal(numbering.stored, 8);
    struct heap_values agent = HEAP_VALUES_INIT, stored = HEAP_VALUES_INIT;
    heap_values_resize(&agent, 4);
    for (uint32_t i = 0; i < 4; i++)
        agent.values[i].count = i + 1;
    type_numbering_to_stored(&numbering, &agent, &stored);
    static const uint64_t expected[] = {1, 2, 0, 0, 4, 0, 0, 3};
    assert_int_equal(stored.types, 8);
    for (uint32_t i = 0; i < 8; i++)
        assert_int_equal(stored.values[i].count, expected[i]);
    heap_values_done(&agent);
    heap_values_done(&stored);
    type_numbering_done(&numbering);
}

static void the_table_is_bounded(void **state)
{
    (void)state;
    static char texts[SNAPSHOT_TYPES_MAX + 1][16];
    static const char *names[SNAPSHOT_TYPES_MAX + 1];
    for (int i = 0; i <= SNAPSHOT_TYPES_MAX; i++) {
        (void)snprintf(texts[i], sizeof(texts[i]), "%d", i);
        names[i] = texts[i];
    }
    struct type_numbering numbering = TYPE_NUMBERING_INIT;
    assert_int_equal(type_numbering_define(&numbering, 0, names, SNAPSHOT_TYPES_MAX + 1, NULL),
                     STATUS_LIMIT);
    assert_int_equal(define(&numbering, 0, SNAPSHOT_TYPES_MAX, names), STATUS_OK);
    assert_int_equal(type_numbering_define(&numbering, SNAPSHOT_TYPES_MAX, NAMES("0"), 1, NULL),
                     STATUS_LIMIT);
    type_numbering_done(&numbering);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_a_new_process_are_all_new),
        cmocka_unit_test(saying_it_again_adds_nothing),
        cmocka_unit_test(another_order_is_translated_both_ways),
        cmocka_unit_test(what_disagrees_is_refused),
        cmocka_unit_test(a_name_twice_is_refused_in_another_order_too),
        cmocka_unit_test(the_list_may_grow_under_others_hands),
        cmocka_unit_test(the_table_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
