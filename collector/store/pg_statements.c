#include "pg_statements.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int is_it(const struct pg_statement *statement, const char *text,
                 const struct pg_params *params)
{
    return statement->count == params->count &&
           memcmp(statement->types, params->types,
                  (size_t)params->count * sizeof(*params->types)) == 0 &&
           strcmp(statement->text, text) == 0;
}

int pg_statements_find(const struct pg_statements *statements, const char *text,
                       const struct pg_params *params)
{
    for (int i = 0; i < statements->count; i++) {
        if (is_it(&statements->list[i], text, params))
            return i;
    }
    return -1;
}

void pg_statements_add(struct pg_statements *statements, const char *text,
                       const struct pg_params *params)
{
    if (statements->count == PG_STATEMENTS_MAX)
        return;
    struct pg_statement *statement = &statements->list[statements->count++];
    *statement = (struct pg_statement){.text = strdup(text), .count = params->count};
    ASSERT(statement->text != NULL);
    memcpy(statement->types, params->types, (size_t)params->count * sizeof(*params->types));
}

void pg_statement_name(int place, char ret[PG_STATEMENT_NAME_BYTES])
{
    (void)snprintf(ret, PG_STATEMENT_NAME_BYTES, "heapfleet_%d", place);
}

int pg_statements_run(struct pg_statements *statements, uint64_t asked)
{
    uint64_t until =
        statements->planned_at > 0 ? 4 * statements->planned_at : PG_STATEMENTS_FIRST_LOOK;
    statements->runs += asked;
    if (statements->runs < until)
        return 0;
    statements->planned_at = statements->runs;
    return 1;
}

void pg_statements_forget(struct pg_statements *statements)
{
    for (int i = 0; i < statements->count; i++)
        free(statements->list[i].text);
    statements->count = 0;
    statements->runs = statements->planned_at = 0;
}
