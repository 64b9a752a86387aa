#include "agent.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent_log.h"
#include "attributes.h"
#include "budget.h"
#include "clock.h"
#include "footprint.h"
#include "log.h"
#include "roster.h"
#include "subjects.h"
#include "tls_files.h"
#include "uplink.h"

enum {
    SCAN_MS_MIN = 200,
    SCAN_MS_MAX = 5000,
    SCAN_STRETCH_MAX = 4,
    ABANDON_MS = 500,
    INTERVAL_MS_MIN = 100,
    SLICE_CPU_NS = 10 * 1000 * 1000, /* of a census, in one go .. */
    SLICE_PAUSES = 4,                /* .. and then a pause of so many times that */
    FAILURE_DOUBLINGS_MAX = 6,
    FAILURE_MS_MAX = 10 * 60 * 1000,
    CROWDED_MS = 10 * 1000, /* until a process is looked at again that there was no room for */
    TRIM_MS_MIN = 20,
};

struct agent {
    struct loop *loop;
    struct loop_timer *timer; /* of the next job */
    struct uplink *uplink;
    struct tls_files *tls_files;
    struct scout scout;
    struct budget budget;
    int64_t interval_ms;
    int64_t own_interval_ms; /* as configured here */
    uint32_t next_process;
    unsigned jitter;
    int64_t next_trim_ms;

    struct target **targets;
    size_t target_count, target_capacity;

    int busy;           /* a job is under way */
    struct target *job; /* that counts this one; NULL: a scan */
    int job_more;       /* .. and is not done with it */
    enum status job_status;
    struct why job_why;
    double job_cpu_ms;
    int64_t next_scan_ms;
    double scan_cpu_ms;      /* of the last scan */
    struct target *counting; /* its census is under way, between two slices; or NULL */
    int64_t next_slice_ms;

    int stopping, stop_scanned, delivering;
    int abandoned; /* the end was told although not all is over */
    int64_t stop_by_ms;
    call_fn *stopped;
    void *stopped_arg;
    int said_disconnected, said_lost, said_crowded, said_slow, said_first_scan;
    uint64_t refusals;
};

static void run_next(struct agent *agent);

/* After what is rare: a start, a connection; and after a job, which leaves the code of another. */
static void trim(struct agent *agent)
{
    int64_t now = clock_mono_ms();
    if (now >= agent->next_trim_ms && footprint_trim())
        agent->next_trim_ms = now + TRIM_MS_MIN;
}

/* ----- what the uplink tells ----- */

static void on_connected(void *user, const char *version)
{
    struct agent *agent = user;
    agent->said_disconnected = 0;
    agent->said_lost = 0;
    agent->said_crowded = 0;
    trim(agent);
    log_event(LOG_INFO, "collector.connected", "collector=%s version=\"%s\" pending=%zu",
              uplink_collector(agent->uplink), version, uplink_pending(agent->uplink));
}

static void on_disconnected(void *user, const char *reason, int64_t retry_ms)
{
    struct agent *agent = user;
    log_event(agent->said_disconnected ? LOG_DEBUG : LOG_WARN, "collector.disconnected",
              "reason=\"%s\" retry_ms=%lld pending=%zu", reason, (long long)retry_ms,
              uplink_pending(agent->uplink));
    agent->said_disconnected = 1; /* until the next success */
}

/* Said the first time, the second, the fourth ... so that a lasting reason cannot fill the log. */
static void on_refused(void *user, uint64_t sequence, uint32_t process, const char *reason)
{
    struct agent *agent = user;
    uint64_t count = ++agent->refusals;
    log_event((count & (count - 1)) == 0 ? LOG_WARN : LOG_DEBUG, "collector.refused",
              "sequence=%llu process=%u count=%llu reason=\"%s\"", (unsigned long long)sequence,
              process, (unsigned long long)count, reason);
}

static void on_configured(void *user, uint32_t interval_ms)
{
    struct agent *agent = user;
    int64_t wanted = interval_ms == 0 ? agent->own_interval_ms : (int64_t)interval_ms;
    if (wanted < INTERVAL_MS_MIN)
        wanted = INTERVAL_MS_MIN;
    if (wanted != agent->interval_ms)
        log_event(LOG_INFO, "interval.changed", "interval_ms=%lld", (long long)wanted);
    agent->interval_ms = wanted;
}

static void on_lost(void *user, uint32_t process)
{
    struct agent *agent = user;
    if (!agent->said_lost)
        log_event(LOG_WARN, "spool.full",
                  "process=%u reason=\"no room for what waits: the oldest snapshots are dropped\"",
                  process);
    agent->said_lost = 1;
}

