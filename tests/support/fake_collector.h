/*
 * A collector for the uplink's tests: it checks every rule of the protocol, remembers what it has
 * "committed" across streams and restarts, and cuts the connection where it is told to.
 *
 * A step is anything it does: a message received, facts committed, an acknowledgement sent. With
 * `cut_at` n the n-th step is its last on that stream; `cut_every` makes it do so again and again.
 * Read the results only after fake_collector_stop.
 *
 * Included by one test program each; every function is static.
 */
#ifndef TESTS_SUPPORT_FAKE_COLLECTOR_H
#define TESTS_SUPPORT_FAKE_COLLECTOR_H

#include <stdint.h>
#include <string.h>

#include "arena.h"
#include "ingest.pb-c.h"
#include "rpc_server.h"
#include "snapshot_codec.h"
#include "snapshot_numbers.h"
#include "wire.h"

enum {
    FAKE_PROCESSES = 16,
    FAKE_RUNS = 8,
    FAKE_FACTS = 4096,
    FAKE_ARENA_BYTES = 4 << 20,
};

struct fake_process {
    int announced;
    uint32_t types;
    size_t name_bytes;
    uint64_t last_sequence;
    struct snapshot_numbers numbers;
    struct heap_values heap;
};

struct fake_fact {
    uint64_t sequence;
    uint32_t process;
    int ended;
    int64_t time_ms;
    uint32_t dropped;
    int keyframe;
    uint64_t fingerprint; /* of the heap, once decoded */
    int times;            /* received */
};

struct fake_run {
    uint8_t id[16];
    uint64_t committed;
};

struct fake_collector {
    struct rpc_server *server;
    int port;

    /* what to do */
    int cut_at, cut_every; /* steps; 0: never */
    int commit_every;      /* facts; default 1 */
    int silent;            /* never says welcome */
    uint32_t protocol;     /* in its Welcome; 0: the right one */
    uint64_t ack_too_much;
    uint32_t request_keyframe_after; /* facts of a stream: then of process 1 */
    uint64_t refuse_nth;             /* fact received: refused, not stored */
    int reject_first_run;            /* each stream of it ends as a wrong one */

    /* what it saw */
    struct fake_fact facts[FAKE_FACTS];
    int fact_count;
    uint64_t committed; /* of a run that is new here */
    struct fake_run runs[FAKE_RUNS];
    int run_count;
    int streams, steps, cuts, repeats, half_closes;
    char error[256]; /* the first rule that was broken */

    /* of the stream */
    struct fake_run *run;
    int greeted, uncommitted, stream_facts, received;
    uint64_t last_received;
    struct fake_process processes[FAKE_PROCESSES];
};

static void fake_error(struct fake_collector *fake, const char *text)
{
    if (fake->error[0] == '\0')
        snprintf(fake->error, sizeof(fake->error), "%s (step %d)", text, fake->steps);
}

/* 1 when this step is the last one of the stream. */
static int fake_step(struct fake_collector *fake, struct rpc_call *call)
{
    fake->steps++;
    int cut =
        fake->steps == fake->cut_at || (fake->cut_every > 0 && fake->steps % fake->cut_every == 0);
    if (cut) {
        fake->cuts++;
        rpc_call_finish(call, RPC_UNAVAILABLE, "cut");
    }
    return cut;
}

static void fake_send(struct rpc_call *call, Heapfleet__V1__CollectorMessage *message)
{
    struct buf bytes = BUF_INIT;
    wire_pack(&message->base, &bytes);
    rpc_call_send(call, bytes.data, bytes.size);
    buf_done(&bytes);
}

static void fake_commit(struct fake_collector *fake, struct rpc_call *call)
{
    if (fake->uncommitted == 0 || fake_step(fake, call))
        return;
    fake->uncommitted = 0;
    fake->run->committed = fake->last_received;
    if (fake_step(fake, call)) /* in the database, but the agent is not told */
        return;
    Heapfleet__V1__Ack ack = HEAPFLEET__V1__ACK__INIT;
    ack.sequence = fake->run->committed + fake->ack_too_much;
    Heapfleet__V1__CollectorMessage message = HEAPFLEET__V1__COLLECTOR_MESSAGE__INIT;
    message.body_case = HEAPFLEET__V1__COLLECTOR_MESSAGE__BODY_ACK;
    message.ack = &ack;
    fake_send(call, &message);
    (void)fake_step(fake, call);
}

