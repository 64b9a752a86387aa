/* The inside of a write batch, for the files that fill and that commit it. */
#ifndef COLLECTOR_STORE_WRITE_BATCH_H
#define COLLECTOR_STORE_WRITE_BATCH_H

#include "buf.h"
#include "store.h"

struct batch_row {
    struct snapshot_row row; /* without its body */
    size_t body_at;          /* in bodies */
};

struct batch_end {
    int64_t service_id, instance_id;
    int64_t time_ms;
    const char *reason; /* a literal */
};

struct batch_high_water {
    uint8_t agent_id[ID_BYTES];
    uint64_t sequence;
};

struct write_batch {
    /* arrays of the structs above, one behind the other */
    struct buf rows, bodies, ends, high_waters;
    struct buf refused;   /* struct refused_row */
    struct buf forgotten; /* int64_t: services that went while it was committed */
    struct buf broken;    /* int64_t: instances, of which only a keyframe can be read next */
    int tried;            /* an earlier attempt may have stored it */
};

size_t write_batch_count(const struct buf *array, size_t element_size);
struct snapshot_row write_batch_row(const struct write_batch *batch, size_t i);

/* All of it or nothing. INVALID: a value in it is not taken. */
enum status write_batch_commit_whole(struct db *db, struct write_batch *batch,
                                     struct why *why) MUST_CHECK;
/* All but the rows that are not taken, which become `refused`. */
enum status write_batch_isolate(struct db *db, struct write_batch *batch,
                                struct why *why) MUST_CHECK;

#endif
