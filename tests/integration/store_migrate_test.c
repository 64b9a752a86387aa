/* USES store */
/* The schema: made once however many start together, refused when newer, told when it cannot be. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "citus.h"
#include "schema.h"
#include "store_scene.h"

/* The private server's DSN, leading to another database of it or with another option. */
static const char *dsn_with(const char *more)
{
    static char dsn[1024];
    (void)snprintf(dsn, sizeof(dsn), "%s %s", store.dsn, more);
    return dsn;
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
    must_run(store.dsn, "CREATE DATABASE together");
    char dsn[1024];
    (void)snprintf(dsn, sizeof(dsn), "%s", dsn_with("dbname=together"));
    for (int i = 0; i < MANY; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, migrate, dsn), 0);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(number_of(dsn, "SELECT count(*) FROM heapfleet.schema_version"),
                     schema_step_count);
}

static void a_newer_database_is_refused(void **state)
{
    (void)state;
    must_run(store.dsn, "CREATE DATABASE newer");
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
    must_run(store.dsn, "CREATE DATABASE closed");
    must_run(store.dsn, "CREATE ROLE stranger");
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
    must_run(store.dsn, "CREATE ROLE reader");
    must_run(store.dsn, "GRANT USAGE ON SCHEMA heapfleet TO reader");
    must_run(store.dsn, "GRANT SELECT ON ALL TABLES IN SCHEMA heapfleet TO reader");
    struct why why = {""};
    struct db *db = NULL;
    private_store_must(db_open(dsn_with("options='-c role=reader'"), &db, &why), &why);
    private_store_must(migrate_up(db, &why), &why);
    db_close(db);
}

static void another_encoding_is_refused(void **state)
{
    (void)state;
    must_run(store.dsn, "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' "
                        "TEMPLATE template0");
    struct why why = {""};
    struct db *db = NULL;
    private_store_must(db_open(dsn_with("dbname=latin"), &db, &why), &why);
    assert_int_equal(migrate_up(db, &why), STATUS_FAILED);
    assert_non_null(strstr(why.text, "UTF8"));
    db_close(db);
}

/* ---- data of the first schema --------------------------------------------------------------- */

/* As the first schema's program left it: the first migration, and three snapshots of a process. */
static void make_first_schema(const char *dsn)
{
    static const char data[] =
        "INSERT INTO heapfleet.schema_version (version, name) VALUES (1, 'first_light');"
        "INSERT INTO heapfleet.service (id, name, service_namespace, environment) "
        "    OVERRIDING SYSTEM VALUE VALUES (5, 'old', '', '');"
        "INSERT INTO heapfleet.snapshot SELECT 5, 7, n, CASE n WHEN 1 THEN 0 ELSE n - 1 END, "
        "    1700000000000 + 3600000 * n, 1000 * n, 1::bigint << 40, 300, 127, 128, 0, 16383, "
        "16384, "
        "    1, 10000, 1, CASE n WHEN 1 THEN '\\x1001e807b817'::bytea ELSE '\\x110100d00f00' END "
        "FROM generate_series(1, 3) n;";
    struct why why = {""};
    struct pg *pg = pg_new(dsn);
    private_store_must(pg_script(pg,
                                 "CREATE SCHEMA heapfleet; CREATE TABLE heapfleet.schema_version ("
                                 "version integer PRIMARY KEY, name text NOT NULL, "
                                 "applied_at timestamptz NOT NULL DEFAULT now())",
                                 &why),
                       &why);
    private_store_must(pg_script(pg, schema_steps[0].sql, &why), &why);
    private_store_must(pg_script(pg, data, &why), &why);
    pg_free(pg);
}

static enum status see_old(void *user, const struct history_snapshot *snapshot)
{
    uint64_t *seen = user;
    (*seen)++;
    assert_int_equal(snapshot->sequence, *seen);
    assert_int_equal(snapshot->time_ms, 1700000000000 + 3600000 * (int64_t)*seen);
    assert_int_equal(snapshot->values->values[0].count, 1000 * *seen);
    assert_int_equal(snapshot->values->values[0].bytes, 3000 * *seen);
    assert_int_equal(snapshot->objects, 1000 * *seen);
    assert_true(snapshot->bytes == (uint64_t)1 << 40);
    assert_int_equal(snapshot->rss_anon_bytes, 300);
    assert_int_equal(snapshot->container_usage_bytes, 128);
    assert_int_equal(snapshot->container_limit_bytes, 0);
    assert_int_equal(snapshot->cpu_ms, 16384);
    return STATUS_OK;
}