static struct fake_run *fake_run_of(struct fake_collector *fake, const uint8_t id[16])
{
    for (int i = 0; i < fake->run_count; i++) {
        if (memcmp(fake->runs[i].id, id, 16) == 0)
            return &fake->runs[i];
    }
    if (fake->run_count == FAKE_RUNS) {
        fake_error(fake, "too many runs");
        return &fake->runs[0];
    }
    struct fake_run *run = &fake->runs[fake->run_count++];
    memcpy(run->id, id, 16);
    run->committed = fake->committed;
    return run;
}

static void fake_hello(struct fake_collector *fake, struct rpc_call *call,
                       const Heapfleet__V1__Hello *hello)
{
    if (fake->greeted || hello->protocol != 1 || hello->agent_id.len != 16 ||
        hello->host[0] == '\0')
        fake_error(fake, "bad hello");
    fake->greeted = 1;
    fake->run = fake_run_of(fake, hello->agent_id.data);
    if (fake->reject_first_run && fake->run == &fake->runs[0])
        rpc_call_finish(call, RPC_INVALID_ARGUMENT, "not of this run");
    if (fake->silent)
        return;
    Heapfleet__V1__Welcome welcome = HEAPFLEET__V1__WELCOME__INIT;
    welcome.protocol = fake->protocol == 0 ? 1 : fake->protocol;
    welcome.committed_sequence = fake->run->committed;
    Heapfleet__V1__CollectorMessage message = HEAPFLEET__V1__COLLECTOR_MESSAGE__INIT;
    message.body_case = HEAPFLEET__V1__COLLECTOR_MESSAGE__BODY_WELCOME;
    message.welcome = &welcome;
    fake_send(call, &message);
    (void)fake_step(fake, call);
}

static struct fake_process *fake_process_of(struct fake_collector *fake, uint32_t process)
{
    if (process == 0 || process >= FAKE_PROCESSES || !fake->processes[process].announced) {
        fake_error(fake, "a process that was not announced on this stream");
        return NULL;
    }
    return &fake->processes[process];
}

static void fake_definitions(struct fake_collector *fake,
                             const Heapfleet__V1__TypeDefinitions *definitions)
{
    struct fake_process *process = fake_process_of(fake, definitions->process);
    if (process == NULL)
        return;
    if (definitions->first_index != process->types || definitions->n_names == 0)
        fake_error(fake, "type definitions with a gap");
    process->types += (uint32_t)definitions->n_names;
    for (size_t i = 0; i < definitions->n_names; i++)
        process->name_bytes += strlen(definitions->names[i]);
}

static uint64_t fake_fingerprint(const struct heap_values *heap)
{
    uint64_t hash = heap->types;
    for (uint32_t i = 0; i < heap->types; i++)
        hash = (hash * 31 + heap->values[i].count) * 31 + heap->values[i].bytes;
    return hash;
}

/* A fact twice must say the same twice. */
static void fake_store(struct fake_collector *fake, const struct fake_fact *fact)
{
    for (int i = 0; i < fake->fact_count; i++) {
        struct fake_fact *old = &fake->facts[i];
        if (old->sequence != fact->sequence)
            continue;
        if (old->process != fact->process || old->fingerprint != fact->fingerprint ||
            old->time_ms != fact->time_ms || old->ended != fact->ended)
            fake_error(fake, "one number, two facts");
        old->times++;
        fake->repeats++;
        return;
    }
    if (fake->fact_count == FAKE_FACTS) {
        fake_error(fake, "too many facts");
        return;
    }
    fake->facts[fake->fact_count++] = *fact;
}

static void fake_fact_came(struct fake_collector *fake, uint64_t sequence)
{
    if (sequence <= fake->last_received)
        fake_error(fake, "facts out of order");
    if (sequence <= fake->run->committed)
        fake_error(fake, "sent although it was committed");
    fake->last_received = sequence;
    fake->stream_facts++;
    fake->uncommitted++;
}

