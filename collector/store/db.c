/* Database handles, and the names of types. */
#include "db.h"

#include <stdlib.h>

#include "citus.h"

enum status db_open(const char *dsn, struct db **ret, struct why *why)
{
    struct db *db = calloc(1, sizeof(*db));
    ASSERT(db != NULL);
    db->pg = pg_new(dsn);
    type_cache_init(&db->types);
    enum status status = db_ping(db, why);
    if (status != STATUS_OK) {
        db_close(db);
        return status;
    }
    *ret = db;
    return STATUS_OK;
}

void db_close(struct db *db)
{
    if (db == NULL)
        return;
    pg_free(db->pg);
    type_cache_done(&db->types);
    free(db);
}

enum status db_ping(struct db *db, struct why *why)
{
    return pg_run(db->pg, "SELECT 1", NULL, NULL, why);
}

enum status db_takes_writes(struct db *db, int *ret, struct why *why)
{
    struct pg_rows rows;
    enum status status =
        pg_run(db->pg, "SELECT (current_setting('transaction_read_only') = 'off')::integer", NULL,
               &rows, why);
    if (status != STATUS_OK)
        return status;
    *ret = pg_i64(&rows, 0, 0) != 0;
    pg_rows_done(&rows);
    return STATUS_OK;
}

void db_ask_ahead(struct db *db, int is_on)
{
    pg_ask_ahead(db->pg, is_on);
}

void db_flush_ahead(struct db *db)
{
    pg_flush_ahead(db->pg);
}

void db_forget_ahead(struct db *db)
{
    pg_forget_ahead(db->pg);
}

enum status db_clock(struct db *db, int64_t *ret_ms, struct why *why)
{
    struct pg_rows rows;
    enum status status =
        pg_run(db->pg, "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint", NULL,
               &rows, why);
    if (status != STATUS_OK)
        return status;
    *ret_ms = pg_i64(&rows, 0, 0);
    pg_rows_done(&rows);
    return STATUS_OK;
}

enum status db_is_citus(struct db *db, int *ret, struct why *why)
{
    int is_citus = db->citus == IS_CITUS;
    enum status status = STATUS_OK;
    if (db->citus == IS_CITUS_UNKNOWN)
        status = citus_is_there(db->pg, &is_citus, why);
    if (status != STATUS_OK)
        return status;
    db->citus = is_citus ? IS_CITUS : IS_NOT_CITUS;
    *ret = is_citus;
    return STATUS_OK;
}

/* ---- types ---------------------------------------------------------------------------------- */

static void take_ids(struct db *db, const struct pg_rows *rows)
{
    for (int i = 0; i < rows->count; i++)
        type_cache_add(&db->types, pg_text(rows, i, 1), (int32_t)pg_i64(rows, i, 0));
}

/* A probe a name, however many there are: OFFSET keeps the planner from reading all types of the
 * fleet instead, which would cost each process of a large one more. */
static const char fetch_sql[] =
    "SELECT t.id, t.name FROM (SELECT DISTINCT name FROM unnest($1) AS name) n "
    "CROSS JOIN LATERAL (SELECT id, name FROM heapfleet.type WHERE name = n.name OFFSET 0) t";

/* In order of the names: two collectors that add the same ones must not wait for each other. */
static const char create_sql[] = "INSERT INTO heapfleet.type (name) "
                                 "SELECT DISTINCT name FROM unnest($1) AS name ORDER BY name "
                                 "ON CONFLICT (name) DO NOTHING RETURNING id, name";

/* Run one of these. */
static enum status fetch_ids(struct db *db, const char *sql, const struct buf *names,
                             struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_array(&params, PG_TEXT, names);
    struct pg_rows rows;
    enum status status = pg_run(db->pg, sql, &params, &rows, why);
    if (status != STATUS_OK)
        return status;
    take_ids(db, &rows);
    pg_rows_done(&rows);
    return STATUS_OK;
}

