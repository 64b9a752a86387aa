#include "ingest_call.h"

#include <stddef.h>
#include <stdlib.h>

#include "clock.h"
#include "log.h"
#include "wire.h"

/* Of answers that the agent has not read; more, and it is not an agent. */
enum { UNSENT_BYTES_MAX = 256 * 1024 };

/* A stream may send so many seconds' worth of its rate at once. */
enum { BURST_S = 2 };

/* ---- what the session wants to say and to know ---------------------------------------------- */

static void send_message(void *user, const Heapfleet__V1__CollectorMessage *message)
{
    struct ingest_call *call = user;
    struct buf packed = BUF_INIT;
    wire_pack(&message->base, &packed);
    rpc_call_send(call->rpc, packed.data, packed.size);
    buf_done(&packed);
}

static void find_agent(void *user, const uint8_t agent_id[ID_BYTES])
{
    struct ingest_call *call = user;
    call->is_waiting = 1;
    ingest_opener_ask_agent(call->calls->opener, &call->lookup, agent_id);
}

static void open_instance(void *user, const struct process_identity *identity)
{
    struct ingest_call *call = user;
    call->is_waiting = 1;
    ingest_opener_ask_process(call->calls->opener, &call->lookup, session_agent_id(call->session),
                              identity);
}

static void add_types(void *user, int64_t service_id, int64_t instance_id, const char *const *names,
                      uint32_t count)
{
    struct ingest_call *call = user;
    call->is_waiting = 1;
    ingest_opener_ask_types(call->calls->opener, &call->lookup, service_id, instance_id, names,
                            count);
}

static void count_refusal(void *user, enum ingest_fault fault)
{
    const struct ingest_call *call = user;
    metric_add(call->calls->metrics.faults[fault], 1);
}

static int hold(void *user, int64_t types)
{
    struct ingest_calls *calls = ((struct ingest_call *)user)->calls;
    calls->held += types;
    int64_t bytes = calls->held * SESSION_TYPE_BYTES;
    metric_set(calls->metrics.held_bytes, bytes);
    return calls->limits.heap_bytes_max == 0 || bytes <= (int64_t)calls->limits.heap_bytes_max;
}

static enum status may_write(void *user, const char *service, struct why *why)
{
    const struct ingest_call *call = user;
    const struct ingest_calls *calls = call->calls;
    if (calls->may_write == NULL)
        return STATUS_OK;
    return calls->may_write(calls->may_write_user, call->rpc, service, why);
}

static const struct session_events events = {
    .find_agent = find_agent,
    .open_instance = open_instance,
    .add_types = add_types,
    .send = send_message,
    .refused = count_refusal,
    .hold = hold,
    .may_write = may_write,
};

/* ---- life ----------------------------------------------------------------------------------- */

static void end_call(struct ingest_call *call, enum rpc_code code, const struct why *why);

static void stall(struct ingest_call *call)
{
    call->calls->stalled += !call->is_stalled;
    call->is_stalled = 1;
}

static void unstall(struct ingest_call *call)
{
    call->calls->stalled -= call->is_stalled != 0;
    call->is_stalled = 0;
}

/* 0: its peer has too many streams, and this one has been ended. */
static int is_welcome(struct ingest_call *call)
{
    struct ingest_calls *calls = call->calls;
    uint32_t streams = peer_counts_enter(calls->peers, rpc_call_peer(call->rpc));
    uint32_t most = calls->limits.streams_of_peer_max;
    if (most == 0 || streams <= most)
        return 1;
    struct why why;
    why_set(&why, "more than %u streams of one peer", most);
    metric_add(calls->metrics.faults[FAULT_PEER], 1);
    end_call(call, RPC_RESOURCE_EXHAUSTED, &why);
    return 0;
}

void ingest_call_opened(struct ingest_calls *calls, struct rpc_call *rpc)
{
    struct ingest_call *call = calloc(1, sizeof(*call));
    ASSERT(call != NULL);
    call->calls = calls;
    call->rpc = rpc;
    call->session = session_new(&calls->limits.session, &events, call);
    call->allowed_ms = clock_mono_ms();
    call->allowance = (double)calls->limits.snapshots_per_s_max * BURST_S;
    call->next = calls->first;
    if (call->next != NULL)
        call->next->previous = call;
    calls->first = call;
    calls->count++;
    rpc_call_hold(rpc);
    rpc_call_set_data(rpc, call);
    metric_add(calls->metrics.streams_total, 1);
    metric_set(calls->metrics.streams, calls->count);
    if (!is_welcome(call))
        return;
    if (calls->is_draining)
        rpc_call_finish(rpc, RPC_UNAVAILABLE, "this collector is shutting down");
    else if (calls->is_ready)
        rpc_call_read(rpc);
    else
        stall(call);
}

/* Of agents that said Hello: a peer that only opens streams cannot fill the log. */
static void say_goodbye(const struct ingest_call *call)
{
    if (session_describe(call->session)[0] == '\0')
        return;
    struct session_counts counts = session_counts(call->session);
    log_event(LOG_INFO, "agent.gone", "peer=%s %s snapshots=%llu repeated=%llu refused=%llu",
              rpc_call_peer(call->rpc), session_describe(call->session),
              (unsigned long long)counts.snapshots, (unsigned long long)counts.repeated,
              (unsigned long long)counts.refused);
}

