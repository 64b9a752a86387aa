/*
 * The hot rows of many processes from a moment on, as one type of them is read: all rows of a
 * process in one value, since what the database and we do with each row of an answer takes longer
 * than to find and to decode it.
 */
#ifndef COLLECTOR_STORE_HOT_TAIL_H
#define COLLECTOR_STORE_HOT_TAIL_H

#include "chain.h"
#include "history_ranges.h"

struct hot_tail {
    struct pg_rows rows; /* one a process, in their order */
};

/*
 * Of at most BATCH_RANGES ranges that begin and end together, where nothing is hot that is older.
 * 0 in `ret_is_all`: one of them has more rows than are read, chunks beside them, or a row that
 * builds on neither the one before it nor what was compacted last; history_batch.h reads it.
 * hot_tail_done(ret) in any case.
 */
enum status hot_tail_read(struct db *db, int64_t service_id, const struct history_range *ranges,
                          size_t count, struct hot_tail *ret, int *ret_is_all,
                          struct why *why) MUST_CHECK;
void hot_tail_done(struct hot_tail *tail); /* {0} is fine */

/* A process's rows, one after the other; without their process numbers. */
struct hot_cursor {
    struct hot_row base; /* compacted last; sequence 0: none */
    const uint8_t *at, *end;
};

struct hot_cursor hot_tail_rows(const struct hot_tail *tail, size_t range);
/* 0 behind the last one. */
int hot_cursor_next(struct hot_cursor *cursor, struct hot_row *ret);

#endif
