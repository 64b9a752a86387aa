/* The objects of one pool: a block holds one, or is free. Most of a heap is counted here. */
#ifndef AGENT_CENSUS_POOL_SCAN_H
#define AGENT_CENSUS_POOL_SCAN_H

#include "pymalloc.h"
#include "sweep.h"

/* The pool that begins at chunk[from], as far as the chunk has it. */
void pool_scan(struct sweep *sweep, size_t from, const struct pymalloc_pool *pool);

#endif
