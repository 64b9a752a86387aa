/*
 * Each migration is one transaction that also writes its number; a transaction-level advisory lock
 * makes collectors that start together take turns (a session-level one would not survive a pooler).
 * A database that is up to date is only read, so that a role without rights to change it suffices.
 */
#include <stdio.h>
#include <string.h>

#include "db.h"
#include "schema.h"

/* "heapflt" as a number: nobody else's lock. */
#define LOCK_MIGRATION "SELECT pg_advisory_xact_lock(29384657391743092)"

static enum status single_number(struct pg *pg, const char *sql, int64_t *ret, struct why *why)
{
    struct pg_rows rows;
    enum status status = pg_run(pg, sql, NULL, &rows, why);
    if (status != STATUS_OK)
        return status;
    *ret = rows.count > 0 ? pg_i64(&rows, 0, 0) : 0;
    pg_rows_done(&rows);
    return STATUS_OK;
}

static enum status read_version(struct pg *pg, int64_t *ret, struct why *why)
{
    int64_t exists = 0;
    enum status status =
        single_number(pg,
                      "SELECT count(*) FROM pg_catalog.pg_tables "
                      "WHERE schemaname = 'heapfleet' AND tablename = 'schema_version'",
                      &exists, why);
    if (status != STATUS_OK || exists == 0) {
        *ret = 0;
        return status;
    }
    return single_number(pg, "SELECT max(version)::bigint FROM heapfleet.schema_version", ret, why);
}

static enum status check_encoding(struct pg *pg, struct why *why)
{
    int64_t utf8 = 0;
    enum status status =
        single_number(pg, "SELECT (current_setting('server_encoding') = 'UTF8')::int", &utf8, why);
    if (status != STATUS_OK)
        return status;
    if (!utf8)
        return why_fail(why, STATUS_FAILED,
                        "the database is not encoded in UTF8: make one with CREATE DATABASE ... "
                        "ENCODING 'UTF8' TEMPLATE template0");
    return STATUS_OK;
}

static const char version_table[] =
    "CREATE SCHEMA IF NOT EXISTS heapfleet;"
    "CREATE TABLE IF NOT EXISTS heapfleet.schema_version ("
    "    version integer PRIMARY KEY,"
    "    name text NOT NULL,"
    "    applied_at timestamptz NOT NULL DEFAULT now());"
    "COMMENT ON TABLE heapfleet.schema_version IS 'Migrations that were applied.';";

static enum status record(struct pg *pg, const struct schema_step *step, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i32(&params, step->version);
    pg_param_text(&params, step->name);
    return pg_run(pg, "INSERT INTO heapfleet.schema_version (version, name) VALUES ($1, $2)",
                  &params, NULL, why);
}

/* In a transaction: wait for our turn, then apply the step unless somebody did so meanwhile. */
static enum status apply_in_turn(struct pg *pg, const struct schema_step *step, struct why *why)
{
    enum status status = pg_script(pg, LOCK_MIGRATION, why);
    int64_t version = 0;
    if (status == STATUS_OK)
        status = read_version(pg, &version, why);
    if (status != STATUS_OK || version >= step->version)
        return status;
    status = pg_script(pg, version_table, why);
    if (status == STATUS_OK)
        status = pg_script(pg, step->sql, why);
    return status == STATUS_OK ? record(pg, step, why) : status;
}

static enum status apply(struct pg *pg, const struct schema_step *step, struct why *why)
{
    enum status status = pg_begin(pg, why);
    if (status == STATUS_OK)
        status = apply_in_turn(pg, step, why);
    if (status == STATUS_OK)
        status = pg_commit(pg, why);
    pg_rollback(pg);
    if (status != STATUS_OK)
        why_prefix(why, "migration %04d_%s", step->version, step->name);
    return status == STATUS_CONFLICT ? STATUS_FAILED : status;
}

enum status schema_look(struct db *db, struct schema_state *ret, struct why *why)
{
    int64_t version = 0;
    enum status status = read_version(db->pg, &version, why);
    if (status != STATUS_OK)
        return status;
    int newest = schema_steps[schema_step_count - 1].version;
    if (version > newest)
        return why_fail(why, STATUS_FAILED,
                        "the database has schema %lld and this program knows schemas up to %d: "
                        "use the program that made it, or a newer one",
                        (long long)version, newest);
    *ret = (struct schema_state){.found = (int)version, .known = newest};
    return STATUS_OK;
}

static enum status apply_missing(struct db *db, struct why *why)
{
    struct schema_state state = {0};
    enum status status = schema_look(db, &state, why);
    if (status == STATUS_OK)
        status = check_encoding(db->pg, why);
    for (int i = 0; i < schema_step_count && status == STATUS_OK; i++) {
        if (schema_steps[i].version > state.found)
            status = apply(db->pg, &schema_steps[i], why);
    }
    return status;
}

enum status migrate_up(struct db *db, struct why *why)
{
    pg_set_deadline(db->pg, PG_MIGRATION_MS);
    enum status status = apply_missing(db, why);
    pg_set_deadline(db->pg, PG_STATEMENT_MS);
    return status;
}