static void free_call(struct ingest_call *call)
{
    struct ingest_calls *calls = call->calls;
    if (call->next != NULL)
        call->next->previous = call->previous;
    if (call->previous != NULL)
        call->previous->next = call->next;
    else
        calls->first = call->next;
    calls->count--;
    unstall(call);
    metric_set(calls->metrics.streams, calls->count);
    peer_counts_leave(calls->peers, rpc_call_peer(call->rpc));
    say_goodbye(call);
    session_free(call->session);
    rpc_call_set_data(call->rpc, NULL);
    rpc_call_release(call->rpc);
    free(call);
}

void ingest_call_closed(struct rpc_call *rpc)
{
    struct ingest_call *call = rpc_call_data(rpc);
    if (!call->is_waiting)
        free_call(call);
}

/* Everything it sent is in the batches; the Ack of the last fact still goes out before the end. */
void ingest_call_half_closed(struct rpc_call *rpc)
{
    struct ingest_call *call = rpc_call_data(rpc);
    struct ingest_calls *calls = call->calls;
    if (session_handled_sequence(call->session) == 0)
        rpc_call_finish(rpc, RPC_OK, NULL);
    else
        ingest_writer_note_last(calls->writer, &call->ticket, rpc, session_agent_id(call->session),
                                session_handled_sequence(call->session));
}

/* ---- reading -------------------------------------------------------------------------------- */

/* 1 if the stream has sent more than its rate allows. */
static int is_too_fast(struct ingest_call *call)
{
    double rate = call->calls->limits.snapshots_per_s_max;
    if (rate == 0 || call->allowance >= 1)
        return 0;
    int64_t now_ms = clock_mono_ms();
    call->allowance += rate * (double)(now_ms - call->allowed_ms) / 1000;
    call->allowed_ms = now_ms;
    if (call->allowance > rate * BURST_S)
        call->allowance = rate * BURST_S;
    return call->allowance < 1;
}

static void read_next(struct ingest_call *call)
{
    struct ingest_calls *calls = call->calls;
    int was_stalled = call->is_stalled, is_fast = is_too_fast(call);
    unstall(call);
    if (is_fast && !was_stalled)
        metric_add(calls->metrics.throttled, 1);
    if (calls->is_draining || is_fast || ingest_writer_is_full(calls->writer))
        stall(call);
    else
        rpc_call_read(call->rpc);
}

void ingest_calls_resume(struct ingest_calls *calls)
{
    if (calls->stalled == 0)
        return;
    for (struct ingest_call *call = calls->first; call != NULL; call = call->next) {
        if (call->is_stalled && !rpc_call_is_closed(call->rpc))
            read_next(call);
    }
}

void ingest_calls_finish(struct ingest_calls *calls, enum rpc_code code, const char *text)
{
    for (struct ingest_call *call = calls->first; call != NULL; call = call->next)
        rpc_call_finish(call->rpc, code, text);
}

/* Once a stream, so that a broken agent cannot fill the log; the sums come at its end. */
static void log_refusal(struct ingest_call *call)
{
    const char *reason = session_last_refusal(call->session);
    if (call->has_said_refusal || reason[0] == '\0')
        return;
    call->has_said_refusal = 1;
    log_event(LOG_WARN, "ingest.refused", "peer=%s %s reason=\"%s\"", rpc_call_peer(call->rpc),
              session_describe(call->session), reason);
}

void ingest_calls_refuse(const struct ingest_calls *calls, const struct refused_row *row)
{
    for (struct ingest_call *call = calls->first; call != NULL; call = call->next) {
        if (session_snapshot_refused(call->session, row)) {
            log_refusal(call);
            return;
        }
    }
}

static void end_call(struct ingest_call *call, enum rpc_code code, const struct why *why)
{
    log_event(LOG_WARN, "ingest.ended", "peer=%s %s code=%s reason=\"%s\"",
              rpc_call_peer(call->rpc), session_describe(call->session), rpc_code_name((int)code),
              why->text);
    rpc_call_finish(call->rpc, code, why->text);
}

void ingest_calls_forget(const struct ingest_calls *calls, int64_t service_id)
{
    static const struct why why = {"a service of this agent was forgotten: announce it again"};
    for (struct ingest_call *call = calls->first; call != NULL; call = call->next) {
        if (session_has_service(call->session, service_id))
            end_call(call, RPC_UNAVAILABLE, &why);
    }
}

/* What the session has counted since `before`. */
static void count_facts(const struct ingest_call *call, struct session_counts before)
{
    const struct ingest_metrics *metrics = &call->calls->metrics;
    struct session_counts now = session_counts(call->session);
    if (now.snapshots != before.snapshots)
        metric_add(metrics->stored, (int64_t)(now.snapshots - before.snapshots));
    if (now.repeated != before.repeated)
        metric_add(metrics->repeated, (int64_t)(now.repeated - before.repeated));
    if (now.keyframes_asked != before.keyframes_asked)
        metric_add(metrics->keyframes_asked,
                   (int64_t)(now.keyframes_asked - before.keyframes_asked));
}

