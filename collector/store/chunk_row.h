/* Chunks as rows of heapfleet.heap_chunk. */
#ifndef COLLECTOR_STORE_CHUNK_ROW_H
#define COLLECTOR_STORE_CHUNK_ROW_H

#include "chunk_codec.h"
#include "db.h"

#define CHUNK_COPY                                                                                 \
    "COPY heapfleet.heap_chunk (service_id, instance_id, slot_ms, first_sequence, last_sequence, " \
    "objects_first, objects_last, bytes_first, bytes_last, format, ends, times, process, "         \
    "payload) FROM STDIN (FORMAT binary)"

/* One row for that COPY, of the second format. `first` and `last` are the chunk's outermost
 * snapshots. */
void chunk_row_append(struct buf *copy, int64_t service_id, int64_t instance_id,
                      const struct chunk *chunk, const struct chunk_snapshot *first,
                      const struct chunk_snapshot *last);

/* What stored_chunk_read takes, in this order. */
#define CHUNK_COLUMNS "format, ends, times, process, payload, times_ms, counts, bytes"

/* What stored_times_read takes, of heap_chunk as c. */
#define CHUNK_TIMES "c.format, c.times_ms, c.times"

/* When the snapshots of a chunk were, in milliseconds after the slot's beginning, as `bytes`, from
 * an answer's row whose CHUNK_TIMES begin at `column`. At least one; `ret` is the caller's to free.
 */
enum status stored_times_read(const struct pg_rows *rows, int row, int column,
                              struct type_value **ret, uint32_t *ret_snapshots,
                              struct why *why) MUST_CHECK;

/* A chunk of the database, being read. */
struct stored_chunk {
    struct arena arena;
    uint8_t *blobs; /* what the reader reads from */
    struct chunk_reader *reader;
};

/* From an answer's row whose CHUNK_COLUMNS begin at `column`; the answer is needed no more. `ret`
 * is owned by the caller, until stored_chunk_done. */
enum status stored_chunk_read(const struct pg_rows *rows, int row, int column, int64_t slot_ms,
                              struct stored_chunk *ret, struct why *why) MUST_CHECK;

/* NOT_FOUND: there is none. `ret` is owned by the caller, until stored_chunk_done. */
enum status stored_chunk_open(struct db *db, int64_t service_id, int64_t instance_id,
                              int64_t slot_ms, struct stored_chunk *ret,
                              struct why *why) MUST_CHECK;
void stored_chunk_done(struct stored_chunk *chunk); /* {0} is fine */

#endif
