/*
 * A private PostgreSQL for one test program, with our schema in it, below the build directory. Uses
 * the module store. The cluster is kept between runs of a program only while it runs. It is the
 * newest that the system has, or that of HEAPFLEET_POSTGRES_BIN: see `./dev test --postgres`. With
 * HEAPFLEET_TEST_CITUS it is the Citus cluster of that DSN, in which the test is alone.
 */
#ifndef TESTS_SUPPORT_PRIVATE_STORE_H
#define TESTS_SUPPORT_PRIVATE_STORE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "citus.h"
#include "embedded.h"
#include "pg.h"
#include "store.h"

struct private_store {
    char folder[256];
    const char *dsn;
    struct embedded *server; /* NULL: a cluster of somebody else's */
    struct db *db;
};

/* NULL: it is not set. */
static inline const char *private_store_variable(const char *name)
{
    const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe): before any thread */
    return value != NULL && *value != '\0' ? value : NULL;
}

/* The reason goes to standard error; the test program ends. */
static inline void private_store_must(enum status status, const struct why *why)
{
    if (status == STATUS_OK)
        return;
    (void)fprintf(stderr, "private store: %s\n", why->text);
    abort();
}

static inline void private_store_remove(const struct private_store *store)
{
    char command[320];
    (void)snprintf(command, sizeof(command), "rm -rf -- '%s'", store->folder);
    if (system(command) != 0)
        (void)fprintf(stderr, "private store: cannot remove %s\n", store->folder);
}

/* What another test program left in the Citus cluster goes, and the schema is distributed anew. */
static inline void private_store_distribute(struct private_store *store)
{
    struct why why = {""};
    struct pg *pg = pg_new(store->dsn);
    private_store_must(pg_script(pg, "DROP SCHEMA IF EXISTS heapfleet CASCADE", &why), &why);
    pg_free(pg);
    private_store_must(db_open(store->dsn, &store->db, &why), &why);
    private_store_must(migrate_up(store->db, &why), &why);
    private_store_must(citus_distribute(store->db, &why), &why);
}

static inline void private_store_start(struct private_store *store)
{
    struct why why = {""};
    (void)snprintf(store->folder, sizeof(store->folder), "%s/tests/store-XXXXXX", BINARY_ROOT);
    if (mkdtemp(store->folder) == NULL || chmod(store->folder, 0711) != 0)
        abort();
    store->server = NULL;
    store->dsn = private_store_variable("HEAPFLEET_TEST_CITUS");
    if (store->dsn != NULL) {
        private_store_distribute(store);
        return;
    }
    const char *bin_dir = private_store_variable("HEAPFLEET_POSTGRES_BIN");
    private_store_must(embedded_start(store->folder, bin_dir, &store->server, &why), &why);
    store->dsn = embedded_dsn(store->server);
    private_store_must(db_open(store->dsn, &store->db, &why), &why);
    private_store_must(migrate_up(store->db, &why), &why);
}

/* Where its server listens, of that DSN: "host=FOLDER ... port=N" where it is a Citus cluster's. */
static inline void private_store_socket(const struct private_store *store, char *ret, size_t size)
{
    char folder[256] = "";
    const char *port = store->server == NULL ? strstr(store->dsn, "port=") : NULL;
    if (store->server != NULL)
        (void)snprintf(folder, sizeof(folder), "%s/socket", store->folder);
    else if (sscanf(store->dsn, "host=%255s", folder) != 1) /* NOLINT(cert-err34-c) */
        abort();
    (void)snprintf(ret, size, "%s/.s.PGSQL.%.5s", folder, port != NULL ? port + 5 : "5432");
}

static inline void private_store_stop(struct private_store *store)
{
    db_close(store->db);
    if (store->server != NULL)
        embedded_stop(store->server);
    private_store_remove(store);
}

#endif
