/*
 * Snapshots of one service that were read before their turn, in cuts of equal length, so that the
 * history of each process is read once and all of them are shown cut by cut.
 *
 * Bounded: what is beyond the limit is dropped, the latest cut first, and has to be read again. A
 * snapshot is kept as its difference to the one before it of the same range and cut.
 *
 * In the caller's memory; not thread-safe.
 */
#ifndef COLLECTOR_DETECT_SWEEP_BACKLOG_H
#define COLLECTOR_DETECT_SWEEP_BACKLOG_H

#include "buf.h"
#include "history_ranges.h"

enum { BACKLOG_CUTS_MAX = 768 };

struct backlog {
    int64_t base_ms, step_ms; /* cut i is [base + i step, + step) */
    uint32_t count, taken;    /* cuts that are held, and how many of them were taken */
    size_t bytes, bytes_max;
    struct buf cuts[BACKLOG_CUTS_MAX];

    /* what was added last */
    struct heap_values last;
    size_t last_range;
    uint32_t last_cut; /* BACKLOG_CUTS_MAX: none */
};

/* Memory may come to twice `bytes_max`: buffers double. */
void backlog_init(struct backlog *backlog, size_t bytes_max);
void backlog_done(struct backlog *backlog);

/* Empty, for snapshots from `base_ms` to before `end_ms`, or to where there is room. */
void backlog_begin(struct backlog *backlog, int64_t base_ms, int64_t step_ms, int64_t end_ms);

/* Everything before it that was added is held; at least `end_ms` if all of it is. */
int64_t backlog_end_ms(const struct backlog *backlog);

/* Of the cut that `turn_ms`, at least `base_ms`, lies in. */
void backlog_add(struct backlog *backlog, int64_t turn_ms, size_t range,
                 const struct history_snapshot *snapshot);

/* Show the cuts that end at or before `end_ms`, in the order in which they were added, and free
 * them. */
enum status backlog_take(struct backlog *backlog, int64_t end_ms, history_range_visit_fn *visit,
                         void *user) MUST_CHECK;

#endif
