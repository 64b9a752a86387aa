#include "sweeper.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "store.h"

struct sweeper {
    struct loop *loop;
    struct loop_timer *timer;
    struct worker *worker;
    struct detect_config config;
    int is_busy; /* the loop's */
    char *dsn;   /* from here on the worker's */
    struct db *db;
};

static enum status sweep(struct sweeper *sweeper, struct why *why)
{
    enum status status = STATUS_OK;
    if (sweeper->db == NULL)
        status = db_open(sweeper->dsn, &sweeper->db, why);
    if (status == STATUS_OK)
        status = sweep_run(sweeper->db, &sweeper->config, clock_wall_ms(), why);
    return status;
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
    enum status status = sweep(sweeper, &why);
    if (status == STATUS_OK)
        log_event(LOG_DEBUG, "sweep.done", "elapsed_ms=%lld",
                  (long long)((clock_mono_ns() - start_ns) / 1000000));
    else
        log_event(LOG_WARN, "sweep.failed", "status=%s reason=\"%s\"", status_name(status),
                  why.text);
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

struct sweeper *sweeper_new(struct loop *loop, const char *dsn, const struct detect_config *config,
                            int64_t every_ms)
{
    struct sweeper *sweeper = calloc(1, sizeof(*sweeper));
    ASSERT(sweeper != NULL);
    sweeper->loop = loop;
    sweeper->config = *config;
    sweeper->dsn = strdup(dsn);
    ASSERT(sweeper->dsn != NULL);
    sweeper->worker = worker_new("sweep");
    sweeper->timer = loop_timer_new(loop, on_timer, sweeper);
    loop_timer_start(sweeper->timer, (uint64_t)every_ms, (uint64_t)every_ms);
    return sweeper;
}

void sweeper_free(struct sweeper *sweeper)
{
    if (sweeper == NULL)
        return;
    loop_timer_free(sweeper->timer);
    worker_free(sweeper->worker);
    db_close(sweeper->db);
    free(sweeper->dsn);
    free(sweeper);
}
