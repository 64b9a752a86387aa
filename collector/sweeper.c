#include "sweeper.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "clock.h"
#include "log.h"
#include "store.h"

/* A collector that has not said for so many sweeps, and so long, that it lives is taken for dead.
 */
enum { lease_sweeps = 3, lease_ms = 10 * 1000 };

struct sweeper {
    struct loop *loop;
    struct loop_timer *timer;
    struct worker *worker;
    struct metric *lost; /* claims */
    int is_busy;         /* the loop's */
    char *dsn;           /* from here on the worker's */
    struct db *db;
    struct sweep *sweep;
};

static enum status sweep(struct sweeper *sweeper, struct why *why)
{
    enum status status = STATUS_OK;
    int64_t now_ms = 0;
    if (sweeper->db == NULL)
        status = db_open(sweeper->dsn, &sweeper->db, why);
    if (status == STATUS_OK) /* findings are opened and closed by one clock, whoever does it */
        status = db_clock(sweeper->db, &now_ms, why);
    if (status == STATUS_OK)
        status = sweep_run(sweeper->sweep, sweeper->db, now_ms, why);
    return status;
}

static void tell_lost(struct sweeper *sweeper, uint64_t lost_before)
{
    uint64_t lost = sweep_lost(sweeper->sweep) - lost_before;
    if (lost == 0)
        return;
    metric_add(sweeper->lost, (int64_t)lost);
    log_event(LOG_WARN, "sweep.claims_lost",
              "services=%llu reason=\"this collector stood still, or was too slow, and another one "
              "has judged them since; what it was about to say was thrown away\"",
              (unsigned long long)lost);
}

static void on_swept(void *arg)
{
    struct sweeper *sweeper = arg;
    sweeper->is_busy = 0;
}

static void run_on_worker(void *arg)
{
    struct sweeper *sweeper = arg;
    struct why why = {""};
    int64_t start_ns = clock_mono_ns();
    uint64_t lost_before = sweep_lost(sweeper->sweep);
    enum status status = sweep(sweeper, &why);
    if (status == STATUS_OK)
        log_event(LOG_DEBUG, "sweep.done", "elapsed_ms=%lld",
                  (long long)((clock_mono_ns() - start_ns) / 1000000));
    else
        log_event(LOG_WARN, "sweep.failed", "status=%s reason=\"%s\"", status_name(status),
                  why.text);
    tell_lost(sweeper, lost_before);
    loop_post(sweeper->loop, on_swept, sweeper);
}

static void on_timer(void *arg)
{
    struct sweeper *sweeper = arg;
    if (sweeper->is_busy)
        return;
    sweeper->is_busy = 1;
    worker_post(sweeper->worker, run_on_worker, sweeper);
}

struct metric *sweeper_add_metrics(struct metrics *metrics)
{
    return metrics_counter(metrics, "heapfleet_collector_sweep_claims_lost_total", NULL,
                           "Services that another collector took over while this one was about to "
                           "judge them");
}

struct sweeper *sweeper_new(struct loop *loop, const char *dsn, const struct detect_config *config,
                            int64_t every_ms, struct metric *lost)
{
    struct sweeper *sweeper = calloc(1, sizeof(*sweeper));
    ASSERT(sweeper != NULL);
    struct sweep_config wanted = {.detect = *config,
                                  .lease_ms = lease_sweeps * every_ms + lease_ms};
    ASSERT(getrandom(wanted.collector_id, sizeof(wanted.collector_id), 0) ==
           (ssize_t)sizeof(wanted.collector_id));
    sweeper->loop = loop;
    sweeper->lost = lost;
    sweeper->sweep = sweep_new(&wanted);
    sweeper->dsn = strdup(dsn);
    ASSERT(sweeper->dsn != NULL);
    sweeper->worker = worker_new("sweep");
    sweeper->timer = loop_timer_new(loop, on_timer, sweeper);
    loop_timer_start(sweeper->timer, (uint64_t)every_ms, (uint64_t)every_ms);
    return sweeper;
}

/* If that fails, others wait until our lease is over. */
static void give_up_claims(struct sweeper *sweeper)
{
    struct why why = {""};
    if (sweeper->db != NULL && sweep_end(sweeper->sweep, sweeper->db, &why) != STATUS_OK)
        log_event(LOG_WARN, "sweep.not_given_up", "reason=\"%s\"", why.text);
}

void sweeper_free(struct sweeper *sweeper)
{
    if (sweeper == NULL)
        return;
    loop_timer_free(sweeper->timer);
    sweep_interrupt(sweeper->sweep);
    worker_free(sweeper->worker);
    give_up_claims(sweeper);
    sweep_free(sweeper->sweep);
    db_close(sweeper->db);
    free(sweeper->dsn);
    free(sweeper);
}
