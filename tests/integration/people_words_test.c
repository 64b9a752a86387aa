/* USES query store */
/* What SQL says to people who ask for something that there is not, or that is not theirs to do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "forget.h"
#include "people_scene.h"

static void mistakes_are_explained(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *words;
    } rows[] = {
        {"SELECT * FROM heapfleet.series('shpo', 'model.T1', now() - interval '1 day')",
         "there is no service 'shpo'"},
        {"SELECT * FROM heapfleet.series('shop', 'app.Tpye1', now() - interval '1 day')",
         "the service has no type 'app.Tpye1'"},
        {"SELECT * FROM heapfleet.series('shop', E'\\x01'';--', now() - interval '1 day')",
         "the service has no type"},
        {"SELECT * FROM heapfleet.series('shop', 'model.T1', now(), now() - interval '1 day')",
         "the span ends before it begins"},
        {"SELECT * FROM heapfleet.series('shop', 'model.T1', now() + interval '1 day', now() + "
         "interval '2 days')",
         "begins in the future"},
        {"SELECT * FROM heapfleet.series('shop', 'model.T1', now() - interval '1 year', now(), "
         "interval '1 second')",
         "steps: at most 10000"},
        {"SELECT * FROM heapfleet.series('shop', 'model.T1', '-infinity', 'infinity', "
         "interval '1 hour', 'minute')",
         "steps: at most 10000"},
        {"SELECT * FROM heapfleet.series('shop', 'model.T1', now() - interval '1 day', now(), "
         "interval '-1 hour')",
         "a step must be longer than nothing"},
        {"SELECT * FROM heapfleet.series('shop', 'model.T1', now() - interval '1 day', "
         "resolution => 'week')",
         "there is no resolution 'week'"},
        {"SELECT * FROM heapfleet.compare('shop', 'v1', 'v3')", "the service has no version 'v3'"},
        {"SELECT * FROM heapfleet.compare('shop', 'v1', 'v2', at_uptime => '400 days')",
         "version 'v1' has not reached an uptime of 9600:00:00: its oldest process has "},
        {"SELECT * FROM heapfleet.compare('shop', 'v1', 'v2', at_uptime => '1 second')",
         "no process of version 'v1' was watched at that uptime"},
        {"SELECT * FROM heapfleet.compare('shop', 'v1', 'v2', at_uptime => '-1 hour')",
         "an uptime cannot be negative"},
        {"SELECT * FROM heapfleet.compare('shop', 'v1', NULL)", "a comparison needs two versions"},
        {"SELECT * FROM heapfleet.series('shop', 'model.T1', NULL)",
         "a series needs a time to begin at"},
        {"SELECT * FROM heapfleet.top_growth('shop', now() - interval '1 minute')",
         "fewer than two hours of this span are rolled up yet"},
        {"SELECT * FROM heapfleet.series('shop', 'model.T1', now(), environment => 'dev')",
         "service 'shop' is not in environment 'dev'"},
        {"SELECT * FROM heapfleet.top_growth('shop', NULL)", "a span needs a time to begin at"},
        {"SELECT * FROM heapfleet.snapshots('shop', 'model.T1', NULL)",
         "a span needs a time to begin at"},
        {"SELECT * FROM heapfleet.snapshots('shop', 'model.T1', now(), now() - interval '1 h')",
         "the span ends before it begins"},
        {"SELECT heapfleet.make_partition('hour', 0)", "there is no level 'hour'"},
        {"SELECT heapfleet.make_partition('heap_day', -1)", "times are milliseconds since 1970"},
        {"SELECT heapfleet.make_partition('heap_day', NULL)", "times are milliseconds since 1970"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        refuses(rows[i].sql, rows[i].words);
}

static void a_finding_is(const char *state, const char *change)
{
    OK(pg_script(world.pg, change, &why));
    struct pg_rows rows = run("SELECT state, muted_by FROM heapfleet.findings", NULL);
    assert_int_equal(rows.count, 1);
    assert_string_equal(pg_text(&rows, 0, 0), state);
    assert_string_equal(pg_text(&rows, 0, 1), strcmp(state, "muted") == 0 ? "ann" : "");
    pg_rows_done(&rows);
}

/* As the command line calls it. */
static void findings_have_a_state(void **state)
{
    (void)state;
    a_finding_is("open",
                 "INSERT INTO heapfleet.finding (service_id, type, first_seen_ms, last_seen_ms, "
                 "severity, introduced_in, count_per_hour, bytes_per_hour, confidence, "
                 "until_limit_ms, instances, companions) "
                 "VALUES (1, 'model.T1', 1, 2, 'suspect', 'v2', 1, 1, 1, 0, 1, '[]')");
    a_finding_is("acknowledged", "UPDATE heapfleet.finding SET acknowledged_ms = 3");
    a_finding_is("muted", "INSERT INTO heapfleet.mute VALUES (1, '', 'ann', 'why', 4, NULL)");
    a_finding_is("acknowledged", "UPDATE heapfleet.mute SET until_ms = 5");
    a_finding_is("muted", "INSERT INTO heapfleet.mute VALUES (1, 'model.T1', 'ann', 'why', 4, "
                          "extract(epoch FROM now()) * 1000 + 60000)");
    a_finding_is("resolved", "DELETE FROM heapfleet.mute; "
                             "UPDATE heapfleet.finding SET closed_ms = 6");
    OK(pg_script(world.pg, "DELETE FROM heapfleet.finding", &why));
}

