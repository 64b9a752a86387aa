#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process_started.h"
#include "tracked_process.h"
#include "version.h"

typedef Heapfleet__V1__AgentMessage agent_message;
typedef Heapfleet__V1__CollectorMessage collector_message;

const struct session_limits session_limits_default = {
    .processes_max = 4096,
    .text_bytes_max = 512,
    .attributes_max = 64,
    .chain_snapshots_max = 256,
    .clock_ahead_ms = (int64_t)10 * 60 * 1000,
    .clock_behind_ms = (int64_t)30 * 24 * 3600 * 1000,
};

enum session_state { SESSION_NEW, SESSION_GREETING, SESSION_OPEN, SESSION_OPENING, SESSION_ENDED };

struct session {
    struct session_limits limits;
    const struct session_events *events;
    void *user;
    enum session_state state;
    uint8_t agent_id[ID_BYTES];
    char description[256];
    uint64_t handled_sequence;
    struct tracked_process **processes; /* ascending by number */
    uint32_t process_count;
    struct tracked_process *opening;
    struct session_counts counts;
    struct why refusal;
};

/* What the handlers of one message share. */
struct step {
    const agent_message *message;
    int64_t now_ms;
    struct write_batch *batch;
    enum rpc_code code; /* when the answer is SESSION_END */
    struct why *why;
};

struct session *session_new(const struct session_limits *limits,
                            const struct session_events *events, void *user)
{
    struct session *session = calloc(1, sizeof(*session));
    ASSERT(session != NULL);
    session->limits = *limits;
    session->events = events;
    session->user = user;
    return session;
}

void session_free(struct session *session)
{
    if (session == NULL)
        return;
    for (uint32_t i = 0; i < session->process_count; i++)
        tracked_process_free(session->processes[i]);
    free(session->processes);
    free(session);
}

uint64_t session_handled_sequence(const struct session *session)
{
    return session->handled_sequence;
}

const uint8_t *session_agent_id(const struct session *session)
{
    return session->agent_id;
}

const char *session_describe(const struct session *session)
{
    return session->description;
}

struct session_counts session_counts(const struct session *session)
{
    return session->counts;
}

const char *session_last_refusal(const struct session *session)
{
    return session->refusal.text;
}

/* ---- answers -------------------------------------------------------------------------------- */

static enum session_next end(struct session *session, struct step *step, enum rpc_code code)
{
    session->state = SESSION_ENDED;
    step->code = code;
    return SESSION_END;
}

static void send_refused(struct session *session, uint64_t sequence, const char *reason)
{
    Heapfleet__V1__Refused refused = HEAPFLEET__V1__REFUSED__INIT;
    refused.sequence = sequence;
    refused.reason = (char *)reason;
    collector_message message = HEAPFLEET__V1__COLLECTOR_MESSAGE__INIT;
    message.body_case = HEAPFLEET__V1__COLLECTOR_MESSAGE__BODY_REFUSED;
    message.refused = &refused;
    session->events->send(session->user, &message);
    session->counts.refused++;
    why_set(&session->refusal, "%s", reason);
}

static void ask_keyframe(struct session *session, uint32_t process)
{
    Heapfleet__V1__Request request = HEAPFLEET__V1__REQUEST__INIT;
    request.keyframe_of_process = process;
    collector_message message = HEAPFLEET__V1__COLLECTOR_MESSAGE__INIT;
    message.body_case = HEAPFLEET__V1__COLLECTOR_MESSAGE__BODY_REQUEST;
    message.request = &request;
    session->events->send(session->user, &message);
    session->counts.keyframes_asked++;
}

void session_agent_found(struct session *session, uint64_t committed_sequence)
{
    ASSERT(session->state == SESSION_GREETING);
    session->state = SESSION_OPEN;
    Heapfleet__V1__Welcome welcome = HEAPFLEET__V1__WELCOME__INIT;
    welcome.protocol = HEAPFLEET_PROTOCOL;
    welcome.collector_version = HEAPFLEET_VERSION;
    welcome.committed_sequence = committed_sequence;
    collector_message message = HEAPFLEET__V1__COLLECTOR_MESSAGE__INIT;
    message.body_case = HEAPFLEET__V1__COLLECTOR_MESSAGE__BODY_WELCOME;
    message.welcome = &welcome;
    session->events->send(session->user, &message);
}

/* ---- hello ---------------------------------------------------------------------------------- */

