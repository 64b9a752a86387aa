/*
 * Type names and their ids, as one database handle has seen them. Names are never renamed or
 * removed in the database, so an entry stays true. Bounded by its owner, which starts it over when
 * it has become too large.
 */
#ifndef COLLECTOR_STORE_TYPE_CACHE_H
#define COLLECTOR_STORE_TYPE_CACHE_H

#include <stdint.h>

#include "arena.h"

enum { TYPE_CACHE_ENTRIES_MAX = 128 * 1024 };

struct type_entry {
    const char *name; /* in the arena; NULL: free slot */
    int32_t id;
};

struct type_cache {
    struct type_entry *slots; /* open addressing; NULL while empty */
    uint32_t capacity;        /* a power of two */
    uint32_t count;
    struct arena names;
};

void type_cache_init(struct type_cache *cache);
void type_cache_done(struct type_cache *cache); /* empty, and usable again */
/* The id, or 0 if the name is not known here. */
int32_t type_cache_find(const struct type_cache *cache, const char *name);
void type_cache_add(struct type_cache *cache, const char *name, int32_t id);

#endif
