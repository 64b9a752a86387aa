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

struct type_span {
    int64_t service_id;
    int64_t from_ms, to_ms; /* both belong to it */
    int64_t now_ms;         /* tells what is compacted .. */
    int64_t end_ms;         /* .. unless this does: level_end; 0: it is asked for */
};

/* `range` is the index of the process's range. Anything but OK ends the walk. */
typedef enum status history_type_visit_fn(void *user, size_t range, int64_t time_ms,
                                          struct type_value value);

/*
 * Every snapshot of each process within the span: the type's value in it. Process by process, each
 * one's by slots of four hours, and within one by sequence.
 */
enum status history_walk_type(struct db *db, const struct type_span *span,
                              const struct type_range *ranges, size_t count,
                              history_type_visit_fn *visit, void *user, struct why *why) MUST_CHECK;

#endif
