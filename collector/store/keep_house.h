/*
 * What keeps the history in shape, done again and again by every collector: partitions are made
 * ahead of time; hot snapshots become chunks and rollups (compaction); what is older than its level
 * is kept goes, by dropping tables.
 *
 * The unit of compaction is one slot of four hours of one service, in one transaction: chunks and
 * rollups replace what was there. So work may be repeated at will, after a failure at any point and
 * when late snapshots arrive, and a reader sees either before or after. Collectors share the work:
 * each claims a unit by a lock on its row in heapfleet.compaction, and leaves alone what is locked.
 * A hot partition goes when all of its rows were counted in.
 *
 * Ingest is never held up: it writes to newer partitions, and a lock that others may queue behind
 * is waited for KEEP_HOUSE_LOCK_MS at most, then tried again next time.
 */
#ifndef COLLECTOR_STORE_KEEP_HOUSE_H
#define COLLECTOR_STORE_KEEP_HOUSE_H

#include "store.h"

enum { KEEP_HOUSE_LOCK_MS = 200 };

struct keep_house_config {
    int64_t settle_ms; /* how long after its end a slot, or a day, is taken for complete */
    int64_t retain_exact_ms, retain_hourly_ms, retain_daily_ms; /* 0: for ever */
};

#define KEEP_HOUSE_DEFAULT                                                                         \
    {                                                                                              \
        .settle_ms = (int64_t)15 * 60 * 1000, .retain_exact_ms = (int64_t)30 * 24 * 3600 * 1000,   \
        .retain_hourly_ms = (int64_t)396 * 24 * 3600 * 1000, /* 13 months */                       \
    }

/* What was done, for the log. */
struct keep_house_report {
    uint64_t slots, days;       /* units of compaction */
    uint64_t snapshots, chunks; /* in those */
    uint64_t lost;      /* snapshots that could not be decoded: what they build on is gone */
    uint64_t forgotten; /* those that came when their service had been forgotten */
    uint64_t partitions_made, partitions_dropped;
    uint64_t postponed; /* partitions that somebody was reading: next time */
};

/*
 * One round, as of `now_ms`. What is due once an hour is done in the handle's first round of an
 * hour. A unit that fails does not keep the others from being done; the first
 * failure is returned, UNAVAILABLE at once. `ret` says what was done in any case.
 */
enum status keep_house(struct db *db, const struct keep_house_config *config, int64_t now_ms,
                       struct keep_house_report *ret, struct why *why) MUST_CHECK;

#endif
