/*
 *                      +-> ingest --> store-write, store-open (workers)
 *     rpc thread ------+
 *                      +-> query ---> query workers
 *     sweeper ---> sweep (worker)
 *     housekeeper ---> compaction, retention (worker)
 *     alerter ---> alert (worker) ---> webhook, Alertmanager
 *     main thread: loop of timers and signals; the embedded PostgreSQL is its child
 *
 * The end, in this order: ingest drains (commits, acknowledges, ends the streams), the loop stops,
 * the rpc server stops, the parts are freed, PostgreSQL is stopped.
 */
#include "collector.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "embedded.h"
#include "housekeeper.h"
#include "ingest.h"
#include "log.h"
#include "loop.h"
#include "memory_return.h"
#include "metrics.h"
#include "monitor.h"
#include "query_service.h"
#include "rpc_server.h"
#include "standing.h"
#include "store.h"
#include "sweeper.h"
#include "version.h"

enum { WATCH_MS = 500, RESTART_PAUSE_MS = 10 * 1000, RPC_GRACE_MS = 5000, END_S = 20 };

struct collector {
    const struct collector_config *config;
    struct embedded *embedded; /* NULL: the database is somebody else's */
    const char *dsn;
    struct metrics *metrics;
    struct metric *claims_lost;
    struct monitor *monitor; /* NULL: nobody listens for HTTP */
    struct ingest *ingest;
    struct query_service *query;
    struct rpc_server *server;
    struct sweeper *sweeper;
    struct housekeeper *housekeeper;
    struct alerter *alerter;
    struct loop *loop;
    struct loop_timer *batch_timer, *watch_timer, *gate_timer;
    struct memory_return memory;
    struct loop_signal *terminate, *interrupt, *hangup;
    struct standing *standing;
    int is_ending, has_failed;
};

/* ---- the database --------------------------------------------------------------------------- */

/* Said before: another collector that is at it is waited for, and a large history takes its time.
 */
static enum status bring_up_to_date(struct db *db, struct why *why)
{
    struct schema_state schema = {0};
    enum status status = schema_look(db, &schema, why);
    if (status != STATUS_OK || schema.found == schema.known)
        return status == STATUS_OK ? migrate_up(db, why) : status;
    log_event(LOG_INFO, "schema.migrating", "from=%d to=%d", schema.found, schema.known);
    status = migrate_up(db, why);
    if (status == STATUS_OK)
        log_event(LOG_INFO, "schema.migrated", "to=%d", schema.known);
    return status;
}

static enum status open_database(struct collector *collector, struct why *why)
{
    const struct collector_config *config = collector->config;
    collector->dsn = config->dsn;
    if (config->dsn == NULL) {
        log_event(LOG_INFO, "postgres.start", "data_dir=\"%s\"", config->data_dir);
        enum status status =
            embedded_start(config->data_dir, config->bin_dir, &collector->embedded, why);
        if (status != STATUS_OK)
            return status;
        collector->dsn = embedded_dsn(collector->embedded);
    }
    struct db *db = NULL;
    enum status status = db_open(collector->dsn, &db, why);
    if (status == STATUS_OK)
        status = bring_up_to_date(db, why);
    db_close(db);
    return status;
}

/* The server process may be killed (out of memory, a hand); nothing that was committed is lost. */
static void watch_database(void *arg)
{
    struct collector *collector = arg;
    if (embedded_is_running(collector->embedded))
        return;
    struct why why = {""};
    log_event(LOG_WARN, "postgres.gone", "action=\"starting it again\"");
    if (embedded_restart(collector->embedded, &why) == STATUS_OK) {
        log_event(LOG_INFO, "postgres.back", NULL);
        return;
    }
    log_event(LOG_ERROR, "postgres.gone", "reason=\"%s\"", why.text);
    loop_timer_start(collector->watch_timer, RESTART_PAUSE_MS, WATCH_MS);
}

/* ---- the parts ------------------------------------------------------------------------------ */

static enum status start_ingest(struct collector *collector, struct why *why)
{
    const struct ingest_options options = {
        .dsn = collector->dsn,
        .pending_bytes_max = collector->config->pending_bytes_max,
        .limits = collector->config->limits,
        .metrics = collector->metrics,
        .may_write = access_may_write,
        .may_write_user = gate_access(collector->config->gate),
    };
    return ingest_new(&options, &collector->ingest, why);
}

