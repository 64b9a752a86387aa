/*
 * struct malloc_chunk, heap_info and malloc_state of glibc's malloc/malloc.c and arena.c, the same
 * from 2.26 to 2.41. The main heap begins with its first block; that of a thread lies at a multiple
 * of 64 MiB and begins with a heap_info {arena, previous heap, size, ..}, which the arena itself
 * follows in its first heap.
 */
#include "malloc_walk.h"

#include "words.h"

#define THREAD_HEAP_BYTES ((addr_t)64 << 20)

enum {
    BLOCK_HEAD_BYTES = 16,
    BLOCK_SIZE = 8,
    BLOCK_BYTES_MIN = 32,
    PREVIOUS_IN_USE = 1,
    HEAP_INFO_BYTES = 32,     /* up to glibc 2.34 .. */
    HEAP_INFO_BYTES_NEW = 48, /* .. and since */
    ARENA_BYTES = 2200,
};

/* Where the first block of a thread's heap lies; 0: it is none. */
static addr_t first_block(addr_t start, addr_t end, const uint8_t *bytes, size_t size)
{
    if (start % THREAD_HEAP_BYTES || size < HEAP_INFO_BYTES_NEW)
        return 0;
    addr_t arena = word_at(bytes, 0), used = word_at(bytes, 16);
    if (used > end - start || used < REMOTE_PAGE_BYTES)
        return 0;
    if (arena == start + HEAP_INFO_BYTES || arena == start + HEAP_INFO_BYTES_NEW)
        return round_up(arena + ARENA_BYTES, 16);
    return arena % THREAD_HEAP_BYTES == HEAP_INFO_BYTES       ? start + HEAP_INFO_BYTES
           : arena % THREAD_HEAP_BYTES == HEAP_INFO_BYTES_NEW ? start + HEAP_INFO_BYTES_NEW
                                                              : 0;
}

void malloc_walk_begin(struct malloc_walk *walk, const struct remote_region *region,
                       const uint8_t *bytes, size_t size)
{
    walk->size = 0;
    walk->end = region->end;
    walk->next = region->flags & REMOTE_BRK ? region->start
                 : region->flags & REMOTE_FILE
                     ? 0
                     : first_block(region->start, region->end, bytes, size);
}

/* The block in front of `walk->next` is free. */
static void add_free(struct malloc_walk *walk)
{
    walk->free_bytes +=
        present_map_bytes(walk->present, walk->next - walk->size + BLOCK_HEAD_BYTES, walk->next);
}

void malloc_walk_feed(struct malloc_walk *walk, addr_t at, const uint8_t *bytes, size_t size)
{
    if (walk->next < at)
        walk->next = 0; /* it lies where nothing is present */
    while (walk->next && walk->next < at + size && at + size - walk->next >= BLOCK_HEAD_BYTES) {
        uint64_t word = word_at(bytes + (walk->next - at), BLOCK_SIZE);
        uint64_t block = word & ~UINT64_C(15);
        if (block < BLOCK_BYTES_MIN || block > walk->end - walk->next || (word & 8)) {
            walk->next = 0;
            return;
        }
        if (walk->size && !(word & PREVIOUS_IN_USE))
            add_free(walk);
        walk->size = block;
        walk->next += block;
        if (walk->next + BLOCK_HEAD_BYTES > walk->end) { /* the top, which is free */
            add_free(walk);
            walk->next = 0;
        }
    }
}
