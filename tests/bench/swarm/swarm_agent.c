#include "swarm_agent.h"

#include <stdlib.h>

#include "attributes.h"
#include "clock.h"

struct swarm_fact {
    struct swarm_fact *next;
    struct swarm_process *process;
    uint64_t sequence, objects, bytes;
    int64_t sent_ns;
    uint32_t samples; /* 0: the process's end */
    int is_refused;
    size_t size;
    uint8_t data[];
};

/* ---- processes ------------------------------------------------------------------------------ */

static struct swarm_account *open_account(struct swarm_world *world, uint64_t name)
{
    struct swarm_account *account = calloc(1, sizeof(*account));
    ASSERT(account != NULL);
    const uint64_t halves[2] = {name, swarm_random_mix(name, world->seed)};
    memcpy(account->uuid, halves, INSTANCE_ID_BYTES);
    account->next = world->accounts;
    world->accounts = account;
    return account;
}

static struct swarm_process *start_process(struct swarm_agent *agent, uint32_t slot, int64_t now_ms)
{
    struct swarm_world *world = agent->world;
    uint64_t seed = swarm_random_next(&agent->random);
    uint32_t service = (agent->number * world->processes + slot) % world->services;
    struct swarm_process *process = swarm_process_new(seed, service, world->types);
    process->account = open_account(world, seed);
    process->number = ++agent->next_process;
    process->version = world->versions[service];
    process->started_ms = now_ms;
    world->stats.processes++;
    return process;
}

/* The last fact of an ended process is acknowledged. */
static void forget_process(struct swarm_agent *agent, struct swarm_process *process)
{
    struct swarm_process **at = &agent->ended;
    while (*at != process)
        at = &(*at)->next;
    *at = process->next;
    swarm_process_free(process);
}

void swarm_agent_init(struct swarm_agent *agent, struct swarm_world *world, uint32_t number,
                      int64_t now_ms)
{
    *agent = (struct swarm_agent){.world = world, .number = number};
    agent->random.state = swarm_random_mix(world->seed, number);
    const uint64_t halves[2] = {swarm_random_next(&agent->random), (uint64_t)now_ms};
    memcpy(agent->id, halves, AGENT_ID_BYTES);
    agent->sequence = (uint64_t)now_ms * 1024;
    agent->end = &agent->first;
    agent->slots = calloc(world->processes, sizeof(struct swarm_process *));
    ASSERT(agent->slots != NULL);
    for (uint32_t slot = 0; slot < world->processes; slot++)
        agent->slots[slot] = start_process(agent, slot, now_ms);
}

void swarm_agent_done(struct swarm_agent *agent)
{
    ASSERT(agent->stream == NULL);
    while (agent->first != NULL) {
        struct swarm_fact *fact = agent->first;
        agent->first = fact->next;
        free(fact);
    }
    while (agent->ended != NULL)
        forget_process(agent, agent->ended);
    for (uint32_t slot = 0; slot < agent->world->processes; slot++)
        swarm_process_free(agent->slots[slot]);
    free(agent->slots);
}

/* ---- what goes out -------------------------------------------------------------------------- */

static void send_scratch(struct swarm_agent *agent)
{
    const struct buf *scratch = &agent->world->scratch;
    rpc_stream_send(agent->stream, scratch->data, scratch->size);
    agent->world->stats.message_bytes += scratch->size;
}

static void send_names(struct swarm_agent *agent, struct swarm_process *process)
{
    buf_clear(&agent->world->scratch);
    swarm_process_define(process, &agent->world->scratch);
    send_scratch(agent);
}

static void announce(struct swarm_agent *agent, struct swarm_process *process)
{
    buf_clear(&agent->world->scratch);
    swarm_process_announce(process, &agent->world->scratch);
    send_scratch(agent);
    process->types_sent = 0;
    process->sent_numbers.sequence = 0;
    send_names(agent, process);
}

/* A snapshot is shortened, as the agent does it. */
static void ask(struct swarm_agent *agent, const struct swarm_fact *fact)
{
    struct swarm_world *world = agent->world;
    arena_reset(&world->out_arena);
    Heapfleet__V1__Snapshot *snapshot =
        message_own_snapshot(fact->data, fact->size, &world->out_arena);
    if (snapshot == NULL) {
        rpc_stream_ask(agent->stream, fact->data, fact->size);
        world->stats.message_bytes += fact->size;
        return;
    }
    buf_clear(&world->shortened);
    message_stream_snapshot(fact->sequence, snapshot, &fact->process->sent_numbers,
                            &world->shortened);
    rpc_stream_ask(agent->stream, world->shortened.data, world->shortened.size);
    world->stats.message_bytes += world->shortened.size;
}

