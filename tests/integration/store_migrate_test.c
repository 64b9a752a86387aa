/* USES store */
/* The schema: made once however many start together, refused when newer, told when it cannot be. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pg.h"
#include "private_store.h"

static struct private_store store;

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

static void must_run(const char *sql)
{
    struct why why = {""};
    struct pg *pg = pg_new(embedded_dsn(store.server));
    private_store_must(pg_script(pg, sql, &why), &why);
    pg_free(pg);
}

/* The private server's DSN, leading to another database of it or with another option. */
static const char *dsn_with(const char *more)
{
    static char dsn[1024];
    (void)snprintf(dsn, sizeof(dsn), "%s %s", embedded_dsn(store.server), more);
    return dsn;
}

static int64_t number_of(const char *dsn, const char *sql)
{
    struct why why = {""};
    struct pg *pg = pg_new(dsn);
    struct pg_rows rows;
    private_store_must(pg_run(pg, sql, NULL, &rows, &why), &why);
    int64_t number = pg_i64(&rows, 0, 0);
    pg_rows_done(&rows);
    pg_free(pg);
    return number;
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void *migrate(void *arg)
{
    struct why why = {""};
    struct db *db = NULL;
    private_store_must(db_open(arg, &db, &why), &why);
    private_store_must(migrate_up(db, &why), &why);
    db_close(db);
    return NULL;
}

static void many_may_start_together(void **state)
{
    (void)state;
    enum { MANY = 8 };
    pthread_t threads[MANY];
    must_run("CREATE DATABASE together");
    char dsn[1024];
    (void)snprintf(dsn, sizeof(dsn), "%s", dsn_with("dbname=together"));
    for (int i = 0; i < MANY; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, migrate, dsn), 0);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(number_of(dsn, "SELECT count(*) FROM heapfleet.schema_version"), 1);
}

static void a_newer_database_is_refused(void **state)
{
    (void)state;
    must_run("CREATE DATABASE newer");
    char dsn[1024];
    (void)snprintf(dsn, sizeof(dsn), "%s", dsn_with("dbname=newer"));
    (void)migrate(dsn);
    struct pg *pg = pg_new(dsn);
    struct why why = {""};
    private_store_must(pg_script(pg,
                                 "INSERT INTO heapfleet.schema_version (version, name) "
                                 "VALUES (999, 'tomorrow')",
                                 &why),
                       &why);
    pg_free(pg);
    struct db *db = NULL;
    private_store_must(db_open(dsn, &db, &why), &why);
    assert_int_equal(migrate_up(db, &why), STATUS_FAILED);
    assert_non_null(strstr(why.text, "999"));
    db_close(db);
}

static void a_role_without_rights_is_told(void **state)
{
    (void)state;
    must_run("CREATE DATABASE closed");
    must_run("CREATE ROLE stranger");
    struct why why = {""};
    struct db *db = NULL;
    const char *dsn = dsn_with("dbname=closed options='-c role=stranger'");
    private_store_must(db_open(dsn, &db, &why), &why);
    assert_int_equal(migrate_up(db, &why), STATUS_FAILED);
    assert_non_null(strstr(why.text, "permission denied"));
    db_close(db);
}

/* Reading rights are enough for a schema that is there already. */
static void a_current_schema_needs_no_rights_to_change_it(void **state)
{
    (void)state;
    must_run("CREATE ROLE reader");
    must_run("GRANT USAGE ON SCHEMA heapfleet TO reader");
    must_run("GRANT SELECT ON ALL TABLES IN SCHEMA heapfleet TO reader");
    struct why why = {""};
    struct db *db = NULL;
    private_store_must(db_open(dsn_with("options='-c role=reader'"), &db, &why), &why);
    private_store_must(migrate_up(db, &why), &why);
    db_close(db);
}

static void another_encoding_is_refused(void **state)
{
    (void)state;
    must_run("CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' "
             "TEMPLATE template0");
    struct why why = {""};
    struct db *db = NULL;
    private_store_must(db_open(dsn_with("dbname=latin"), &db, &why), &why);
    assert_int_equal(migrate_up(db, &why), STATUS_FAILED);
    assert_non_null(strstr(why.text, "UTF8"));
    db_close(db);
}

/* So that the same schema can be distributed by service, and explains itself to who reads it. */
static void the_schema_keeps_its_rules(void **state)
{
    (void)state;
    const char *dsn = embedded_dsn(store.server);
    assert_int_equal(number_of(dsn, "SELECT count(*) FROM pg_class c WHERE c.relkind = 'r' "
                                    "AND c.relnamespace = 'heapfleet'::regnamespace "
                                    "AND obj_description(c.oid) IS NULL"),
                     0);
    assert_int_equal(number_of(dsn, "SELECT count(*) FROM pg_constraint WHERE contype = 'f' "
                                    "AND connamespace = 'heapfleet'::regnamespace"),
                     0);
    /* keys of facts begin with the service */
    assert_int_equal(number_of(dsn,
                               "SELECT count(*) FROM pg_index x JOIN pg_class c ON c.oid = "
                               "x.indrelid JOIN pg_attribute a ON a.attrelid = c.oid "
                               "AND a.attnum = x.indkey[0] WHERE c.relnamespace = "
                               "'heapfleet'::regnamespace AND c.relname IN "
                               "('snapshot', 'finding', 'instance') AND a.attname <> 'service_id'"),
                     0);
    /* and facts have no ids that the database draws */
    assert_int_equal(number_of(dsn, "SELECT count(*) FROM pg_attribute WHERE attidentity <> '' AND "
                                    "attrelid IN ('heapfleet.snapshot'::regclass, "
                                    "'heapfleet.finding'::regclass)"),
                     0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_may_start_together),
        cmocka_unit_test(a_newer_database_is_refused),
        cmocka_unit_test(a_role_without_rights_is_told),
        cmocka_unit_test(a_current_schema_needs_no_rights_to_change_it),
        cmocka_unit_test(another_encoding_is_refused),
        cmocka_unit_test(the_schema_keeps_its_rules),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
