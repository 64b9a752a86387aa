/*
 * struct pool_header { unsigned used; block *freeblock; pool *next, *prev;
 *                      unsigned arena, size_class, next_offset, max_next_offset; }
 *
 * A false pool would have to satisfy all of the relations below.
 */
#include "pymalloc.h"

#include "words.h"

enum {
    POOL_USED = 0,
    POOL_FREE_BLOCK = 8,
    POOL_SIZE_CLASS = 36,
    POOL_NEXT_OFFSET = 40,
    POOL_MAX_NEXT_OFFSET = 44,
    SIZE_CLASSES = 32,
    SIZE_UNIT = 16,
};

int pymalloc_is_pool(const struct cpython_layout *layout, addr_t at, const uint8_t *head,
                     struct pymalloc_pool *ret)
{
    uint32_t size_class = half_at(head, POOL_SIZE_CLASS), used = half_at(head, POOL_USED);
    uint32_t next = half_at(head, POOL_NEXT_OFFSET), pool = layout->pool_bytes;
    addr_t free_block;
    memcpy(&free_block, head + POOL_FREE_BLOCK, sizeof(free_block));
    if (size_class >= SIZE_CLASSES)
        return 0;
    uint32_t size = (size_class + 1) * SIZE_UNIT;
    if (half_at(head, POOL_MAX_NEXT_OFFSET) != pool - size || next < POOL_HEAD_BYTES ||
        next > pool || (next - POOL_HEAD_BYTES) % size != 0 ||
        used > (next - POOL_HEAD_BYTES) / size ||
        (free_block && (free_block < at + POOL_HEAD_BYTES || free_block >= at + pool)))
        return 0;
    *ret = (struct pymalloc_pool){.block_bytes = size, .used = used, .end = next};
    return 1;
}
