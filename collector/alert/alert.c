#include "alert.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "alert_message.h"
#include "alert_post.h"
#include "clock.h"
#include "log.h"

enum {
    ALERTS_A_ROUND = 50,
    REMIND_MS = 60 * 1000, /* Alertmanager */
    VALID_MS = 5 * 60 * 1000,
    CLAIMED_MS = ALERT_CLAIM_MS - ALERT_POST_MS, /* that a request may begin in */
};

static const size_t round_bytes_max = (size_t)16 << 20;

struct receiver {
    const char *name;
    int64_t retry_max_ms;
};

static const struct receiver webhook = {"webhook", ALERT_RETRY_MAX_MS};
/* Later, it might be back and still take what is open for resolved. */
static const struct receiver alertmanager = {"alertmanager", REMIND_MS};

struct alerter {
    struct loop *loop;
    struct loop_timer *timer;
    struct worker *worker;
    int is_busy;          /* the loop's */
    atomic_int is_ending; /* a round goes no further than the request that is under way */
    /* from here on the worker's */
    char *dsn, *webhook, *secret, *alertmanager, *severity;
    struct db *db;
    int64_t clock_ms; /* the database's clock, less clock_mono_ms() */
};

/* ---- one receiver --------------------------------------------------------------------------- */

static int64_t now_of(const struct alerter *alerter)
{
    return clock_mono_ms() + alerter->clock_ms;
}

static enum status set_clock(struct alerter *alerter, struct why *why)
{
    int64_t now_ms = 0;
    enum status status = db_clock(alerter->db, &now_ms, why);
    if (status == STATUS_OK)
        alerter->clock_ms = now_ms - clock_mono_ms();
    return status;
}

/* Log and remember what became of it. A mark that cannot be written only means a repetition. */
static void mark(struct alerter *alerter, const struct receiver *receiver,
                 const struct alert_row *alert, enum status posted, const struct why *reason)
{
    struct why why = {""};
    enum status status;
    int64_t now_ms = now_of(alerter);
    if (posted == STATUS_OK) {
        status = alert_told(alerter->db, receiver->name, alert, now_ms, &why);
        if (strcmp(alert->state, alert->told) != 0)
            log_event(LOG_INFO, "alert.told", "receiver=%s leak=%s state=%s", receiver->name,
                      alert->finding.id, alert->state);
    } else {
        status = alert_failed(alerter->db, receiver->name, alert, reason->text, now_ms,
                              receiver->retry_max_ms, &why);
        log_event(LOG_WARN, "alert.failed", "receiver=%s leak=%s state=%s reason=\"%s\"",
                  receiver->name, alert->finding.id, alert->state, reason->text);
    }
    if (status != STATUS_OK)
        log_event(LOG_WARN, "alert.unmarked", "receiver=%s leak=%s reason=\"%s\"", receiver->name,
                  alert->finding.id, why.text);
}

static void post_to_webhook(struct alerter *alerter, const struct alert_row *alert)
{
    struct why why = {""};
    struct buf body = BUF_INIT;
    struct buf signature = BUF_INIT;
    alert_write_webhook(alert, &body);
    size_t count = 0;
    const char *headers[1];
    if (alerter->secret != NULL) {
        buf_append_text(&signature, "Heapfleet-Signature: ");
        alert_write_signature(alerter->secret, &body, clock_wall_ms(), &signature);
        headers[count++] = buf_text(&signature);
    }
    enum status status = alert_post(alerter->webhook, headers, count, &body, &why);
    mark(alerter, &webhook, alert, status, &why);
    buf_done(&body);
    buf_done(&signature);
}

/* A receiver may take its time: once the claim is over, another collector may tell the rest. */
static int may_post(const struct alerter *alerter, int64_t until_ms)
{
    return clock_mono_ms() < until_ms && !atomic_load(&alerter->is_ending);
}

static enum status tell_webhook(struct alerter *alerter, struct arena *arena, struct why *why)
{
    const struct alert_wish wish = {
        .receiver = webhook.name, .severity = alerter->severity, .count_max = ALERTS_A_ROUND};
    struct alert_row *alerts = NULL;
    size_t count = 0;
    int64_t until_ms = clock_mono_ms() + CLAIMED_MS;
    enum status status =
        alerts_claim(alerter->db, &wish, now_of(alerter), arena, &alerts, &count, why);
    for (size_t i = 0; status == STATUS_OK && i < count && may_post(alerter, until_ms); i++)
        post_to_webhook(alerter, &alerts[i]);
    return status;
}

