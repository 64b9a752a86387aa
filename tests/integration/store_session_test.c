/* USES store */
/*
 * What a session without a pooler remembers: settings, and statements that the server has prepared;
 * and what it asks ahead.
 * Whatever somebody does to them, a statement fails at most once, and as one that may be tried
 * again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pg.h"
#include "pg_statements.h"
#include "private_store.h"

static struct private_store store;
static struct pg *pg;

static void script(const char *sql)
{
    struct why why = {""};
    private_store_must(pg_script(pg, sql, &why), &why);
}

static int64_t number(const char *sql)
{
    struct why why = {""};
    struct pg_rows rows;
    private_store_must(pg_run(pg, sql, NULL, &rows, &why), &why);
    int64_t ret = pg_i64(&rows, 0, 0);
    pg_rows_done(&rows);
    return ret;
}

static int start(void **state)
{
    (void)state;
    private_store_start(&store);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    private_store_stop(&store);
    return 0;
}

static int connect_one(void **state)
{
    (void)state;
    pg = pg_new(embedded_dsn(store.server));
    script("CREATE TABLE IF NOT EXISTS thing (n integer); TRUNCATE thing; INSERT INTO thing VALUES "
           "(7)");
    return 0;
}

static int disconnect(void **state)
{
    (void)state;
    pg_free(pg);
    return 0;
}

static enum status ask_thing(int64_t *ret, struct why *why)
{
    struct pg_rows rows;
    enum status status = pg_run(pg, "SELECT * FROM thing", NULL, &rows, why);
    if (status != STATUS_OK)
        return status;
    *ret = pg_i64(&rows, 0, 0);
    pg_rows_done(&rows);
    return STATUS_OK;
}

static const char prepared_sql[] =
    "SELECT count(*) FROM pg_prepared_statements WHERE statement = 'SELECT * FROM thing'";

static void prepare_thing(void)
{
    for (int i = 0; i < 3; i++) {
        struct why why = {""};
        int64_t n = 0;
        private_store_must(ask_thing(&n, &why), &why);
        assert_int_equal(n, 7);
        assert_int_equal(number(prepared_sql), i > 0);
    }
}

static void a_statement_is_prepared_when_it_comes_again(void **state)
{
    (void)state;
    prepare_thing();
}

static void settings_hold_for_the_session(void **state)
{
    (void)state;
    static const char timeout_sql[] =
        "SELECT setting::bigint FROM pg_settings WHERE name = 'statement_timeout'";
    static const char jit_sql[] =
        "SELECT count(*) FROM pg_settings WHERE name = 'jit' AND setting = 'off'";
    assert_int_equal(number(timeout_sql), PG_STATEMENT_MS);
    assert_int_equal(number(jit_sql), 1);
    pg_set_deadline(pg, 1234567);
    assert_int_equal(number(timeout_sql), 1234567);
    struct why why = {""};
    private_store_must(pg_begin(pg, &why), &why);
    assert_int_equal(number(timeout_sql), 1234567);
    pg_rollback(pg);
    assert_int_equal(number(timeout_sql), 1234567);
}

static void commits_are_synchronous_whatever_the_role_says(void **state)
{
    (void)state;
    static const char commit_sql[] =
        "SELECT count(*) FROM pg_settings WHERE name = 'synchronous_commit' AND setting = 'on'";
    static const char stricter_sql[] = "SELECT count(*) FROM pg_settings "
                                       "WHERE name = 'synchronous_commit' AND setting = "
                                       "'remote_apply'";
    script("ALTER ROLE CURRENT_USER SET synchronous_commit = off");
    disconnect(state);
    connect_one(state);
    assert_int_equal(number(commit_sql), 1);
    script("ALTER ROLE CURRENT_USER SET synchronous_commit = remote_apply");
    disconnect(state);
    connect_one(state);
    assert_int_equal(number(stricter_sql), 1);
    script("ALTER ROLE CURRENT_USER RESET synchronous_commit");
}

static void what_was_taken_away_is_prepared_anew(void **state)
{
    (void)state;
    prepare_thing();
    script("DEALLOCATE ALL");
    struct why why = {""};
    int64_t n = 0;
    assert_int_equal(ask_thing(&n, &why), STATUS_UNAVAILABLE);
    prepare_thing();
}

static void a_table_that_changed_is_read_anew(void **state)
{
    (void)state;
    prepare_thing();
    script("ALTER TABLE thing ADD COLUMN more integer");
    struct why why = {""};
    int64_t n = 0;
    assert_int_equal(ask_thing(&n, &why), STATUS_UNAVAILABLE);
    prepare_thing();
}

static int64_t ask_grown(int64_t n)
{
    struct why why = {""};
    struct pg_rows rows;
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, n);
    private_store_must(pg_run(pg, "SELECT n FROM grown WHERE n = $1", &params, &rows, &why), &why);
    int64_t ret = rows.count > 0 ? pg_i64(&rows, 0, 0) : 0;
    pg_rows_done(&rows);
    return ret;
}

/* By the plan that the session keeps. */
static int grown_is_read_whole(void)
{
    struct why why = {""};
    struct pg_rows rows;
    private_store_must(pg_run(pg, "EXPLAIN EXECUTE heapfleet_0(1)", NULL, &rows, &why), &why);
    int ret = strstr(pg_text(&rows, 0, 0), "Seq Scan") != NULL;
    pg_rows_done(&rows);
    return ret;
}

