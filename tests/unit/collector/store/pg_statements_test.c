#include "pg_statements.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const struct pg_params none = {.count = 0};

/* As a session does it: look it up, and remember it. */
static int meet(struct pg_statements *statements, const char *text, const struct pg_params *params)
{
    int place = pg_statements_find(statements, text, params);
    if (place < 0)
        pg_statements_add(statements, text, params);
    return place;
}

static void a_statement_is_known_from_the_second_time(void **state)
{
    (void)state;
    struct pg_statements statements = {.count = 0};
    char again[] = "SELECT 1"; /* the text counts, not where it lies */
    assert_int_equal(meet(&statements, "SELECT 1", &none), -1);
    assert_int_equal(meet(&statements, "SELECT 2", &none), -1);
    assert_int_equal(meet(&statements, again, &none), 0);
    assert_int_equal(meet(&statements, "SELECT 2", &none), 1);
    assert_false(statements.list[0].is_prepared);
    pg_statements_forget(&statements);
    assert_int_equal(meet(&statements, "SELECT 1", &none), -1);
    pg_statements_forget(&statements);
}

static void other_parameters_are_another_statement(void **state)
{
    (void)state;
    struct pg_statements statements = {.count = 0};
    struct pg_params number = PG_PARAMS_INIT, text = PG_PARAMS_INIT;
    pg_param_i64(&number, 1);
    pg_param_text(&text, "a");
    assert_int_equal(meet(&statements, "SELECT $1", &number), -1);
    assert_int_equal(meet(&statements, "SELECT $1", &text), -1);
    assert_int_equal(meet(&statements, "SELECT $1", &none), -1);
    assert_int_equal(meet(&statements, "SELECT $1", &number), 0);
    assert_int_equal(meet(&statements, "SELECT $1", &text), 1);
    pg_statements_forget(&statements);
}

static void beyond_the_bound_none_is_remembered(void **state)
{
    (void)state;
    struct pg_statements statements = {.count = 0};
    char text[32];
    for (int i = 0; i < 2 * PG_STATEMENTS_MAX; i++) {
        (void)snprintf(text, sizeof(text), "SELECT %d", i);
        assert_int_equal(meet(&statements, text, &none), -1);
    }
    assert_int_equal(meet(&statements, text, &none), -1);
    assert_int_equal(meet(&statements, "SELECT 7", &none), 7);
    char name[PG_STATEMENT_NAME_BYTES];
    pg_statement_name(PG_STATEMENTS_MAX - 1, name);
    assert_string_equal(name, "heapfleet_191");
    pg_statements_forget(&statements);
}

/* Whenever four times as much was asked as until the last time. */
static void plans_grow_old_with_what_is_asked(void **state)
{
    (void)state;
    struct pg_statements statements = {.count = 0};
    for (int session = 0; session < 2; session++) {
        uint64_t due = PG_STATEMENTS_FIRST_LOOK;
        for (uint64_t run = 1; run <= 5000; run++) {
            assert_int_equal(pg_statements_run(&statements, 1), run == due);
            due = run == due ? 4 * due : due;
        }
        assert_int_equal(due, 4 * 4096);
        pg_statements_forget(&statements);
        assert_int_equal(pg_statements_run(&statements, PG_STATEMENTS_FIRST_LOOK + 6), 1);
        assert_int_equal(pg_statements_run(&statements, 3 * PG_STATEMENTS_FIRST_LOOK), 0);
        assert_int_equal(pg_statements_run(&statements, PG_STATEMENTS_FIRST_LOOK), 1);
        pg_statements_forget(&statements);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_statement_is_known_from_the_second_time),
        cmocka_unit_test(other_parameters_are_another_statement),
        cmocka_unit_test(beyond_the_bound_none_is_remembered),
        cmocka_unit_test(plans_grow_old_with_what_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
