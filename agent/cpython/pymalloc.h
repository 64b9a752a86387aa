/*
 * The pools of CPython's own allocator: 4 KiB (16 KiB from 3.10 on), aligned to their size, cut
 * into blocks of one size up to 512 bytes. Where a pool is, no larger object lies, and its head
 * tells how much of it is free.
 */
#ifndef AGENT_CPYTHON_PYMALLOC_H
#define AGENT_CPYTHON_PYMALLOC_H

#include "layout.h"

enum { POOL_HEAD_BYTES = 48 };

struct pymalloc_pool {
    uint32_t block_bytes;
    uint32_t used; /* blocks */
    uint32_t end;  /* offset in the pool behind the blocks that were ever in use */
};

/* Is what starts with `head` (POOL_HEAD_BYTES) at the pool-aligned address `at` a pool? */
int pymalloc_is_pool(const struct cpython_layout *layout, addr_t at, const uint8_t *head,
                     struct pymalloc_pool *ret) MUST_CHECK;

#endif
