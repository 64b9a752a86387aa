/*
 * The history of one type in many processes. What is compacted is read by type: the short stretch
 * of each chunk that holds the type, of many processes in one statement. What is not is walked.
 */
#ifndef COLLECTOR_STORE_HISTORY_TYPE_H
#define COLLECTOR_STORE_HISTORY_TYPE_H

#include "store.h"

struct type_range {
    int64_t instance_id;
    uint32_t index; /* of the type in the process's table; any too large one: it has none of it */
};

/* `range` is the index of the process's range. Anything but OK ends the walk. */
typedef enum status history_type_visit_fn(void *user, size_t range, int64_t time_ms,
                                          struct type_value value);

/*
 * Every snapshot of each process with from_ms <= time <= to_ms: the type's value in it. Process by
 * process, each one's by slots of four hours, and within one by sequence. `now_ms` tells what is
 * compacted.
 */
enum status history_walk_type(struct db *db, int64_t service_id, const struct type_range *ranges,
                              size_t count, int64_t from_ms, int64_t to_ms, int64_t now_ms,
                              history_type_visit_fn *visit, void *user, struct why *why) MUST_CHECK;

#endif