static void send_fact(struct swarm_agent *agent, struct swarm_fact *fact)
{
    if (fact->samples > 0 && fact->process->types_sent < fact->process->heap.now.types)
        send_names(agent, fact->process);
    fact->sent_ns = fact->sent_ns != 0 ? fact->sent_ns : clock_mono_ns();
    agent->sent_sequence = fact->sequence;
    ask(agent, fact);
}

/* What scratch holds becomes a fact. */
static struct swarm_fact *add_fact(struct swarm_agent *agent, struct swarm_process *process)
{
    const struct buf *packed = &agent->world->scratch;
    struct swarm_fact *fact = malloc(sizeof(*fact) + packed->size);
    ASSERT(fact != NULL);
    *fact =
        (struct swarm_fact){.process = process, .sequence = agent->sequence, .size = packed->size};
    memcpy(fact->data, packed->data, packed->size);
    *agent->end = fact;
    agent->end = &fact->next;
    agent->waiting++;
    return fact;
}

static void end_process(struct swarm_agent *agent, struct swarm_process *process)
{
    process->is_ended = 1;
    process->next = agent->ended;
    agent->ended = process;
    agent->world->stats.restarts++;
    buf_clear(&agent->world->scratch);
    message_process_ended(++agent->sequence, process->number, clock_wall_ms(), END_EXITED,
                          &agent->world->scratch);
    struct swarm_fact *fact = add_fact(agent, process);
    if (agent->state == SWARM_STREAMING)
        send_fact(agent, fact);
}

/* ---- snapshots ------------------------------------------------------------------------------ */

/* A deployment has come, or it is its time. */
static int must_restart(struct swarm_agent *agent, const struct swarm_process *process)
{
    const struct swarm_world *world = agent->world;
    if (process->base_sequence == 0)
        return 0;
    return process->version != world->versions[process->service] ||
           swarm_random_below(&agent->random, 1000 * 1000) < world->restart_per_million;
}

static void add_snapshot(struct swarm_agent *agent, struct swarm_process *process)
{
    struct swarm_world *world = agent->world;
    size_t body_bytes = 0;
    uint64_t base = process->base_sequence;
    agent->sequence++;
    buf_clear(&world->scratch);
    swarm_process_snapshot(process, agent->sequence, clock_wall_ms(), &world->scratch, &body_bytes);
    struct swarm_fact *fact = add_fact(agent, process);
    fact->samples = process->heap.now.types;
    fact->objects = swarm_heap_objects(&process->heap);
    fact->bytes = swarm_heap_bytes(&process->heap);
    world->stats.snapshots++;
    world->stats.keyframes += base == 0 || process->since_keyframe == 0;
    world->stats.samples += fact->samples;
    world->stats.body_bytes += body_bytes;
    if (agent->state == SWARM_STREAMING)
        send_fact(agent, fact);
}

void swarm_agent_snapshot(struct swarm_agent *agent)
{
    struct swarm_world *world = agent->world;
    if (agent->waiting >= world->window) {
        world->stats.dropped++;
        return;
    }
    uint32_t slot = agent->turn++ % world->processes;
    if (must_restart(agent, agent->slots[slot])) {
        end_process(agent, agent->slots[slot]);
        agent->slots[slot] = start_process(agent, slot, clock_wall_ms());
        if (agent->state == SWARM_STREAMING)
            announce(agent, agent->slots[slot]);
    }
    add_snapshot(agent, agent->slots[slot]);
}

/* ---- what comes in -------------------------------------------------------------------------- */

static void settle_fact(struct swarm_agent *agent, struct swarm_fact *fact)
{
    struct swarm_stats *stats = &agent->world->stats;
    struct swarm_account *account = fact->process->account;
    if (fact->samples == 0) {
        forget_process(agent, fact->process);
    } else if (!fact->is_refused) {
        account->acknowledged++;
        account->objects += fact->objects;
        account->bytes += fact->bytes;
        stats->acknowledged++;
        stats->acknowledged_samples += fact->samples;
    }
    if (fact->sent_ns != 0)
        swarm_latency_add(&stats->latency, clock_mono_ns() - fact->sent_ns);
}

static void settle_up_to(struct swarm_agent *agent, uint64_t sequence)
{
    while (agent->first != NULL && agent->first->sequence <= sequence) {
        struct swarm_fact *fact = agent->first;
        agent->first = fact->next;
        if (agent->first == NULL)
            agent->end = &agent->first;
        agent->waiting--;
        settle_fact(agent, fact);
        free(fact);
    }
}

/* Everything again that the collector does not have; if that is nothing, something new. */
static void begin_stream(struct swarm_agent *agent, uint64_t committed)
{
    agent->state = SWARM_STREAMING;
    agent->world->greeting--;
    settle_up_to(agent, committed);
    for (struct swarm_process *process = agent->ended; process != NULL; process = process->next)
        announce(agent, process);
    for (uint32_t slot = 0; slot < agent->world->processes; slot++) {
        announce(agent, agent->slots[slot]);
        agent->slots[slot]->wants_keyframe = 1;
    }
    for (struct swarm_fact *fact = agent->first; fact != NULL; fact = fact->next) {
        agent->world->stats.resent += fact->sent_ns != 0;
        send_fact(agent, fact);
    }
    if (agent->first == NULL)
        swarm_agent_snapshot(agent);
}

