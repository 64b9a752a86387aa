/*
 * What is to be delivered: facts (numbered, opaque bytes of one process) between the agent that
 * makes them and the collector that has not yet acknowledged them.
 *
 *        first                                           last
 *     ---+------+------+------+------+------+------+------+--->  sequence
 *        ^ spool_drop_through: acknowledged     ^ spool_append
 *        ^ also dropped, oldest first, when a new one does not fit into the bound
 *
 * The spool knows nothing of what the bytes mean. A fact lies in memory, and is lost with the
 * agent; or, with a folder, in a file there, from which a later run takes it up (spool_disk.h), and
 * only its place is in memory. When the folder cannot be written, facts lie in memory again. One
 * thread (the loop).
 */
#ifndef AGENT_SPOOL_SPOOL_H
#define AGENT_SPOOL_SPOOL_H

#include <stddef.h>
#include <stdint.h>

#include "attributes.h"
#include "segment.h"
#include "status.h"
#include "why.h"

struct spool;

struct spool_fact {
    uint64_t sequence;
    uint32_t process;
    const uint8_t *data; /* NULL until spool_load */
    size_t size;
};

/* A fact that had to go before it was acknowledged. Called just before it goes; must not call the
 * spool, except for spool_next and spool_load. */
typedef void spool_lost_fn(void *user, const struct spool_fact *fact);

/* Holds at most `limit_bytes` in memory, its own book-keeping included. */
struct spool *spool_new(size_t limit_bytes, spool_lost_fn *lost, void *user);
/* What lies in memory is gone, what lies in a folder stays there; NULL is fine. */
void spool_free(struct spool *spool);

/* ---- a folder ------------------------------------------------------------------------------- */

/* What a former run left, one frame after the other, as it was written. 1: a fact that is to be
 * kept. Frames that are not facts are never kept, but come again with each segment. */
typedef int spool_restore_fn(void *user, const uint8_t run[SEGMENT_RUN_BYTES],
                             const struct segment_frame *frame);

struct spool_folder {
    const char *path;
    uint64_t limit_bytes;
    const uint8_t *run; /* SEGMENT_RUN_BYTES: the id of this run */
    spool_restore_fn *restore;
    /* The folder cannot be written, `reason` says why, and facts lie in memory; NULL: it can again.
     */
    void (*changed)(void *user, const char *reason);
};

struct spool_restored {
    size_t facts, refused; /* kept; damaged, or not kept */
    uint64_t lost_bytes;   /* that could not be read, in how many facts nobody knows */
    struct why why;        /* the first thing that was wrong; "": nothing */
};

/*
 * Take up what former runs left there, then keep facts there. Before the first fact. On failure,
 * and the reason is for a person, the spool goes on in memory. `user` is that of spool_new.
 */
enum status spool_use_folder(struct spool *spool, const struct spool_folder *folder,
                             struct spool_restored *ret, struct why *why) MUST_CHECK;

/*
 * A number for the place that the next fact goes to, 0: memory. When it is not what it was, a later
 * run will know nothing of a process but what is noted before the fact, which must not build on
 * earlier ones then. Asked for before every fact.
 */
uint32_t spool_prepare(struct spool *spool);
void spool_note(struct spool *spool, uint32_t process, const void *data, size_t size);

/* ---- facts ---------------------------------------------------------------------------------- */

/* Copies. `sequence` is above all before it (asserted). A fact that alone exceeds the bound is
 * lost at once. */
void spool_append(struct spool *spool, uint64_t sequence, uint32_t process, const void *data,
                  size_t size);

/* The first fact with a sequence above `after`: 1 and `ret`, or 0 when there is none. */
int spool_next(const struct spool *spool, uint64_t after, struct spool_fact *ret) MUST_CHECK;
/* Its data, valid until the next call but spool_next. 0: the folder does not give it back. */
int spool_load(struct spool *spool, struct spool_fact *fact) MUST_CHECK;

/* Forget everything up to and including `sequence`. */
void spool_drop_through(struct spool *spool, uint64_t sequence);
/* The same, but it was not acknowledged: each fact is lost. */
void spool_lose_through(struct spool *spool, uint64_t sequence);

size_t spool_count(const struct spool *spool);
size_t spool_bytes(const struct spool *spool);           /* in memory */
uint64_t spool_disk_used(const struct spool *spool);     /* in the folder */
uint64_t spool_last_sequence(const struct spool *spool); /* of all times; 0: none */

#endif
