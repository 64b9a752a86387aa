/*
 * The pacer posts a step every few milliseconds, and the next one only when it has run; everything
 * else happens on the channels' common thread. The agents' turns are spread evenly over the
 * interval: turn i of the run is agent i mod N's, and due i * interval / (N * processes) after its
 * start.
 */
#include "swarm.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "attributes.h"
#include "clock.h"
#include "rpc_client.h"
#include "swarm_agent.h"
#include "uplink.h"

enum {
    STEP_US = 2000,
    STEP_MS_MAX = 50, /* of one step: then the network has its turn */
    RETRY_MS_MAX = 30 * 1000,
    ARENA_BYTES = 1024 * 1024,
};

enum phase { CONNECTING, RUNNING, FLUSHING, LEAVING, CLOSING, DONE };

/* Made for its first stream, ended with its last. */
struct connection {
    struct rpc_channel *channel;
    uint32_t streams;
};

struct swarm {
    const struct swarm_options *options;
    struct swarm_result *result;
    struct swarm_world world;
    struct swarm_agent *agents;
    struct rpc_channel *anchor;     /* whose thread everything runs on */
    struct connection *connections; /* [connections][target_count] */
    struct swarm_agent *away;
    atomic_int step_ran, is_over;
    enum phase phase;
    int64_t began_ms, phase_ms, unserved_ms; /* 0: all are served */
    int64_t run_ns;
    uint64_t turns;
    uint32_t deployments;
    int has_cut;
    struct swarm_wire wire;
    struct swarm_stats run_stats; /* at its start */
    double run_cpu_s;
    enum status status; /* FAILED, with the reason */
    struct why why;
};

