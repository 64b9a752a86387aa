/* What the files of this module share. */
#ifndef COLLECTOR_STORE_DB_H
#define COLLECTOR_STORE_DB_H

#include "pg.h"
#include "store.h"
#include "type_cache.h"

struct db {
    struct pg *pg;
    struct type_cache types;
};

/*
 * Ids of `count` type names; missing names are created, in a transaction of their own. Not inside
 * a transaction, so that no lock on a name is held while a batch is written.
 */
enum status type_ids_ensure(struct db *db, const char *const *names, size_t count, int32_t *ret,
                            struct why *why) MUST_CHECK;

#endif