/* ----- targets ----- */

static struct target *target_of(const struct agent *agent, pid_t pid)
{
    for (size_t i = 0; i < agent->target_count; i++) {
        if (agent->targets[i]->python.pid == pid)
            return agent->targets[i];
    }
    return NULL;
}

static void add_target(struct agent *agent, struct target *target)
{
    if (agent->target_count == agent->target_capacity) {
        agent->target_capacity = agent->target_capacity == 0 ? 16 : agent->target_capacity * 2;
        agent->targets = realloc(agent->targets, agent->target_capacity * sizeof(struct target *));
        ASSERT(agent->targets != NULL);
    }
    agent->targets[agent->target_count++] = target;
}

static void remove_target(struct agent *agent, struct target *target)
{
    for (size_t i = 0; i < agent->target_count; i++) {
        if (agent->targets[i] == target)
            agent->targets[i] = agent->targets[--agent->target_count];
    }
    if (agent->counting == target)
        agent->counting = NULL;
    target_free(target);
}

/* Ended processes count, too, as long as their last facts wait for a collector. */
static void ignore_for_now(struct agent *agent, struct target *target)
{
    log_event(agent->said_crowded ? LOG_DEBUG : LOG_WARN, "process.ignored",
              "pid=%d reason=\"what %d processes have to tell is not delivered yet\" "
              "action=\"it is looked at again\"",
              (int)target->python.pid, SUBJECTS_MAX);
    agent->said_crowded = 1; /* until the next connection */
    roster_forget(agent->scout.roster, target->python.pid, proc_boot_now_ms(), CROWDED_MS);
    target_free(target);
}

static void take_found(struct agent *agent, struct scout_found *found)
{
    struct target *target = found->target;
    target->process = ++agent->next_process;
    struct uplink_process started = {
        .process = target->process,
        .identity = &found->identity,
        .pid = (uint32_t)target->python.pid,
        .runtime_version = target->python.version,
        /* by the clock of its snapshots, which may have been set since we started */
        .started_ms =
            clock_wall_ms() - proc_boot_now_ms() + proc_ticks_ms(target->python.start_ticks),
    };
    memcpy(started.instance_id, target->instance_id, sizeof(started.instance_id));
    if (uplink_process_started(agent->uplink, &started) != STATUS_OK) {
        ignore_for_now(agent, target);
    } else {
        log_event(LOG_INFO, "process.found",
                  "process=%u pid=%u service=\"%s\" version=\"%s\" python=%s", started.process,
                  started.pid, found->identity.field[IDENTITY_SERVICE],
                  found->identity.field[IDENTITY_VERSION], started.runtime_version);
        target->next_ms = clock_mono_ms();
        add_target(agent, target);
    }
    arena_done(&found->arena);
    free(found);
}

static void take_ended(struct agent *agent, struct scout_ended *ended)
{
    static const char *const words[] = {
        [END_UNKNOWN] = "unknown",
        [END_EXITED] = "exited",
        [END_OOM_KILLED] = "oom_killed",
        [END_REPLACED] = "replaced",
    };
    struct target *target = target_of(agent, ended->pid);
    if (target != NULL) {
        log_event(LOG_INFO, "process.ended", "process=%u pid=%d reason=%s", target->process,
                  (int)ended->pid, words[ended->reason]);
        uplink_process_ended(agent->uplink, target->process, clock_wall_ms(), ended->reason);
        remove_target(agent, target);
    }
    free(ended);
}

/* What the first look around found, or did not: the moment at which a person watches the log. */
static void log_first_scan(struct agent *agent)
{
    const struct scout *scout = &agent->scout;
    for (int i = 0; i < scout->options.pid_count; i++) {
        if (scout->pid_starts[i] == 0)
            log_event(LOG_WARN, "process.missing",
                      "pid=%d reason=\"there is no such process, or it cannot be seen from here\"",
                      (int)scout->options.pids[i]);
    }
    uint32_t denied = roster_denied(scout->roster);
    log_event(LOG_INFO, "scan.first", "watched=%zu denied=%u%s", agent->target_count, denied,
              denied > 0 ? " hint=\"heapfleet-agent doctor PID says why\"" : "");
}