static double own_cpu_s(void)
{
    struct rusage usage;
    ASSERT(getrusage(RUSAGE_SELF, &usage) == 0);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* ---- connections ---------------------------------------------------------------------------- */

static enum status open_channel(const struct swarm *swarm, uint32_t target,
                                struct rpc_channel **ret, struct why *why)
{
    const struct swarm_options *options = swarm->options;
    const struct rpc_channel_options channel = {
        .target = options->targets[target],
        .tls_ca = options->tls_ca,
        .tls_certificate = options->tls_certificate,
        .tls_key = options->tls_key,
        .thread_of = swarm->anchor,
        .connect_ms = UPLINK_GREETING_MS,
    };
    return rpc_channel_new(&channel, ret, why);
}

static struct connection *connection_of(const struct swarm *swarm, const struct swarm_agent *agent)
{
    uint32_t number = agent->number % swarm->options->connections;
    return &swarm->connections[number * swarm->options->target_count + agent->target];
}

static struct rpc_channel *begin_stream(struct swarm *swarm, const struct swarm_agent *agent)
{
    struct connection *connection = connection_of(swarm, agent);
    struct why why;
    if (connection->channel == NULL) /* the anchor was made of the same options */
        ASSERT(open_channel(swarm, agent->target, &connection->channel, &why) == STATUS_OK);
    connection->streams++;
    return connection->channel;
}

static void end_stream(struct swarm *swarm, const struct swarm_agent *agent)
{
    struct connection *connection = connection_of(swarm, agent);
    if (--connection->streams > 0)
        return;
    rpc_channel_free(connection->channel);
    connection->channel = NULL;
}

/* The anchor carries no stream: it only lends its thread. */
static enum status make_channels(struct swarm *swarm, struct why *why)
{
    const struct swarm_options *options = swarm->options;
    swarm->connections =
        calloc((size_t)options->connections * options->target_count, sizeof(struct connection));
    ASSERT(swarm->connections != NULL);
    enum status status = STATUS_OK;
    for (uint32_t target = options->target_count; target-- > 0 && status == STATUS_OK;) {
        rpc_channel_free(swarm->anchor);
        swarm->anchor = NULL;
        status = open_channel(swarm, target, &swarm->anchor, why);
    }
    return status;
}

static void free_channels(struct swarm *swarm)
{
    size_t count = (size_t)swarm->options->connections * swarm->options->target_count;
    for (size_t i = 0; i < count; i++)
        rpc_channel_free(swarm->connections[i].channel);
    rpc_channel_free(swarm->anchor);
    free(swarm->connections);
}

static void connect_due(struct swarm *swarm, int64_t now_ms)
{
    struct swarm_agent **at = &swarm->away;
    int64_t until_ms = now_ms + STEP_MS_MAX;
    while (*at != NULL && clock_mono_ms() < until_ms) {
        struct swarm_agent *agent = *at;
        if (swarm->options->greeting_max > 0 &&
            swarm->world.greeting >= swarm->options->greeting_max)
            return;
        if (agent->retry_at_ms > now_ms) {
            at = &agent->next_away;
            continue;
        }
        *at = agent->next_away;
        swarm_agent_connect(agent, begin_stream(swarm, agent));
    }
}

/* Full jitter, as the agent does it; the next collector. */
static void on_away(void *user, struct swarm_agent *agent)
{
    struct swarm *swarm = user;
    uint32_t doublings = agent->failures < 12 ? agent->failures : 12;
    int64_t bound_ms = swarm->options->retry_ms << doublings;
    if (bound_ms > RETRY_MS_MAX)
        bound_ms = RETRY_MS_MAX;
    agent->retry_at_ms = clock_mono_ms();
    if (bound_ms > 0)
        agent->retry_at_ms += (int64_t)swarm_random_below(&agent->random, (uint64_t)bound_ms);
    end_stream(swarm, agent);
    agent->target = (agent->target + 1) % swarm->options->target_count;
    agent->next_away = swarm->away;
    swarm->away = agent;
}

/* ---- pacing --------------------------------------------------------------------------------- */

/* As fast as it is taken: a full window is filled up by each Ack. */
static void on_acknowledged(void *user, struct swarm_agent *agent)
{
    const struct swarm *swarm = user;
    if (swarm->phase != RUNNING || swarm->options->interval_ms > 0)
        return;
    while (agent->waiting < swarm->options->window)
        swarm_agent_snapshot(agent);
}

static void take_turns(struct swarm *swarm, int64_t now_ns)
{
    const struct swarm_options *options = swarm->options;
    uint64_t round = (uint64_t)options->agents * options->processes;
    int64_t until_ns = now_ns + (int64_t)STEP_MS_MAX * 1000000;
    while (options->interval_ms > 0) {
        int64_t due_ns = swarm->run_ns + (int64_t)((double)swarm->turns / (double)round *
                                                   (double)options->interval_ms * 1e6);
        double late_ms = (double)(now_ns - due_ns) / 1e6;
        if (late_ms < 0 || clock_mono_ns() > until_ns)
            return;
        if (late_ms > swarm->result->late_ms)
            swarm->result->late_ms = late_ms;
        swarm_agent_snapshot(&swarm->agents[swarm->turns++ % options->agents]);
    }
}

static void deploy_due(struct swarm *swarm, int64_t since_ms)
{
    const struct swarm_options *options = swarm->options;
    while (options->deploy_every_ms > 0 &&
           since_ms >= (int64_t)(swarm->deployments + 1) * options->deploy_every_ms) {
        swarm->world.versions[swarm->deployments % options->services]++;
        swarm->deployments++;
    }
}

/* ---- phases --------------------------------------------------------------------------------- */

static void move_to(struct swarm *swarm, enum phase phase, int64_t now_ms)
{
    swarm->phase = phase;
    swarm->phase_ms = now_ms;
    swarm->is_over = phase == DONE;
}

static void start_running(struct swarm *swarm, int64_t now_ms)
{
    swarm->result->connect_s = (double)(now_ms - swarm->began_ms) / 1000;
    swarm->wire = swarm_wire_now();
    swarm->run_stats = swarm->world.stats;
    swarm->world.stats.latency = (struct swarm_latency){.total = 0};
    swarm->run_cpu_s = own_cpu_s();
    swarm->result->watch_run = swarm_watch_now(swarm->options->watched);
    swarm->run_ns = clock_mono_ns();
    move_to(swarm, RUNNING, now_ms);
    for (uint32_t i = 0; i < swarm->options->agents; i++)
        on_acknowledged(swarm, &swarm->agents[i]);
}

static void stop_running(struct swarm *swarm, int64_t now_ms)
{
    const struct swarm_stats *stats = &swarm->world.stats, *before = &swarm->run_stats;
    struct swarm_wire wire = swarm_wire_now();
    struct swarm_result *result = swarm->result;
    result->watch_end = swarm_watch_now(swarm->options->watched);
    result->run_s = (double)(clock_mono_ns() - swarm->run_ns) / 1e9;
    result->run_acknowledged = stats->acknowledged - before->acknowledged;
    result->run_samples = stats->samples - before->samples;
    result->run_message_bytes = stats->message_bytes - before->message_bytes;
    result->connections = wire.connections;
    if (stats->disconnects == before->disconnects) /* else the counts of some are gone */
        result->run_sent_bytes = wire.sent - swarm->wire.sent;
    result->run_cpu_s = own_cpu_s() - swarm->run_cpu_s;
    move_to(swarm, FLUSHING, now_ms);
}

static void watch_served(struct swarm *swarm, int64_t now_ms)
{
    if (swarm->world.served < swarm->options->agents) {
        if (swarm->unserved_ms == 0)
            swarm->unserved_ms = now_ms;
        double unserved_s = (double)(now_ms - swarm->unserved_ms) / 1000;
        if (unserved_s > swarm->result->longest_unserved_s)
            swarm->result->longest_unserved_s = unserved_s;
    } else {
        swarm->unserved_ms = 0;
    }
}

static void run_connecting(struct swarm *swarm, int64_t now_ms)
{
    if (swarm->world.served == swarm->options->agents)
        start_running(swarm, now_ms);
}

static void cut_all(struct swarm *swarm)
{
    swarm->has_cut = 1;
    for (uint32_t i = 0; i < swarm->options->agents; i++)
        swarm_agent_cut(&swarm->agents[i]);
}

static void run_running(struct swarm *swarm, int64_t now_ms)
{
    const struct swarm_options *options = swarm->options;
    int64_t since_ms = now_ms - swarm->phase_ms;
    watch_served(swarm, now_ms);
    deploy_due(swarm, since_ms);
    take_turns(swarm, clock_mono_ns());
    if (options->reconnect_ms > 0 && since_ms >= options->reconnect_ms && !swarm->has_cut)
        cut_all(swarm);
    else if (since_ms >= options->run_ms && swarm->world.served == options->agents)
        stop_running(swarm, now_ms);
}

static uint64_t facts_waiting(const struct swarm *swarm)
{
    uint64_t waiting = 0;
    for (uint32_t i = 0; i < swarm->options->agents; i++)
        waiting += swarm->agents[i].waiting;
    return waiting;
}

static void run_flushing(struct swarm *swarm, int64_t now_ms)
{
    if (swarm->world.served < swarm->options->agents || facts_waiting(swarm) > 0)
        return;
    swarm->result->flush_s = (double)(now_ms - swarm->phase_ms) / 1000;
    move_to(swarm, LEAVING, now_ms);
    for (uint32_t i = 0; i < swarm->options->agents; i++)
        swarm_agent_leave(&swarm->agents[i]);
}

static void run_leaving(struct swarm *swarm, int64_t now_ms)
{
    if (swarm->world.left == swarm->options->agents)
        move_to(swarm, DONE, now_ms);
}

/* After a failure: until nothing points at the agents. */
static void run_closing(struct swarm *swarm, int64_t now_ms)
{
    for (uint32_t i = 0; i < swarm->options->agents; i++) {
        if (swarm->agents[i].stream != NULL)
            return;
    }
    move_to(swarm, DONE, now_ms);
}

static const struct {
    const char *name;
    void (*run)(struct swarm *swarm, int64_t now_ms);
} phases[] = {
    [CONNECTING] = {"connecting", run_connecting}, [RUNNING] = {"running", run_running},
    [FLUSHING] = {"flushing", run_flushing},       [LEAVING] = {"leaving", run_leaving},
    [CLOSING] = {"closing", run_closing},
};

static void give_up(struct swarm *swarm, int64_t now_ms)
{
    swarm->status = STATUS_FAILED;
    why_set(&swarm->why, "gave up %s: %u of %u agents are served, %llu facts wait",
            phases[swarm->phase].name, swarm->world.served, swarm->options->agents,
            (unsigned long long)facts_waiting(swarm));
    cut_all(swarm);
    move_to(swarm, CLOSING, now_ms);
}

static void step(void *arg)
{
    struct swarm *swarm = arg;
    int64_t now_ms = clock_mono_ms();
    int64_t patience_ms = swarm->options->patience_ms;
    if (swarm->phase == RUNNING)
        patience_ms += swarm->options->run_ms;
    if (swarm->phase != CLOSING)
        connect_due(swarm, now_ms);
    phases[swarm->phase].run(swarm, now_ms);
    if (swarm->phase < CLOSING && now_ms - swarm->phase_ms > patience_ms)
        give_up(swarm, now_ms);
    swarm->step_ran = 1;
}

/* ---- life ----------------------------------------------------------------------------------- */

static void make_agents(struct swarm *swarm)
{
    const struct swarm_options *options = swarm->options;
    swarm->world = (struct swarm_world){
        .seed = options->seed,
        .processes = options->processes,
        .types = options->types,
        .services = options->services,
        .window = options->window,
        .restart_per_million = options->restart_per_million,
        .versions = calloc(options->services, sizeof(uint32_t)),
        .user = swarm,
        .acknowledged = on_acknowledged,
        .away = on_away,
    };
    ASSERT(swarm->world.versions != NULL);
    arena_init(&swarm->world.arena, ARENA_BYTES);
    arena_init(&swarm->world.out_arena, ARENA_BYTES);
    swarm->agents = calloc(options->agents, sizeof(*swarm->agents));
    ASSERT(swarm->agents != NULL);
    int64_t now_ms = clock_mono_ms();
    for (uint32_t i = options->agents; i-- > 0;) {
        struct swarm_agent *agent = &swarm->agents[i];
        swarm_agent_init(agent, &swarm->world, i, clock_wall_ms());
        agent->target = i % options->target_count;
        agent->retry_at_ms = now_ms + options->ramp_ms * i / options->agents;
        agent->next_away = swarm->away;
        swarm->away = agent;
    }
}

static void free_agents(struct swarm *swarm)
{
    for (uint32_t i = 0; i < swarm->options->agents; i++)
        swarm_agent_done(&swarm->agents[i]);
    free(swarm->agents);
    while (swarm->world.accounts != NULL) {
        struct swarm_account *account = swarm->world.accounts;
        swarm->world.accounts = account->next;
        free(account);
    }
    free(swarm->world.versions);
    buf_done(&swarm->world.scratch);
    buf_done(&swarm->world.shortened);
    arena_done(&swarm->world.out_arena);
    arena_done(&swarm->world.arena);
}

static void pace(struct swarm *swarm)
{
    while (!swarm->is_over) {
        swarm->step_ran = 0;
        rpc_channel_post(swarm->anchor, step, swarm);
        do
            (void)usleep(STEP_US);
        while (!swarm->step_ran);
    }
}

static enum status write_ledger(const struct swarm *swarm, struct why *why)
{
    if (swarm->options->ledger == NULL)
        return STATUS_OK;
    FILE *file = fopen(swarm->options->ledger, "we");
    if (file == NULL)
        return why_fail(why, STATUS_FAILED, "cannot write %s", swarm->options->ledger);
    for (const struct swarm_account *account = swarm->world.accounts; account != NULL;
         account = account->next) {
        for (int i = 0; i < INSTANCE_ID_BYTES; i++)
            (void)fprintf(file, "%02x", account->uuid[i]);
        (void)fprintf(file, " %llu %llu %llu\n", (unsigned long long)account->acknowledged,
                      (unsigned long long)account->objects, (unsigned long long)account->bytes);
    }
    int failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed)
        return why_fail(why, STATUS_FAILED, "cannot write %s", swarm->options->ledger);
    return STATUS_OK;
}

enum status swarm_run(const struct swarm_options *options, struct swarm_result *ret,
                      struct why *why)
{
    struct swarm *swarm = calloc(1, sizeof(*swarm));
    ASSERT(swarm != NULL);
    swarm->options = options;
    swarm->result = ret;
    *ret = (struct swarm_result){.watch_start = swarm_watch_now(options->watched)};
    enum status status = make_channels(swarm, why);
    if (status == STATUS_OK) {
        make_agents(swarm);
        swarm->began_ms = swarm->phase_ms = clock_mono_ms();
        pace(swarm);
        ret->stats = swarm->world.stats;
        ret->cpu_s = own_cpu_s();
        status = swarm->status;
        if (status != STATUS_OK)
            why_set(why, "%s", swarm->why.text);
        else
            status = write_ledger(swarm, why);
    }
    free_channels(swarm);
    if (swarm->agents != NULL)
        free_agents(swarm);
    free(swarm);
    return status;
}
