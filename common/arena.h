/*
 * Memory for one unit of work: allocate, never free, reset at the end of the unit.
 *
 * Two kinds of demand: a size that came from outside uses `arena_alloc`, which returns NULL once
 * the arena's cap is reached; a size that we chose uses `arena_must`, which asserts.
 * Not thread-safe; one owner at a time.
 */
#ifndef COMMON_ARENA_H
#define COMMON_ARENA_H

#include <stddef.h>

#include "attributes.h"

struct arena_block;

struct arena {
    struct arena_block *head; /* newest first; the arena owns the blocks */
    size_t used_bytes;        /* handed out since the last reset, padding included */
    size_t cap_bytes;
};

/* An empty arena that will hand out at most `cap_bytes`. Allocates nothing yet. */
void arena_init(struct arena *arena, size_t cap_bytes);

/* Give all memory back to the system. The arena may be used again. */
void arena_done(struct arena *arena);

/* Invalidate everything handed out; keeps at most one ordinary block for the next unit of work. */
void arena_reset(struct arena *arena);

/* `size` bytes aligned for any type, not cleared. NULL when the cap or the system says no. */
void *arena_alloc(struct arena *arena, size_t size) MUST_CHECK;

/* The same, asserting success. For sizes that we chose. Never NULL. */
void *arena_must(struct arena *arena, size_t size) MUST_CHECK;

/* A zero-terminated copy of `size` bytes of `text`; NULL like arena_alloc. */
char *arena_strndup(struct arena *arena, const char *text, size_t size) MUST_CHECK;

#endif