static void take_scan(struct agent *agent)
{
    if (agent->job_status != STATUS_OK)
        log_event(LOG_ERROR, "scan.failed", "reason=\"%s\"", agent->job_why.text);
    while (agent->scout.ended != NULL) {
        struct scout_ended *ended = agent->scout.ended;
        agent->scout.ended = ended->next;
        take_ended(agent, ended);
    }
    while (agent->scout.found != NULL) {
        struct scout_found *found = agent->scout.found;
        agent->scout.found = found->next;
        take_found(agent, found);
    }
    if (!agent->said_first_scan)
        log_first_scan(agent);
    agent->said_first_scan = 1;
}

/* ----- a census, done ----- */

static void send_snapshot(struct agent *agent, struct target *target)
{
    const struct census_result *result = &target->result;
    uint32_t types = result->values.types;
    for (uint32_t i = uplink_types_defined(agent->uplink, target->process); i < types; i++)
        uplink_define_type(agent->uplink, target->process, census_type_name(target->census, i));
    const struct uplink_snapshot snapshot = {
        .process = target->process,
        .time_ms = result->time_ms,
        .values = &result->values,
        .rss_anon_bytes = result->rss_anon_bytes,
        .swap_bytes = target->swap_bytes,
        .pss_bytes = target->pss_bytes,
        .container_usage_bytes = target->memory.usage_bytes,
        .container_limit_bytes = target->memory.limit_bytes,
        .not_objects_bytes = census_not_objects_bytes(result),
        .pool_bytes = result->pool_bytes,
        .pool_free_bytes = result->pool_free_bytes,
        .malloc_free_bytes = result->malloc_free_bytes,
        .objects_error = result->total_error.count,
        .bytes_error = result->total_error.bytes,
        .cpu_ms = (uint64_t)proc_ticks_ms(target->stat.cpu_ticks),
        .census_cpu_us = (uint32_t)(result->cpu_ns / 1000),
        .coverage = result->coverage,
    };
    uplink_snapshot(agent->uplink, &snapshot);
}

/* Around the interval, so that many processes and many agents do not march in step. */
static int64_t jittered(struct agent *agent, int64_t interval_ms)
{
    agent->jitter = agent->jitter * 1103515245u + 12345u;
    int64_t spread = interval_ms / 10;
    return interval_ms - spread / 2 + (int64_t)((agent->jitter >> 8) % (uint64_t)(spread + 1));
}

/* A process that is gone is reported by the next scan; whatever else went wrong is tried again
 * with growing pauses, and said the first time. */
static void postpone(struct agent *agent, struct target *target)
{
    if (target->failures == 0 && agent->job_status != STATUS_GONE)
        log_event(LOG_WARN, "census.failed", "process=%u pid=%d reason=\"%s\"", target->process,
                  (int)target->python.pid, agent->job_why.text);
    uint32_t doublings =
        target->failures < FAILURE_DOUBLINGS_MAX ? target->failures : FAILURE_DOUBLINGS_MAX;
    int64_t most = agent->interval_ms > FAILURE_MS_MAX ? agent->interval_ms : FAILURE_MS_MAX;
    int64_t pause = agent->interval_ms << doublings;
    target->failures++;
    if (pause > most)
        pause = most;
    target->next_ms = clock_mono_ms() + jittered(agent, pause);
}

static void take_census(struct agent *agent, struct target *target)
{
    if (agent->job_status != STATUS_OK && agent->job_status != STATUS_PARTIAL) {
        postpone(agent, target);
        return;
    }
    target->failures = 0;
    target->next_ms += jittered(agent, agent->interval_ms);
    if (target->next_ms < clock_mono_ms()) /* we are late: do not catch up */
        target->next_ms = clock_mono_ms() + jittered(agent, agent->interval_ms);
    send_snapshot(agent, target);
}

/* ----- jobs ----- */

/* Where thousands of processes make a scan dear, it comes less often, so that it takes at most half
 * of the CPU budget; but never so seldom that what starts is found too late. */
static int64_t scan_period_ms(const struct agent *agent)
{
    int64_t period = agent->interval_ms / 2;
    period = period < SCAN_MS_MIN ? SCAN_MS_MIN : period > SCAN_MS_MAX ? SCAN_MS_MAX : period;
    int64_t affordable = (int64_t)(agent->scan_cpu_ms * 2 / agent->budget.share);
    if (affordable <= period)
        return period;
    return affordable > period * SCAN_STRETCH_MAX ? period * SCAN_STRETCH_MAX : affordable;
}

