/* The announcement of a process: checked against the limits, and as the store wants it. Pure. */
#ifndef COLLECTOR_INGEST_PROCESS_STARTED_H
#define COLLECTOR_INGEST_PROCESS_STARTED_H

#include "ingest.pb-c.h"
#include "session.h"

/* INVALID or LIMIT with the reason that the agent's operator will read. */
enum status process_started_check(const Heapfleet__V1__ProcessStarted *started,
                                  const struct session_limits *limits, int64_t now_ms,
                                  struct why *why) MUST_CHECK;

/* Calls `visit` with the identity, which is gone afterwards. */
void process_started_visit(const Heapfleet__V1__ProcessStarted *started, int64_t clock_behind_ms,
                           void (*visit)(void *user, const struct process_identity *identity),
                           void *user);

#endif