/* The process that was made by hand has three snapshots, and each is what it was. */
static void see_three(const char *dsn, history_visit_fn *see)
{
    struct why why = {""};
    struct db *db = NULL;
    uint64_t seen = 0;
    private_store_must(db_open(dsn, &db, &why), &why);
    private_store_must(history_walk(db, 5, 7, 0, INT64_MAX, see, &seen, &why), &why);
    assert_int_equal(seen, 3);
    db_close(db);
}

static void what_the_first_schema_held_is_carried_over(void **state)
{
    (void)state;
    must_run(store.dsn, "CREATE DATABASE first");
    char dsn[1024];
    (void)snprintf(dsn, sizeof(dsn), "%s", dsn_with("dbname=first"));
    make_first_schema(dsn);
    (void)migrate(dsn);
    see_three(dsn, see_old);
}

/* The schema up to this version. */
static void migrate_until(struct pg *pg, int version)
{
    struct why why = {""};
    private_store_must(pg_script(pg,
                                 "CREATE SCHEMA heapfleet; CREATE TABLE heapfleet.schema_version ("
                                 "version integer PRIMARY KEY, name text NOT NULL, "
                                 "applied_at timestamptz NOT NULL DEFAULT now())",
                                 &why),
                       &why);
    for (int i = 0; i < schema_step_count && schema_steps[i].version <= version; i++) {
        char sql[128];
        (void)snprintf(sql, sizeof(sql),
                       "INSERT INTO heapfleet.schema_version (version, name) VALUES (%d, '%s')",
                       schema_steps[i].version, schema_steps[i].name);
        private_store_must(pg_script(pg, schema_steps[i].sql, &why), &why);
        private_store_must(pg_script(pg, sql, &why), &why);
    }
}

/* ---- chunks of the first format ------------------------------------------------------------- */

/* Three snapshots of a type, as they were written before 0010: 10 objects of 48 bytes, 11, and then
 * four bytes more. */
static void make_old_chunk(const char *dsn)
{
    static const char data[] =
        "INSERT INTO heapfleet.service (id, name, service_namespace, environment) "
        "    OVERRIDING SYSTEM VALUE VALUES (5, 'old', '', '');"
        "SELECT heapfleet.make_partition('heap_chunk', 1699999200000);"
        "INSERT INTO heapfleet.heap_chunk VALUES (5, 7, 1699992000000, 1, 3, 0, 0, 0, 0, "
        "    '{0,60000,120000}', '{10}', '{480}', '{5}', "
        "    '\\x0302020203020001'::bytea || decode(repeat('020002', 10), 'hex'), "
        "    '\\x0002010008');";
    struct why why = {""};
    struct pg *pg = pg_new(dsn);
    migrate_until(pg, 9);
    private_store_must(pg_script(pg, data, &why), &why);
    pg_free(pg);
}

static enum status see_old_chunk(void *user, const struct history_snapshot *snapshot)
{
    static const struct type_value values[] = {{10, 480}, {11, 528}, {11, 532}};
    uint64_t *seen = user;
    assert_true(*seen < 3);
    assert_int_equal(snapshot->sequence, *seen + 1);
    assert_int_equal(snapshot->time_ms, 1699992000000 + 60000 * (int64_t)*seen);
    assert_int_equal(snapshot->values->types, 1);
    assert_memory_equal(snapshot->values->values, &values[*seen], sizeof(values[0]));
    (*seen)++;
    return STATUS_OK;
}

static void chunks_of_the_first_format_stay_as_they_are(void **state)
{
    (void)state;
    must_run(store.dsn, "CREATE DATABASE chunks");
    char dsn[1024];
    (void)snprintf(dsn, sizeof(dsn), "%s", dsn_with("dbname=chunks"));
    make_old_chunk(dsn);
    (void)migrate(dsn);
    see_three(dsn, see_old_chunk);
    assert_int_equal(number_of(dsn, "SELECT bytes[1] FROM heapfleet.raw_chunk_values(5, 7, "
                                    "1699992000000, 3, NULL)"),
                     532);
}

