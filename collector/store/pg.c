/*
 * An idle connection may have been closed by the server (a restart). `ensure_open` looks for
 * that before a statement, so that only statements that were under way fail.
 */
#include "pg.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pg_ahead.h"
#include "pg_connect.h"
#include "pg_wire.h"

struct pg *pg_new(const char *dsn)
{
    struct pg *pg = calloc(1, sizeof(*pg));
    ASSERT(pg != NULL);
    pg->dsn = strdup(dsn);
    ASSERT(pg->dsn != NULL);
    pg->deadline_ms = PG_STATEMENT_MS;
    return pg;
}

void pg_free(struct pg *pg)
{
    if (pg == NULL)
        return;
    pg_wire_close(pg);
    free(pg->dsn);
    free(pg);
}

void pg_set_deadline(struct pg *pg, int deadline_ms)
{
    pg->deadline_ms = deadline_ms;
}

/* ---- connecting ----------------------------------------------------------------------------- */

static void ignore_notice(void *user, const PGresult *result)
{
    (void)user;
    (void)result;
}

static enum status connect_anew(struct pg *pg, struct why *why)
{
    ASSERT(!pg->in_transaction);
    pg->conn = pg_connect_to(pg->dsn);
    ASSERT(pg->conn != NULL);
    if (PQstatus(pg->conn) != CONNECTION_OK)
        return pg_wire_lost(pg, why);
    PQsetNoticeReceiver(pg->conn, ignore_notice, NULL);
    if (PQsetnonblocking(pg->conn, 1) != 0)
        return pg_wire_lost(pg, why);
    return STATUS_OK;
}

/* ---- the session ---------------------------------------------------------------------------- */

/* A pooler tells clients a process number of its own making, so as to find them again when they
 * cancel; what it has between us and the server may be another session for each transaction. */
static enum status learn_who_answers(struct pg *pg, struct why *why)
{
    PGresult *result = NULL;
    enum status status = pg_wire_simple(pg, "SELECT pg_backend_pid()", &result, why);
    if (status != STATUS_OK)
        return status;
    long pid = PQntuples(result) == 1 ? strtol(PQgetvalue(result, 0, 0), NULL, 10) : 0;
    pg->is_direct = pid != 0 && pid == PQbackendPID(pg->conn);
    pg->session_ms = -1;
    PQclear(result);
    return STATUS_OK;
}

/* Settings of a session, or of a transaction where a pooler may give each another session. A
 * process that stands still in a transaction loses its locks when one that waits for a statement
 * would. Citus would open a connection for each shard that a transaction writes, and close it at
 * its end: a batch of many services cost a hundred times what storing it does. One for each worker
 * will do. */
static void write_settings(const struct pg *pg, int is_local, struct buf *ret)
{
    const char *local = is_local ? "true" : "false";
    buf_printf(ret,
               "SELECT set_config('statement_timeout', '%d', %s), set_config('jit', 'off', %s), "
               "set_config('idle_in_transaction_session_timeout', '%d', %s), "
               "set_config('synchronous_commit', coalesce(nullif("
               "current_setting('synchronous_commit'), 'off'), 'on'), %s), "
               "set_config('citus.multi_shard_modify_mode', 'sequential', %s); ",
               pg->deadline_ms, local, local, pg->deadline_ms, local, local, local);
}

/*
 * What is prepared is planned once, without a look at the parameters: partitions are left out when
 * it runs. Else it is planned for each of the first five times, and for ever what reads a table of
 * many partitions, which takes a third of a short question. Such a plan locks all of them, though,
 * so where there are hundreds it is as PostgreSQL would have it; and Citus cannot plan without a
 * look.
 */
static const char plan_once_sql[] =
    "SELECT set_config('plan_cache_mode', CASE WHEN EXISTS (SELECT FROM pg_extension "
    "WHERE extname = 'citus') OR (SELECT count(*) FROM pg_inherits) > 256 THEN 'auto' "
    "ELSE 'force_generic_plan' END, false)";

static enum status set_session(struct pg *pg, struct why *why)
{
    struct buf sql = BUF_INIT;
    write_settings(pg, 0, &sql);
    buf_printf(&sql, "%s", plan_once_sql);
    PGresult *result = NULL;
    enum status status = pg_wire_simple(pg, buf_text(&sql), &result, why);
    buf_done(&sql);
    if (status != STATUS_OK)
        return status;
    PQclear(result);
    pg->session_ms = pg->deadline_ms;
    return STATUS_OK;
}

static enum status forget_plans(struct pg *pg, struct why *why)
{
    PGresult *result = NULL;
    enum status status = pg_wire_simple(pg, "DISCARD PLANS", &result, why);
    if (status == STATUS_OK) {
        PQclear(result);
        status = pg_wire_simple(pg, plan_once_sql, &result, why);
    }
    if (status == STATUS_OK)
        PQclear(result);
    pg->plans_are_old = 0;
    return status;
}