static void take(struct ingest_call *call, const Heapfleet__V1__AgentMessage *message)
{
    struct ingest_calls *calls = call->calls;
    struct session_counts before = session_counts(call->session);
    struct why why = {""};
    enum rpc_code code = RPC_OK;
    call->allowance -= message->sequence != 0;
    enum session_next next = session_take(call->session, message, clock_wall_ms(),
                                          ingest_writer_batch(calls->writer), &code, &why);
    uint64_t handled = session_handled_sequence(call->session);
    count_facts(call, before);
    if (message->sequence != 0 && handled == message->sequence)
        ingest_writer_note(calls->writer, &call->ticket, call->rpc, session_agent_id(call->session),
                           handled);
    log_refusal(call);
    if (next == SESSION_END)
        end_call(call, code, &why);
    else if (next == SESSION_READ)
        read_next(call);
    ingest_writer_nudge(calls->writer);
}

/* 1 if the agent has left too much unread; then the call is ended, without a farewell it would
 * read. */
static int is_deaf(struct ingest_call *call)
{
    static const char reason[] = "the agent does not read what it is sent";
    if (rpc_call_unsent_bytes(call->rpc) <= UNSENT_BYTES_MAX)
        return 0;
    log_event(LOG_WARN, "ingest.ended", "peer=%s %s reason=\"%s\"", rpc_call_peer(call->rpc),
              session_describe(call->session), reason);
    metric_add(call->calls->metrics.faults[FAULT_DEAF], 1);
    rpc_call_abort(call->rpc, RPC_RESOURCE_EXHAUSTED, reason);
    return 1;
}

void ingest_call_message(struct rpc_call *rpc, const uint8_t *data, size_t size)
{
    struct ingest_call *call = rpc_call_data(rpc);
    struct arena *scratch = &call->calls->scratch;
    ProtobufCMessage *message = NULL;
    struct why why = {""};
    if (is_deaf(call))
        return;
    metric_add(call->calls->metrics.messages, 1);
    metric_add(call->calls->metrics.message_bytes, (int64_t)size);
    enum status status =
        wire_unpack(&heapfleet__v1__agent_message__descriptor, data, size, scratch, &message, &why);
    if (status == STATUS_OK) {
        take(call, (const Heapfleet__V1__AgentMessage *)message);
    } else {
        metric_add(call->calls->metrics.faults[FAULT_MESSAGE], 1);
        end_call(call, rpc_code_of_status(status), &why);
    }
    arena_reset(scratch);
}

/* ---- answers -------------------------------------------------------------------------------- */

static void take_agent(struct ingest_call *call)
{
    const struct ingest_lookup *lookup = &call->lookup;
    if (lookup->status != STATUS_OK) {
        end_call(call, RPC_UNAVAILABLE, &lookup->why);
        return;
    }
    log_event(LOG_INFO, "agent.here", "peer=%s %s", rpc_call_peer(call->rpc),
              session_describe(call->session));
    session_agent_found(call->session, lookup->committed_sequence);
    read_next(call);
}

static void end_overdrawn(struct ingest_call *call)
{
    struct why why;
    why_set(&why, "this collector holds as many heaps as it may: start another, or give it more "
                  "--max-heap-memory");
    metric_add(call->calls->metrics.faults[FAULT_MEMORY], 1);
    end_call(call, RPC_RESOURCE_EXHAUSTED, &why);
}

static void take_process(struct ingest_call *call)
{
    struct ingest_lookup *lookup = &call->lookup;
    if (lookup->status != STATUS_OK)
        session_process_failed(call->session, lookup->why.text);
    else if (lookup->question == ASK_PROCESS)
        session_instance_opened(call->session, &lookup->state, lookup->committed_sequence);
    else
        session_types_added(call->session, lookup->places);
    log_refusal(call);
    if (session_is_overdrawn(call->session))
        end_overdrawn(call);
    else
        read_next(call);
}

/* What the session did not take. */
static void drop_answer(struct ingest_lookup *lookup)
{
    if (lookup->status == STATUS_OK && lookup->question == ASK_PROCESS)
        instance_state_done(&lookup->state);
    free(lookup->places);
    lookup->places = NULL;
}

void ingest_call_answered(struct ingest_lookup *lookup)
{
    struct ingest_call *call =
        (struct ingest_call *)((char *)lookup - offsetof(struct ingest_call, lookup));
    call->is_waiting = 0;
    if (rpc_call_is_closed(call->rpc)) {
        drop_answer(lookup);
        free_call(call);
        return;
    }
    if (lookup->status == STATUS_CANCELED)
        rpc_call_finish(call->rpc, RPC_UNAVAILABLE, "this collector is shutting down");
    else if (lookup->question == ASK_AGENT)
        take_agent(call);
    else
        take_process(call);
    drop_answer(lookup);
}
