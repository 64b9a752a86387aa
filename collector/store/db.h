/* What the files of this module share. */
#ifndef COLLECTOR_STORE_DB_H
#define COLLECTOR_STORE_DB_H

#include "pg.h"
#include "store.h"
#include "type_cache.h"

struct db {
    struct pg *pg;
    struct type_cache types;
    int one_by_one;    /* no statement takes the types of many processes: Citus */
    int64_t kept_slot; /* for which keep_house has done what is done once a slot; 0: none */
    enum { IS_CITUS_UNKNOWN, IS_CITUS, IS_NOT_CITUS } citus;
};

/* Has the database the extension? Asked once. */
enum status db_is_citus(struct db *db, int *ret, struct why *why) MUST_CHECK;

/*
 * Ids of `count` type names; missing names are created, in a transaction of their own. Not inside
 * a transaction, so that no lock on a name is held while a batch is written.
 */
enum status type_ids_ensure(struct db *db, const char *const *names, size_t count, int32_t *ret,
                            struct why *why) MUST_CHECK;

/* For lists in a caller's arena: a copy of a text, NULL when the arena is full; and how to say so.
 */
const char *store_copy_text(const struct pg_rows *rows, int row, int column, struct arena *arena);
enum status store_too_large(struct why *why) MUST_CHECK;

#endif