/* ---- hours of a type a row ------------------------------------------------------------------ */

/* Types in several groups, hours without a snapshot, two partitions and deployments. */
static const char old_hours[] =
    "SELECT heapfleet.make_partition('heap_hour', at) "
    "FROM unnest('{1700000000000, 1710000000000}'::bigint[]) at;"
    "INSERT INTO heapfleet.heap_hour (service_id, slot_ms, type_id, deployment_id, count_avg, "
    "    count_min, count_max, bytes_avg) "
    "SELECT 5, s * 14400000::bigint, t, d, ARRAY[t, t + 0.5, NULL, s % 1000], t, t + s % 7, "
    "    ARRAY[t * 100, 1e9, NULL, d] "
    "FROM generate_series(118055, 118058) s, generate_series(1, 2) d, "
    "    unnest('{1, 2, 30, 31, 32, 33, 63, 64, 500, 100000}'::integer[]) t;"
    "INSERT INTO heapfleet.heap_hour SELECT service_id, slot_ms + 704 * 14400000::bigint, type_id, "
    "    deployment_id, count_avg, count_min, count_max, bytes_avg FROM heapfleet.heap_hour "
    "WHERE type_id < 64";

static void old_hours_are_carried_over(void **state)
{
    (void)state;
    static const char count_sql[] = "SELECT count(*) FROM heapfleet.heap_hour";
    static const char hash_sql[] =
        "SELECT ('x' || left(md5(string_agg(h::text, ',' ORDER BY h.slot_ms, h.type_id, "
        "h.deployment_id)), 15))::bit(60)::bigint FROM (SELECT service_id, slot_ms, type_id, "
        "deployment_id, count_avg, count_min, count_max, bytes_avg FROM heapfleet.heap_hour) h";
    must_run(store.dsn, "CREATE DATABASE hours");
    char dsn[1024];
    (void)snprintf(dsn, sizeof(dsn), "%s", dsn_with("dbname=hours"));
    struct why why = {""};
    struct pg *pg = pg_new(dsn);
    migrate_until(pg, 10);
    private_store_must(pg_script(pg, old_hours, &why), &why);
    pg_free(pg);
    int64_t hash = number_of(dsn, hash_sql);
    assert_int_equal(number_of(dsn, count_sql), 4 * 2 * (10 + 7));
    (void)migrate(dsn);
    assert_int_equal(number_of(dsn, count_sql), 4 * 2 * (10 + 7));
    assert_int_equal(number_of(dsn, hash_sql), hash);
    assert_int_equal(number_of(dsn, "SELECT count(*) FROM heapfleet.hour_group"), 4 * 2 * (5 + 2));
}

/* ---- hot partitions of an hour --------------------------------------------------------------- */

/* Two slots, one of them with two hours, and a partition with a name of somebody's own. */
static const char old_hot[] =
    "SELECT heapfleet.make_partition('snap_delta', 1700006400000 + h * 3600000) "
    "FROM unnest('{0, 1, 4}'::bigint[]) h;"
    "CREATE TABLE heapfleet.by_hand PARTITION OF heapfleet.snap_delta "
    "    FOR VALUES FROM (1700013600000) TO (1700017200000);"
    "INSERT INTO heapfleet.snap_delta SELECT 5, i, s, 1700006400000 + h * 3600000 + s, s - 1, "
    "    decode(lpad(to_hex(s), 8, '0'), 'hex'), decode(repeat('ab', s), 'hex') "
    "FROM generate_series(1, 3) i, generate_series(1, 50) s, unnest('{0, 1, 2, 4}'::bigint[]) h;";

