/*
 * What receivers of alerts get to read.
 *
 * A webhook gets one JSON object for each change of a finding:
 *
 *     {"id": "1f3a22c0", "state": "confirmed", "told": "suspect", "summary": "shop leaks ...",
 *      "service": "shop", "environment": "prod", "namespace": "", "type": "shop.Cart",
 *      "severity": "confirmed", "kind": "objects", "rule": "A", "introduced_in": "v2",
 *      "version": "v3", "fixed_in": "", "resolved_reason": "", "count_per_hour": 900,
 *      "bytes_per_hour": 43200, "until_limit_ms": 108000000, "confidence": 0.97, "instances": 4,
 *      "companions": ["dict"], "first_seen_ms": 1760000000000, "last_seen_ms": 1760000300000}
 *
 * `state` is "watch", "suspect", "confirmed" or "resolved"; `told` what it was told before, empty
 * the first time. `until_limit_ms` 0: no limit is known.
 *
 * Alertmanager gets an array of its API's postableAlerts (v2, api/v2/openapi.yaml of
 * prometheus/alertmanager).
 */
#ifndef COLLECTOR_ALERT_ALERT_MESSAGE_H
#define COLLECTOR_ALERT_ALERT_MESSAGE_H

#include "alerts.h"
#include "buf.h"

/* A sentence for people: which service leaks what, since when, how fast, how long there is. */
void alert_write_summary(const struct alert_row *alert, struct buf *ret);

void alert_write_webhook(const struct alert_row *alert, struct buf *ret);

/* An open alert ends by itself at `valid_until_ms` unless it is sent again; a resolved one ended
 * when the finding did. Labels do not change while a finding is open, its severity aside: what was
 * told with a lower one ends now, so that nobody sees the finding twice. */
void alert_write_alertmanager(const struct alert_row *alerts, size_t count, int64_t now_ms,
                              int64_t valid_until_ms, struct buf *ret);

/*
 * The value of the header Heapfleet-Signature: "t=SECONDS,v1=HEX", where HEX is HMAC-SHA-256 with
 * the secret over "SECONDS." and the body. A receiver that checks it, and that SECONDS is not long
 * ago, knows that a collector sent the body, and that nobody plays back an old one.
 */
void alert_write_signature(const char *secret, const struct buf *body, int64_t now_ms,
                           struct buf *ret);

#endif
