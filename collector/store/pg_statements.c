#include "pg_statements.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* FNV-1a (Fowler, Noll, Vo). */
static uint64_t mix(uint64_t hash, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3U;
    return hash;
}

static uint64_t hash_of(const char *text, const struct pg_params *params)
{
    uint64_t hash = mix(0xcbf29ce484222325U, text, strlen(text));
    return mix(hash, params->types, (size_t)params->count * sizeof(*params->types));
}

static int is_it(const struct pg_statement *statement, uint64_t hash, const char *text,
                 const struct pg_params *params)
{
    return statement->hash == hash && statement->count == params->count &&
           memcmp(statement->types, params->types,
                  (size_t)params->count * sizeof(*params->types)) == 0 &&
           strcmp(statement->text, text) == 0;
}

int pg_statements_find(const struct pg_statements *statements, const char *text,
                       const struct pg_params *params)
{
    uint64_t hash = hash_of(text, params);
    for (int i = 0; i < statements->count; i++) {
        if (is_it(&statements->list[i], hash, text, params))
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
    *statement = (struct pg_statement){
        .text = strdup(text), .count = params->count, .hash = hash_of(text, params)};
    ASSERT(statement->text != NULL);
    memcpy(statement->types, params->types, (size_t)params->count * sizeof(*params->types));
}

void pg_statement_name(int place, char ret[PG_STATEMENT_NAME_BYTES])
{
    (void)snprintf(ret, PG_STATEMENT_NAME_BYTES, "heapfleet_%d", place);
}

void pg_statements_forget(struct pg_statements *statements)
{
    for (int i = 0; i < statements->count; i++)
        free(statements->list[i].text);
    statements->count = 0;
}
