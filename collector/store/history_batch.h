/*
 * What is stored of many stretches of processes, read with few statements: the hot rows of all of
 * them and what the first ones build on, then which chunks they have, then the chunks themselves,
 * some at a time as they are opened. history.c walks them.
 *
 * Hot rows first: what a compaction moves in between is seen twice, never missed.
 */
#ifndef COLLECTOR_STORE_HISTORY_BATCH_H
#define COLLECTOR_STORE_HISTORY_BATCH_H

#include "chain.h"
#include "chunk_row.h"
#include "history_ranges.h"

enum { BATCH_RANGES = 64, BATCH_PAGE_ROWS = 1000, BATCH_ROWS = 8000 };

struct listed_chunk {
    int64_t instance_id, slot_ms;
    uint64_t first_sequence;
};

/* What a batch has of one of its ranges. */
struct batch_range {
    int hot_begin, hot_end;      /* rows of `hot` */
    size_t list_begin, list_end; /* of `list` */
    struct hot_row base; /* what was compacted last, for its first hot row; sequence 0: not read */
};

struct history_batch {
    struct db *db;
    int64_t service_id, from_ms, to_ms; /* the earliest and the latest of all ranges */
    const struct history_range *ranges; /* the caller's */
    size_t count;
    struct batch_range *of;    /* [count] */
    struct pg_rows hot;        /* the range's index, a column, HOT_COLUMNS; by range, sequence */
    struct pg_rows bases;      /* the same */
    struct listed_chunk *list; /* by range and first_sequence */
    struct pg_rows bodies;     /* of some chunks of the list */
    size_t bodies_begin, bodies_end;
};

/* Of at most BATCH_RANGES ranges. history_batch_done(ret) in any case. */
enum status history_batch_read(struct db *db, int64_t service_id,
                               const struct history_range *ranges, size_t count,
                               struct history_batch *ret, struct why *why) MUST_CHECK;
/*
 * The same of ranges that begin and end together, where nothing is hot that is older (level_end):
 * then one statement reads what else takes three. What it cannot tell is read as above.
 */
enum status history_batch_read_tail(struct db *db, int64_t service_id,
                                    const struct history_range *ranges, size_t count,
                                    struct history_batch *ret, struct why *why) MUST_CHECK;
/* Of one range, what comes behind this sequence. */
enum status history_batch_read_on(struct db *db, int64_t service_id,
                                  const struct history_range *range, uint64_t after,
                                  struct history_batch *ret, struct why *why) MUST_CHECK;
void history_batch_done(struct history_batch *batch);

/* A row of `hot`. */
struct hot_row history_batch_hot(const struct history_batch *batch, int row);

/* The range has more hot rows than were read. */
int history_batch_is_cut(const struct history_batch *batch, size_t range);

/* Each hot row of the range builds on the one before it, or on what was read with it. A clock that
 * was set back may have taken one in between out of the span. */
int history_batch_is_whole(const struct history_batch *batch, size_t range);

/* A chunk by its index in the list. NOT_FOUND: it was dropped meanwhile. The chunk is the caller's.
 */
enum status history_batch_open(struct history_batch *batch, size_t at, struct stored_chunk *ret,
                               struct why *why) MUST_CHECK;

/* As history_walk, of one of the ranges. */
enum status history_batch_walk(struct history_batch *batch, size_t range, history_visit_fn *visit,
                               void *user, struct why *why) MUST_CHECK;

#endif
