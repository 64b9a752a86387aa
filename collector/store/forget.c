#include "forget.h"

#include "db.h"

static const char find_sql[] =
    "SELECT id FROM heapfleet.service WHERE name = $1 AND service_namespace = $2 "
    "AND environment = $3 FOR UPDATE";

/* Every table that has the service, so that one of a later migration is not left out. */
static const char tables_sql[] =
    "SELECT format('DELETE FROM heapfleet.%I WHERE service_id = $1', c.relname) "
    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid "
    "WHERE c.relnamespace = 'heapfleet'::regnamespace AND c.relkind IN ('r', 'p') "
    "AND NOT c.relispartition AND a.attname = 'service_id' AND NOT a.attisdropped "
    "ORDER BY c.relname";

static enum status find(struct pg *pg, const char *name, const char *service_namespace,
                        const char *environment, int64_t *ret, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_text(&params, name);
    pg_param_text(&params, service_namespace);
    pg_param_text(&params, environment);
    struct pg_rows rows;
    enum status status = pg_run(pg, find_sql, &params, &rows, why);
    if (status != STATUS_OK)
        return status;
    if (rows.count == 0)
        status = why_fail(why, STATUS_NOT_FOUND,
                          "there is no service '%s' in namespace '%s', environment '%s': give "
                          "both as `heapfleet services` shows them",
                          name, service_namespace, environment);
    else
        *ret = pg_i64(&rows, 0, 0);
    pg_rows_done(&rows);
    return status;
}

/* Each commit reads those of a week (write_commit.c): none is kept for much longer. */
static const char note_sql[] =
    "WITH old AS (DELETE FROM heapfleet.forgotten WHERE forgotten_at < now() - interval '14 days') "
    "INSERT INTO heapfleet.forgotten (id) VALUES ($1)";

static enum status remove_all(struct pg *pg, int64_t service_id, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, service_id);
    struct pg_rows tables;
    enum status status = pg_run(pg, tables_sql, NULL, &tables, why);
    if (status != STATUS_OK)
        return status;
    for (int i = 0; i < tables.count && status == STATUS_OK; i++)
        status = pg_run(pg, pg_text(&tables, i, 0), &params, NULL, why);
    pg_rows_done(&tables);
    if (status == STATUS_OK)
        status = pg_run(pg, "DELETE FROM heapfleet.service WHERE id = $1", &params, NULL, why);
    if (status == STATUS_OK)
        status = pg_run(pg, note_sql, &params, NULL, why);
    return status;
}

enum status service_forget(struct db *db, const char *name, const char *service_namespace,
                           const char *environment, struct why *why)
{
    int64_t service_id = 0;
    pg_set_deadline(db->pg, PG_MIGRATION_MS);
    enum status status = pg_begin(db->pg, why);
    if (status == STATUS_OK)
        status = find(db->pg, name, service_namespace, environment, &service_id, why);
    if (status == STATUS_OK)
        status = remove_all(db->pg, service_id, why);
    if (status == STATUS_OK)
        status = pg_commit(db->pg, why);
    pg_rollback(db->pg);
    pg_set_deadline(db->pg, PG_STATEMENT_MS);
    return status == STATUS_CONFLICT ? STATUS_FAILED : status;
}
