/* What can be done about a failure of PostgreSQL: by the caller, and in words by a person. */
#ifndef COLLECTOR_STORE_PG_REACTION_H
#define COLLECTOR_STORE_PG_REACTION_H

#include "why.h"

struct pg_reaction {
    const char *prefix; /* of the SQLSTATE */
    enum status status;
    int reopen;         /* the session is of no more use */
    const char *advice; /* NULL: the message says it all */
};

/* FAILED for what is not known. `is_prepared`: the statement was prepared earlier. */
const struct pg_reaction *pg_reaction_to(const char *sqlstate, int is_prepared);

/* A message of the server's or libpq's, which may have several lines and quotes, as one of ours. */
void pg_say(struct why *why, const char *message, const char *advice);

#endif
