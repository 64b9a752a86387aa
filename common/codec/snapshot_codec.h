/*
 * The body of a snapshot: count and bytes of every type of a process, whole (keyframe) or as the
 * change since an earlier snapshot (delta). Agent and collector share this file; PostgreSQL stores
 * what it makes.
 *
 * Types are dense indices into the process's own type table, which only grows: index i means the
 * same type for the whole life of the process, and a type that is new has the value (0, 0) before.
 *
 *     body     = format(1 byte: 0x10 keyframe, 0x12 delta) types(varint) entry*
 *     keyframe : entry = count bytes, for index 0 .. types-1
 *     delta    : entry = gap change residual?, for each index that changed, ascending
 *                gap      = 2 * indices skipped since the last entry, + 1 if a residual follows
 *                change   = zigzag(count - old count)
 *                residual = zigzag((bytes - old bytes) - (count - old count) * unit),
 *                           unit = old bytes / old count (0 if old count is 0):
 *                           a type whose objects have one size has none
 *     older    : format 0x11, in databases of the first schema only: a delta whose gaps are not
 *                doubled and whose entries all have a residual
 *
 * All varints are LEB128, at most 10 bytes, in their shortest form. Arithmetic is modulo 2^64 and
 * so exact for any input; a decoded value above the limits below is refused.
 *
 * Pure: no clock, no log, no global state.
 */
#ifndef COMMON_CODEC_SNAPSHOT_CODEC_H
#define COMMON_CODEC_SNAPSHOT_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "status.h"
#include "why.h"

enum {
    SNAPSHOT_TYPES_MAX = 16384,
    SNAPSHOT_NAME_BYTES_MAX = 512,
};
#define SNAPSHOT_COUNT_MAX ((uint64_t)1 << 48)
#define SNAPSHOT_BYTES_MAX ((uint64_t)1 << 56)

struct type_value {
    uint64_t count;
    uint64_t bytes;
};

/* One snapshot, decoded. values[i] is the type with index i. Owned until heap_values_done. */
struct heap_values {
    struct type_value *values;
    uint32_t types;
    uint32_t capacity;
};

#define HEAP_VALUES_INIT ((struct heap_values){0})

void heap_values_done(struct heap_values *heap);

/* Exactly `types` (at most SNAPSHOT_TYPES_MAX) entries; new ones are (0, 0). Aborts without memory.
 */
void heap_values_resize(struct heap_values *heap, uint32_t types);

void heap_values_copy(struct heap_values *to, const struct heap_values *from);

/* Append the body to `ret`. Values must be within the limits (asserted). */
void snapshot_encode_keyframe(const struct heap_values *now, struct buf *ret);

/* The same as a change; `now` has at least as many types as `base`. */
void snapshot_encode_delta(const struct heap_values *base, const struct heap_values *now,
                           struct buf *ret);

/* 1 if the body is a keyframe, 0 otherwise (also for an empty or unknown one). */
int snapshot_is_keyframe(const uint8_t *body, size_t size);

/*
 * Apply `body` to `heap`: a keyframe replaces it whatever it was, a delta changes it. On any
 * failure `heap` is as it was. STATUS_INVALID: not a body, trailing bytes, a value out of range, an
 * entry that changes nothing, a delta with fewer types than `heap`. So there is exactly one body
 * for a keyframe, and one for a change (and an older one). Work is linear in `size` + types.
 */
enum status snapshot_decode(const uint8_t *body, size_t size, struct heap_values *heap,
                            struct why *why) MUST_CHECK;

/*
 * The same for the type with this index alone, in a fraction of the time: what comes behind it is
 * not looked at, and what comes before is not worked out. A type that is not there yet is (0, 0).
 * On failure `value` is as it was.
 */
enum status snapshot_decode_type(const uint8_t *body, size_t size, uint32_t index,
                                 struct type_value *value, struct why *why) MUST_CHECK;

#endif
