/* USES cli query store rpc */
/*
 * What people say of leaks counts by the database's clock, as findings and alerts do. Here the
 * collector's is two hours behind it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cli_scene.h"
#include "pg.h"

/* Sessions from now on find this clock before PostgreSQL's own. */
static const char ahead_sql[] =
    "CREATE SCHEMA ahead; CREATE FUNCTION ahead.clock_timestamp() RETURNS timestamptz "
    "LANGUAGE sql AS $$ SELECT pg_catalog.clock_timestamp() + interval '2 h' $$; "
    "ALTER ROLE heapfleet SET search_path = ahead, pg_catalog";

static int start(void **state)
{
    struct why why = {""};
    cli_scene_start(state);
    struct pg *pg = pg_new(scene.store.dsn);
    private_store_must(pg_script(pg, ahead_sql, &why), &why);
    pg_free(pg);
    return 0;
}

/* How far a time of the database is ahead of the collector's clock, in hours, rounded. */
static int64_t hours_ahead(const char *sql)
{
    struct why why = {""};
    struct pg_rows rows;
    struct pg *pg = pg_new(scene.store.dsn);
    private_store_must(pg_run(pg, sql, NULL, &rows, &why), &why);
    assert_true(rows.count == 1);
    int64_t ahead_ms = pg_i64(&rows, 0, 0) - clock_wall_ms();
    pg_rows_done(&rows);
    pg_free(pg);
    return (ahead_ms + scene_hour_ms / 2) / scene_hour_ms;
}

static void a_mute_lasts_as_long_as_was_said(void **state)
{
    (void)state;
    prints("leaks mute shop --reason soon --for 1h", "for 1h; open findings that it silences: 1");
    assert_int_equal(hours_ahead("SELECT until_ms FROM heapfleet.mute"), 3);
    assert_int_equal(hours_ahead("SELECT created_ms FROM heapfleet.mute"), 2);
    prints("leaks", "muted");
    prints("leaks mutes", "soon");
    prints("leaks unmute shop", "unmuted");
    assert_int_equal(hours_ahead("SELECT max(at_ms) FROM heapfleet.finding_event "
                                 "WHERE event = 'unmuted'"),
                     2);
}

static void a_word_stands_where_it_was_said(void **state)
{
    (void)state;
    prints("leaks -o csv", "shop.cart.CartLine");
    char line[64];
    (void)snprintf(line, sizeof(line), "leaks ack %.8s", strchr(outcome.out, '\n') + 1);
    prints(line, "acknowledged");
    assert_int_equal(hours_ahead("SELECT acknowledged_ms FROM heapfleet.finding"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mute_lasts_as_long_as_was_said),
        cmocka_unit_test(a_word_stands_where_it_was_said),
    };
    return cmocka_run_group_tests(tests, start, cli_scene_stop);
}