static void fake_refuse(struct rpc_call *call, uint64_t sequence)
{
    Heapfleet__V1__Refused refused = HEAPFLEET__V1__REFUSED__INIT;
    refused.sequence = sequence;
    char reason[] = "not today";
    refused.reason = reason;
    Heapfleet__V1__CollectorMessage message = HEAPFLEET__V1__COLLECTOR_MESSAGE__INIT;
    message.body_case = HEAPFLEET__V1__COLLECTOR_MESSAGE__BODY_REFUSED;
    message.refused = &refused;
    fake_send(call, &message);
}

static void fake_snapshot(struct fake_collector *fake, struct rpc_call *call, uint64_t sequence,
                          Heapfleet__V1__Snapshot *snapshot)
{
    struct fake_process *process = fake_process_of(fake, snapshot->process);
    fake_fact_came(fake, sequence);
    if (process == NULL)
        return;
    if (++fake->received == (int)fake->refuse_nth) {
        process->last_sequence = 0; /* a collector that refuses has no base for what follows */
        process->numbers.sequence = 0;
        fake_refuse(call, sequence);
        return;
    }
    if (snapshot_restore(sequence, &process->numbers, snapshot, NULL) != STATUS_OK) {
        if (fake->refuse_nth == 0)
            fake_error(fake, "changes of numbers that this stream did not carry");
        fake_refuse(call, sequence);
        return;
    }
    int keyframe = snapshot->base_sequence == 0;
    if (keyframe != snapshot_is_keyframe(snapshot->body.data, snapshot->body.len))
        fake_error(fake, "base_sequence and body disagree");
    if (!keyframe && snapshot->base_sequence != process->last_sequence) {
        if (fake->refuse_nth == 0)
            fake_error(fake, "a change of something this stream did not carry");
        fake_refuse(call, sequence);
        return;
    }
    if (snapshot_decode(snapshot->body.data, snapshot->body.len, &process->heap, NULL) != STATUS_OK)
        fake_error(fake, "a body that cannot be decoded");
    if (process->heap.types > process->types)
        fake_error(fake, "types without names");
    process->last_sequence = sequence;
    process->numbers = snapshot_numbers(sequence, snapshot);
    const struct fake_fact fact = {.sequence = sequence,
                                   .process = snapshot->process,
                                   .time_ms = snapshot->time_ms,
                                   .dropped = snapshot->dropped,
                                   .keyframe = keyframe,
                                   .fingerprint = fake_fingerprint(&process->heap),
                                   .times = 1};
    fake_store(fake, &fact);
}

static void fake_ended(struct fake_collector *fake, uint64_t sequence,
                       const Heapfleet__V1__ProcessEnded *ended)
{
    fake_fact_came(fake, sequence);
    if (fake_process_of(fake, ended->process) == NULL)
        return;
    const struct fake_fact fact = {.sequence = sequence,
                                   .process = ended->process,
                                   .time_ms = ended->time_ms,
                                   .ended = 1 + (int)ended->reason,
                                   .times = 1};
    fake_store(fake, &fact);
}

static void fake_started(struct fake_collector *fake, const Heapfleet__V1__ProcessStarted *started)
{
    if (started->process == 0 || started->process >= FAKE_PROCESSES ||
        fake->processes[started->process].announced || started->instance_id.len != 16)
        fake_error(fake, "bad announcement");
    else
        fake->processes[started->process].announced = 1;
}

static void fake_request_keyframe(struct rpc_call *call)
{
    Heapfleet__V1__Request request = HEAPFLEET__V1__REQUEST__INIT;
    request.keyframe_of_process = 1;
    Heapfleet__V1__CollectorMessage message = HEAPFLEET__V1__COLLECTOR_MESSAGE__INIT;
    message.body_case = HEAPFLEET__V1__COLLECTOR_MESSAGE__BODY_REQUEST;
    message.request = &request;
    fake_send(call, &message);
}

