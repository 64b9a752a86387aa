/*
 * How much of a heap of glibc's malloc is free: blocks follow each other without a gap, and each
 * tells its size and whether the one in front is in use.
 *
 *     address | size of the one in front, if free | size of this, and three flags | contents ..
 *
 * Fed with the memory as it is read anyway. Small blocks that malloc keeps at hand (tcache and fast
 * bins, up to about a kilobyte) look used, and a heap that changes meanwhile can end the walk
 * early: the sum is a lower bound. Of other allocators it is 0.
 */
#ifndef AGENT_CENSUS_MALLOC_WALK_H
#define AGENT_CENSUS_MALLOC_WALK_H

#include "present_map.h"

struct malloc_walk {
    const struct present_map *present; /* the caller's */
    addr_t next;                       /* where a block begins; 0: not walking */
    addr_t end;                        /* of the mapping */
    uint64_t size;                     /* of the block in front of it, 0: none yet */
    uint64_t free_bytes;               /* so far, that are present */
};

/* Enter a mapping whose first `size` bytes are at `bytes`: walk it if it is a heap of malloc. */
void malloc_walk_begin(struct malloc_walk *walk, const struct remote_region *region,
                       const uint8_t *bytes, size_t size);

/* Go on over the memory at..at+size. */
void malloc_walk_feed(struct malloc_walk *walk, addr_t at, const uint8_t *bytes, size_t size);

#endif