static void on_drained(void *arg)
{
    struct collector *collector = arg;
    loop_stop(collector->loop);
}

/* Threads that wait for a database that does not answer cannot be woken. Nobody was told that what
 * they hold is stored; and a supervisor's own patience is 30 s, as a rule. */
static void on_end_of_patience(int number)
{
    static const char line[] = "collector.killed reason=\"the database does not answer\"\n";
    (void)number;
    _exit(write(STDERR_FILENO, line, sizeof(line) - 1) < 0 ? EXIT_FAILURE : 128 + SIGTERM);
}

static void end_orderly(struct collector *collector)
{
    collector->is_ending = 1;
    log_event(LOG_INFO, "collector.ending", NULL);
    (void)signal(SIGALRM, on_end_of_patience);
    (void)alarm(END_S);
    standing_drain(collector->standing);
    query_service_drain(collector->query);
    ingest_drain(collector->ingest, collector->loop, on_drained, collector);
}

/* Listening again did not help: end well, and let the supervisor start us anew. */
static void on_listener_lost(void *arg)
{
    struct collector *collector = arg;
    collector->has_failed = 1;
    if (!collector->is_ending)
        end_orderly(collector);
}

static enum status start_server(struct collector *collector, struct why *why)
{
    const struct collector_config *config = collector->config;
    struct rpc_method methods[1 + QUERY_METHODS + STANDING_METHODS_MAX];
    methods[0] = ingest_method(collector->ingest);
    size_t count = 1 + query_service_methods(collector->query, methods + 1, QUERY_METHODS);
    collector->standing =
        standing_new(collector->loop, collector->ingest, config->door->reflection);
    count += standing_methods(collector->standing, methods + count);
    struct rpc_server_options options = {
        .listen = config->listen,
        .message_bytes_max = config->limits.message_bytes_max,
    };
    door_settings_limit(config->door, &options);
    gate_fill(config->gate, &options);
    enum status status = rpc_server_start(&options, methods, count, &collector->server, why);
    if (status != STATUS_OK)
        return status;
    gate_attach(collector->config->gate, collector->server);
    ingest_attach(collector->ingest, collector->server);
    query_service_set_server(collector->query, collector->server);
    standing_attach(collector->standing, collector->server, config->listen, on_listener_lost,
                    collector);
    return STATUS_OK;
}

static enum status start_monitor(struct collector *collector, struct why *why)
{
    const char *listen = collector->config->http;
    if (listen == NULL)
        return STATUS_OK;
    enum status status =
        monitor_start(listen, collector->metrics, collector->ingest, &collector->monitor, why);
    if (status == STATUS_OK)
        log_event(LOG_INFO, "http.ready", "listen=%.*s:%d", (int)(strrchr(listen, ':') - listen),
                  listen, monitor_port(collector->monitor));
    else
        why_prefix(why, "--http");
    return status;
}

static enum status start_parts(struct collector *collector, struct why *why)
{
    collector->metrics = metrics_new();
    monitor_add_metrics(collector->metrics);
    gate_add_metrics(collector->config->gate, collector->metrics);
    collector->claims_lost = sweeper_add_metrics(collector->metrics);
    enum status status = open_database(collector, why);
    if (status == STATUS_OK)
        status = start_ingest(collector, why);
    if (status != STATUS_OK)
        return status;
    status = start_monitor(collector, why);
    if (status != STATUS_OK)
        return status;
    collector->query = query_service_new(collector->dsn);
    return start_server(collector, why);
}

static void stop_parts(struct collector *collector)
{
    rpc_server_stop(collector->server, RPC_GRACE_MS);
    monitor_stop(collector->monitor);
    query_service_free(collector->query);
    standing_free(collector->standing);
    ingest_free(collector->ingest);
    metrics_free(collector->metrics);
    embedded_stop(collector->embedded);
}

/* ---- the loop ------------------------------------------------------------------------------- */

