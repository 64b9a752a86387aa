/* Chunks as rows of heapfleet.heap_chunk. */
#ifndef COLLECTOR_STORE_CHUNK_ROW_H
#define COLLECTOR_STORE_CHUNK_ROW_H

#include "chunk_codec.h"
#include "db.h"

#define CHUNK_COPY                                                                                 \
    "COPY heapfleet.heap_chunk (service_id, instance_id, slot_ms, first_sequence, last_sequence, " \
    "objects_first, objects_last, bytes_first, bytes_last, times_ms, counts, bytes, ends, "        \
    "process, payload) FROM STDIN (FORMAT binary)"

/* One row for that COPY. `first` and `last` are the chunk's outermost snapshots. */
void chunk_row_append(struct buf *copy, int64_t service_id, int64_t instance_id,
                      const struct chunk *chunk, const struct chunk_snapshot *first,
                      const struct chunk_snapshot *last);

/* A chunk of the database, being read. */
struct stored_chunk {
    struct pg_rows rows;
    struct arena arena;
    struct chunk_reader *reader;
};

/* NOT_FOUND: there is none. `ret` is owned by the caller, until stored_chunk_done. */
enum status stored_chunk_open(struct db *db, int64_t service_id, int64_t instance_id,
                              int64_t slot_ms, struct stored_chunk *ret,
                              struct why *why) MUST_CHECK;
void stored_chunk_done(struct stored_chunk *chunk); /* {0} is fine */

#endif
