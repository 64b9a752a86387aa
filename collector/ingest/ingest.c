/*
 * The streams, the writer and the opener together, and how they end:
 *
 *     drain: no more reads, look-ups canceled  ->  writer idle  ->  streams end UNAVAILABLE  ->
 * done
 *                                              ->  DRAIN_MS    ->  abandon what is not committed
 */
#include "ingest.h"

#include <stdlib.h>

#include "clock.h"
#include "ingest_call.h"
#include "ingest_probe.h"
#include "log.h"

enum {
    PENDING_BYTES_DEFAULT = 32 * 1024 * 1024,
    COMMIT_BYTES = 1024 * 1024,
    UNPACKED_TIMES_MAX = 16, /* memory of a message to its bytes */
    DRAIN_MS = 10 * 1000,
};

struct ingest_limits ingest_limits_usual(void)
{
    return (struct ingest_limits){
        .session = session_limits_default,
        .message_bytes_max = 256 * 1024,
        .streams_of_peer_max = 16384,
        .snapshots_per_s_max = 5000,
        .heap_bytes_max = (uint64_t)1 << 30,
    };
}

struct ingest {
    struct ingest_calls calls;
    struct rpc_server *server; /* set on its own thread; NULL before */
    struct db *write_db, *open_db[OPENER_LANES];
    struct worker *write_worker, *open_worker[OPENER_LANES];
    struct ingest_probe probe;
    struct loop *drain_loop; /* these three are read once calls.is_draining */
    call_fn *drain_done;
    void *drain_arg;
    int64_t drain_until_ms;
    int is_drained;
};

/* ---- events of the parts -------------------------------------------------------------------- */

static void post(void *user, call_fn *fn, void *arg)
{
    const struct ingest *ingest = user;
    rpc_server_post(ingest->server, fn, arg);
}

static void answered(void *user, struct ingest_lookup *lookup)
{
    (void)user;
    ingest_call_answered(lookup);
}

static void check_drained(struct ingest *ingest)
{
    if (!ingest->calls.is_draining || ingest->is_drained)
        return;
    if (!ingest_writer_is_idle(ingest->calls.writer)) {
        if (clock_mono_ms() < ingest->drain_until_ms)
            return;
        log_event(LOG_WARN, "ingest.abandoned", "reason=\"the database did not take it in time\"");
        ingest_writer_abandon(ingest->calls.writer);
    }
    ingest_calls_finish(&ingest->calls, RPC_UNAVAILABLE, "this collector is shutting down");
    ingest->is_drained = 1;
    loop_post(ingest->drain_loop, ingest->drain_done, ingest->drain_arg);
}

static void refused(void *user, const struct refused_row *row)
{
    const struct ingest *ingest = user;
    ingest_calls_refuse(&ingest->calls, row);
}

static void forgotten(void *user, int64_t service_id)
{
    const struct ingest *ingest = user;
    ingest_calls_forget(&ingest->calls, service_id);
}

static void committed(void *user)
{
    struct ingest *ingest = user;
    ingest_calls_resume(&ingest->calls);
    if (ingest->calls.is_draining)
        ingest_writer_tick(ingest->calls.writer);
    check_drained(ingest);
}

/* ---- making --------------------------------------------------------------------------------- */

static void make_parts(struct ingest *ingest, const struct ingest_options *options)
{
    ingest->write_worker = worker_new("store-write");
    size_t pending = options->pending_bytes_max;
    if (pending == 0)
        pending = PENDING_BYTES_DEFAULT;
    const struct ingest_writer_options writer = {
        .db = ingest->write_db,
        .worker = ingest->write_worker,
        .pending_bytes_max = pending,
        .commit_bytes = COMMIT_BYTES,
        .metrics = &ingest->calls.metrics,
        .post = post,
        .refused = refused,
        .forgotten = forgotten,
        .committed = committed,
        .user = ingest,
    };
    struct ingest_opener_options opener = {.post = post, .answered = answered, .user = ingest};
    for (int i = 0; i < OPENER_LANES; i++) {
        ingest->open_worker[i] = worker_new("store-open");
        opener.worker[i] = ingest->open_worker[i];
        opener.db[i] = ingest->open_db[i];
    }
    ingest_probe_init(&ingest->probe, ingest->open_db[OPENER_LANES - 1],
                      ingest->open_worker[OPENER_LANES - 1]);
    ingest->calls.limits = options->limits;
    ingest->calls.metrics = ingest_metrics_make(options->metrics);
    ingest->calls.peers = peer_counts_new();
    metric_set(ingest->calls.metrics.pending_bytes_max, (int64_t)pending);
    metric_set(ingest->calls.metrics.held_bytes_max, (int64_t)options->limits.heap_bytes_max);
    ingest->calls.may_write = options->may_write;
    ingest->calls.may_write_user = options->may_write_user;
    ingest->calls.writer = ingest_writer_new(&writer);
    ingest->calls.opener = ingest_opener_new(&opener);
    arena_init(&ingest->calls.scratch,
               (size_t)options->limits.message_bytes_max * UNPACKED_TIMES_MAX);
}