/* A name that is in two environments must be told apart. */
static void environments_are_told_apart(void **state)
{
    (void)state;
    struct process_identity identity = identity_of("shop", "v1", 99);
    identity.environment = "staging";
    struct instance_state other = open_instance(&identity);
    instance_state_done(&other);
    refuses("SELECT * FROM heapfleet.deployments('shop')",
            "service 'shop' is in several environments or namespaces: 'shop' in 'prod', 'shop' in "
            "'staging'");
    struct pg_rows rows = run("SELECT version FROM heapfleet.deployments('shop', 'prod')", NULL);
    assert_int_equal(rows.count, 2);
    assert_string_equal(pg_text(&rows, 0, 0), "v1");
    pg_rows_done(&rows);
}

/* A name that is in two namespaces is written with its own. */
static void namespaces_are_told_apart(void **state)
{
    (void)state;
    struct process_identity identity = identity_of("shop", "b1", 98);
    identity.service_namespace = "bank";
    struct instance_state other = open_instance(&identity);
    instance_state_done(&other);
    refuses("SELECT * FROM heapfleet.deployments('shop', 'prod')",
            "service 'shop' is in several environments or namespaces: '/shop' in 'prod', "
            "'bank/shop' in 'prod'");
    struct pg_rows rows = run("SELECT version FROM heapfleet.deployments('bank/shop')", NULL);
    assert_int_equal(rows.count, 1);
    assert_string_equal(pg_text(&rows, 0, 0), "b1");
    pg_rows_done(&rows);
    rows = run("SELECT version FROM heapfleet.deployments('/shop', 'prod')", NULL);
    assert_int_equal(rows.count, 2);
    pg_rows_done(&rows);
    OK(service_forget(store.db, "shop", "bank", "prod", &why));
}

/* The reading role reads everything that people are meant to, and writes nothing. */
static void the_reading_role_only_reads(void **state)
{
    (void)state;
    /* a member that may log in, as people are; Citus's nodes connect to each other as it */
    OK(pg_script(world.pg,
                 "DO $$BEGIN IF to_regrole('someone') IS NULL THEN "
                 "EXECUTE 'CREATE ROLE someone LOGIN IN ROLE heapfleet_read'; END IF; END$$",
                 &why));
    OK(pg_script(world.pg, "SET ROLE someone", &why));
    static const char *const may[] = {
        "SELECT * FROM heapfleet.services",
        "SELECT * FROM heapfleet.findings",
        "SELECT * FROM heapfleet.deployments('shop', 'prod')",
        "SELECT * FROM heapfleet.series('shop', 'model.T1', now() - interval '1 day', "
        "environment => 'prod')",
        "SELECT * FROM heapfleet.snapshots('shop', 'model.T1', now() - interval '1 hour', "
        "environment => 'prod')",
        "SELECT * FROM heapfleet.top_growth('shop', now() - interval '30 hours', environment => "
        "'prod')",
        "SELECT * FROM heapfleet.compare('shop', 'v1', 'v2', environment => 'prod')",
    };
    for (size_t i = 0; i < ARRAY_SIZE(may); i++) {
        struct pg_rows rows = run(may[i], NULL);
        pg_rows_done(&rows);
    }
    refuses("DELETE FROM heapfleet.service", "permission denied");
    refuses("UPDATE heapfleet.finding SET note = ''", "permission denied");
    refuses("CREATE TABLE heapfleet.mine ()", "permission denied");
    refuses("SELECT heapfleet.make_partition('snap_delta', 0)", "permission denied");
    OK(pg_script(world.pg, "RESET ROLE", &why));
}

static int start_compacted(void **state)
{
    (void)start(state);
    keep(world.now_ms);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_are_explained),      cmocka_unit_test(findings_have_a_state),
        cmocka_unit_test(environments_are_told_apart), cmocka_unit_test(namespaces_are_told_apart),
        cmocka_unit_test(the_reading_role_only_reads),
    };
    return cmocka_run_group_tests(tests, start_compacted, stop);
}