static enum status ensure_open(struct pg *pg, struct why *why)
{
    enum status status = pg_ahead_settle(pg, why);
    pg_wire_drop_if_stale(pg);
    if (status == STATUS_OK && pg->conn == NULL) {
        status = connect_anew(pg, why);
        if (status == STATUS_OK)
            status = learn_who_answers(pg, why);
    }
    if (status == STATUS_OK && pg->is_direct && !pg->in_transaction &&
        pg->session_ms != pg->deadline_ms)
        status = set_session(pg, why);
    if (status == STATUS_OK && pg->plans_are_old && !pg->in_transaction)
        status = forget_plans(pg, why);
    if (status != STATUS_OK && pg->conn != NULL)
        pg_wire_close(pg);
    return status;
}

/* ---- transactions --------------------------------------------------------------------------- */

/* Ahead of a transaction's first statement, in the same text or on its own. */
static void write_begin(struct pg *pg, struct buf *ret)
{
    if (!pg->begin_waits)
        return;
    pg->begin_waits = 0;
    buf_printf(ret, "BEGIN; ");
    if (!pg->is_direct)
        write_settings(pg, 1, ret);
}

static enum status be_ready(struct pg *pg, struct why *why)
{
    enum status status = ensure_open(pg, why);
    if (status != STATUS_OK || !pg->begin_waits)
        return status;
    struct buf sql = BUF_INIT;
    PGresult *result = NULL;
    write_begin(pg, &sql);
    status = pg_wire_simple(pg, buf_text(&sql), &result, why);
    buf_done(&sql);
    if (status == STATUS_OK)
        PQclear(result);
    else if (pg->conn != NULL)
        pg_wire_close(pg);
    return status;
}

/* ---- statements ----------------------------------------------------------------------------- */

static uint64_t changed_rows(PGresult *result)
{
    return strtoull(PQcmdTuples(result), NULL, 10);
}

/* The statement's place if the server has prepared it, -1 otherwise. */
static enum status prepare(struct pg *pg, const char *sql, const struct pg_params *params,
                           int *ret_place, struct why *why)
{
    *ret_place = pg->is_direct ? pg_statements_find(&pg->statements, sql, params) : -1;
    if (*ret_place < 0 || pg->statements.list[*ret_place].is_prepared)
        return STATUS_OK;
    char name[PG_STATEMENT_NAME_BYTES];
    pg_statement_name(*ret_place, name);
    pg->used_prepared = 0;
    if (!PQsendPrepare(pg->conn, name, sql, params->count, params->types))
        return pg_wire_lost(pg, why);
    PGresult *result = NULL;
    enum status status = pg_wire_finish(pg, pg_wire_deadline(pg), &result, why);
    if (status != STATUS_OK)
        return status;
    PQclear(result);
    pg->statements.list[*ret_place].is_prepared = 1;
    return STATUS_OK;
}

static enum status give(PGresult *result, struct pg_rows *ret)
{
    if (ret == NULL)
        PQclear(result);
    else
        *ret = (struct pg_rows){result, PQntuples(result), changed_rows(result)};
    return STATUS_OK;
}

enum status pg_run(struct pg *pg, const char *sql, const struct pg_params *params,
                   struct pg_rows *ret, struct why *why)
{
    static const struct pg_params none = {.count = 0};
    const struct pg_params *p = params != NULL ? params : &none;
    int place = -1;
    if (pg->ahead.is_asking)
        return pg_ahead_ask(pg, sql, p);
    PGresult *result = NULL;
    enum status status = pg_ahead_take(pg, sql, p, &result, why);
    if (status == STATUS_OK && result != NULL)
        return give(result, ret);
    if (status == STATUS_OK)
        status = be_ready(pg, why);
    if (status == STATUS_OK)
        status = prepare(pg, sql, p, &place, why);
    if (status != STATUS_OK)
        return status;
    if (!pg_wire_send(pg, sql, place, p))
        return pg_wire_lost(pg, why);
    status = pg_wire_finish(pg, pg_wire_deadline(pg), &result, why);
    if (status != STATUS_OK)
        return status;
    if (place < 0 && pg->is_direct)
        pg_statements_add(&pg->statements, sql, p);
    return give(result, ret);
}

void pg_count_asked(struct pg *pg, size_t count)
{
    if (pg->is_direct)
        pg->plans_are_old |= pg_statements_run(&pg->statements, count);
}