static void on_batch_timer(void *arg)
{
    struct collector *collector = arg;
    ingest_tick(collector->ingest);
    query_service_tick(collector->query, clock_mono_ms());
    memory_return_tick(&collector->memory, clock_mono_ms());
}

static void on_signal(void *arg)
{
    struct collector *collector = arg;
    if (collector->is_ending) {
        log_event(LOG_WARN, "collector.killed", "reason=\"a second signal\"");
        _exit(128 + SIGTERM);
    }
    end_orderly(collector);
}

static void on_gate_timer(void *arg)
{
    struct collector *collector = arg;
    gate_reload(collector->config->gate);
}

static void on_hangup(void *arg)
{
    struct collector *collector = arg;
    if (collector->config->reload != NULL)
        collector->config->reload(collector->config->reload_arg);
}

static void start_loop(struct collector *collector)
{
    uint64_t batch_ms = (uint64_t)collector->config->batch_every_ms;
    collector->terminate = loop_signal_new(collector->loop, SIGTERM, on_signal, collector);
    collector->interrupt = loop_signal_new(collector->loop, SIGINT, on_signal, collector);
    collector->hangup = loop_signal_new(collector->loop, SIGHUP, on_hangup, collector);
    collector->batch_timer = loop_timer_new(collector->loop, on_batch_timer, collector);
    collector->watch_timer = loop_timer_new(collector->loop, watch_database, collector);
    collector->gate_timer = loop_timer_new(collector->loop, on_gate_timer, collector);
    loop_timer_start(collector->batch_timer, batch_ms, batch_ms);
    loop_timer_start(collector->gate_timer, GATE_RELOAD_MS, GATE_RELOAD_MS);
    if (collector->embedded != NULL)
        loop_timer_start(collector->watch_timer, WATCH_MS, WATCH_MS);
    const struct detect_config detect = {.horizon_ms = collector->config->horizon_ms};
    collector->sweeper = sweeper_new(collector->loop, collector->dsn, &detect,
                                     collector->config->sweep_every_ms, collector->claims_lost);
    collector->housekeeper =
        housekeeper_new(collector->loop, collector->dsn, &collector->config->history,
                        collector->config->compact_every_ms);
    collector->alerter = alerter_new(collector->loop, collector->dsn, &collector->config->alert);
}

static void stop_loop(struct collector *collector)
{
    alerter_free(collector->alerter);
    housekeeper_free(collector->housekeeper);
    sweeper_free(collector->sweeper);
    loop_timer_free(collector->batch_timer);
    loop_timer_free(collector->watch_timer);
    loop_timer_free(collector->gate_timer);
    loop_signal_free(collector->terminate);
    loop_signal_free(collector->interrupt);
    loop_signal_free(collector->hangup);
}

/* The address that was asked for, with the port that was chosen in place of 0. */
static void log_ready(const struct collector *collector)
{
    const char *listen = collector->config->listen;
    const char *colon = strrchr(listen, ':');
    int port = rpc_server_port(collector->server);
    const char *database = collector->embedded != NULL ? collector->config->data_dir : "given";
    if (port == 0 || colon == NULL)
        log_event(LOG_INFO, "collector.ready", "listen=%s version=%s pid=%d database=\"%s\"",
                  listen, HEAPFLEET_VERSION, (int)getpid(), database);
    else
        log_event(LOG_INFO, "collector.ready", "listen=%.*s:%d version=%s pid=%d database=\"%s\"",
                  (int)(colon - listen), listen, port, HEAPFLEET_VERSION, (int)getpid(), database);
}

enum status collector_run(const struct collector_config *config, struct why *why)
{
    struct collector collector = {.config = config};
    (void)signal(SIGPIPE, SIG_IGN);
    collector.loop = loop_new();
    enum status status = start_parts(&collector, why);
    if (status == STATUS_OK) {
        start_loop(&collector);
        log_ready(&collector);
        loop_run(collector.loop);
        stop_loop(&collector);
    }
    stop_parts(&collector);
    if (status == STATUS_OK && collector.has_failed)
        status = why_fail(why, STATUS_FAILED, "connections are no longer taken: start me again");
    loop_free(collector.loop);
    if (status == STATUS_OK)
        log_event(LOG_INFO, "collector.ended", NULL);
    return status;
}
