/*
 * The end of a chain of hot snapshots: each row changes the values of the row that it builds on.
 * A row whose base is not the one before it finds it among the chunks, where compaction has put it;
 * if it is nowhere, its values cannot be had, and those of the rows that build on it neither.
 */
#ifndef COLLECTOR_STORE_CHAIN_H
#define COLLECTOR_STORE_CHAIN_H

#include "db.h"
#include "process_numbers.h"

/* A row of heapfleet.snap_delta, or of instance_last with base 0. Points into an answer. */
struct hot_row {
    uint64_t sequence, base_sequence;
    int64_t time_ms;
    const uint8_t *process, *body;
    size_t process_size, body_size;
};

#define HOT_COLUMNS "sequence, time_ms, base_sequence, process, body"

/* The row whose HOT_COLUMNS begin at `column`. */
struct hot_row hot_row_read(const struct pg_rows *rows, int row, int column);

struct chain {
    struct db *db;
    int64_t service_id, instance_id;
    struct heap_values values;
    uint64_t sequence; /* of `values`; 0: none yet */
    int is_broken;     /* `values` mean nothing until the next keyframe, or a base that is found */
    uint32_t length;   /* rows since the keyframe */
    const struct hot_row *base; /* of instance_last, if it was read already; NULL: it was not */
};

void chain_init(struct chain *chain, struct db *db, int64_t service_id, int64_t instance_id);
void chain_done(struct chain *chain);

/* Make these the values that the next row may build on. */
void chain_set(struct chain *chain, uint64_t sequence, const struct heap_values *values);

/* The same with a compacted snapshot; the chain is broken if it is nowhere. */
enum status chain_find(struct chain *chain, uint64_t sequence, struct why *why) MUST_CHECK;

/* Go on to this row. OK also when its values cannot be had: see `is_broken`. */
enum status chain_apply(struct chain *chain, const struct hot_row *row, struct why *why) MUST_CHECK;

#endif
