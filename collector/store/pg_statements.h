/*
 * Which statements a session has prepared, so that the server parses and plans each once, and not
 * every time. A statement is its text and the types of its parameters. It is remembered when
 * it has succeeded, and prepared when it comes again: what is asked once is not worth it, and what
 * the server refuses every time goes on being refused for its own reason.
 */
#ifndef COLLECTOR_STORE_PG_STATEMENTS_H
#define COLLECTOR_STORE_PG_STATEMENTS_H

#include "pg.h"

enum { PG_STATEMENTS_MAX = 192, PG_STATEMENT_NAME_BYTES = 16, PG_STATEMENTS_FIRST_LOOK = 64 };

struct pg_statement {
    char *text; /* owned */
    int count;
    unsigned types[PG_PARAMS_MAX];
    int is_prepared;
};

/* All zero: none. */
struct pg_statements {
    int count;
    uint64_t runs, planned_at; /* of prepared ones; up to the last time that they were planned */
    struct pg_statement list[PG_STATEMENTS_MAX];
};

/* The place of a statement that is remembered, else -1. */
int pg_statements_find(const struct pg_statements *statements, const char *text,
                       const struct pg_params *params);

/* Remember one that is not yet, as long as there is room. */
void pg_statements_add(struct pg_statements *statements, const char *text,
                       const struct pg_params *params);

/* The name under which the server knows the statement at `place`. */
void pg_statement_name(int place, char ret[PG_STATEMENT_NAME_BYTES]);

/*
 * Count what a prepared statement asks for: one thing, or many at once. 1: their plans are old,
 * have them made anew. A plan is kept as it was made until the server looks at the tables again
 * (ANALYZE, a minute later at the soonest): one that was made when a table was empty reads all of
 * it each time, while thousands of processes come. So plans are made anew whenever four times as
 * much was asked as until then.
 */
int pg_statements_run(struct pg_statements *statements, uint64_t asked);

/* The session ended: none is known any more. */
void pg_statements_forget(struct pg_statements *statements);

#endif
