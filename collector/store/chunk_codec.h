/*
 * A chunk: all snapshots of one process whose times lie within one slot of four hours, stored by
 * type instead of by snapshot, so that the history of one type is one short stretch of bytes
 * (chunk_stretch.h). There are two formats; the second is written, both are read.
 *
 * The second, of pairs of numbers:
 *
 *     times    varint(how many snapshots), then the stretch of sequences, and of the milliseconds
 *              after the slot's beginning
 *     process  for each pair of process numbers, and the number of types beside 0:
 *              varint(size) stretch; the order is that of chunk_pairs. Chunks of before schema 12
 *              have the first six pairs only; what they lack is 0
 *     payload  for each type: varint(size) stretch. Sixteen types are a group, and ends[i] is
 *              where group i ends: one type is found by an end and at most fifteen sizes
 *
 * The first:
 *
 *     times    milliseconds after the slot's beginning, one a snapshot, in the order of sequences
 *     first    count and bytes of every type in the first snapshot
 *     payload  for each type its loose changes, one type behind the other; ends[i] is where type
 *              i ends
 *     process  for each of: sequence, number of types, the first ten process numbers, or all:
 *              varint(size), then for each snapshot varint(zigzag(value - value before)); a 0 is
 *              followed by varint(how many more snapshots change nothing either)
 *
 * A type that never changes costs its first value and a byte, and one that changes in the same way
 * all the time a few bits a change. Arithmetic is modulo 2^64 and so exact. Pure: no clock, no log,
 * no I/O.
 */
#ifndef COLLECTOR_STORE_CHUNK_CODEC_H
#define COLLECTOR_STORE_CHUNK_CODEC_H

#include "process_numbers.h"
#include "snapshot_codec.h"

enum {
    CHUNK_SLOT_MS = 4 * 3600 * 1000,
    CHUNK_SNAPSHOTS_MAX = 1 << 18, /* one every 55 ms */
    CHUNK_GROUP = 16,              /* types */
};

enum chunk_format { CHUNK_ARRAYS = 1, CHUNK_STRETCHES = 2 };

enum { CHUNK_PAIRS = 8, CHUNK_PAIRS_ONCE = 6, CHUNK_TYPES = PROCESS_NUMBERS, CHUNK_NOTHING };
/* Which two process numbers are a pair; the second follows the first, where any does. */
extern const uint8_t chunk_pairs[CHUNK_PAIRS][2];

/* One snapshot beside its values. */
struct chunk_snapshot {
    uint64_t sequence;
    int64_t time_ms;
    struct process_numbers process;
};

/* A chunk as its columns. Whose memory it is, is said where it is made. */
struct chunk {
    int64_t slot_ms;
    int format;          /* enum chunk_format */
    const int32_t *ends; /* [end_count], of types or of groups */
    uint32_t end_count;
    const uint8_t *process, *payload;
    size_t process_size, payload_size;
    /* of the second format */
    const uint8_t *times;
    size_t times_size;
    /* of the first */
    uint32_t snapshots;
    const int32_t *times_ms;        /* [snapshots] */
    const struct type_value *first; /* [end_count] */
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

/* Of the second format: the sequence, as count, and the time after the slot's beginning, as bytes,
 * of each snapshot; they are the caller's to free. INVALID: not that. */
enum status chunk_read_times(const uint8_t *times, size_t size, struct type_value **ret,
                             uint32_t *ret_snapshots, struct why *why) MUST_CHECK;

/*
 * The values of one type in each of `snapshots` snapshots. INVALID: the bytes do not say them.
 * Of the second format: the bytes are the type's group, and `place` is its place in it. Of the
 * first: `first` is its value in the first snapshot, the bytes are its changes in the payload.
 */
enum status chunk_read_type(const uint8_t *group, size_t size, uint32_t place, uint32_t snapshots,
                            struct type_value *ret, struct why *why) MUST_CHECK;
enum status chunk_read_changes(struct type_value first, const uint8_t *changes, size_t size,
                               uint32_t snapshots, struct type_value *ret,
                               struct why *why) MUST_CHECK;

#endif