static void hot_partitions_of_an_hour_are_joined(void **state)
{
    (void)state;
    static const char hash_sql[] =
        "SELECT ('x' || left(md5(string_agg(s::text, ',' ORDER BY s)), 15))::bit(60)::bigint "
        "FROM heapfleet.snap_delta s";
    static const char partitions_sql[] =
        "SELECT count(*) FROM heapfleet.partition WHERE level = 'snap_delta' "
        "AND from_ms IN (1700006400000, 1700020800000) AND to_ms = from_ms + 14400000";
    must_run(embedded_dsn(store.server), "CREATE DATABASE hot");
    char dsn[1024];
    (void)snprintf(dsn, sizeof(dsn), "%s", dsn_with("dbname=hot"));
    struct why why = {""};
    struct pg *pg = pg_new(dsn);
    migrate_until(pg, 14);
    private_store_must(pg_script(pg, old_hot, &why), &why);
    pg_free(pg);
    int64_t hash = number_of(dsn, hash_sql);
    (void)migrate(dsn);
    assert_int_equal(number_of(dsn, "SELECT count(*) FROM heapfleet.snap_delta"), 3 * 50 * 4);
    assert_int_equal(number_of(dsn, hash_sql), hash);
    assert_int_equal(number_of(dsn, partitions_sql), 2);
    assert_int_equal(number_of(dsn, "SELECT count(*) FROM pg_class WHERE relname LIKE 'old\\_%' "
                                    "OR relname = 'by_hand'"),
                     0);
}

/* ---- states of the detector -------------------------------------------------------------------
 */

/* One is kept, and the service's claim; one that has none yet is kept as that. */
static void a_detectors_state_is_carried_over(void **state)
{
    (void)state;
    must_run(embedded_dsn(store.server), "CREATE DATABASE states");
    char dsn[1024];
    (void)snprintf(dsn, sizeof(dsn), "%s", dsn_with("dbname=states"));
    struct why why = {""};
    struct pg *pg = pg_new(dsn);
    migrate_until(pg, 20);
    private_store_must(
        pg_script(pg,
                  "INSERT INTO heapfleet.sweep_claim (service_id, claimed_until, state) VALUES "
                  "(5, now(), decode(repeat('ab12', 3000000), 'hex')), (6, now(), NULL)",
                  &why),
        &why);
    pg_free(pg);
    (void)migrate(dsn);
    assert_int_equal(number_of(dsn, "SELECT count(*) FROM heapfleet.sweep_claim WHERE epoch = 0"),
                     2);
    assert_int_equal(number_of(dsn, "SELECT count(*) FROM heapfleet.sweep_state"), 1);
    assert_int_equal(
        number_of(dsn, "SELECT count(*) FROM heapfleet.sweep_state WHERE service_id = 5 AND "
                       "place = 0 AND piece = decode(repeat('ab12', 3000000), 'hex')"),
        1);
}

/* ---- keys of hot rows ------------------------------------------------------------------------ */

static const char old_names[] =
    "SELECT heapfleet.make_partition('snap_delta', 1700006400000 + h * 14400000) "
    "FROM generate_series(0, 1) h;"
    "INSERT INTO heapfleet.snap_delta SELECT 5, 1, s, 1700006400000 + h * 14400000 + s, s - 1, "
    "    ''::bytea, ''::bytea FROM generate_series(1, 50) s, generate_series(0, 1) h;"
    "INSERT INTO heapfleet.snap_delta VALUES (5, 1, 7, 1700006400007 + 1000, 6, '', '');";

/* The columns of the key of the partition that begins then. */
#define KEY_COLUMNS(from_ms)                                                                       \
    "SELECT x.indnkeyatts::bigint FROM heapfleet.partition p JOIN pg_index x ON x.indisprimary "   \
    "AND x.indrelid = ('heapfleet.' || p.name)::regclass "                                         \
    "WHERE p.level = 'snap_delta' AND p.from_ms = " from_ms

static void a_hot_row_has_its_name_as_key(void **state)
{
    (void)state;
    must_run(embedded_dsn(store.server), "CREATE DATABASE names");
    char dsn[1024];
    (void)snprintf(dsn, sizeof(dsn), "%s", dsn_with("dbname=names"));
    struct why why = {""};
    struct pg *pg = pg_new(dsn);
    migrate_until(pg, 16);
    private_store_must(pg_script(pg, old_names, &why), &why);
    pg_free(pg);
    (void)migrate(dsn);
    assert_int_equal(number_of(dsn, "SELECT count(*) FROM heapfleet.snap_delta"), 101);
    assert_int_equal(number_of(dsn, KEY_COLUMNS("1700006400000")), 4); /* a name with two times */
    assert_int_equal(number_of(dsn, KEY_COLUMNS("1700020800000")), 3);
    must_run(dsn, "SELECT heapfleet.make_partition('snap_delta', 1700035200000)");
    assert_int_equal(number_of(dsn, KEY_COLUMNS("1700035200000")), 3);
}