/* All in one request: it takes arrays, and sorts out by itself what it knows. */
static enum status tell_alertmanager(struct alerter *alerter, struct arena *arena, struct why *why)
{
    const struct alert_wish wish = {.receiver = alertmanager.name,
                                    .severity = alerter->severity,
                                    .remind_ms = REMIND_MS,
                                    .count_max = ALERTS_A_ROUND};
    struct alert_row *alerts = NULL;
    size_t count = 0;
    int64_t now_ms = now_of(alerter);
    enum status status = alerts_claim(alerter->db, &wish, now_ms, arena, &alerts, &count, why);
    if (status != STATUS_OK || count == 0)
        return status;
    struct buf url = BUF_INIT;
    struct buf body = BUF_INIT;
    struct why refusal = {""};
    size_t size = strlen(alerter->alertmanager);
    while (size > 0 && alerter->alertmanager[size - 1] == '/')
        size--;
    buf_printf(&url, "%.*s/api/v2/alerts", (int)size, alerter->alertmanager);
    alert_write_alertmanager(alerts, count, now_ms, now_ms + VALID_MS, &body);
    enum status posted = alert_post(buf_text(&url), NULL, 0, &body, &refusal);
    for (size_t i = 0; i < count; i++)
        mark(alerter, &alertmanager, &alerts[i], posted, &refusal);
    buf_done(&url);
    buf_done(&body);
    return STATUS_OK;
}

/* ---- rounds --------------------------------------------------------------------------------- */

/* Alertmanager first: it takes one request, and a webhook that hangs one for each finding. */
static enum status tell_all(struct alerter *alerter, struct arena *arena, struct why *why)
{
    enum status status = STATUS_OK;
    if (alerter->db == NULL)
        status = db_open(alerter->dsn, &alerter->db, why);
    if (status == STATUS_OK)
        status = set_clock(alerter, why);
    if (status == STATUS_OK && alerter->alertmanager != NULL)
        status = tell_alertmanager(alerter, arena, why);
    if (status == STATUS_OK && alerter->webhook != NULL)
        status = tell_webhook(alerter, arena, why);
    return status;
}

static void on_told(void *arg)
{
    struct alerter *alerter = arg;
    alerter->is_busy = 0;
}

static void run_on_worker(void *arg)
{
    struct alerter *alerter = arg;
    struct why why = {""};
    struct arena arena;
    arena_init(&arena, round_bytes_max);
    enum status status = tell_all(alerter, &arena, &why);
    if (status != STATUS_OK)
        log_event(LOG_WARN, "alert.round_failed", "status=%s reason=\"%s\"", status_name(status),
                  why.text);
    arena_done(&arena);
    loop_post(alerter->loop, on_told, alerter);
}

static void on_timer(void *arg)
{
    struct alerter *alerter = arg;
    if (alerter->is_busy)
        return;
    alerter->is_busy = 1;
    worker_post(alerter->worker, run_on_worker, alerter);
}

/* ---- life ----------------------------------------------------------------------------------- */

static enum status check_url(const char *option, const char *url, struct why *why)
{
    enum status status = alert_check_url(url, why);
    if (status != STATUS_OK)
        why_prefix(why, "%s", option);
    return status;
}

enum status alert_check(const struct alert_config *config, struct why *why)
{
    static const char *const severities[] = {"watch", "suspect", "confirmed"};
    enum status status = STATUS_OK;
    if (config->webhook != NULL)
        status = check_url("--alert-webhook", config->webhook, why);
    if (status == STATUS_OK && config->alertmanager != NULL)
        status = check_url("--alertmanager", config->alertmanager, why);
    if (status == STATUS_OK && config->every_ms < 100)
        status = why_fail(why, STATUS_USAGE, "--alert-every is at least 100ms");
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < ARRAY_SIZE(severities); i++) {
        if (strcmp(config->severity, severities[i]) == 0)
            return STATUS_OK;
    }
    return why_fail(why, STATUS_USAGE, "--alert-severity is watch, suspect or confirmed, not '%s'",
                    config->severity);
}

static char *copy_of(const char *text)
{
    char *copy = text != NULL ? strdup(text) : NULL;
    ASSERT(text == NULL || copy != NULL);
    return copy;
}

struct alerter *alerter_new(struct loop *loop, const char *dsn, const struct alert_config *config)
{
    if (config->webhook == NULL && config->alertmanager == NULL)
        return NULL;
    struct alerter *alerter = calloc(1, sizeof(*alerter));
    ASSERT(alerter != NULL);
    alerter->loop = loop;
    alerter->dsn = copy_of(dsn);
    alerter->webhook = copy_of(config->webhook);
    alerter->secret = copy_of(config->webhook_secret);
    alerter->alertmanager = copy_of(config->alertmanager);
    alerter->severity = copy_of(config->severity);
    alerter->worker = worker_new("alert");
    alerter->timer = loop_timer_new(loop, on_timer, alerter);
    loop_timer_start(alerter->timer, (uint64_t)config->every_ms, (uint64_t)config->every_ms);
    return alerter;
}

void alerter_free(struct alerter *alerter)
{
    if (alerter == NULL)
        return;
    loop_timer_free(alerter->timer);
    atomic_store(&alerter->is_ending, 1);
    worker_free(alerter->worker);
    db_close(alerter->db);
    free(alerter->dsn);
    free(alerter->webhook);
    free(alerter->secret);
    free(alerter->alertmanager);
    free(alerter->severity);
    free(alerter);
}
