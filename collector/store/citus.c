/*
 * How each table is treated is said here once. Tables that this list does not name are refused, so
 * that a later migration cannot forget one.
 *
 * Ids are drawn by sequences whose default is evaluated on the coordinator: Citus takes no identity
 * columns narrower than bigint.
 */
#include "citus.h"

#include "db.h"

#define FACTS                                                                                      \
    "'snap_delta', 'heap_chunk', 'instance_last', 'deployment_hour', 'hour_group', 'heap_day', "   \
    "'finding', 'finding_event', 'mute', 'alert', 'instance'"
#define NAMES "'service', 'deployment', 'type'"
#define LOCAL                                                                                      \
    "'agent', 'compaction', 'day_due', 'forgotten', 'level', 'schema_version', 'sweep_claim', "    \
    "'sweep_collector', 'sweep_state'"

/* Ordinary and partitioned tables of ours that are no partitions. */
#define TABLES                                                                                     \
    "pg_class c WHERE c.relnamespace = 'heapfleet'::regnamespace AND c.relkind IN ('r', 'p') "     \
    "AND NOT c.relispartition"

static const char unknown_sql[] =
    "SELECT string_agg(c.relname, ', ' ORDER BY c.relname) FROM " TABLES
    " AND c.relname NOT IN (" FACTS ", " NAMES ", " LOCAL ")";

/* What the shards' queries call: a node that came later than they has none of them. */
static const char functions_sql[] =
    "SELECT create_distributed_function(p.oid::regprocedure) FROM pg_proc p "
    "WHERE p.pronamespace = 'heapfleet'::regnamespace AND p.provolatile = 'i' ORDER BY p.oid";

static const char *const steps[] = {
    "DO $$ DECLARE t record; BEGIN FOR t IN SELECT a.attrelid::regclass AS name, a.attname, "
    "    pg_get_serial_sequence(a.attrelid::regclass::text, a.attname) AS seq "
    "    FROM pg_attribute a WHERE a.attidentity <> '' AND a.attrelid IN (SELECT c.oid FROM " TABLES
    "    AND c.relname IN (" NAMES ", 'instance')) LOOP "
    "  EXECUTE format('CREATE SEQUENCE %s_drawn', t.seq); "
    "  EXECUTE format('SELECT setval(''%s_drawn'', nextval(''%s''))', t.seq, t.seq); "
    "  EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP IDENTITY', t.name, t.attname); "
    "  EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT nextval(''%s_drawn'')', t.name, "
    "      t.attname, t.seq); END LOOP; END $$",
    "SELECT create_reference_table(c.oid::regclass) FROM " TABLES " AND c.relname IN (" NAMES ") "
    "AND NOT EXISTS (SELECT FROM pg_dist_partition d WHERE d.logicalrelid = c.oid) "
    "ORDER BY c.relname",
    /* the smallest first: the others are put beside it */
    "SELECT create_distributed_table('heapfleet.instance_last', 'service_id') "
    "WHERE NOT EXISTS (SELECT FROM pg_dist_partition d "
    "    WHERE d.logicalrelid = 'heapfleet.instance_last'::regclass)",
    "SELECT create_distributed_table(c.oid::regclass, 'service_id', "
    "    colocate_with => 'heapfleet.instance_last') FROM " TABLES " AND c.relname IN (" FACTS ") "
    "AND NOT EXISTS (SELECT FROM pg_dist_partition d WHERE d.logicalrelid = c.oid) "
    "ORDER BY c.relname",
    functions_sql,
};

enum status citus_is_there(struct pg *pg, int *ret, struct why *why)
{
    struct pg_rows rows;
    enum status status = pg_run(
        pg, "SELECT (to_regclass('pg_dist_partition') IS NOT NULL)::integer", NULL, &rows, why);
    if (status != STATUS_OK)
        return status;
    *ret = pg_i64(&rows, 0, 0) != 0;
    pg_rows_done(&rows);
    return STATUS_OK;
}

static enum status check(struct pg *pg, struct why *why)
{
    struct pg_rows rows;
    int is_there = 0;
    enum status status = citus_is_there(pg, &is_there, why);
    if (status != STATUS_OK)
        return status;
    if (!is_there)
        return why_fail(why, STATUS_FAILED,
                        "the database has no Citus: CREATE EXTENSION citus, on the coordinator");
    status = pg_run(pg, unknown_sql, NULL, &rows, why);
    if (status != STATUS_OK)
        return status;
    if (!pg_is_null(&rows, 0, 0))
        status = why_fail(why, STATUS_FAILED,
                          "it is not known how to distribute these tables of the schema heapfleet: "
                          "%s",
                          pg_text(&rows, 0, 0));
    pg_rows_done(&rows);
    return status;
}

static enum status distribute(struct pg *pg, struct why *why)
{
    enum status status = check(pg, why);
    for (size_t i = 0; i < ARRAY_SIZE(steps) && status == STATUS_OK; i++)
        status = pg_script(pg, steps[i], why);
    return status;
}

enum status citus_distribute(struct db *db, struct why *why)
{
    pg_set_deadline(db->pg, PG_MIGRATION_MS);
    enum status status = pg_begin(db->pg, why);
    if (status == STATUS_OK)
        status = distribute(db->pg, why);
    if (status == STATUS_OK)
        status = pg_commit(db->pg, why);
    pg_rollback(db->pg);
    pg_set_deadline(db->pg, PG_STATEMENT_MS);
    return status == STATUS_CONFLICT ? STATUS_FAILED : status;
}