/* ---- the rules ------------------------------------------------------------------------------ */

/* So that the same schema can be distributed by service, and explains itself to who reads it. Each
 * of them counts what breaks the rule. */
static const char *const rules[] = {
    /* every table, view, sequence and function says what it is */
    "SELECT count(*) FROM pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'S') "
    "AND c.relnamespace = 'heapfleet'::regnamespace AND obj_description(c.oid) IS NULL",
    "SELECT count(*) FROM pg_proc p WHERE p.pronamespace = 'heapfleet'::regnamespace "
    "AND obj_description(p.oid) IS NULL",
    /* and every column of them */
    "SELECT count(*) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
    "WHERE c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition AND a.attnum > 0 "
    "AND NOT a.attisdropped AND c.relnamespace = 'heapfleet'::regnamespace "
    "AND col_description(a.attrelid, a.attnum) IS NULL",
    /* no foreign keys */
    "SELECT count(*) FROM pg_constraint WHERE contype = 'f' "
    "AND connamespace = 'heapfleet'::regnamespace",
    /* every unique key begins with the service, but those of the tables that name things */
    "SELECT count(*) FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid "
    "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.indkey[0] "
    "WHERE c.relnamespace = 'heapfleet'::regnamespace AND a.attname <> 'service_id' "
    "AND c.relname NOT IN ('service', 'type', 'agent', 'forgotten', 'sweep_collector', 'level', "
    "'schema_version')",
    /* every table of facts has the service, and a key; of hot rows each partition has it */
    "SELECT count(*) FROM pg_class c WHERE c.relnamespace = 'heapfleet'::regnamespace "
    "AND c.relkind IN ('r', 'p') AND c.relname NOT IN ('service', 'type', 'agent', "
    "'sweep_collector', 'level', 'snap_delta', "
    "'schema_version') AND NOT EXISTS (SELECT FROM pg_index x WHERE x.indrelid = c.oid "
    "AND x.indisprimary)",
    /* facts have no ids that the database draws */
    "SELECT count(*) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
    "WHERE c.relnamespace = 'heapfleet'::regnamespace AND c.relname NOT IN ('service', "
    "'deployment', 'type', 'instance') AND (a.attidentity <> '' OR (a.atthasdef AND EXISTS ("
    "SELECT FROM pg_attrdef d WHERE d.adrelid = c.oid AND d.adnum = a.attnum "
    "AND pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval%')))",
};

static void the_schema_keeps_its_rules(void **state)
{
    (void)state;
    must_run(store.dsn, "SELECT heapfleet.make_partition(name, 0) FROM heapfleet.level");
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
        if (number_of(store.dsn, rules[i]) != 0)
            fail_msg("broken: %s", rules[i]);
    }
}

/* ---- Citus ---------------------------------------------------------------------------------- */

/* What of Citus the statements use, in a database that has none: they note what is asked of them,
 * and refuse what Citus refuses. */