/* Returns the command tag of the last statement in `tag`, if that is not NULL. */
static enum status run_text(struct pg *pg, const char *sql, char *tag, size_t tag_size,
                            struct why *why)
{
    enum status status = be_ready(pg, why);
    PGresult *result = NULL;
    if (status == STATUS_OK)
        status = pg_wire_simple(pg, sql, &result, why);
    if (status != STATUS_OK)
        return status;
    if (tag != NULL)
        (void)snprintf(tag, tag_size, "%s", PQcmdStatus(result));
    PQclear(result);
    return STATUS_OK;
}

enum status pg_script(struct pg *pg, const char *sql, struct why *why)
{
    return run_text(pg, sql, NULL, 0, why);
}

enum status pg_begin(struct pg *pg, struct why *why)
{
    ASSERT(!pg->in_transaction);
    enum status status = ensure_open(pg, why);
    pg_ahead_drop(pg); /* older than what the transaction sees */
    pg->in_transaction = pg->begin_waits = status == STATUS_OK;
    return status;
}

enum status pg_commit(struct pg *pg, struct why *why)
{
    ASSERT(pg->in_transaction && pg->conn != NULL);
    char tag[32] = "";
    if (pg->begin_waits) { /* nothing was said in it */
        pg->in_transaction = pg->begin_waits = 0;
        return STATUS_OK;
    }
    enum status status = run_text(pg, "COMMIT", tag, sizeof(tag), why);
    pg->in_transaction = 0;
    if (status != STATUS_OK)
        return status;
    if (strcmp(tag, "COMMIT") != 0) /* a failed transaction answers ROLLBACK, and no error */
        return why_fail(why, STATUS_FAILED, "PostgreSQL: the transaction was rolled back");
    return STATUS_OK;
}

void pg_rollback(struct pg *pg)
{
    if (pg->conn == NULL || !pg->in_transaction)
        return;
    if (!pg->begin_waits && run_text(pg, "ROLLBACK", NULL, 0, NULL) != STATUS_OK &&
        pg->conn != NULL)
        pg_wire_close(pg);
    pg->in_transaction = pg->begin_waits = 0;
}

/* ---- COPY ----------------------------------------------------------------------------------- */

static enum status send_copy(struct pg *pg, const struct buf *data, int64_t deadline_ns,
                             struct why *why)
{
    enum { PIECE_BYTES = 64 * 1024 };
    size_t sent = 0;
    while (sent < data->size) {
        size_t left = data->size - sent;
        int piece = left < PIECE_BYTES ? (int)left : PIECE_BYTES;
        int queued = PQputCopyData(pg->conn, (const char *)data->data + sent, piece);
        if (queued < 0)
            return pg_wire_lost(pg, why);
        if (queued > 0)
            sent += (size_t)piece;
        enum status status = pg_wire_flush(pg, deadline_ns, why);
        if (status != STATUS_OK)
            return status;
    }
    int ended;
    while ((ended = PQputCopyEnd(pg->conn, NULL)) == 0) {
        if (!pg_wire_wait(pg, POLLOUT, deadline_ns))
            return pg_wire_too_late(pg, why);
    }
    return ended > 0 ? STATUS_OK : pg_wire_lost(pg, why);
}

/* Send it, and BEGIN if that waits, and see what comes before the data: OK when they are expected.
 */
static enum status begin_copy(struct pg *pg, const char *sql, int64_t deadline_ns, struct why *why)
{
    struct buf text = BUF_INIT;
    write_begin(pg, &text);
    buf_printf(&text, "%s", sql);
    pg->used_prepared = 0;
    int is_sent = PQsendQuery(pg->conn, buf_text(&text));
    buf_done(&text);
    if (!is_sent)
        return pg_wire_lost(pg, why);
    for (;;) {
        PGresult *result = NULL;
        enum status status = pg_wire_next(pg, deadline_ns, &result, why);
        if (status != STATUS_OK)
            return status;
        int is_copy = PQresultStatus(result) == PGRES_COPY_IN,
            is_before = pg_wire_is_success(result);
        if (!is_copy && !is_before)
            status = pg_wire_judge(pg, result, why);
        PQclear(result);
        if (is_copy)
            return STATUS_OK;
        if (is_before)
            continue;
        if (pg->conn != NULL && pg_wire_finish(pg, deadline_ns, &result, NULL) == STATUS_OK)
            PQclear(result);
        return status;
    }
}

enum status pg_copy_in(struct pg *pg, const char *sql, const struct buf *data, struct why *why)
{
    enum status status = ensure_open(pg, why);
    int64_t deadline_ns = pg_wire_deadline(pg);
    if (status == STATUS_OK)
        status = begin_copy(pg, sql, deadline_ns, why);
    if (status == STATUS_OK)
        status = send_copy(pg, data, deadline_ns, why);
    PGresult *result = NULL;
    if (status == STATUS_OK)
        status = pg_wire_finish(pg, deadline_ns, &result, why);
    if (status == STATUS_OK)
        PQclear(result);
    return status;
}
