#include "query_types.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fake_glance.h"

static double by_count(const struct type_row *row)
{
    return row->side[0].count;
}

static double by_nothing(const struct type_row *row)
{
    (void)row;
    return 0;
}

/* Processes that number the same types differently, and more types than the first table holds. */
static void sums_by_global_id(void **state)
{
    (void)state;
    enum { TYPES = 3000 };
    static int32_t ids[TYPES];
    struct life life = {0};
    heap_values_resize(&life.newest, TYPES);
    struct type_table table = {0};
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < TYPES; i++) {
            uint32_t type = round == 0 ? i : TYPES - 1 - i;
            ids[i] = (int32_t)type * 7 + 1;
            life.newest.values[i] = (struct type_value){type, (uint64_t)type * 10};
        }
        /* the last type's name has not arrived yet the first time */
        struct instance_row instance = {.type_ids = ids, .type_count = TYPES - (round == 0)};
        assert_int_equal(type_table_add(&table, &instance, &life, 0, NULL), STATUS_OK);
    }
    type_table_finish(&table, 0, 1);
    assert_int_equal(table.processes[0], 2);
    assert_true(isnan(table.rows[0].side[0].bytes_per_hour)); /* nobody knows its growth */
    assert_int_equal(table.count, TYPES);
    int32_t seen[2] = {0, 0};
    for (uint32_t i = 0; i < table.count; i++) {
        const struct type_row *row = &table.rows[i];
        double expected = (row->type_id - 1) / 7.0;
        if (expected == TYPES - 1)
            expected /= 2;
        assert_true(row->side[0].count == expected);
        assert_true(row->side[0].bytes == 10 * expected);
        seen[0] += row->type_id == 1;
        seen[1] += row->type_id == 8;
    }
    assert_int_equal(seen[0], 1);
    assert_int_equal(seen[1], 1);
    type_table_done(&table);
    heap_values_done(&life.newest);
}

static void ranks_and_names(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct query query = {.arena = &arena};
    struct type_table table = {0};
    struct page_rows page = {.most = 5};
    assert_int_equal(type_table_rank(&table, by_count, &page, &query, NULL), STATUS_OK);
    int32_t ids[] = {fake_type("a"), fake_type("b"), fake_type("c")};
    struct instance_row instance = {.type_ids = ids, .type_count = 3};
    struct type_value values[] = {{5, 0}, {9, 0}, {7, 0}};
    struct life life = {.newest = {values, 3, 3}};
    assert_int_equal(type_table_add(&table, &instance, &life, 0, NULL), STATUS_OK);
    assert_int_equal(type_table_rank(&table, by_nothing, &page, &query, NULL), STATUS_OK);
    assert_string_equal(table.rows[0].name, "a"); /* equal ones by id */
    page.most = 2;
    assert_int_equal(type_table_rank(&table, by_count, &page, &query, NULL), STATUS_OK);
    assert_int_equal(table.count, 2);
    assert_string_equal(table.rows[0].name, "b");
    assert_string_equal(table.rows[1].name, "c");
    page.place.number = 1;
    assert_int_equal(type_table_rank(&table, by_count, &page, &query, NULL), STATUS_OK);
    assert_int_equal(table.count, 1);
    assert_string_equal(table.rows[0].name, "c");
    page.place.number = INT64_MAX;
    assert_int_equal(type_table_rank(&table, by_count, &page, &query, NULL), STATUS_OK);
    assert_int_equal(table.count, 0);
    type_table_done(&table);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_by_global_id),
        cmocka_unit_test(ranks_and_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
