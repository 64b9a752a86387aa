/*
 *     filling ----rotate----> committing ----committed----> Acks, freed
 *        ^                        |
 *        |                     failed: again after `pause_ms`, 250 ms to 5 s
 *        +-- rows of the streams
 *
 * There is one `committing` batch at a time, so batches are committed in the order in which they
 * were filled, and an Ack may be cumulative.
 */
#include "ingest_writer.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "ingest.pb-c.h"
#include "log.h"
#include "wire.h"

enum { PAUSE_FIRST_MS = 250, PAUSE_LAST_MS = 5000, RAISE_EVERY_MS = 3600 * 1000 };

/* Who is told when the batch is committed. */
struct ack {
    struct rpc_call *call; /* held */
    uint8_t agent_id[ID_BYTES];
    uint64_t sequence;
    int is_last;
    int is_raised; /* its high water is written down with this batch */
};

struct batch {
    uint64_t number;
    struct write_batch *rows;
    struct ack *acks;
    size_t ack_count, ack_capacity;
};

struct ingest_writer {
    struct ingest_writer_options options;
    struct batch filling, committing;
    int is_committing; /* `committing` holds a batch */
    int is_busy;       /* and it is on the worker */
    int is_away;       /* the database was, at the last attempt */
    int is_abandoned;
    int64_t pause_ms, again_at_ms;
    enum status outcome; /* of the commit, from the worker */
    struct why why;
    int64_t commit_ns;
};

static struct batch batch_new(uint64_t number)
{
    return (struct batch){.number = number, .rows = write_batch_new()};
}

static void batch_done(struct batch *batch)
{
    for (size_t i = 0; i < batch->ack_count; i++)
        rpc_call_release(batch->acks[i].call);
    free(batch->acks);
    write_batch_free(batch->rows);
    *batch = (struct batch){.number = 0};
}

struct ingest_writer *ingest_writer_new(const struct ingest_writer_options *options)
{
    struct ingest_writer *writer = calloc(1, sizeof(*writer));
    ASSERT(writer != NULL);
    writer->options = *options;
    writer->filling = batch_new(1);
    return writer;
}

void ingest_writer_free(struct ingest_writer *writer)
{
    if (writer == NULL)
        return;
    ASSERT(!writer->is_busy);
    batch_done(&writer->filling);
    batch_done(&writer->committing);
    free(writer);
}

struct write_batch *ingest_writer_batch(struct ingest_writer *writer)
{
    return writer->filling.rows;
}

static size_t batch_bytes(const struct batch *batch)
{
    return batch->ack_capacity * sizeof(struct ack) +
           (batch->rows != NULL ? write_batch_bytes(batch->rows) : 0);
}

int ingest_writer_is_full(const struct ingest_writer *writer)
{
    return batch_bytes(&writer->filling) + batch_bytes(&writer->committing) >=
           writer->options.pending_bytes_max;
}

int ingest_writer_is_idle(const struct ingest_writer *writer)
{
    return !writer->is_committing && writer->filling.ack_count == 0 &&
           write_batch_is_empty(writer->filling.rows);
}

/* The call's place in the filling batch; made on first use. */
static struct ack *ack_of(struct batch *batch, struct ingest_ticket *ticket, struct rpc_call *call)
{
    if (ticket->batch == batch->number)
        return &batch->acks[ticket->slot];
    if (batch->ack_count == batch->ack_capacity) {
        batch->ack_capacity = batch->ack_capacity > 0 ? batch->ack_capacity * 2 : 16;
        batch->acks = realloc(batch->acks, batch->ack_capacity * sizeof(*batch->acks));
        ASSERT(batch->acks != NULL);
    }
    int64_t now_ms = clock_mono_ms();
    int is_due = ticket->raised_at_ms == 0 ||
                 now_ms / RAISE_EVERY_MS != ticket->raised_at_ms / RAISE_EVERY_MS;
    *ticket = (struct ingest_ticket){batch->number, batch->ack_count,
                                     is_due ? now_ms : ticket->raised_at_ms};
    struct ack *ack = &batch->acks[batch->ack_count++];
    *ack = (struct ack){.call = call, .is_raised = is_due};
    rpc_call_hold(call);
    return ack;
}

void ingest_writer_note(struct ingest_writer *writer, struct ingest_ticket *ticket,
                        struct rpc_call *call, const uint8_t agent_id[ID_BYTES], uint64_t sequence)
{
    struct ack *ack = ack_of(&writer->filling, ticket, call);
    ack->sequence = sequence;
    memcpy(ack->agent_id, agent_id, ID_BYTES);
}

void ingest_writer_note_last(struct ingest_writer *writer, struct ingest_ticket *ticket,
                             struct rpc_call *call, const uint8_t agent_id[ID_BYTES],
                             uint64_t sequence)
{
    ingest_writer_note(writer, ticket, call, agent_id, sequence);
    struct ack *ack = ack_of(&writer->filling, ticket, call);
    ack->is_last = ack->is_raised = 1;
}

/* ---- after the commit ----------------------------------------------------------------------- */

static void send_ack(const struct ack *ack, struct buf *scratch)
{
    Heapfleet__V1__Ack body = HEAPFLEET__V1__ACK__INIT;
    body.sequence = ack->sequence;
    Heapfleet__V1__CollectorMessage message = HEAPFLEET__V1__COLLECTOR_MESSAGE__INIT;
    message.body_case = HEAPFLEET__V1__COLLECTOR_MESSAGE__BODY_ACK;
    message.ack = &body;
    buf_clear(scratch);
    wire_pack(&message.base, scratch);
    rpc_call_send(ack->call, scratch->data, scratch->size);
    if (ack->is_last)
        rpc_call_finish(ack->call, RPC_OK, NULL);
}