/* Nobody has told the server: autovacuum is off. */
static void a_plan_does_not_outlive_what_the_table_was(void **state)
{
    (void)state;
    script("CREATE TABLE grown (n bigint PRIMARY KEY) WITH (autovacuum_enabled = off); "
           "INSERT INTO grown VALUES (1); ANALYZE grown");
    for (int i = 0; i < 10; i++)
        assert_int_equal(ask_grown(1), 1);
    assert_true(grown_is_read_whole());
    script("INSERT INTO grown SELECT generate_series(2, 50000)");
    assert_true(grown_is_read_whole());
    for (int64_t n = 1; n <= PG_STATEMENTS_FIRST_LOOK; n++)
        assert_int_equal(ask_grown(n), n);
    assert_false(grown_is_read_whole());
}

static void what_is_not_supported_stays_an_error(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct why why = {""};
        assert_int_equal(
            pg_run(pg, "CREATE UNIQUE INDEX ON heapfleet.snap_delta (sequence)", NULL, NULL, &why),
            STATUS_FAILED);
        assert_non_null(strstr(why.text, "unique constraint"));
    }
}

/* ---- asking ahead --------------------------------------------------------------------------- */

static const char hundred_sql[] = "SELECT (n + 100)::bigint FROM thing";

static void ask_ahead(void)
{
    struct why why = {""};
    struct pg_rows rows;
    int64_t n = 0;
    pg_ask_ahead(pg, 1);
    assert_int_equal(ask_thing(&n, &why), STATUS_UNAVAILABLE);
    assert_int_equal(pg_run(pg, hundred_sql, NULL, &rows, &why), STATUS_UNAVAILABLE);
    pg_ask_ahead(pg, 0);
}

static void prepare_both(void)
{
    prepare_thing();
    for (int i = 0; i < 2; i++)
        assert_int_equal(number(hundred_sql), 107);
}

static void change_elsewhere(const char *sql)
{
    struct why why = {""};
    struct pg *other = pg_new(embedded_dsn(store.server));
    private_store_must(pg_script(other, sql, &why), &why);
    pg_free(other);
}

static int64_t must_ask_thing(void)
{
    struct why why = {""};
    int64_t n = 0;
    private_store_must(ask_thing(&n, &why), &why);
    return n;
}

/* Both went out together, so that the second answer is of then; and it is given once. */
static void what_was_asked_ahead_is_there(void **state)
{
    (void)state;
    prepare_both();
    ask_ahead();
    assert_int_equal(number(hundred_sql), 107);
    change_elsewhere("UPDATE thing SET n = 8");
    assert_int_equal(must_ask_thing(), 7);
    assert_int_equal(must_ask_thing(), 8);
    assert_int_equal(number(hundred_sql), 108);
}

static void what_was_asked_ahead_can_be_left(void **state)
{
    (void)state;
    prepare_both();
    ask_ahead();
    assert_int_equal(number("SELECT 5::bigint"), 5); /* something else */
    assert_int_equal(number(hundred_sql), 107);
    change_elsewhere("UPDATE thing SET n = 8");
    pg_forget_ahead(pg);
    assert_int_equal(must_ask_thing(), 8);
    for (int i = 0; i < 20; i++) { /* again and again, and more than there is room for */
        ask_ahead();
        ask_ahead();
        if (i % 2 == 0)
            assert_int_equal(must_ask_thing(), 8);
        pg_forget_ahead(pg);
    }
    assert_int_equal(number(hundred_sql), 108);
}

static void a_transaction_asks_nothing_ahead(void **state)
{
    (void)state;
    struct why why = {""};
    prepare_both();
    private_store_must(pg_begin(pg, &why), &why);
    ask_ahead();
    change_elsewhere("UPDATE thing SET n = 8");
    assert_int_equal(must_ask_thing(), 8);
    private_store_must(pg_commit(pg, &why), &why);
    ask_ahead();
    private_store_must(pg_begin(pg, &why), &why);
    script("UPDATE thing SET n = 9");
    assert_int_equal(must_ask_thing(), 9);
    pg_rollback(pg);
    assert_int_equal(must_ask_thing(), 8);
}

/* It fails as it would have failed, and what was asked behind it is asked again. */
static void what_fails_ahead_is_asked_again(void **state)
{
    (void)state;
    struct why why = {""};
    int64_t n = 0;
    prepare_both();
    script("DEALLOCATE heapfleet_0");
    ask_ahead();
    assert_int_equal(number(hundred_sql), 107);
    assert_int_equal(ask_thing(&n, &why), STATUS_UNAVAILABLE);
    assert_non_null(strstr(why.text, "does not exist"));
    prepare_both();
    ask_ahead();
    change_elsewhere("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                     "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'");
    assert_int_equal(ask_thing(&n, &why), STATUS_UNAVAILABLE);
    assert_int_equal(must_ask_thing(), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_statement_is_prepared_when_it_comes_again, connect_one,
                                        disconnect),
        cmocka_unit_test_setup_teardown(settings_hold_for_the_session, connect_one, disconnect),
        cmocka_unit_test_setup_teardown(commits_are_synchronous_whatever_the_role_says, connect_one,
                                        disconnect),
        cmocka_unit_test_setup_teardown(what_was_taken_away_is_prepared_anew, connect_one,
                                        disconnect),
        cmocka_unit_test_setup_teardown(a_table_that_changed_is_read_anew, connect_one, disconnect),
        cmocka_unit_test_setup_teardown(a_plan_does_not_outlive_what_the_table_was, connect_one,
                                        disconnect),
        cmocka_unit_test_setup_teardown(what_is_not_supported_stays_an_error, connect_one,
                                        disconnect),
        cmocka_unit_test_setup_teardown(what_was_asked_ahead_is_there, connect_one, disconnect),
        cmocka_unit_test_setup_teardown(what_was_asked_ahead_can_be_left, connect_one, disconnect),
        cmocka_unit_test_setup_teardown(a_transaction_asks_nothing_ahead, connect_one, disconnect),
        cmocka_unit_test_setup_teardown(what_fails_ahead_is_asked_again, connect_one, disconnect),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
