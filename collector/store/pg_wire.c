#include "pg_wire.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "pg_ahead.h"
#include "pg_reaction.h"

void pg_wire_close(struct pg *pg)
{
    PQfinish(pg->conn);
    pg->conn = NULL;
    pg->in_transaction = pg->begin_waits = pg->is_direct = pg->plans_are_old = 0;
    pg_statements_forget(&pg->statements);
    pg_ahead_drop(pg);
}

/* ---- failures ------------------------------------------------------------------------------- */

enum status pg_wire_lost(struct pg *pg, struct why *why)
{
    pg_say(why, PQerrorMessage(pg->conn), NULL);
    pg_wire_close(pg);
    return STATUS_UNAVAILABLE;
}

enum status pg_wire_judge(struct pg *pg, const PGresult *result, struct why *why)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (sqlstate == NULL || PQstatus(pg->conn) == CONNECTION_BAD)
        return pg_wire_lost(pg, why);
    const struct pg_reaction *reaction = pg_reaction_to(sqlstate, pg->used_prepared);
    pg_say(why, primary != NULL ? primary : sqlstate, reaction->advice);
    if (reaction->reopen)
        pg_wire_close(pg);
    return reaction->status;
}

/* ---- waiting -------------------------------------------------------------------------------- */

static int milliseconds_left(int64_t deadline_ns)
{
    int64_t left = (deadline_ns - clock_mono_ns()) / 1000000;
    return left < 0 ? 0 : (int)left;
}

/* Until the socket is ready for `events`, or the deadline. 0 when it passed. */
int pg_wire_wait(struct pg *pg, short events, int64_t deadline_ns)
{
    struct pollfd ready = {.fd = PQsocket(pg->conn), .events = events};
    int n = poll(&ready, 1, milliseconds_left(deadline_ns));
    return n != 0; /* -1 is EINTR: look again */
}

enum status pg_wire_too_late(struct pg *pg, struct why *why)
{
    pg_wire_close(pg);
    return why_fail(why, STATUS_UNAVAILABLE, "PostgreSQL: no answer within %d s",
                    pg->deadline_ms / 1000);
}

/* Send what is buffered, and receive meanwhile, so that neither side blocks the other. */
enum status pg_wire_flush(struct pg *pg, int64_t deadline_ns, struct why *why)
{
    int more;
    while ((more = PQflush(pg->conn)) > 0) {
        if (!pg_wire_wait(pg, POLLIN | POLLOUT, deadline_ns))
            return pg_wire_too_late(pg, why);
        if (!PQconsumeInput(pg->conn))
            return pg_wire_lost(pg, why);
    }
    return more == 0 ? STATUS_OK : pg_wire_lost(pg, why);
}

/* The next result, NULL after the last one. The caller owns it. */
enum status pg_wire_next(struct pg *pg, int64_t deadline_ns, PGresult **ret, struct why *why)
{
    enum status status = pg_wire_flush(pg, deadline_ns, why);
    if (status != STATUS_OK)
        return status;
    while (PQisBusy(pg->conn)) {
        if (!pg_wire_wait(pg, POLLIN, deadline_ns))
            return pg_wire_too_late(pg, why);
        if (!PQconsumeInput(pg->conn))
            return pg_wire_lost(pg, why);
    }
    *ret = PQgetResult(pg->conn);
    return STATUS_OK;
}

int pg_wire_is_success(const PGresult *result)
{
    ExecStatusType type = PQresultStatus(result);
    return type == PGRES_COMMAND_OK || type == PGRES_TUPLES_OK || type == PGRES_EMPTY_QUERY;
}

/* All results of what was sent; the last one is the caller's, the first failure decides. */
enum status pg_wire_finish(struct pg *pg, int64_t deadline_ns, PGresult **ret, struct why *why)
{
    enum status outcome = STATUS_OK;
    PGresult *last = NULL;
    for (;;) {
        PGresult *result = NULL;
        enum status status = pg_wire_next(pg, deadline_ns, &result, why);
        if (status != STATUS_OK) {
            PQclear(last);
            return status;
        }
        if (result == NULL)
            break;
        PQclear(last);
        last = result;
        if (outcome == STATUS_OK && !pg_wire_is_success(result))
            outcome = pg_wire_judge(pg, result, why);
        if (pg->conn == NULL)
            break;
    }
    if (outcome != STATUS_OK || last == NULL) {
        PQclear(last);
        return outcome != STATUS_OK ? outcome : pg_wire_lost(pg, why);
    }
    *ret = last;
    return STATUS_OK;
}

int64_t pg_wire_deadline(const struct pg *pg)
{
    return clock_mono_ns() + (int64_t)pg->deadline_ms * 1000000;
}

enum status pg_wire_simple(struct pg *pg, const char *sql, PGresult **ret, struct why *why)
{
    pg->used_prepared = 0;
    if (!PQsendQuery(pg->conn, sql))
        return pg_wire_lost(pg, why);
    return pg_wire_finish(pg, pg_wire_deadline(pg), ret, why);
}

/* An idle connection that is readable holds a farewell and an end of file, or some notice. */
void pg_wire_drop_if_stale(struct pg *pg)
{
    if (pg->conn == NULL || pg->in_transaction)
        return;
    if (PQstatus(pg->conn) == CONNECTION_BAD) {
        pg_wire_close(pg);
        return;
    }
    struct pollfd idle = {.fd = PQsocket(pg->conn), .events = POLLIN};
    for (int reads = 0; reads < 3 && poll(&idle, 1, 0) > 0; reads++) {
        if (!PQconsumeInput(pg->conn) || PQstatus(pg->conn) == CONNECTION_BAD) {
            pg_wire_close(pg);
            return;
        }
    }
}

int pg_wire_send(struct pg *pg, const char *sql, int place, const struct pg_params *params)
{
    static const int all_binary[PG_PARAMS_MAX] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                                  1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    const char *values[PG_PARAMS_MAX];
    for (int i = 0; i < params->count; i++)
        values[i] =
            params->values[i] != NULL ? params->values[i] : (const char *)&params->numbers[i];
    pg->used_prepared = place >= 0;
    if (place < 0)
        return PQsendQueryParams(pg->conn, sql, params->count, params->types, values, params->sizes,
                                 all_binary, 1);
    pg->plans_are_old |= pg_statements_run(&pg->statements, 1);
    char name[PG_STATEMENT_NAME_BYTES];
    pg_statement_name(place, name);
    return PQsendQueryPrepared(pg->conn, name, params->count, values, params->sizes, all_binary, 1);
}
