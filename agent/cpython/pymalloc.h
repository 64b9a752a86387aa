/*
 * The pools of CPython's own allocator: 4 KiB (16 KiB from 3.10 on), aligned to their size, cut into
 * blocks of one size up to 512 bytes. Where a pool is, no larger object lies, and its head tells how
 * much of it is free.
 */
#ifndef AGENT_CPYTHON_PYMALLOC_H
#define AGENT_CPYTHON_PYMALLOC_H

#include "layout.h"

enum { POOL_HEAD_BYTES = 48 };

/*
 * Is what starts with `head` (POOL_HEAD_BYTES) at the pool-aligned address `at` a pool? *ret_free:
 * bytes of it that hold no block in use.
 */
int pymalloc_is_pool(const struct cpython_layout *layout, addr_t at, const uint8_t *head,
                     uint32_t *ret_free) MUST_CHECK;

#endif