static enum session_next take_hello(struct session *session, struct step *step)
{
    const Heapfleet__V1__Hello *hello = step->message->hello;
    if (session->state != SESSION_NEW) {
        why_set(step->why, "a second Hello on one stream");
        return end(session, step, RPC_INVALID_ARGUMENT);
    }
    if (hello->protocol != HEAPFLEET_PROTOCOL) {
        why_set(step->why,
                "this collector speaks heapfleet protocol %u, the agent speaks %u: upgrade the %s",
                HEAPFLEET_PROTOCOL, hello->protocol,
                hello->protocol < HEAPFLEET_PROTOCOL ? "agent" : "collector");
        return end(session, step, RPC_FAILED_PRECONDITION);
    }
    if (hello->agent_id.len != ID_BYTES) {
        why_set(step->why, "Hello.agent_id has %zu bytes instead of 16", hello->agent_id.len);
        return end(session, step, RPC_INVALID_ARGUMENT);
    }
    memcpy(session->agent_id, hello->agent_id.data, ID_BYTES);
    (void)snprintf(session->description, sizeof(session->description),
                   "host=\"%.128s\" version=\"%.64s\"", hello->host, hello->agent_version);
    session->state = SESSION_GREETING;
    session->events->find_agent(session->user, session->agent_id);
    return SESSION_WAIT;
}

/* ---- processes ------------------------------------------------------------------------------ */

