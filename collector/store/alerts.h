/*
 * Which receivers of alerts know what of which finding. A receiver is told when a finding is bad
 * enough, again when it gets worse, and once more when it is resolved; never twice the same, and
 * nothing while the finding is muted or acknowledged.
 *
 *     alerts_claim     what is due is this caller's for a while: other collectors leave it alone
 *     alert_told       it arrived
 *     alert_failed     it did not: due again later, and later each time
 *
 * Times are the database's (db_clock): those of collectors whose clocks differ would tell
 * twice, or let reminders lapse. A collector that dies in between leaves the claim to run out; then
 * it is told again, so a receiver may hear the same twice and knows it by id and state.
 */
#ifndef COLLECTOR_STORE_ALERTS_H
#define COLLECTOR_STORE_ALERTS_H

#include "findings.h"

enum {
    ALERT_CLAIM_MS = 60 * 1000,
    ALERT_RETRY_MS = 5 * 1000, /* after the first failure; doubles ... */
    ALERT_RETRY_MAX_MS = 10 * 60 * 1000,
};

struct alert_row {
    struct finding_row finding;
    const char *state; /* what is to be told: its severity, or "resolved" */
    const char *told;  /* what the receiver knows; "": nothing. Same as `state`: a reminder. */
};

struct alert_wish {
    const char *receiver; /* "webhook", "alertmanager" */
    const char *severity; /* the least that is told */
    int64_t remind_ms;    /* say it again that often while it is open; 0: never */
    uint32_t count_max;
};

/* At most `count_max`, in the arena: those that were told of nothing yet, then those that were told
 * longest ago, so that no number of reminders keeps what is new from being told. */
enum status alerts_claim(struct db *db, const struct alert_wish *wish, int64_t now_ms,
                         struct arena *arena, struct alert_row **ret, size_t *ret_count,
                         struct why *why) MUST_CHECK;

enum status alert_told(struct db *db, const char *receiver, const struct alert_row *alert,
                       int64_t now_ms, struct why *why) MUST_CHECK;
/* Due again after ALERT_RETRY_MS, twice that ..., `retry_max_ms` at most. */
enum status alert_failed(struct db *db, const char *receiver, const struct alert_row *alert,
                         const char *failure, int64_t now_ms, int64_t retry_max_ms,
                         struct why *why) MUST_CHECK;

#endif
