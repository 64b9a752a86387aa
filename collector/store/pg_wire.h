/*
 * What the files of pg.h share: a session, and how answers are waited for.
 *
 * A statement goes through pg_wire_finish, which waits for the answer by poll(2) up to the
 * deadline: a server that is stopped, or gone without a FIN, is noticed by us and not by TCP hours
 * later. After a deadline the connection is closed, because what the server made of the statement
 * is not known; the server notices when it answers. Statuses are those of pg.h.
 */
#ifndef COLLECTOR_STORE_PG_WIRE_H
#define COLLECTOR_STORE_PG_WIRE_H

#include <libpq-fe.h>

#include "pg.h"
#include "pg_statements.h"

enum { PG_AHEAD_MAX = 8 };

/* What was asked ahead (pg_ahead.h), in this order; taken from the front or not. */
struct pg_ahead {
    int is_asking; /* how many want pg_run to ask ahead */
    int is_open;   /* the connection is in pipeline mode: .. */
    int is_synced; /* .. all was said, and the answers come to an end */
    int count, answered;
    struct {
        struct buf question; /* text, and parameters as they went; empty: taken */
        PGresult *answer;    /* owned; NULL: none yet, or it is of no use */
    } list[PG_AHEAD_MAX];
};

struct pg {
    PGconn *conn; /* NULL while closed */
    char *dsn;
    int deadline_ms;
    int in_transaction;
    int begin_waits;   /* BEGIN goes out with the first statement of the transaction */
    int is_direct;     /* no pooler stands between: the session is ours alone */
    int session_ms;    /* the statement_timeout of such a session */
    int used_prepared; /* the statement that is under way is a prepared one */
    int plans_are_old;
    struct pg_statements statements;
    struct pg_ahead ahead;
};

void pg_wire_close(struct pg *pg);

/* The connection is gone: closes it, and says why. */
enum status pg_wire_lost(struct pg *pg, struct why *why) MUST_CHECK;
/* What a caller can do about a failure; the connection may be closed. */
enum status pg_wire_judge(struct pg *pg, const PGresult *result, struct why *why) MUST_CHECK;

/* When a statement that begins now must have ended, by clock_mono_ns. */
int64_t pg_wire_deadline(const struct pg *pg);
/* Until the socket is ready for `events`, or the deadline. 0 when it passed. */
int pg_wire_wait(struct pg *pg, short events, int64_t deadline_ns);
enum status pg_wire_too_late(struct pg *pg, struct why *why) MUST_CHECK;

/* Send what is buffered, and receive meanwhile, so that neither side blocks the other. */
enum status pg_wire_flush(struct pg *pg, int64_t deadline_ns, struct why *why) MUST_CHECK;
/* The next result, NULL after the last one of a statement. The caller owns it. */
enum status pg_wire_next(struct pg *pg, int64_t deadline_ns, PGresult **ret,
                         struct why *why) MUST_CHECK;
int pg_wire_is_success(const PGresult *result);
/* All results of what was sent; the last one is the caller's, the first failure decides. */
enum status pg_wire_finish(struct pg *pg, int64_t deadline_ns, PGresult **ret,
                           struct why *why) MUST_CHECK;
/* A text without parameters, from sending to the last result. */
enum status pg_wire_simple(struct pg *pg, const char *sql, PGresult **ret,
                           struct why *why) MUST_CHECK;

/* Sends a statement, by its name if it has a place among those that are prepared, and does not
 * wait; 0: the connection is gone. */
int pg_wire_send(struct pg *pg, const char *sql, int place, const struct pg_params *params);

/* An idle connection that is readable holds a farewell and an end of file, or some notice. */
void pg_wire_drop_if_stale(struct pg *pg);

#endif
