/*
 * A private PostgreSQL for one test program, with our schema in it, below the build directory. Uses
 * the module store. The cluster is kept between runs of a program only while it runs.
 */
#ifndef TESTS_SUPPORT_PRIVATE_STORE_H
#define TESTS_SUPPORT_PRIVATE_STORE_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "embedded.h"
#include "store.h"

struct private_store {
    char folder[256];
    struct embedded *server;
    struct db *db;
};

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

static inline void private_store_start(struct private_store *store)
{
    struct why why = {""};
    (void)snprintf(store->folder, sizeof(store->folder), "%s/tests/store-XXXXXX", BINARY_ROOT);
    if (mkdtemp(store->folder) == NULL || chmod(store->folder, 0711) != 0)
        abort();
    private_store_must(embedded_start(store->folder, NULL, &store->server, &why), &why);
    private_store_must(db_open(embedded_dsn(store->server), &store->db, &why), &why);
    private_store_must(migrate_up(store->db, &why), &why);
}

static inline void private_store_stop(struct private_store *store)
{
    db_close(store->db);
    embedded_stop(store->server);
    private_store_remove(store);
}

#endif