/* Names of the list that the cache does not hold, as an array parameter. */
static size_t gather_unknown(const struct db *db, const char *const *names, size_t count,
                             struct buf *ret)
{
    size_t unknown = 0;
    for (size_t i = 0; i < count; i++)
        unknown += type_cache_find(&db->types, names[i]) == 0;
    pg_array_begin(ret, PG_TEXT, unknown);
    for (size_t i = 0; i < count; i++) {
        if (type_cache_find(&db->types, names[i]) == 0)
            pg_array_text(ret, names[i]);
    }
    return unknown;
}

static enum status learn_types(struct db *db, const char *const *names, size_t count,
                               struct buf *unknown, struct why *why)
{
    /* The last for those that somebody else made while we did. */
    static const char *const ways[] = {fetch_sql, create_sql, fetch_sql};
    enum status status = STATUS_OK;
    for (size_t i = 0; i < ARRAY_SIZE(ways) && status == STATUS_OK; i++) {
        if (gather_unknown(db, names, count, unknown) == 0)
            break;
        status = fetch_ids(db, ways[i], unknown, why);
    }
    return status;
}

enum status type_ids_ensure(struct db *db, const char *const *names, size_t count, int32_t *ret,
                            struct why *why)
{
    ASSERT(count <= TYPE_CACHE_ENTRIES_MAX);
    if (db->types.count + count > TYPE_CACHE_ENTRIES_MAX)
        type_cache_done(&db->types);
    struct buf unknown = BUF_INIT;
    enum status status = learn_types(db, names, count, &unknown, why);
    buf_done(&unknown);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < count; i++) {
        ret[i] = type_cache_find(&db->types, names[i]);
        if (ret[i] == 0)
            return why_fail(why, STATUS_FAILED, "the database did not keep the type \"%s\"",
                            names[i]);
    }
    return STATUS_OK;
}

enum status type_id_find(struct db *db, const char *name, int32_t *ret, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_text(&params, name);
    struct pg_rows rows;
    enum status status =
        pg_run(db->pg, "SELECT id FROM heapfleet.type WHERE name = $1", &params, &rows, why);
    if (status != STATUS_OK)
        return status;
    int32_t id = rows.count > 0 ? (int32_t)pg_i64(&rows, 0, 0) : 0;
    pg_rows_done(&rows);
    if (id == 0)
        return why_fail(why, STATUS_NOT_FOUND, "no process has ever had the type \"%s\"", name);
    *ret = id;
    return STATUS_OK;
}

static enum status copy_names(const struct pg_rows *rows, size_t count, struct arena *arena,
                              const char **ret, struct why *why)
{
    for (size_t i = 0; i < count; i++)
        ret[i] = "?";
    for (int i = 0; i < rows->count; i++) {
        size_t size;
        const char *text = (const char *)pg_bytes(rows, i, 1, &size);
        int64_t place = pg_i64(rows, i, 0);
        ASSERT(place >= 1 && (size_t)place <= count);
        char *name = arena_strndup(arena, text, size);
        if (name == NULL)
            return why_fail(why, STATUS_LIMIT, "the names of %zu types need too much memory",
                            count);
        ret[place - 1] = name;
    }
    return STATUS_OK;
}

enum status type_names(struct db *db, const int32_t *ids, size_t count, struct arena *arena,
                       const char ***ret, struct why *why)
{
    const char **names = arena_alloc(arena, count * sizeof(*names));
    if (names == NULL)
        return why_fail(why, STATUS_LIMIT, "the names of %zu types need too much memory", count);
    struct buf array = BUF_INIT;
    pg_array_begin(&array, PG_I32, count);
    for (size_t i = 0; i < count; i++)
        pg_array_i32(&array, ids[i]);
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_array(&params, PG_I32, &array);
    struct pg_rows rows;
    enum status status =
        pg_run(db->pg,
               "SELECT u.place, t.name FROM unnest($1) WITH ORDINALITY u(id, place) "
               "JOIN heapfleet.type t ON t.id = u.id",
               &params, &rows, why);
    buf_done(&array);
    if (status != STATUS_OK)
        return status;
    status = copy_names(&rows, count, arena, names, why);
    pg_rows_done(&rows);
    if (status == STATUS_OK)
        *ret = names;
    return status;
}