static void fake_dispatch(struct fake_collector *fake, struct rpc_call *call,
                          const Heapfleet__V1__AgentMessage *message)
{
    int facts = fake->stream_facts;
    int hello = message->body_case == HEAPFLEET__V1__AGENT_MESSAGE__BODY_HELLO;
    if (hello != !fake->greeted)
        fake_error(fake, "hello is not first, or comes twice");
    if (hello)
        fake_hello(fake, call, message->hello);
    else if (message->body_case == HEAPFLEET__V1__AGENT_MESSAGE__BODY_PROCESS_STARTED)
        fake_started(fake, message->process_started);
    else if (message->body_case == HEAPFLEET__V1__AGENT_MESSAGE__BODY_TYPE_DEFINITIONS)
        fake_definitions(fake, message->type_definitions);
    else if (message->body_case == HEAPFLEET__V1__AGENT_MESSAGE__BODY_SNAPSHOT)
        fake_snapshot(fake, call, message->sequence, message->snapshot);
    else if (message->body_case == HEAPFLEET__V1__AGENT_MESSAGE__BODY_PROCESS_ENDED)
        fake_ended(fake, message->sequence, message->process_ended);
    else
        fake_error(fake, "an unknown message");
    if (fake->request_keyframe_after > 0 && facts < (int)fake->request_keyframe_after &&
        fake->stream_facts == (int)fake->request_keyframe_after)
        fake_request_keyframe(call);
    int ended = message->body_case == HEAPFLEET__V1__AGENT_MESSAGE__BODY_PROCESS_ENDED;
    if (ended || fake->uncommitted >= (fake->commit_every == 0 ? 1 : fake->commit_every))
        fake_commit(fake, call);
}

static void fake_message(struct rpc_call *call, const uint8_t *data, size_t size)
{
    struct fake_collector *fake = rpc_call_user(call);
    if (fake_step(fake, call))
        return;
    struct arena arena;
    arena_init(&arena, FAKE_ARENA_BYTES);
    ProtobufCMessage *message = NULL;
    if (wire_unpack(&heapfleet__v1__agent_message__descriptor, data, size, &arena, &message,
                    NULL) == STATUS_OK)
        fake_dispatch(fake, call, (const Heapfleet__V1__AgentMessage *)message);
    else
        fake_error(fake, "a message that cannot be unpacked");
    arena_done(&arena);
    rpc_call_read(call);
}

static void fake_forget_stream(struct fake_collector *fake)
{
    for (int i = 0; i < FAKE_PROCESSES; i++) {
        heap_values_done(&fake->processes[i].heap);
        fake->processes[i] = (struct fake_process){0};
    }
    fake->greeted = 0;
    fake->uncommitted = 0;
    fake->stream_facts = 0;
    fake->last_received = 0;
}

static void fake_opened(struct rpc_call *call)
{
    struct fake_collector *fake = rpc_call_user(call);
    fake_forget_stream(fake);
    fake->streams++;
    if (!fake_step(fake, call))
        rpc_call_read(call);
}

static void fake_half_closed(struct rpc_call *call)
{
    struct fake_collector *fake = rpc_call_user(call);
    fake->half_closes++;
    rpc_call_finish(call, RPC_OK, NULL);
}

/* On the port it had before, or any. */
static void fake_collector_start(struct fake_collector *fake)
{
    char address[64];
    snprintf(address, sizeof(address), "127.0.0.1:%d", fake->port);
    const struct rpc_server_options options = {.listen = address};
    const struct rpc_method method = {.path = "/heapfleet.v1.Ingest/Stream",
                                      .user = fake,
                                      .opened = fake_opened,
                                      .message = fake_message,
                                      .half_closed = fake_half_closed};
    struct why why;
    if (rpc_server_start(&options, &method, 1, &fake->server, &why) != STATUS_OK) {
        fake_error(fake, why.text);
        return;
    }
    fake->port = rpc_server_port(fake->server);
}

static void fake_collector_stop(struct fake_collector *fake)
{
    rpc_server_stop(fake->server, 0);
    fake->server = NULL;
    fake_forget_stream(fake);
}

#endif
