/*
 * The type of a candidate: out of the table, or asked of the process, which nearly always answers
 * that there is none. Asking is what costs, so it is done for many at a time.
 */
#ifndef AGENT_CENSUS_TYPE_SEARCH_H
#define AGENT_CENSUS_TYPE_SEARCH_H

#include "sweep.h"

/*
 * The type of what may be an object at chunk[at], NULL if it is none. `*asked` is how far the
 * process was asked already; it looks ahead no further than `to`.
 */
struct type_entry *type_search(struct sweep *sweep, size_t at, size_t to, size_t stride,
                               size_t *asked) MUST_CHECK;

#endif
