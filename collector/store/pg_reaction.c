#include "pg_reaction.h"

#include <string.h>

static const char standby[] =
    "a standby? name the primary, or all hosts with target_session_attrs=read-write";
static const char owner[] =
    "the role of the DSN must own the database, or all that is in the schema heapfleet";

static const struct pg_reaction reactions[] = {
    {"08", STATUS_UNAVAILABLE, 1, NULL},       /* connection exception */
    {"22", STATUS_INVALID, 0, NULL},           /* data exception: a value that no type takes */
    {"23505", STATUS_CONFLICT, 0, NULL},       /* unique violation */
    {"23514", STATUS_NOT_FOUND, 0, NULL},      /* no partition; our tables check nothing else */
    {"25006", STATUS_UNAVAILABLE, 1, standby}, /* read only */
    {"25P03", STATUS_UNAVAILABLE, 1, NULL},    /* we stood still in a transaction */
    {"26000", STATUS_UNAVAILABLE, 1, NULL},    /* somebody took what we had prepared away */
    {"40", STATUS_UNAVAILABLE, 0, NULL},       /* serialization failure, deadlock */
    {"42501", STATUS_FAILED, 0, owner},        /* a right is missing */
    {"53", STATUS_UNAVAILABLE, 0, NULL},       /* disk full, out of memory, too many connections */
    {"54", STATUS_INVALID, 0, NULL},           /* a value too large for an index, or the like */
    {"55P03", STATUS_UNAVAILABLE, 0, NULL},    /* lock not available */
    {"57014", STATUS_UNAVAILABLE, 0, NULL},    /* statement timeout */
    {"57P0", STATUS_UNAVAILABLE, 1, NULL},     /* shutdown, crash of another backend, starting up */
    {"58", STATUS_UNAVAILABLE, 0, NULL},       /* I/O error */
};

/* A table changed, so that a prepared statement would give other columns than before. */
static const struct pg_reaction outdated = {"0A000", STATUS_UNAVAILABLE, 1, NULL};

static const struct pg_reaction unknown = {"", STATUS_FAILED, 0, NULL};

const struct pg_reaction *pg_reaction_to(const char *sqlstate, int is_prepared)
{
    if (is_prepared && strcmp(sqlstate, outdated.prefix) == 0)
        return &outdated;
    for (size_t i = 0; i < ARRAY_SIZE(reactions); i++) {
        if (strncmp(sqlstate, reactions[i].prefix, strlen(reactions[i].prefix)) == 0)
            return &reactions[i];
    }
    return &unknown;
}

void pg_say(struct why *why, const char *message, const char *advice)
{
    char line[WHY_CAPACITY];
    size_t used = 0;
    for (const char *c = message; *c != '\0' && used + 2 < sizeof(line); c++) {
        int blank = *c == '\n' || *c == '\t' || *c == ' ';
        char shown = *c;
        if (shown == '"')
            shown = '\'';
        if (!blank)
            line[used++] = shown;
        else if (used > 0 && line[used - 1] != ' ')
            line[used++] = ' ';
    }
    while (used > 0 && line[used - 1] == ' ')
        used--;
    line[used] = '\0';
    why_set(why, "PostgreSQL: %s%s%s", used > 0 ? line : "the connection was closed",
            advice != NULL ? "; " : "", advice != NULL ? advice : "");
}
