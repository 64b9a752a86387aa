/* Numbers and times of facts, checked where they enter. Pure. */
#ifndef COLLECTOR_INGEST_FACT_CHECK_H
#define COLLECTOR_INGEST_FACT_CHECK_H

#include "ingest.pb-c.h"
#include "session.h"

/* `previous`: the fact before it on this stream; 0: none. */
enum status fact_check_sequence(uint64_t sequence, uint64_t previous,
                                const struct session_limits *limits, int64_t now_ms,
                                struct why *why) MUST_CHECK;

/* By how much a clock is behind ours that shows `time_ms` (0: unknown); 0 if it is right, but for
 * the time that a message takes, or so wrong that it tells nothing. */
int64_t fact_check_clock(int64_t time_ms, int64_t now_ms);

enum status fact_check_time(int64_t time_ms, const struct session_limits *limits, int64_t now_ms,
                            struct why *why) MUST_CHECK;

/* All but its time and its body; `*ret` is the row so far, whose body is the message's. */
enum status fact_check_snapshot(uint64_t sequence, const Heapfleet__V1__Snapshot *snapshot,
                                struct snapshot_row *ret, struct why *why) MUST_CHECK;

/* INVALID: a name is empty. LIMIT: too many, or one is too long; `*ret_fault` says which. */
enum status fact_check_names(const Heapfleet__V1__TypeDefinitions *types,
                             const struct session_limits *limits, enum ingest_fault *ret_fault,
                             struct why *why) MUST_CHECK;

/* In the words of the database. */
const char *fact_end_reason(Heapfleet__V1__EndReason reason);

#endif
