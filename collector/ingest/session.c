#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fact_check.h"
#include "log.h"
#include "process_started.h"
#include "process_table.h"
#include "version.h"

typedef Heapfleet__V1__AgentMessage agent_message;
typedef Heapfleet__V1__CollectorMessage collector_message;

const struct session_limits session_limits_default = {
    .processes_max = 4096,
    .types_max = SNAPSHOT_TYPES_MAX,
    .types_total_max = 1024 * 1024,
    .name_bytes_max = SNAPSHOT_NAME_BYTES_MAX,
    .text_bytes_max = 512,
    .attributes_max = 64,
    .chain_snapshots_max = 256,
    .clock_ahead_ms = (int64_t)10 * 60 * 1000,
    .clock_behind_ms = (int64_t)30 * 24 * 3600 * 1000,
    .sequence_ahead_ms = (int64_t)24 * 3600 * 1000,
};

enum session_state {
    SESSION_NEW,
    SESSION_GREETING,
    SESSION_OPEN,
    SESSION_OPENING,
    SESSION_NAMING,
    SESSION_ENDED,
};

/* The names of one TypeDefinitions, however large a message may be: all that a process can have,
 * each with its zero, what the arena pads it by, and a pointer in two lists. */
enum { TEXTS_BYTES_MAX = SNAPSHOT_TYPES_MAX * (SNAPSHOT_NAME_BYTES_MAX + 64) };

/* TypeDefinitions whose new names the database is adding. */
struct naming {
    uint32_t first_index, count, unknown_count;
    const char **names;   /* [count] */
    const char **unknown; /* [unknown_count] of them */
};

struct session {
    struct session_limits limits;
    const struct session_events *events;
    void *user;
    enum session_state state;
    uint8_t agent_id[ID_BYTES];
    int64_t clock_behind_ms; /* the agent's, behind ours */
    char description[256];
    uint64_t handled_sequence;
    struct process_table processes;
    uint64_t types_total;          /* stored types of all processes, each remembered */
    struct tracked_process *asked; /* the process that the database was asked about */
    struct naming naming;          /* in `texts` */
    struct arena texts;
    uint64_t committed_sequence; /* of this agent run, at the latest look-up */
    int64_t held;                /* types, as `hold` has been told */
    int is_overdrawn;
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
    arena_init(&session->texts, TEXTS_BYTES_MAX);
    return session;
}

static void hold(struct session *session, int64_t types)
{
    session->held += types;
    if (session->events->hold != NULL && !session->events->hold(session->user, types))
        session->is_overdrawn = 1;
}

void session_free(struct session *session)
{
    if (session == NULL)
        return;
    hold(session, -session->held);
    process_table_done(&session->processes);
    arena_done(&session->texts);
    free(session);
}

