/* One HTTP request to a receiver of alerts, by libcurl. The only code that includes it. */
#ifndef COLLECTOR_ALERT_ALERT_POST_H
#define COLLECTOR_ALERT_ALERT_POST_H

#include "buf.h"
#include "status.h"
#include "why.h"

/* USAGE unless `url` is an absolute http or https URL; `why` says what is wrong. */
enum status alert_check_url(const char *url, struct why *why) MUST_CHECK;

/*
 * POST `body` as application/json; `headers` ("Name: value") are added to libcurl's own. Blocks for
 * at most ALERT_POST_MS. OK: answered with a 2xx. Redirects are not followed: a receiver that has
 * moved is to be told to us, not the alert to a stranger.
 * UNAVAILABLE: no answer. FAILED: another answer, with its first line in `why`.
 */
enum { ALERT_POST_MS = 10 * 1000 };
enum status alert_post(const char *url, const char *const *headers, size_t header_count,
                       const struct buf *body, struct why *why) MUST_CHECK;

#endif