static const char citus_stub[] =
    "SET search_path = public; CREATE TABLE pg_dist_partition (logicalrelid regclass, how text, by "
    "text, beside text);"
    "CREATE FUNCTION create_reference_table(t regclass) RETURNS void LANGUAGE plpgsql AS $$ BEGIN "
    "  IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = t AND attidentity <> '') THEN "
    "    RAISE EXCEPTION 'identity column in %', t; END IF; "
    "  INSERT INTO pg_dist_partition VALUES (t, 'reference'); END $$;"
    "CREATE FUNCTION create_distributed_table(t regclass, by text, "
    "    colocate_with text DEFAULT 'default') RETURNS void LANGUAGE plpgsql AS $$ BEGIN "
    "  IF EXISTS (SELECT FROM pg_index x WHERE x.indrelid = t AND x.indisunique AND NOT EXISTS ("
    "      SELECT FROM pg_attribute a WHERE a.attrelid = t AND a.attname = by "
    "      AND a.attnum = ANY (x.indkey::smallint[]))) THEN "
    "    RAISE EXCEPTION 'a unique key of % lacks %', t, by; END IF; "
    "  IF colocate_with <> 'default' AND NOT EXISTS (SELECT FROM pg_dist_partition "
    "      WHERE logicalrelid = colocate_with::regclass) THEN "
    "    RAISE EXCEPTION '% is not distributed', colocate_with; END IF; "
    "  INSERT INTO pg_dist_partition VALUES (t, 'distributed', by, colocate_with); END $$;"
    "CREATE FUNCTION create_distributed_function(f regprocedure) RETURNS void LANGUAGE sql AS ''";

static void the_schema_can_be_distributed_by_service(void **state)
{
    (void)state;
    must_run(store.dsn, "CREATE DATABASE citus");
    char dsn[1024];
    struct why why = {""};
    struct db *db = NULL;
    (void)snprintf(dsn, sizeof(dsn), "%s", dsn_with("dbname=citus"));
    private_store_must(db_open(dsn, &db, &why), &why);
    private_store_must(migrate_up(db, &why), &why);
    assert_int_equal(citus_distribute(db, &why), STATUS_FAILED);
    assert_non_null(strstr(why.text, "no Citus"));
    must_run(dsn, citus_stub);
    must_run(dsn, "CREATE TABLE heapfleet.novelty ()");
    assert_int_equal(citus_distribute(db, &why), STATUS_FAILED);
    assert_non_null(strstr(why.text, "novelty"));
    must_run(dsn, "DROP TABLE heapfleet.novelty");
    private_store_must(citus_distribute(db, &why), &why);
    private_store_must(citus_distribute(db, &why), &why); /* again: nothing is left to do */
    assert_int_equal(number_of(dsn, "SELECT count(*) FROM pg_dist_partition"),
                     number_of(dsn, "SELECT count(DISTINCT logicalrelid) FROM pg_dist_partition"));
    assert_int_equal(number_of(dsn, "SELECT count(*) FROM pg_dist_partition WHERE how = "
                                    "'distributed' AND by <> 'service_id'"),
                     0);
    assert_int_equal(number_of(dsn, "SELECT count(*) FROM heapfleet.level l WHERE NOT EXISTS ("
                                    "SELECT FROM pg_dist_partition d WHERE d.how = 'distributed' "
                                    "AND d.logicalrelid = ('heapfleet.' || l.name)::regclass)"),
                     0);
    assert_int_equal(
        number_of(dsn, "SELECT count(*) FROM pg_dist_partition WHERE how = 'reference'"), 3);
    /* ids are drawn as before */
    struct process_identity identity = identity_of("sharded", "v1", 1);
    struct instance_state first, second;
    private_store_must(instance_open(db, &identity, &first, &why), &why);
    identity = identity_of("sharded too", "v1", 2);
    private_store_must(instance_open(db, &identity, &second, &why), &why);
    assert_true(first.service_id > 0 && second.service_id > first.service_id);
    instance_state_done(&first);
    instance_state_done(&second);
    db_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_may_start_together),
        cmocka_unit_test(a_newer_database_is_refused),
        cmocka_unit_test(a_role_without_rights_is_told),
        cmocka_unit_test(a_current_schema_needs_no_rights_to_change_it),
        cmocka_unit_test(another_encoding_is_refused),
        cmocka_unit_test(what_the_first_schema_held_is_carried_over),
        cmocka_unit_test(chunks_of_the_first_format_stay_as_they_are),
        cmocka_unit_test(old_hours_are_carried_over),
        cmocka_unit_test(hot_partitions_of_an_hour_are_joined),
        cmocka_unit_test(a_detectors_state_is_carried_over),
        cmocka_unit_test(a_hot_row_has_its_name_as_key),
        cmocka_unit_test(the_schema_keeps_its_rules),
        cmocka_unit_test(the_schema_can_be_distributed_by_service),
    };
    return cmocka_run_group_tests(tests, store_scene_start, store_scene_stop);
}