static void close_databases(struct ingest *ingest)
{
    db_close(ingest->write_db);
    for (int i = 0; i < OPENER_LANES; i++)
        db_close(ingest->open_db[i]);
}

enum status ingest_new(const struct ingest_options *options, struct ingest **ret, struct why *why)
{
    struct ingest *ingest = calloc(1, sizeof(*ingest));
    ASSERT(ingest != NULL);
    enum status status = db_open(options->dsn, &ingest->write_db, why);
    for (int i = 0; i < OPENER_LANES && status == STATUS_OK; i++)
        status = db_open(options->dsn, &ingest->open_db[i], why);
    if (status != STATUS_OK) {
        close_databases(ingest);
        free(ingest);
        return status;
    }
    make_parts(ingest, options);
    *ret = ingest;
    return STATUS_OK;
}

void ingest_free(struct ingest *ingest)
{
    if (ingest == NULL)
        return;
    worker_free(ingest->write_worker);
    for (int i = 0; i < OPENER_LANES; i++)
        worker_free(ingest->open_worker[i]);
    ASSERT(ingest->calls.first == NULL);
    ingest_writer_free(ingest->calls.writer);
    ingest_opener_free(ingest->calls.opener);
    peer_counts_free(ingest->calls.peers);
    arena_done(&ingest->calls.scratch);
    close_databases(ingest);
    free(ingest);
}

/* ---- on the rpc thread ---------------------------------------------------------------------- */

static void opened(struct rpc_call *rpc)
{
    struct ingest *ingest = rpc_call_user(rpc);
    ingest_call_opened(&ingest->calls, rpc);
}

struct rpc_method ingest_method(struct ingest *ingest)
{
    return (struct rpc_method){
        .path = "/heapfleet.v1.Ingest/Stream",
        .user = ingest,
        .opened = opened,
        .message = ingest_call_message,
        .half_closed = ingest_call_half_closed,
        .closed = ingest_call_closed,
    };
}

static void become_ready(void *arg)
{
    struct ingest *ingest = arg;
    ingest->calls.is_ready = 1;
    ingest_calls_resume(&ingest->calls);
}

static void tick(void *arg)
{
    struct ingest *ingest = arg;
    ingest_calls_resume(&ingest->calls);
    ingest_probe_tick(&ingest->probe);
    ingest_writer_tick(ingest->calls.writer);
    ingest_opener_tick(ingest->calls.opener);
    check_drained(ingest);
}

static void start_draining(void *arg)
{
    struct ingest *ingest = arg;
    ingest->calls.is_draining = 1;
    ingest_probe_drain(&ingest->probe);
    ingest->drain_until_ms = clock_mono_ms() + DRAIN_MS;
    ingest_opener_cancel(ingest->calls.opener);
    tick(ingest);
}

/* ---- from elsewhere ------------------------------------------------------------------------- */

void ingest_attach(struct ingest *ingest, struct rpc_server *server)
{
    ingest->server = server; /* nothing reads it before become_ready has run */
    rpc_server_post(server, become_ready, ingest);
}

void ingest_tick(struct ingest *ingest)
{
    rpc_server_post(ingest->server, tick, ingest);
}

void ingest_drain(struct ingest *ingest, struct loop *loop, call_fn *done, void *arg)
{
    ingest->drain_done = done;
    ingest->drain_arg = arg;
    ingest->drain_loop = loop;
    rpc_server_post(ingest->server, start_draining, ingest);
}

int ingest_is_alive(const struct ingest *ingest, struct why *why)
{
    return ingest_probe_is_alive(&ingest->probe, why);
}

int ingest_is_ready(const struct ingest *ingest, struct why *why)
{
    return ingest_probe_is_ready(&ingest->probe, why);
}
