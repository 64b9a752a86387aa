/*
 * Questions that streams have for the database before they can go on: how far an agent run is
 * stored, where a process stands, where new type names stand. A few workers ask; what waits
 * meanwhile and has the same question is asked together, so that processes that begin at once share
 * their statements and COMMITs. While the database is away all wait, in order, and are asked again
 * with growing pauses; those that were asked together one by one, since it may be that only one of
 * them cannot be answered. That one has growing pauses of its own, and the others go on.
 *
 * Everything runs on the rpc thread, but the look-up itself.
 */
#ifndef COLLECTOR_INGEST_INGEST_OPENER_H
#define COLLECTOR_INGEST_INGEST_OPENER_H

#include "arena.h"
#include "loop.h"
#include "store.h"

struct ingest_opener;

enum ingest_question { ASK_AGENT, ASK_PROCESS, ASK_TYPES };

/* One question; the memory is the asker's until it is answered. */
struct ingest_lookup {
    struct ingest_lookup *next;
    enum ingest_question question;
    int is_alone;                  /* not to be asked together with others (any more) */
    int64_t pause_ms, again_at_ms; /* not to be asked before: it failed alone; clock_mono_ms() */
    uint8_t agent_id[ID_BYTES];
    struct process_identity identity; /* its texts are in `texts` */
    struct arena texts;
    int64_t service_id, instance_id; /* ASK_TYPES: of whom, and which */
    const char *const *names;
    uint32_t count;
    /* The answer. */
    enum status status; /* OK; CANCELED: we are about to end; INVALID and LIMIT: refused */
    struct why why;
    uint64_t committed_sequence;
    struct instance_state state; /* the asker's when status is OK */
    uint32_t *places;            /* [count]; the asker frees it */
};

enum { OPENER_LANES = 4 };

struct ingest_opener_options {
    struct db *db[OPENER_LANES]; /* each used on its worker only */
    struct worker *worker[OPENER_LANES];
    void (*post)(void *user, call_fn *fn, void *arg); /* run fn(arg) on the rpc thread */
    void (*answered)(void *user, struct ingest_lookup *lookup);
    void *user;
};

struct ingest_opener *ingest_opener_new(const struct ingest_opener_options *options);
void ingest_opener_free(struct ingest_opener *opener); /* when nothing is asked */

void ingest_opener_ask_agent(struct ingest_opener *opener, struct ingest_lookup *lookup,
                             const uint8_t agent_id[ID_BYTES]);
/* Copies the identity. */
void ingest_opener_ask_process(struct ingest_opener *opener, struct ingest_lookup *lookup,
                               const uint8_t agent_id[ID_BYTES],
                               const struct process_identity *identity);
/* The names must stay until it is answered. */
void ingest_opener_ask_types(struct ingest_opener *opener, struct ingest_lookup *lookup,
                             int64_t service_id, int64_t instance_id, const char *const *names,
                             uint32_t count);

/* To be called regularly: asks again when a pause is over. */
void ingest_opener_tick(struct ingest_opener *opener);
/* Answer CANCELED to everything that waits, and to what comes. */
void ingest_opener_cancel(struct ingest_opener *opener);

#endif