/* What was refused of a process may be what rows of the next batch build on. */
static void tell_refused(struct ingest_writer *writer)
{
    const struct write_batch *rows = writer->committing.rows;
    for (size_t i = 0; i < write_batch_refused(rows); i++) {
        const struct refused_row row = write_batch_refused_row(rows, i);
        write_batch_break(writer->filling.rows, row.instance_id);
        writer->options.refused(writer->options.user, &row);
    }
}

/* What is said to a stream that has ended is not heard: its Acks stay away. */
static void tell_forgotten(const struct ingest_writer *writer)
{
    const struct write_batch *rows = writer->committing.rows;
    for (size_t i = 0; i < write_batch_forgotten(rows); i++)
        writer->options.forgotten(writer->options.user, write_batch_forgotten_service(rows, i));
}

static void finish_batch(struct ingest_writer *writer)
{
    struct buf scratch = BUF_INIT;
    tell_forgotten(writer);
    tell_refused(writer);
    metric_add(writer->options.metrics->acks, (int64_t)writer->committing.ack_count);
    for (size_t i = 0; i < writer->committing.ack_count; i++)
        send_ack(&writer->committing.acks[i], &scratch);
    buf_done(&scratch);
    batch_done(&writer->committing);
    writer->is_committing = 0;
    writer->pause_ms = 0;
    if (writer->is_away)
        log_event(LOG_INFO, "store.back", NULL);
    writer->is_away = 0;
}

static void pause_commits(struct ingest_writer *writer)
{
    writer->pause_ms = writer->pause_ms > 0 ? writer->pause_ms * 2 : PAUSE_FIRST_MS;
    if (writer->pause_ms > PAUSE_LAST_MS)
        writer->pause_ms = PAUSE_LAST_MS;
    writer->again_at_ms = clock_mono_ms() + writer->pause_ms;
    if (!writer->is_away)
        log_event(writer->outcome == STATUS_UNAVAILABLE ? LOG_WARN : LOG_ERROR, "store.away",
                  "snapshots=%zu reason=\"%s\" action=\"kept, tried again\"",
                  write_batch_snapshots(writer->committing.rows), writer->why.text);
    writer->is_away = 1;
}

static void count_commit(const struct ingest_writer *writer)
{
    const struct ingest_metrics *metrics = writer->options.metrics;
    int is_ok = writer->outcome == STATUS_OK;
    metric_add(is_ok ? metrics->commits : metrics->commits_failed, 1);
    metric_observe(metrics->commit_seconds, (double)writer->commit_ns / 1e9);
    metric_set(metrics->store_up, is_ok);
}

/* On the rpc thread again. */
static void commit_done(void *arg)
{
    struct ingest_writer *writer = arg;
    writer->is_busy = 0;
    log_event(LOG_DEBUG, "store.commit", "status=%s snapshots=%zu streams=%zu elapsed_ms=%lld",
              status_name(writer->outcome), write_batch_snapshots(writer->committing.rows),
              writer->committing.ack_count, (long long)(writer->commit_ns / 1000000));
    count_commit(writer);
    if (writer->outcome == STATUS_OK)
        finish_batch(writer);
    else if (writer->is_abandoned)
        ingest_writer_abandon(writer);
    else
        pause_commits(writer);
    writer->options.committed(writer->options.user);
}

/* ---- committing ----------------------------------------------------------------------------- */

/* On the worker. */
static void commit(void *arg)
{
    struct ingest_writer *writer = arg;
    int64_t began = clock_mono_ns();
    writer->outcome = write_batch_commit(writer->options.db, writer->committing.rows, &writer->why);
    writer->commit_ns = clock_mono_ns() - began;
    writer->options.post(writer->options.user, commit_done, writer);
}

static void start_commit(struct ingest_writer *writer)
{
    writer->is_busy = 1;
    worker_post(writer->options.worker, commit, writer);
}

static void rotate(struct ingest_writer *writer)
{
    struct batch *batch = &writer->filling;
    if (!write_batch_is_empty(batch->rows)) {
        for (size_t i = 0; i < batch->ack_count; i++) {
            const struct ack *ack = &batch->acks[i];
            if (ack->is_raised)
                write_batch_high_water(batch->rows, ack->agent_id, ack->sequence);
        }
    }
    writer->committing = *batch;
    writer->is_committing = 1;
    writer->filling = batch_new(batch->number + 1);
    if (write_batch_is_empty(writer->committing.rows)) /* only repeats and refusals */
        finish_batch(writer);
    else
        start_commit(writer);
}

void ingest_writer_abandon(struct ingest_writer *writer)
{
    writer->is_abandoned = 1;
    uint64_t number = writer->filling.number;
    batch_done(&writer->filling);
    writer->filling = batch_new(number + 1);
    if (writer->is_busy)
        return;
    batch_done(&writer->committing);
    writer->is_committing = 0;
}

void ingest_writer_tick(struct ingest_writer *writer)
{
    metric_set(writer->options.metrics->pending_bytes,
               (int64_t)(batch_bytes(&writer->filling) + batch_bytes(&writer->committing)));
    if (writer->is_busy)
        return;
    if (writer->is_committing) {
        if (clock_mono_ms() >= writer->again_at_ms)
            start_commit(writer);
    } else if (!ingest_writer_is_idle(writer)) {
        rotate(writer);
    }
}

void ingest_writer_nudge(struct ingest_writer *writer)
{
    if (!writer->is_committing && batch_bytes(&writer->filling) >= writer->options.commit_bytes)
        rotate(writer);
}
