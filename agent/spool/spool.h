/*
 * What is to be delivered: facts (numbered, opaque bytes of one process) between the agent that
 * makes them and the collector that has not yet acknowledged them.
 *
 *        first                                           last
 *     ---+------+------+------+------+------+------+------+--->  sequence
 *        ^ spool_drop_through: acknowledged     ^ spool_append
 *        ^ also dropped, oldest first, when a new one does not fit into the bound
 *
 * The spool knows nothing of what the bytes mean. It is a queue in memory, so that what waits is
 * lost with the agent; readers go through `spool_next` by sequence number only, so that older facts
 * may come to lie elsewhere than the newest. One thread (the loop).
 */
#ifndef AGENT_SPOOL_SPOOL_H
#define AGENT_SPOOL_SPOOL_H

#include <stddef.h>
#include <stdint.h>

#include "attributes.h"

struct spool;

struct spool_fact {
    uint64_t sequence;
    uint32_t process;
    const uint8_t *data; /* valid until the next call that is not spool_next */
    size_t size;
};

/* A fact that had to go before it was acknowledged. Called just before it goes; must not call the
 * spool, except for spool_next. */
typedef void spool_lost_fn(void *user, const struct spool_fact *fact);

/* Holds at most `limit_bytes`, its own book-keeping included. */
struct spool *spool_new(size_t limit_bytes, spool_lost_fn *lost, void *user);
void spool_free(struct spool *spool); /* what it holds is gone; NULL is fine */

/* Copies. `sequence` is above all before it (asserted). A fact that alone exceeds the bound is
 * lost at once. */
void spool_append(struct spool *spool, uint64_t sequence, uint32_t process, const void *data,
                  size_t size);

/* The first fact with a sequence above `after`: 1 and `ret`, or 0 when there is none. */
int spool_next(const struct spool *spool, uint64_t after, struct spool_fact *ret) MUST_CHECK;

/* Forget everything up to and including `sequence`. */
void spool_drop_through(struct spool *spool, uint64_t sequence);

size_t spool_count(const struct spool *spool);
size_t spool_bytes(const struct spool *spool);

#endif
