#include "pg_connect.h"

#include <libpq-fe.h>
#include <stdlib.h>

#include "pg.h"

/* Our defaults stand before the DSN, which overrides them; an environment variable removes one. */
static const struct {
    const char *keyword, *value, *environment;
} connect_defaults[] = {
    {"connect_timeout", "10", "PGCONNECT_TIMEOUT"},
    {"tcp_user_timeout", "20000", NULL},
    {"keepalives_idle", "20", NULL},
    {"keepalives_interval", "5", NULL},
    {"fallback_application_name", "heapfleet-collector", NULL},
};

struct pg_conn *pg_connect_to(const char *dsn)
{
    const char *keywords[ARRAY_SIZE(connect_defaults) + 3];
    const char *values[ARRAY_SIZE(connect_defaults) + 3];
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(connect_defaults); i++) {
        const char *environment = connect_defaults[i].environment;
        if (environment != NULL && getenv(environment) != NULL)
            continue;
        keywords[n] = connect_defaults[i].keyword;
        values[n++] = connect_defaults[i].value;
    }
    keywords[n] = "dbname";
    values[n++] = dsn;
    keywords[n] = "client_encoding";
    values[n++] = "UTF8";
    keywords[n] = NULL;
    values[n] = NULL;
    return PQconnectdbParams(keywords, values, 1);
}

enum pg_answer pg_probe(const char *dsn)
{
    switch (PQping(dsn)) {
    case PQPING_OK:
        return PG_ANSWERS;
    case PQPING_REJECT:
        return PG_STARTING;
    default:
        return PG_SILENT;
    }
}
