#include "arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * Under the address sanitizer only what was asked for may be touched: the padding behind it and a
 * gap before the next piece are forbidden ground, as they would be with malloc.
 */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#endif
#ifdef SANITIZED
#include <sanitizer/asan_interface.h>
enum { GAP_BYTES = 32 };
#else
#define ASAN_POISON_MEMORY_REGION(at, size) ((void)0)
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)0)
enum { GAP_BYTES = 0 };
#endif

enum { BLOCK_BYTES = 16 * 1024 };

struct arena_block {
    struct arena_block *next;
    size_t size;
    size_t used;
    alignas(max_align_t) unsigned char data[];
};

void arena_init(struct arena *arena, size_t cap_bytes)
{
    *arena = (struct arena){.cap_bytes = cap_bytes};
}

static void free_blocks(struct arena_block *block)
{
    while (block != NULL) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
}

void arena_done(struct arena *arena)
{
    if (arena == NULL)
        return;
    free_blocks(arena->head);
    arena->head = NULL;
    arena->used_bytes = 0;
}

void arena_reset(struct arena *arena)
{
    struct arena_block *head = arena->head;
    if (head != NULL) {
        free_blocks(head->next);
        head->next = NULL;
        head->used = 0;
        ASAN_POISON_MEMORY_REGION(head->data, head->size);
        if (head->size > BLOCK_BYTES) { /* one large unit of work is no reason to hold its memory */
            free(head);
            arena->head = NULL;
        }
    }
    arena->used_bytes = 0;
}

static struct arena_block *grow(struct arena *arena, size_t size)
{
    size_t room = size > BLOCK_BYTES ? size : BLOCK_BYTES;
    struct arena_block *block = malloc(sizeof(*block) + room);
    if (block == NULL)
        return NULL;
    block->size = room;
    block->used = 0;
    block->next = arena->head;
    arena->head = block;
    block->data[0] = 0; /* or gcc 14 takes the poisoning for a use of what was never set */
    ASAN_POISON_MEMORY_REGION(block->data, room);
    return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    const size_t align = alignof(max_align_t);
    if (size > arena->cap_bytes || size > SIZE_MAX / 2)
        return NULL;
    size_t padded = (size + align - 1) / align * align;
    if (padded == 0)
        padded = align;
    if (padded > arena->cap_bytes - arena->used_bytes)
        return NULL;
    struct arena_block *block = arena->head;
    size_t room = padded + GAP_BYTES;
    if (block == NULL || block->size - block->used < room) {
        block = grow(arena, room);
        if (block == NULL)
            return NULL;
    }
    void *memory = block->data + block->used;
    ASAN_UNPOISON_MEMORY_REGION(memory, size);
    block->used += room;
    arena->used_bytes += padded;
    return memory;
}

void *arena_must(struct arena *arena, size_t size)
{
    void *memory = arena_alloc(arena, size);
    ASSERT(memory != NULL);
    return memory;
}

char *arena_strndup(struct arena *arena, const char *text, size_t size)
{
    if (size == SIZE_MAX)
        return NULL;
    char *copy = arena_alloc(arena, size + 1);
    if (copy == NULL)
        return NULL;
    memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}