/* Where the number is, or belongs. */
static uint32_t position(const struct session *session, uint32_t number)
{
    uint32_t low = 0, high = session->process_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (session->processes[middle]->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct tracked_process *find_process(const struct session *session, uint32_t number)
{
    uint32_t at = position(session, number);
    if (at == session->process_count || session->processes[at]->number != number)
        return NULL;
    return session->processes[at];
}

static void add_process(struct session *session, struct tracked_process *process)
{
    uint32_t at = position(session, process->number), count = session->process_count;
    if ((count & (count + 1)) == 0) { /* full at 0, 1, 3, 7 ... */
        struct tracked_process **processes =
            realloc(session->processes, (2 * (size_t)count + 1) * sizeof(struct tracked_process *));
        ASSERT(processes != NULL);
        session->processes = processes;
    }
    memmove(session->processes + at + 1, session->processes + at,
            (count - at) * sizeof(*session->processes));
    session->processes[at] = process;
    session->process_count++;
}

static void remove_process(struct session *session, struct tracked_process *process)
{
    uint32_t at = position(session, process->number);
    ASSERT(at < session->process_count && session->processes[at] == process);
    session->process_count--;
    memmove(session->processes + at, session->processes + at + 1,
            (session->process_count - at) * sizeof(*session->processes));
    tracked_process_free(process);
}

static enum session_next open_process(struct session *session, struct step *step,
                                      const Heapfleet__V1__ProcessStarted *started)
{
    struct tracked_process *process =
        tracked_process_new(started->process, started->instance_id.data);
    add_process(session, process);
    struct why why = {""};
    enum status status = process_started_check(started, &session->limits, step->now_ms, &why);
    if (status != STATUS_OK) {
        tracked_process_reject(process, why.text);
        why_set(&session->refusal, "%s", why.text);
        return SESSION_READ;
    }
    session->state = SESSION_OPENING;
    session->opening = process;
    process_started_visit(started, session->events->open_instance, session->user);
    return SESSION_WAIT;
}

static enum session_next take_started(struct session *session, struct step *step)
{
    const Heapfleet__V1__ProcessStarted *started = step->message->process_started;
    if (started->process == 0 || started->instance_id.len != ID_BYTES) {
        why_set(step->why, "ProcessStarted without a number or without an id of 16 bytes");
        return end(session, step, RPC_INVALID_ARGUMENT);
    }
    const struct tracked_process *known = find_process(session, started->process);
    if (known != NULL && memcmp(known->uuid, started->instance_id.data, ID_BYTES) != 0) {
        why_set(step->why, "process number %u names two processes", started->process);
        return end(session, step, RPC_INVALID_ARGUMENT);
    }
    if (known != NULL)
        return SESSION_READ;
    if (session->process_count >= session->limits.processes_max) {
        why_set(step->why, "more than %u processes on one stream", session->limits.processes_max);
        return end(session, step, RPC_RESOURCE_EXHAUSTED);
    }
    return open_process(session, step, started);
}

void session_instance_opened(struct session *session, struct instance_state *state)
{
    ASSERT(session->state == SESSION_OPENING);
    tracked_process_place(session->opening, state);
    session->opening = NULL;
    session->state = SESSION_OPEN;
}

void session_instance_failed(struct session *session, const char *reason)
{
    ASSERT(session->state == SESSION_OPENING);
    tracked_process_reject(session->opening, reason);
    why_set(&session->refusal, "%s", reason);
    session->opening = NULL;
    session->state = SESSION_OPEN;
}

/* ---- types ---------------------------------------------------------------------------------- */

static enum status check_names(const Heapfleet__V1__TypeDefinitions *types, struct why *why)
{
    for (size_t i = 0; i < types->n_names; i++) {
        size_t size = strnlen(types->names[i], SNAPSHOT_NAME_BYTES_MAX + 1);
        if (size == 0)
            return why_fail(why, STATUS_INVALID, "type %zu has no name", types->first_index + i);
        if (size > SNAPSHOT_NAME_BYTES_MAX)
            return why_fail(why, STATUS_LIMIT, "the name of type %zu is longer than %d bytes",
                            types->first_index + i, SNAPSHOT_NAME_BYTES_MAX);
    }
    return STATUS_OK;
}

static enum session_next take_types(struct session *session, struct step *step)
{
    const Heapfleet__V1__TypeDefinitions *types = step->message->type_definitions;
    struct tracked_process *process = find_process(session, types->process);
    if (process == NULL) {
        why_set(step->why, "types of process %u, which was not announced", types->process);
        return end(session, step, RPC_INVALID_ARGUMENT);
    }
    if (process->rejected != NULL)
        return SESSION_READ;
    struct why why = {""};
    enum status status = check_names(types, &why);
    if (status == STATUS_OK)
        status =
            tracked_process_define(process, types->first_index, (const char *const *)types->names,
                                   (uint32_t)types->n_names, step->batch, &why);
    if (status != STATUS_OK) {
        tracked_process_reject(process, why.text);
        why_set(&session->refusal, "%s", why.text);
    }
    return SESSION_READ;
}

/* ---- facts ---------------------------------------------------------------------------------- */

/* Numbers begin at the agent's start time in ms times 1024; one from beyond tomorrow is a lie. */
static enum status check_sequence(const struct session *session, uint64_t sequence, int64_t now_ms,
                                  struct why *why)
{
    const int64_t day_ms = (int64_t)24 * 3600 * 1000;
    uint64_t most = (uint64_t)(now_ms + day_ms) * 1024;
    if (sequence <= session->handled_sequence)
        return why_fail(why, STATUS_INVALID, "sequence %llu after %llu",
                        (unsigned long long)sequence,
                        (unsigned long long)session->handled_sequence);
    if (sequence > most)
        return why_fail(why, STATUS_INVALID,
                        "sequence %llu is out of range: is the agent's clock "
                        "right?",
                        (unsigned long long)sequence);
    return STATUS_OK;
}

static enum status check_time(const struct session *session, int64_t time_ms, int64_t now_ms,
                              struct why *why)
{
    if (time_ms > now_ms + session->limits.clock_ahead_ms)
        return why_fail(why, STATUS_INVALID, "its time is %lld s in the future: set the clock",
                        (long long)((time_ms - now_ms) / 1000));
    if (time_ms < now_ms - session->limits.clock_behind_ms)
        return why_fail(why, STATUS_INVALID, "its time is %lld s in the past",
                        (long long)((now_ms - time_ms) / 1000));
    return STATUS_OK;
}

static enum status check_numbers(const Heapfleet__V1__Snapshot *snapshot, struct why *why)
{
    const uint64_t numbers[] = {
        snapshot->base_sequence,         snapshot->rss_anon_bytes,        snapshot->swap_bytes,
        snapshot->container_usage_bytes, snapshot->container_limit_bytes, snapshot->cpu_ms,
        snapshot->not_objects_bytes,
    };
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        if (numbers[i] > INT64_MAX)
            return why_fail(why, STATUS_INVALID, "one of its numbers is above 2^63");
    }
    if (snapshot->coverage > 10000 || snapshot->dropped > INT32_MAX)
        return why_fail(why, STATUS_INVALID, "its coverage or count of dropped is out of range");
    return STATUS_OK;
}

static struct snapshot_row row_of(uint64_t sequence, const Heapfleet__V1__Snapshot *snapshot)
{
    return (struct snapshot_row){
        .sequence = sequence,
        .base_sequence = snapshot->base_sequence,
        .time_ms = snapshot->time_ms,
        .rss_anon_bytes = snapshot->rss_anon_bytes,
        .swap_bytes = snapshot->swap_bytes,
        .container_usage_bytes = snapshot->container_usage_bytes,
        .container_limit_bytes = snapshot->container_limit_bytes,
        .cpu_ms = snapshot->cpu_ms,
        .not_objects_bytes = snapshot->not_objects_bytes,
        .coverage = snapshot->coverage,
        .dropped = snapshot->dropped,
        .body = snapshot->body.data,
        .body_size = snapshot->body.len,
    };
}

static enum status store_snapshot(struct session *session, struct step *step,
                                  struct tracked_process *process, struct why *why)
{
    const Heapfleet__V1__Snapshot *snapshot = step->message->snapshot;
    enum status status = check_time(session, snapshot->time_ms, step->now_ms, why);
    if (status == STATUS_OK)
        status = check_numbers(snapshot, why);
    if (status != STATUS_OK)
        return status;
    struct snapshot_row row = row_of(step->message->sequence, snapshot);
    return tracked_process_snapshot(process, &row, step->batch, why);
}

static void take_snapshot(struct session *session, struct step *step)
{
    const Heapfleet__V1__Snapshot *snapshot = step->message->snapshot;
    struct tracked_process *process = find_process(session, snapshot->process);
    uint64_t sequence = step->message->sequence;
    struct why why = {""};
    if (process == NULL || process->rejected != NULL) {
        why_set(&why, "process %u was not announced", snapshot->process);
        send_refused(session, sequence, process != NULL ? process->rejected : why.text);
        return;
    }
    if (sequence <= process->last_sequence) {
        session->counts.repeated++;
        return;
    }
    if (store_snapshot(session, step, process, &why) != STATUS_OK) {
        send_refused(session, sequence, why.text);
        ask_keyframe(session, process->number);
        return;
    }
    session->counts.snapshots++;
    if (process->since_keyframe == session->limits.chain_snapshots_max)
        ask_keyframe(session, process->number);
}

static const char *end_reason(Heapfleet__V1__EndReason reason)
{
    switch (reason) {
    case HEAPFLEET__V1__END_REASON__END_REASON_EXITED:
        return "exited";
    case HEAPFLEET__V1__END_REASON__END_REASON_OOM_KILLED:
        return "oom_killed";
    case HEAPFLEET__V1__END_REASON__END_REASON_REPLACED:
        return "replaced";
    default:
        return "unknown";
    }
}

static void take_ended(struct session *session, struct step *step)
{
    const Heapfleet__V1__ProcessEnded *ended = step->message->process_ended;
    struct tracked_process *process = find_process(session, ended->process);
    struct why why = {""};
    if (process == NULL) {
        why_set(&why, "process %u was not announced", ended->process);
        send_refused(session, step->message->sequence, why.text);
        return;
    }
    if (process->rejected != NULL) {
        send_refused(session, step->message->sequence, process->rejected);
    } else if (check_time(session, ended->time_ms, step->now_ms, &why) != STATUS_OK) {
        send_refused(session, step->message->sequence, why.text);
    } else {
        write_batch_end(step->batch, process->service_id, process->instance_id, ended->time_ms,
                        end_reason(ended->reason));
    }
    remove_process(session, process);
}

static void take_unknown(struct session *session, struct step *step)
{
    send_refused(session, step->message->sequence,
                 "this collector does not know this kind of fact");
}

static enum session_next take_fact(struct session *session, struct step *step,
                                   void (*take)(struct session *session, struct step *step))
{
    uint64_t sequence = step->message->sequence;
    if (check_sequence(session, sequence, step->now_ms, step->why) != STATUS_OK)
        return end(session, step, RPC_INVALID_ARGUMENT);
    take(session, step);
    session->handled_sequence = sequence;
    return SESSION_READ;
}

/* ---- messages ------------------------------------------------------------------------------- */

static enum session_next take_open(struct session *session, struct step *step)
{
    switch (step->message->body_case) {
    case HEAPFLEET__V1__AGENT_MESSAGE__BODY_PROCESS_STARTED:
        return take_started(session, step);
    case HEAPFLEET__V1__AGENT_MESSAGE__BODY_TYPE_DEFINITIONS:
        return take_types(session, step);
    case HEAPFLEET__V1__AGENT_MESSAGE__BODY_SNAPSHOT:
        return take_fact(session, step, take_snapshot);
    case HEAPFLEET__V1__AGENT_MESSAGE__BODY_PROCESS_ENDED:
        return take_fact(session, step, take_ended);
    default: /* a newer agent's message: announcements may be ignored, facts must be answered */
        return step->message->sequence == 0 ? SESSION_READ : take_fact(session, step, take_unknown);
    }
}

enum session_next session_take(struct session *session, const Heapfleet__V1__AgentMessage *message,
                               int64_t now_ms, struct write_batch *batch, enum rpc_code *ret_code,
                               struct why *why)
{
    ASSERT(session->state == SESSION_NEW || session->state == SESSION_OPEN);
    struct step step = {
        .message = message, .now_ms = now_ms, .batch = batch, .code = RPC_OK, .why = why};
    enum session_next next;
    if (message->body_case == HEAPFLEET__V1__AGENT_MESSAGE__BODY_HELLO) {
        next = take_hello(session, &step);
    } else if (session->state == SESSION_NEW) {
        why_set(why, "the first message of a stream must be Hello");
        next = end(session, &step, RPC_FAILED_PRECONDITION);
    } else {
        next = take_open(session, &step);
    }
    if (next == SESSION_END)
        *ret_code = step.code;
    return next;
}