static void on_job_done(void *arg)
{
    struct agent *agent = arg;
    agent->busy = 0;
    budget_spend(&agent->budget, agent->job_cpu_ms, clock_mono_ms());
    if (agent->job == NULL) {
        agent->scan_cpu_ms = agent->job_cpu_ms;
        agent->next_scan_ms = clock_mono_ms() + scan_period_ms(agent);
        take_scan(agent);
    } else if (agent->job_more) {
        agent->counting = agent->job;
        agent->next_slice_ms = clock_mono_ms() + (int64_t)(agent->job_cpu_ms * SLICE_PAUSES) + 1;
    } else {
        agent->counting = NULL;
        take_census(agent, agent->job);
    }
    run_next(agent);
    trim(agent);
}

/*
 * On the network's thread: the agent lives in its target's memory cgroup, and a thread of its own
 * that sleeps between two censuses would cost more than a delivery that waits for one.
 */
static void run_job(void *arg)
{
    struct agent *agent = arg;
    int64_t before = clock_cpu_ns();
    agent->job_why.text[0] = '\0';
    agent->job_status = agent->job == NULL ? scout_scan(&agent->scout, &agent->job_why)
                                           : scout_census(&agent->scout, agent->job, SLICE_CPU_NS,
                                                          &agent->job_more, &agent->job_why);
    agent->job_cpu_ms = (double)(clock_cpu_ns() - before) / 1e6;
    loop_post(agent->loop, on_job_done, agent);
}

static void start_job(struct agent *agent, struct target *target)
{
    agent->busy = 1;
    agent->job = target;
    agent->job_more = 0;
    agent->scout.targets = agent->targets;
    agent->scout.target_count = agent->target_count;
    uplink_lend_thread(agent->uplink, run_job, agent);
}

static struct target *most_due(const struct agent *agent)
{
    struct target *best = NULL;
    for (size_t i = 0; i < agent->target_count; i++) {
        if (best == NULL || agent->targets[i]->next_ms < best->next_ms)
            best = agent->targets[i];
    }
    return best;
}

static void tell_stopped(struct agent *agent)
{
    loop_timer_stop(agent->timer);
    log_event(LOG_INFO, "agent.stopped", "undelivered=%zu", uplink_pending(agent->uplink));
    agent->stopped(agent->stopped_arg);
}

static void on_uplink_done(void *arg)
{
    struct agent *agent = arg;
    if (!agent->abandoned)
        tell_stopped(agent);
}

/*
 * The last scan is done, or time is up: deliver in what is left. The thread that delivers may be in
 * a census that nothing can interrupt; it gets a moment more, and is then left behind.
 */
static void deliver_and_stop(struct agent *agent)
{
    if (agent->delivering)
        return;
    agent->delivering = 1;
    int64_t left = agent->stop_by_ms - clock_mono_ms();
    left = left < 0 ? 0 : left;
    loop_timer_start(agent->timer, (uint64_t)left + ABANDON_MS, 0);
    uplink_stop(agent->uplink, left, on_uplink_done, agent);
}

/* Nothing is under way: start what is due, or set the timer for what will be. */
static void run_next(struct agent *agent)
{
    int64_t now = clock_mono_ms();
    if (agent->stopping) {
        if (agent->stop_scanned) {
            deliver_and_stop(agent);
        } else {
            agent->stop_scanned = 1;
            start_job(agent, NULL);
        }
        return;
    }
    if (now >= agent->next_scan_ms) {
        start_job(agent, NULL);
        return;
    }
    struct target *target = most_due(agent);
    int64_t wait = agent->next_scan_ms - now;
    if (agent->counting != NULL) { /* a census is ended before the next begins, whatever it costs */
        if (now >= agent->next_slice_ms) {
            start_job(agent, agent->counting);
            return;
        }
        if (agent->next_slice_ms - now < wait)
            wait = agent->next_slice_ms - now;
    } else if (target != NULL) {
        int64_t until = target->next_ms - now;
        int64_t budget = budget_wait_ms(&agent->budget, now);
        if (budget > 0 && until <= 0 && !agent->said_slow) {
            agent->said_slow = 1;
            log_event(LOG_WARN, "budget.reached",
                      "share=%.2f%% reason=\"the interval is stretched; allow more with "
                      "--cpu-budget\"",
                      agent->budget.share * 100);
        }
        if (until < budget)
            until = budget;
        if (until <= 0) {
            start_job(agent, target);
            return;
        }
        if (until < wait)
            wait = until;
    }
    loop_timer_start(agent->timer, (uint64_t)wait, 0);
}

static void on_timer(void *arg)
{
    struct agent *agent = arg;
    if (agent->delivering) {
        agent->abandoned = 1;
        tell_stopped(agent);
    } else if (agent->stopping) {
        deliver_and_stop(agent); /* a census is under way, and time is up */
    } else if (!agent->busy) {
        run_next(agent);
    }
}

