/*
 * Asking ahead: what pg_run will be asked soon goes out together, and pg_run finds the answers
 * there. So a question of several statements waits for the server once, not for each. Only where
 * the server itself answers, outside of transactions, and what is prepared; else, and whenever one
 * fails, pg_run asks again as if nothing had been asked, and tells its failure.
 */
#ifndef COLLECTOR_STORE_PG_AHEAD_H
#define COLLECTOR_STORE_PG_AHEAD_H

#include "pg_wire.h"

/* Puts the statement on its way, if that can be done without waiting. UNAVAILABLE always: there is
 * no answer.
 */
enum status pg_ahead_ask(struct pg *pg, const char *sql, const struct pg_params *params) MUST_CHECK;

/* The answer to the same statement, asked ahead: the caller's; NULL: there is none, and the session
 * is ready for another statement. */
enum status pg_ahead_take(struct pg *pg, const char *sql, const struct pg_params *params,
                          PGresult **ret, struct why *why) MUST_CHECK;

/* All answers are received, so that another statement may be sent. */
enum status pg_ahead_settle(struct pg *pg, struct why *why) MUST_CHECK;

/* Forgets questions and answers; not the connection's mode. */
void pg_ahead_drop(struct pg *pg);

#endif
