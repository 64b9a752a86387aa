/*
 * A chunk: all snapshots of one process whose times lie within one slot of four hours, stored by
 * type instead of by snapshot, so that the history of one type is one short stretch of bytes.
 *
 *     times    milliseconds after the slot's beginning, one a snapshot, in the order of sequences
 *     first    count and bytes of every type in the first snapshot
 *     payload  for each type its changes, one type behind the other; ends[i]: where type i ends
 *              change   = head difference [residual]
 *              head     = varint(2 * snapshots skipped + has residual)
 *              difference = varint(zigzag(count - old count))
 *              residual = varint(zigzag((bytes - old bytes) - (count - old count) * unit)),
 *                         unit = old bytes / old count (0 if old count is 0); left out if 0
 *     process  for each of: sequence, number of types, the ten process numbers:
 *              varint(size), then for each snapshot varint(zigzag(value - value before)); a 0 is
 *              followed by varint(how many more snapshots change nothing either)
 *
 * A type that never changes costs nothing, one whose objects have one size two bytes a change.
 * Arithmetic is modulo 2^64 and so exact. Pure: no clock, no log, no I/O.
 */
#ifndef COLLECTOR_STORE_CHUNK_CODEC_H
#define COLLECTOR_STORE_CHUNK_CODEC_H

#include "process_numbers.h"
#include "snapshot_codec.h"

enum {
    CHUNK_SLOT_MS = 4 * 3600 * 1000,
    CHUNK_SNAPSHOTS_MAX = 1 << 18, /* one every 55 ms */
};

/* One snapshot beside its values. */
struct chunk_snapshot {
    uint64_t sequence;
    int64_t time_ms;
    struct process_numbers process;
};

/* A chunk as its columns. Whose memory it is, is said where it is made. */
struct chunk {
    int64_t slot_ms;
    uint32_t snapshots, types; /* types: most that any snapshot knew */
    const int32_t *times_ms;   /* [snapshots] */
    const struct type_value *first;
    const int32_t *ends; /* [types] */
    const uint8_t *process, *payload;
    size_t process_size, payload_size;
};

/* ---- making --------------------------------------------------------------------------------- */

struct chunk_builder;

struct chunk_builder *chunk_builder_new(void);
void chunk_builder_free(struct chunk_builder *builder);

/* Begin an empty chunk; memory is kept. */
void chunk_builder_begin(struct chunk_builder *builder, int64_t slot_ms);

/* Sequences rise, times lie within the slot (asserted). LIMIT: CHUNK_SNAPSHOTS_MAX are there. */
enum status chunk_builder_add(struct chunk_builder *builder, const struct chunk_snapshot *snapshot,
                              const struct heap_values *values, struct why *why) MUST_CHECK;

uint32_t chunk_builder_snapshots(const struct chunk_builder *builder);

/* The chunk, of at least one snapshot; it points into the builder, until that begins anew. */
struct chunk chunk_builder_end(struct chunk_builder *builder);

/* ---- reading -------------------------------------------------------------------------------- */

struct chunk_reader;

/*
 * Shows the snapshots one after the other. The chunk's arrays must outlive the reader. INVALID: not
 * a chunk; what can only be seen in the payload is told by chunk_reader_next.
 */
enum status chunk_reader_new(const struct chunk *chunk, struct chunk_reader **ret,
                             struct why *why) MUST_CHECK;
void chunk_reader_free(struct chunk_reader *reader);

/* Leave out what comes behind the last snapshot whose time is at most `to_ms`. */
void chunk_reader_end_at(struct chunk_reader *reader, int64_t to_ms);

/* The next snapshot's head, without moving; NULL behind the last one. */
const struct chunk_snapshot *chunk_reader_peek(const struct chunk_reader *reader);

/* Move to it: `chunk_reader_values` are its values then. INVALID: the payload is not one. */
enum status chunk_reader_next(struct chunk_reader *reader, struct why *why) MUST_CHECK;
const struct heap_values *chunk_reader_values(const struct chunk_reader *reader);

/*
 * The values of one type in each of `snapshots` snapshots: `first` is its value in the first one,
 * `changes` its stretch of the payload. INVALID: that is not one.
 */
enum status chunk_read_type(struct type_value first, const uint8_t *changes, size_t size,
                            uint32_t snapshots, struct type_value *ret, struct why *why) MUST_CHECK;

#endif