/* ----- life ----- */

enum status agent_new(struct loop *loop, const struct agent_options *options, struct agent **ret,
                      struct why *why)
{
    static const struct uplink_events events = {.connected = on_connected,
                                                .disconnected = on_disconnected,
                                                .refused = on_refused,
                                                .configured = on_configured,
                                                .lost = on_lost,
                                                .spool_changed = agent_log_spool_changed,
                                                .spool_restored = agent_log_spool_restored,
                                                .given_up = agent_log_given_up};
    footprint_init();
    rpc_client_set_up();
    struct agent *agent = calloc(1, sizeof(*agent));
    ASSERT(agent != NULL);
    enum status status = scout_init(&agent->scout, &options->scout, why);
    if (status != STATUS_OK) {
        free(agent);
        return status;
    }
    char host[256] = "";
    (void)gethostname(host, sizeof(host) - 1);
    const struct uplink_options uplink = {
        .channel = options->channel,
        .host = options->scout.identity.host != NULL ? options->scout.identity.host : host,
        .spool_bytes = (size_t)options->spool_bytes,
        .spool_dir = options->spool_dir,
        .spool_disk_bytes = options->spool_disk_bytes,
        .now_ms = clock_wall_ms(),
    };
    status = uplink_new(loop, &uplink, &events, agent, &agent->uplink, why);
    if (status != STATUS_OK) {
        scout_done(&agent->scout);
        free(agent);
        return status;
    }
    agent->loop = loop;
    agent->next_process = uplink_last_process(agent->uplink);
    agent->timer = loop_timer_new(loop, on_timer, agent);
    agent->tls_files = tls_files_new(loop, &options->tls, agent->uplink);
    agent->own_interval_ms = agent->interval_ms =
        options->interval_ms < INTERVAL_MS_MIN ? INTERVAL_MS_MIN : options->interval_ms;
    agent->jitter = (unsigned)clock_mono_ns() ^ (unsigned)getpid();
    budget_init(&agent->budget, options->cpu_share, clock_mono_ms());
    trim(agent);
    *ret = agent;
    return STATUS_OK;
}

void agent_start(struct agent *agent)
{
    agent_log_obstacles();
    log_event(LOG_INFO, "agent.started", "interval_ms=%lld", (long long)agent->interval_ms);
    uplink_start(agent->uplink);
    run_next(agent);
}

enum status agent_reload(struct agent *agent, const struct agent_options *options, struct why *why)
{
    enum status status = uplink_set_token(agent->uplink, options->channel.token, why);
    if (status != STATUS_OK)
        return status;
    tls_files_look(agent->tls_files);
    if (options->interval_ms != agent->own_interval_ms) {
        agent->own_interval_ms = agent->interval_ms = options->interval_ms;
        log_event(LOG_INFO, "interval.changed", "interval_ms=%lld",
                  (long long)options->interval_ms);
        for (size_t i = 0; i < agent->target_count && !agent->busy; i++)
            agent->targets[i]->next_ms = clock_mono_ms() + jittered(agent, agent->interval_ms);
    }
    if (options->cpu_share != agent->budget.share) { /* NOLINT: the same text gives the same */
        budget_init(&agent->budget, options->cpu_share, clock_mono_ms());
        agent->said_slow = 0;
    }
    if (!agent->busy && !agent->stopping)
        run_next(agent);
    return STATUS_OK;
}

void agent_stop(struct agent *agent, int64_t limit_ms, call_fn *fn, void *arg)
{
    ASSERT(!agent->stopping && fn != NULL);
    agent->stopping = 1;
    agent->stop_by_ms = clock_mono_ms() + limit_ms;
    agent->stopped = fn;
    agent->stopped_arg = arg;
    loop_timer_start(agent->timer, (uint64_t)limit_ms, 0);
    if (!agent->busy)
        run_next(agent);
}

int agent_is_busy(const struct agent *agent)
{
    return agent->busy || agent->abandoned;
}

void agent_free(struct agent *agent)
{
    if (agent == NULL)
        return;
    ASSERT(!agent->busy);
    tls_files_free(agent->tls_files);
    uplink_free(agent->uplink);
    loop_timer_free(agent->timer);
    for (size_t i = 0; i < agent->target_count; i++)
        target_free(agent->targets[i]);
    free(agent->targets);
    scout_done(&agent->scout);
    free(agent);
}
