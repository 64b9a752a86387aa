#include "pool_scan.h"

#include "count.h"
#include "type_search.h"

enum {
    BLOCK_ALIGNMENT = 16,
    FRONT_MAX = GC_HEAD_BYTES + PRE_HEADER_BYTES,
};

/* A block holds at most one object, behind its GC head and pre-header if it has them. */
static void scan_block(struct sweep *sweep, size_t block, size_t size)
{
    uint64_t mask = sweep->layout->refcount_mask;
    for (size_t front = 0; front <= FRONT_MAX && front + OBJECT_BYTES <= size;
         front += GC_HEAD_BYTES) {
        size_t at = block + front;
        if ((word_at(sweep->chunk + at, OBJECT_REFCOUNT) & mask) - 1 >= COUNT_MAX)
            continue;
        struct type_entry *entry = type_search(sweep, at, BLOCK_ALIGNMENT);
        if (entry && entry->front_size == front &&
            count_object(sweep, entry, sweep->chunk_at + at, sweep->chunk + at, size - front))
            return;
    }
}

/* By counts alone: nearly always there is one place in a block where an object can begin. */
static inline size_t likely_front(const uint8_t *block, uint64_t mask)
{
    size_t front = 0;
    while (front <= FRONT_MAX && (word_at(block, (int)front) & mask) - 1 >= COUNT_MAX)
        front += GC_HEAD_BYTES;
    return front;
}

void pool_scan(struct sweep *sweep, size_t from, const struct pymalloc_pool *pool)
{
    size_t end = from + pool->end, size = pool->block_bytes;
    const struct type_table *types = sweep->types;
    const uint8_t *chunk = sweep->chunk;
    addr_t chunk_at = sweep->chunk_at;
    uint64_t mask = sweep->layout->refcount_mask;
    if (end > sweep->chunk_size)
        end = sweep->chunk_size;
    for (size_t block = from + POOL_HEAD_BYTES; block + size <= end; block += size) {
        size_t front = likely_front(chunk + block, mask), at = block + front;
        if (front + OBJECT_BYTES > size)
            continue; /* it is free */
        uint64_t count = word_at(chunk + at, OBJECT_REFCOUNT) & mask;
        struct type_entry *entry = type_table_find(types, word_at(chunk + at, OBJECT_TYPE));
        if (!entry ||
            !count_in_block(sweep, entry, chunk_at + at, chunk + at, count, front, size - front))
            scan_block(sweep, block, size);
    }
    sweep->pool_bytes += sweep->layout->pool_bytes;
    sweep->pool_free_bytes +=
        sweep->layout->pool_bytes - POOL_HEAD_BYTES - (uint64_t)pool->used * size;
}
