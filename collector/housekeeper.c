#include "housekeeper.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "store.h"

struct housekeeper {
    struct loop *loop;
    struct loop_timer *timer;
    struct worker *worker;
    struct keep_house_config config;
    int is_busy; /* the loop's */
    char *dsn;   /* from here on the worker's */
    struct db *db;
    struct why told; /* the last failure, told until it is another one; empty: it works */
};

static enum status keep(struct housekeeper *housekeeper, struct keep_house_report *ret,
                        struct why *why)
{
    enum status status = STATUS_OK;
    if (housekeeper->db == NULL)
        status = db_open(housekeeper->dsn, &housekeeper->db, why);
    if (status == STATUS_OK)
        status = keep_house(housekeeper->db, &housekeeper->config, clock_wall_ms(), ret, why);
    return status;
}

static void log_report(const struct keep_house_report *report, int64_t elapsed_ms)
{
    if (report->lost > 0)
        log_event(LOG_WARN, "history.lost",
                  "snapshots=%llu reason=\"what they build on is not in the database\"",
                  (unsigned long long)report->lost);
    if (report->forgotten > 0)
        log_event(LOG_INFO, "history.forgotten",
                  "snapshots=%llu reason=\"they came when their service had been forgotten\"",
                  (unsigned long long)report->forgotten);
    if (report->slots + report->days + report->partitions_dropped == 0)
        return;
    log_event(LOG_INFO, "history.compacted",
              "slots=%llu snapshots=%llu chunks=%llu days=%llu partitions_dropped=%llu "
              "postponed=%llu elapsed_ms=%lld",
              (unsigned long long)report->slots, (unsigned long long)report->snapshots,
              (unsigned long long)report->chunks, (unsigned long long)report->days,
              (unsigned long long)report->partitions_dropped, (unsigned long long)report->postponed,
              (long long)elapsed_ms);
}

static void log_outcome(struct housekeeper *housekeeper, enum status status, const struct why *why)
{
    struct why *told = &housekeeper->told;
    if (status != STATUS_OK)
        log_event(strcmp(told->text, why->text) == 0 ? LOG_DEBUG : LOG_WARN, "history.failed",
                  "status=%s reason=\"%s\"", status_name(status), why->text);
    else if (told->text[0] != '\0')
        log_event(LOG_INFO, "history.works_again", NULL);
    *told = status == STATUS_OK ? (struct why){""} : *why;
}

static void on_kept(void *arg)
{
    struct housekeeper *housekeeper = arg;
    housekeeper->is_busy = 0;
}

static void run_on_worker(void *arg)
{
    struct housekeeper *housekeeper = arg;
    struct why why = {""};
    struct keep_house_report report = {0};
    int64_t start_ns = clock_mono_ns();
    enum status status = keep(housekeeper, &report, &why);
    log_report(&report, (clock_mono_ns() - start_ns) / 1000000);
    log_outcome(housekeeper, status, &why);
    loop_post(housekeeper->loop, on_kept, housekeeper);
}

static void on_timer(void *arg)
{
    struct housekeeper *housekeeper = arg;
    if (housekeeper->is_busy)
        return;
    housekeeper->is_busy = 1;
    worker_post(housekeeper->worker, run_on_worker, housekeeper);
}

struct housekeeper *housekeeper_new(struct loop *loop, const char *dsn,
                                    const struct keep_house_config *config, int64_t every_ms)
{
    struct housekeeper *housekeeper = calloc(1, sizeof(*housekeeper));
    ASSERT(housekeeper != NULL);
    housekeeper->loop = loop;
    housekeeper->config = *config;
    housekeeper->dsn = strdup(dsn);
    ASSERT(housekeeper->dsn != NULL);
    housekeeper->worker = worker_new("house");
    housekeeper->timer = loop_timer_new(loop, on_timer, housekeeper);
    loop_timer_start(housekeeper->timer, 1, (uint64_t)every_ms);
    return housekeeper;
}

void housekeeper_free(struct housekeeper *housekeeper)
{
    if (housekeeper == NULL)
        return;
    loop_timer_free(housekeeper->timer);
    worker_free(housekeeper->worker);
    db_close(housekeeper->db);
    free(housekeeper->dsn);
    free(housekeeper);
}