int session_is_overdrawn(const struct session *session)
{
    return session->is_overdrawn;
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

static void count_refusal(const struct session *session, enum ingest_fault fault)
{
    if (session->events->refused != NULL)
        session->events->refused(session->user, fault);
}

static enum session_next end_for(struct session *session, struct step *step, enum rpc_code code,
                                 enum ingest_fault fault)
{
    count_refusal(session, fault);
    session->state = SESSION_ENDED;
    step->code = code;
    return SESSION_END;
}

static enum session_next end(struct session *session, struct step *step, enum rpc_code code)
{
    return end_for(session, step, code, FAULT_PROTOCOL);
}

static void send_refused(struct session *session, uint64_t sequence, enum ingest_fault fault,
                         const char *reason)
{
    count_refusal(session, fault);
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
    session->committed_sequence = committed_sequence;
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
    session->clock_behind_ms = fact_check_clock(hello->time_ms, step->now_ms);
    char host[128], version[64];
    log_escape(hello->host, host, sizeof(host));
    log_escape(hello->agent_version, version, sizeof(version));
    (void)snprintf(session->description, sizeof(session->description), "host=\"%s\" version=\"%s\"",
                   host, version);
    session->state = SESSION_GREETING;
    session->events->find_agent(session->user, session->agent_id);
    return SESSION_WAIT;
}

/* ---- processes ------------------------------------------------------------------------------ */

static void add_process(struct session *session, struct tracked_process *process)
{
    process_table_add(&session->processes, process);
    hold(session, SESSION_PROCESS_TYPES);
}

/* The process's list of types has grown by so many, or has been let go. */
static void count_types(struct session *session, int64_t types)
{
    session->types_total = (uint64_t)((int64_t)session->types_total + types);
    hold(session, types);
}

static void remove_process(struct session *session, struct tracked_process *process)
{
    count_types(session, -(int64_t)process->types.stored);
    hold(session, -SESSION_PROCESS_TYPES);
    process_table_remove(&session->processes, process);
}

static void reject(struct session *session, struct tracked_process *process,
                   enum ingest_fault fault, const char *reason)
{
    count_refusal(session, fault);
    count_types(session, -(int64_t)process->types.stored);
    tracked_process_reject(process, reason);
    why_set(&session->refusal, "%s", reason);
}

static enum session_next open_process(struct session *session, struct step *step,
                                      const Heapfleet__V1__ProcessStarted *started)
{
    struct tracked_process *process =
        tracked_process_new(started->process, started->instance_id.data);
    add_process(session, process);
    struct why why = {""};
    enum status status = process_started_check(started, &session->limits, step->now_ms, &why);
    if (status == STATUS_OK && session->events->may_write != NULL)
        status = session->events->may_write(session->user, started->service, &why);
    if (status != STATUS_OK) {
        reject(session, process, FAULT_IDENTITY, why.text);
        return SESSION_READ;
    }
    session->state = SESSION_OPENING;
    session->asked = process;
    process_started_visit(started, session->clock_behind_ms, session->events->open_instance,
                          session->user);
    return SESSION_WAIT;
}

static enum session_next take_started(struct session *session, struct step *step)
{
    const Heapfleet__V1__ProcessStarted *started = step->message->process_started;
    if (started->process == 0 || started->instance_id.len != ID_BYTES) {
        why_set(step->why, "ProcessStarted without a number or without an id of 16 bytes");
        return end(session, step, RPC_INVALID_ARGUMENT);
    }
    const struct tracked_process *known = process_table_find(&session->processes, started->process);
    if (known != NULL && memcmp(known->uuid, started->instance_id.data, ID_BYTES) != 0) {
        why_set(step->why, "process number %u names two processes", started->process);
        return end(session, step, RPC_INVALID_ARGUMENT);
    }
    if (known != NULL)
        return SESSION_READ;
    if (session->processes.count >= session->limits.processes_max) {
        why_set(step->why, "more than %u processes on one stream", session->limits.processes_max);
        return end_for(session, step, RPC_RESOURCE_EXHAUSTED, FAULT_PROCESSES);
    }
    return open_process(session, step, started);
}

static void check_total(struct session *session, struct tracked_process *process)
{
    if (session->types_total > session->limits.types_total_max)
        reject(session, process, FAULT_TYPES,
               "the processes of this stream have too many types together");
}

static struct tracked_process *take_asked(struct session *session)
{
    struct tracked_process *process = session->asked;
    session->asked = NULL;
    session->state = SESSION_OPEN;
    return process;
}

void session_instance_opened(struct session *session, struct instance_state *state,
                             uint64_t committed_sequence)
{
    ASSERT(session->state == SESSION_OPENING);
    struct tracked_process *process = take_asked(session);
    tracked_process_place(process, state);
    count_types(session, process->types.stored);
    check_total(session, process);
    if (committed_sequence > session->committed_sequence)
        session->committed_sequence = committed_sequence;
}

void session_process_failed(struct session *session, const char *reason)
{
    ASSERT(session->state == SESSION_OPENING || session->state == SESSION_NAMING);
    reject(session, take_asked(session), FAULT_DATABASE, reason);
    arena_done(&session->texts);
}

/* ---- types ---------------------------------------------------------------------------------- */

/* Keep the message's names until the database has answered. */
static void copy_names(struct session *session, const Heapfleet__V1__TypeDefinitions *types)
{
    struct naming *naming = &session->naming;
    naming->first_index = types->first_index;
    naming->count = (uint32_t)types->n_names;
    naming->names = arena_must(&session->texts, naming->count * sizeof(char *));
    naming->unknown = arena_must(&session->texts, naming->count * sizeof(char *));
    for (uint32_t i = 0; i < naming->count; i++) {
        naming->names[i] = arena_strndup(&session->texts, types->names[i], strlen(types->names[i]));
        ASSERT(naming->names[i] != NULL);
    }
}

/* The names are known now. */
static enum status define_types(struct session *session, struct tracked_process *process,
                                struct why *why)
{
    const struct naming *naming = &session->naming;
    return tracked_process_define(process, naming->first_index, naming->names, naming->count, why);
}

static enum status add_types(struct session *session, const Heapfleet__V1__TypeDefinitions *types,
                             struct tracked_process *process, struct why *why)
{
    struct naming *naming = &session->naming;
    copy_names(session, types);
    enum status status = type_numbering_unknown(&process->types, naming->names, naming->count,
                                                naming->unknown, &naming->unknown_count, why);
    if (status != STATUS_OK || naming->unknown_count == 0)
        return status == STATUS_OK ? define_types(session, process, why) : status;
    session->state = SESSION_NAMING;
    session->asked = process;
    return STATUS_OK;
}

static enum session_next take_types(struct session *session, struct step *step)
{
    const Heapfleet__V1__TypeDefinitions *types = step->message->type_definitions;
    struct tracked_process *process = process_table_find(&session->processes, types->process);
    if (process == NULL) {
        why_set(step->why, "types of process %u, which was not announced", types->process);
        return end(session, step, RPC_INVALID_ARGUMENT);
    }
    if (process->rejected != NULL)
        return SESSION_READ;
    struct why why = {""};
    enum ingest_fault fault;
    enum status status = fact_check_names(types, &session->limits, &fault, &why);
    if (status == STATUS_OK) {
        fault = FAULT_NUMBERING;
        status = add_types(session, types, process, &why);
    }
    if (status != STATUS_OK)
        reject(session, process, fault, why.text);
    if (session->state == SESSION_NAMING) {
        session->events->add_types(session->user, process->service_id, process->instance_id,
                                   session->naming.unknown, session->naming.unknown_count);
        return SESSION_WAIT;
    }
    arena_done(&session->texts);
    return SESSION_READ;
}

void session_types_added(struct session *session, const uint32_t *places)
{
    ASSERT(session->state == SESSION_NAMING);
    struct tracked_process *process = take_asked(session);
    struct why why = {""};
    int64_t before = process->types.stored;
    type_numbering_learn(&process->types, session->naming.unknown, places,
                         session->naming.unknown_count);
    count_types(session, process->types.stored - before);
    if (define_types(session, process, &why) != STATUS_OK)
        reject(session, process, FAULT_NUMBERING, why.text);
    else
        check_total(session, process);
    arena_done(&session->texts);
}

/* ---- facts ---------------------------------------------------------------------------------- */

/* The keyframe that was asked for does not come. */
static enum status check_chain(const struct session *session, const struct tracked_process *process,
                               const Heapfleet__V1__Snapshot *snapshot, struct why *why)
{
    if (snapshot->base_sequence == 0 ||
        process->since_keyframe / CHAIN_PATIENCE < session->limits.chain_snapshots_max)
        return STATUS_OK;
    return why_fail(why, STATUS_LIMIT, "%u changes in a row without a keyframe",
                    process->since_keyframe);
}

static enum status store_snapshot(struct session *session, struct step *step,
                                  struct tracked_process *process, enum ingest_fault *ret_fault,
                                  struct why *why)
{
    Heapfleet__V1__Snapshot snapshot = *step->message->snapshot;
    uint64_t sequence = step->message->sequence;
    struct snapshot_row row;
    enum status status = snapshot_restore(sequence, &process->numbers, &snapshot, why);
    *ret_fault = status == STATUS_GONE ? FAULT_BASE : FAULT_VALUE;
    if (status != STATUS_OK)
        return status;
    *ret_fault = FAULT_CLOCK;
    status = fact_check_time(snapshot.time_ms, &session->limits, step->now_ms, why);
    if (status != STATUS_OK)
        return status;
    *ret_fault = FAULT_VALUE;
    status = fact_check_snapshot(sequence, &snapshot, &row, why);
    if (status != STATUS_OK)
        return status;
    *ret_fault = FAULT_CHAIN;
    status = check_chain(session, process, &snapshot, why);
    if (status != STATUS_OK)
        return status;
    status = tracked_process_snapshot(process, &row, step->batch, why);
    *ret_fault = status == STATUS_GONE ? FAULT_BASE : FAULT_BODY;
    if (status == STATUS_OK)
        process->numbers = snapshot_numbers(sequence, &snapshot);
    return status;
}

static void take_snapshot(struct session *session, struct step *step)
{
    const Heapfleet__V1__Snapshot *snapshot = step->message->snapshot;
    struct tracked_process *process = process_table_find(&session->processes, snapshot->process);
    uint64_t sequence = step->message->sequence;
    struct why why = {""};
    enum ingest_fault fault;
    if (process == NULL || process->rejected != NULL) {
        why_set(&why, "process %u was not announced", snapshot->process);
        send_refused(session, sequence, FAULT_STRANGER,
                     process != NULL ? process->rejected : why.text);
        return;
    }
    if (sequence <= process->last_sequence &&
        (sequence > process->agent_from || sequence <= session->committed_sequence)) {
        snapshot_follow(sequence, snapshot, &process->numbers); /* the next may be shortened */
        session->counts.repeated++;
        return;
    }
    if (sequence <= process->last_sequence) {
        send_refused(session, sequence, FAULT_NEWER,
                     "another agent run has stored newer snapshots of this process: do two agents "
                     "watch it, or was the clock set back?");
        return;
    }
    if (store_snapshot(session, step, process, &fault, &why) != STATUS_OK) {
        send_refused(session, sequence, fault, why.text);
        ask_keyframe(session, process->number);
        return;
    }
    session->counts.snapshots++;
    if (process->since_keyframe >= session->limits.chain_snapshots_max &&
        !process->keyframe_asked) {
        process->keyframe_asked = 1;
        ask_keyframe(session, process->number);
    }
}

int session_snapshot_refused(struct session *session, const struct refused_row *row)
{
    struct tracked_process *process =
        process_table_find_instance(&session->processes, row->instance_id);
    if (process == NULL)
        return 0;
    tracked_process_lose(process);
    send_refused(session, row->sequence, FAULT_STORED, row->why.text);
    ask_keyframe(session, process->number);
    return 1;
}

int session_has_service(const struct session *session, int64_t service_id)
{
    return process_table_has_service(&session->processes, service_id);
}

static void take_ended(struct session *session, struct step *step)
{
    const Heapfleet__V1__ProcessEnded *ended = step->message->process_ended;
    struct tracked_process *process = process_table_find(&session->processes, ended->process);
    struct why why = {""};
    if (process == NULL) {
        why_set(&why, "process %u was not announced", ended->process);
        send_refused(session, step->message->sequence, FAULT_STRANGER, why.text);
        return;
    }
    if (process->rejected != NULL) {
        send_refused(session, step->message->sequence, FAULT_STRANGER, process->rejected);
    } else if (fact_check_time(ended->time_ms, &session->limits, step->now_ms, &why) != STATUS_OK) {
        send_refused(session, step->message->sequence, FAULT_CLOCK, why.text);
    } else {
        write_batch_end(step->batch, process->service_id, process->instance_id, ended->time_ms,
                        fact_end_reason(ended->reason));
    }
    remove_process(session, process);
}

static void take_unknown(struct session *session, struct step *step)
{
    send_refused(session, step->message->sequence, FAULT_UNKNOWN,
                 "this collector does not know this kind of fact");
}

static enum session_next take_fact(struct session *session, struct step *step,
                                   void (*take)(struct session *session, struct step *step))
{
    uint64_t sequence = step->message->sequence;
    if (fact_check_sequence(sequence, session->handled_sequence, &session->limits, step->now_ms,
                            step->why) != STATUS_OK)
        return end_for(session, step, RPC_INVALID_ARGUMENT, FAULT_SEQUENCE);
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
