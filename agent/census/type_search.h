/*
 * The type of a candidate: out of the table, or asked of the process, which nearly always answers
 * that there is none. Asking is what costs, so it is done for many at a time.
 */
#ifndef AGENT_CENSUS_TYPE_SEARCH_H
#define AGENT_CENSUS_TYPE_SEARCH_H

#include "sweep.h"
#include "words.h"

/* Remember whether a pool begins at `at`, a multiple of their size. */
static inline void type_search_note_pool(struct sweep *sweep, addr_t at, int is_pool)
{
    sweep->pools[(at >> sweep->pool_shift) % SWEEP_POOLS] = at + (is_pool != 0);
}

/* type_search for a type that is not in the table. */
struct type_entry *type_search_further(struct sweep *sweep, size_t at, size_t stride) MUST_CHECK;

/* The type of what may be an object at chunk[at], NULL if it is none. `stride` is how far apart
 * objects are here. */
MUST_CHECK static inline struct type_entry *type_search(struct sweep *sweep, size_t at,
                                                        size_t stride)
{
    addr_t type = word_at(sweep->chunk + at, OBJECT_TYPE);
    struct type_entry *entry = type_table_find(sweep->types, type);
    int may_be_address = type % 8 == 0 && type >= REMOTE_PAGE_BYTES && type >> 47 == 0;
    return entry || !may_be_address ? entry : type_search_further(sweep, at, stride);
}

#endif
