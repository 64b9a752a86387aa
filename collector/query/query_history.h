/* What the ways of answering GetHistory share: query_history.c chooses one of them. */
#ifndef COLLECTOR_QUERY_QUERY_HISTORY_H
#define COLLECTOR_QUERY_QUERY_HISTORY_H

#include "query_find.h"

enum { HISTORY_STEPS_MAX = 10000 };

struct history {
    struct query *query;
    const Heapfleet__V1__GetHistoryRequest *asked;
    struct fleet fleet;
    const struct deployment_row *deployment; /* NULL: all */
    const struct instance_row **chosen; /* the processes that the request speaks of, by start */
    size_t chosen_count;
    int32_t type_id;             /* 0: all types together */
    struct instance_filter read; /* which processes the fleet has */
    int64_t from_ms, to_ms, step_ms;
};

/* After this type_index is known of the processes that were seen since `from_ms`. */
enum status history_know_type(struct history *history, int64_t from_ms, struct why *why) MUST_CHECK;

/* From exact snapshots, by steps. */
enum status history_by_steps(struct history *history, Heapfleet__V1__GetHistoryResponse *response,
                             struct why *why) MUST_CHECK;
/* Each snapshot a point. */
enum status history_raw(struct history *history, Heapfleet__V1__GetHistoryResponse *response,
                        struct why *why) MUST_CHECK;
/* From means of hours or days: HOUR or DAY. */
enum status history_by_level(struct history *history, Heapfleet__V1__Resolution resolution,
                             Heapfleet__V1__GetHistoryResponse *response,
                             struct why *why) MUST_CHECK;

/* ---- for these ------------------------------------------------------------------------------ */

/* What the history is of, in a snapshot of a process that has the type at `index`. */
struct type_value history_value(const struct history *history,
                                const struct history_snapshot *snapshot, uint32_t index);

/* About how many snapshots the chosen processes have in the span. */
double history_snapshots(const struct history *history);

/* The median interval between snapshots of the chosen processes, so that one that was paused does
 * not count for all. */
enum status history_interval(const struct history *history, int64_t *ret,
                             struct why *why) MUST_CHECK;

/* Room for `count` points in the answer, none of them there yet; then one more point. */
enum status history_begin_points(const struct history *history, size_t count,
                                 Heapfleet__V1__GetHistoryResponse *response,
                                 struct why *why) MUST_CHECK;
enum status history_add_point(const struct history *history,
                              Heapfleet__V1__GetHistoryResponse *response,
                              Heapfleet__V1__HistoryPoint **ret, struct why *why) MUST_CHECK;

#endif
