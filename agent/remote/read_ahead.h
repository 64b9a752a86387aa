/*
 * Small reads of another process, many to a system call: what will be wanted is said beforehand
 * and fetched at once; what was not foreseen is read by itself. A page that is not present
 * is never read, but in its file, if it has one.
 *
 * A place is known by where it begins: the readers of it say where that is, and an offset.
 */
#ifndef AGENT_REMOTE_READ_AHEAD_H
#define AGENT_REMOTE_READ_AHEAD_H

#include "present_map.h"

enum {
    READ_AHEAD_PLACES = 1024,
    READ_AHEAD_BYTES = 96 * 1024, /* of all places */
};

struct read_ahead_place {
    addr_t at;
    uint32_t size, offset; /* in `bytes` */
    int is_here;
};

struct read_ahead {
    const struct present_map *present; /* the caller's */
    uint64_t read_bytes;
    uint32_t count, fetched; /* places; of these the first `fetched` were asked for */
    uint32_t used;           /* of `bytes` */
    struct read_ahead_place places[READ_AHEAD_PLACES];
    uint16_t slots[2 * READ_AHEAD_PLACES]; /* index + 1, by address */
    uint8_t bytes[READ_AHEAD_BYTES];
};

struct read_ahead *read_ahead_new(const struct present_map *present);
void read_ahead_free(struct read_ahead *ahead);

/* Forget all places: the process may have changed what was there. */
void read_ahead_clear(struct read_ahead *ahead);

/* `size` bytes at `at` will be wanted, up to the end of the page if they may reach beyond it. What
 * does not fit, or is not present, is left for read_ahead_read. */
void read_ahead_want(struct read_ahead *ahead, addr_t at, uint32_t size, int within_page);

/* Read all that is wanted and not here yet. */
void read_ahead_fetch(struct read_ahead *ahead);

/* The place that begins at `at`, if `size` bytes of it are here; else NULL. */
const uint8_t *read_ahead_find(const struct read_ahead *ahead, addr_t at, size_t size) MUST_CHECK;

/* `size` bytes at `at` + `offset`, from the place that begins at `at` or from the process. 0: not
 * readable, or not present. */
int read_ahead_read(struct read_ahead *ahead, addr_t at, size_t offset, void *to,
                    size_t size) MUST_CHECK;

#endif
