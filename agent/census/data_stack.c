#include "data_stack.h"

#include "addr.h"
#include "words.h"

/* Chunks are made of 16 KiB, doubled until the frame fits that asked for one. */
#define CHUNK_BYTES_MIN (UINT64_C(1) << 14)
#define CHUNK_BYTES_MAX (UINT64_C(1) << 20)

enum { PAGE_BYTES = 4096 };

size_t data_stack_chunk_bytes(const uint8_t *head)
{
    uint64_t previous = word_at(head, 0), size = word_at(head, 8), top = word_at(head, 16);
    if (size < CHUNK_BYTES_MIN || size > CHUNK_BYTES_MAX || (size & (size - 1)) != 0)
        return 0;
    if (previous % PAGE_BYTES != 0 || top > size / sizeof(uint64_t))
        return 0;
    return size;
}
