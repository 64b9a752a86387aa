/* Reading the histories of many processes with few statements (history.c). */
#ifndef COLLECTOR_STORE_HISTORY_RANGES_H
#define COLLECTOR_STORE_HISTORY_RANGES_H

#include "store.h"

struct history_range {
    int64_t instance_id, from_ms, to_ms; /* both ends belong to it */
};

/* `range` is the index of the range in which the snapshot lies. Anything but OK ends the walk. */
typedef enum status history_range_visit_fn(void *user, size_t range,
                                           const struct history_snapshot *snapshot);

/*
 * Every snapshot of each range, decoded: range by range in their order, each ascending by sequence,
 * as history_walk would show them.
 */
enum status history_walk_ranges(struct db *db, int64_t service_id,
                                const struct history_range *ranges, size_t count,
                                history_range_visit_fn *visit, void *user,
                                struct why *why) MUST_CHECK;

/*
 * The same, faster, of ranges that all begin at one time, until which all is compacted (level_end),
 * and end at one.
 */
enum status history_walk_tail(struct db *db, int64_t service_id, const struct history_range *ranges,
                              size_t count, history_range_visit_fn *visit, void *user,
                              struct why *why) MUST_CHECK;

/*
 * When the earliest snapshot of each process with from_ms <= time <= to_ms was made; 0: there is
 * none. Only its time is read: whether it can be decoded is not known.
 */
enum status history_first_times(struct db *db, int64_t service_id, const int64_t *instance_ids,
                                size_t count, int64_t from_ms, int64_t to_ms, int64_t *ret,
                                struct why *why) MUST_CHECK;

#endif