static void on_refused(struct swarm_agent *agent, const Heapfleet__V1__Refused *refused)
{
    struct swarm_stats *stats = &agent->world->stats;
    stats->refused++;
    swarm_complain(stats, "refused", refused->reason);
    for (struct swarm_fact *fact = agent->first; fact != NULL; fact = fact->next) {
        if (fact->sequence == refused->sequence)
            fact->is_refused = 1;
    }
}

static void on_request(struct swarm_agent *agent, uint32_t process)
{
    agent->world->stats.keyframes_asked++;
    for (uint32_t slot = 0; slot < agent->world->processes; slot++) {
        if (agent->slots[slot]->number == process)
            agent->slots[slot]->wants_keyframe = 1;
    }
}

static void on_ack(struct swarm_agent *agent, uint64_t sequence)
{
    struct swarm_world *world = agent->world;
    ASSERT(sequence <= agent->sent_sequence); /* the collector claims what was never sent */
    agent->failures = 0;
    world->served += !agent->is_served;
    agent->is_served = 1;
    settle_up_to(agent, sequence);
    world->acknowledged(world->user, agent);
}

static void take(struct swarm_agent *agent, const Heapfleet__V1__CollectorMessage *message)
{
    switch (message->body_case) {
    case HEAPFLEET__V1__COLLECTOR_MESSAGE__BODY_WELCOME:
        agent->world->stats.welcomes++;
        begin_stream(agent, message->welcome->committed_sequence);
        break;
    case HEAPFLEET__V1__COLLECTOR_MESSAGE__BODY_ACK:
        on_ack(agent, message->ack->sequence);
        break;
    case HEAPFLEET__V1__COLLECTOR_MESSAGE__BODY_REFUSED:
        on_refused(agent, message->refused);
        break;
    case HEAPFLEET__V1__COLLECTOR_MESSAGE__BODY_REQUEST:
        on_request(agent, message->request->keyframe_of_process);
        break;
    default:
        break;
    }
}

static void on_message(void *user, const uint8_t *data, size_t size)
{
    struct swarm_agent *agent = user;
    Heapfleet__V1__CollectorMessage *message = NULL;
    struct why why;
    arena_reset(&agent->world->arena);
    enum status status = message_from_collector(data, size, &agent->world->arena, &message, &why);
    ASSERT(status == STATUS_OK);
    int is_ack = message->body_case == HEAPFLEET__V1__COLLECTOR_MESSAGE__BODY_ACK;
    take(agent, message);
    if (is_ack && agent->first == NULL) /* as the agent does */
        rpc_stream_read_with_question(agent->stream);
    else
        rpc_stream_read(agent->stream);
}

static void on_writable(void *user)
{
    (void)user;
}

/* ---- the stream ----------------------------------------------------------------------------- */

static void on_closed(void *user, enum rpc_code code, const char *text)
{
    struct swarm_agent *agent = user;
    struct swarm_world *world = agent->world;
    agent->stream = NULL;
    world->greeting -= agent->state == SWARM_GREETING;
    world->served -= agent->is_served != 0;
    agent->is_served = 0;
    agent->sent_sequence = 0;
    if (agent->state == SWARM_LEAVING && agent->first == NULL) {
        agent->state = SWARM_LEFT;
        world->left++;
        return;
    }
    world->stats.disconnects++;
    if (code != RPC_CANCELLED)
        swarm_complain(&world->stats, rpc_code_name((int)code), text);
    agent->state = SWARM_AWAY;
    agent->failures++;
    world->away(world->user, agent);
}

void swarm_agent_connect(struct swarm_agent *agent, struct rpc_channel *channel)
{
    static const struct rpc_stream_events events = {
        .message = on_message, .writable = on_writable, .closed = on_closed};
    ASSERT(agent->state == SWARM_AWAY);
    agent->state = SWARM_GREETING;
    agent->world->greeting++;
    agent->stream = rpc_stream_open(channel, "/heapfleet.v1.Ingest/Stream", NULL, &events, agent);
    buf_clear(&agent->world->scratch);
    message_hello(agent->id, "swarm-host", clock_wall_ms(), &agent->world->scratch);
    send_scratch(agent);
    rpc_stream_read(agent->stream);
}

void swarm_agent_leave(struct swarm_agent *agent)
{
    ASSERT(agent->first == NULL && agent->state == SWARM_STREAMING);
    agent->state = SWARM_LEAVING;
    rpc_stream_half_close(agent->stream);
}

void swarm_agent_cut(struct swarm_agent *agent)
{
    if (agent->stream != NULL)
        rpc_stream_cancel(agent->stream);
}
