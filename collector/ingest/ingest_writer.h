/*
 * From the streams to the database: one batch fills on the rpc thread while another is being
 * committed on a worker. Acknowledgements go out when their batch is committed, and only then.
 *
 * A batch that could not be committed because the database is away is tried again, the same one,
 * with growing pauses; meanwhile the next one fills up to its limit, and then
 * `ingest_writer_is_full` tells the streams to hold back. Memory is bounded by that limit, for both
 * batches together.
 *
 * How far an agent has been stored is written down with its first batch, its last one, and every
 * hour, all agents in the same few batches: one statement for many. That spares a row for each
 * snapshot, and an agent that comes back repeats only what it has no Ack for, however old the mark:
 * repeats are stored once anyway, by their key.
 *
 * Everything runs on the rpc thread, but the commits.
 */
#ifndef COLLECTOR_INGEST_INGEST_WRITER_H
#define COLLECTOR_INGEST_INGEST_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "ingest_metrics.h"
#include "loop.h"
#include "rpc_server.h"
#include "store.h"

struct ingest_writer;

struct ingest_writer_options {
    struct db *db; /* used on the worker only */
    struct worker *worker;
    size_t pending_bytes_max;
    size_t commit_bytes;                  /* a batch this large does not wait for the next tick */
    const struct ingest_metrics *metrics; /* must outlive the writer */
    /* On the rpc thread: run fn(arg) there from the worker. */
    void (*post)(void *user, call_fn *fn, void *arg);
    /* A snapshot that the database does not take; before its stream gets the Ack. */
    void (*refused)(void *user, const struct refused_row *row);
    /* What was committed of a service belongs to nobody: end its streams; before any Ack. */
    void (*forgotten)(void *user, int64_t service_id);
    void (*committed)(void *user); /* there is room again, and maybe nothing left */
    void *user;
};

/* Where a stream stands in the batch that is filling; zeroed at the start of a stream. */
struct ingest_ticket {
    uint64_t batch; /* number of the batch that `slot` is in */
    size_t slot;
    int64_t raised_at_ms; /* when the agent's high water was last put into a batch; 0: never */
};

struct ingest_writer *ingest_writer_new(const struct ingest_writer_options *options);
/* After it was idle, or abandoned and no commit is on the worker. */
void ingest_writer_free(struct ingest_writer *writer);

/* The batch that is filling. */
struct write_batch *ingest_writer_batch(struct ingest_writer *writer);

/* What this call sent up to `sequence` is in the batches: say Ack when it is committed. */
void ingest_writer_note(struct ingest_writer *writer, struct ingest_ticket *ticket,
                        struct rpc_call *call, const uint8_t agent_id[ID_BYTES], uint64_t sequence);

/* The same, and then the call ends OK: the agent will send no more. */
void ingest_writer_note_last(struct ingest_writer *writer, struct ingest_ticket *ticket,
                             struct rpc_call *call, const uint8_t agent_id[ID_BYTES],
                             uint64_t sequence);

int ingest_writer_is_full(const struct ingest_writer *writer);
int ingest_writer_is_idle(
    const struct ingest_writer *writer); /* nothing to commit, none under way */

/* To be called regularly: hands what has gathered to the worker. */
void ingest_writer_tick(struct ingest_writer *writer);
/* After a message: commits early when the batch is large. */
void ingest_writer_nudge(struct ingest_writer *writer);

/* Let go of everything that is not committed: nobody was told that it was. */
void ingest_writer_abandon(struct ingest_writer *writer);

#endif
