/*
 * Tells people of leaks: a webhook of anybody's, and Alertmanager. Looks every few seconds, on a
 * thread and a database connection of its own, for what a receiver should know and does not
 * (store/alerts.h has the rules), so that any number of collectors tell each thing once.
 *
 * Alertmanager forgets what is not repeated: open findings are sent again every minute, and end by
 * themselves five minutes after the last time.
 *
 * All functions on the loop's thread.
 */
#ifndef COLLECTOR_ALERT_ALERT_H
#define COLLECTOR_ALERT_ALERT_H

#include "loop.h"
#include "status.h"
#include "why.h"

struct alerter;

struct alert_config {
    const char *webhook;        /* URL; NULL: none */
    const char *webhook_secret; /* for its signature; NULL: not signed */
    const char *alertmanager;   /* URL without /api/v2/alerts; NULL: none */
    const char *severity;       /* the least that is told: "watch", "suspect", "confirmed" */
    int64_t every_ms;
};

/* USAGE with a sentence if a URL or the severity is none. */
enum status alert_check(const struct alert_config *config, struct why *why) MUST_CHECK;

/* Starts at once; `config`, which has been checked, and `dsn` are copied. NULL if nobody is to be
 * told anything. */
struct alerter *alerter_new(struct loop *loop, const char *dsn, const struct alert_config *config);

/* Waits for the request that is under way; what it did not come to, somebody tells when its claim
 * is over. Before the loop's end. NULL is fine. */
void alerter_free(struct alerter *alerter);

#endif
