/*
 * A stretch of a chunk: how two numbers that belong together went through its snapshots - count and
 * bytes of a type, sequence and time of the snapshots themselves. Bytes follow counts, so they are
 * kept as what a fixed number of them a piece, the unit, does not explain.
 *
 *     stretch  = nothing (both are 0 throughout), or first [changes]
 *     first    = varint(count) varint(2 * unit + has residual) [residual]
 *                residual = varint(zigzag(bytes - count * unit)), in the first snapshot
 *     changes  = 0x00 loose*, or packed
 *
 *     loose    = head difference [residual], to the end of the stretch
 *                head = varint(2 * snapshots skipped + has residual)
 *                difference = varint(zigzag(count - old count))
 *                residual = varint(zigzag(bytes - old bytes - (count - old count) * own unit)),
 *                           own unit = old bytes / old count (0 if old count is 0)
 *
 *     packed   = head(1 byte) difference width(1) residual width(1) varint(how many changes)
 *                [varint(zigzag(base))] [varint(difference step)] [varint(residual step)]
 *                fields escapes
 *                head = 0x80, + 0x40 if there is a base (else it is 0), + 0x20 and + 0x10 if there
 *                       are the steps (else they are 1), + width of skips
 *                fields = skip, difference and residual of each change, each so many bits as
 *                       its width says, highest first; then zeros to the end of a byte
 *                escapes = of each field that has bits, all of them set: its value as a varint, in
 *                       the order of the fields
 *
 *     A packed change, after so many snapshots skipped, is
 *         count += base + unzigzag(difference) * difference step
 *         bytes += (count - old count) * unit + unzigzag(residual) * residual step
 *
 * Widths, unit, base and steps are the writer's choice, by what takes the fewest bits: fields cost
 * what is usual for the type, and what is unusual costs itself and no more. Few changes are
 * shortest as loose ones, and chunks of the first format have no others. Arithmetic is modulo 2^64
 * and so exact. Pure.
 */
#ifndef COLLECTOR_STORE_CHUNK_STRETCH_H
#define COLLECTOR_STORE_CHUNK_STRETCH_H

#include "snapshot_codec.h"

enum {
    STRETCH_SKIP_MAX = 1 << 18, /* snapshots of a chunk */
    STRETCH_WIDTH_MAX = 31,     /* so that a field is an integer to PostgreSQL */
};

/* Of a head. */
enum {
    STRETCH_LOOSE = 0,
    STRETCH_PACKED = 0x80,
    STRETCH_BASE = 0x40,
    STRETCH_COUNT_STEP = 0x20,
    STRETCH_BYTES_STEP = 0x10,
    STRETCH_SKIP_BITS = 0xf,
};

/* value / by, where `by` is not 0; of 32 bits a division is many times as fast as of 64. */
static inline uint64_t stretch_quotient(uint64_t value, uint64_t by)
{
    return ((value | by) >> 32) == 0 ? (uint32_t)value / (uint32_t)by : value / by;
}

/* ---- reading -------------------------------------------------------------------------------- */

/* What the next change is read from; the bytes must outlive it. */
struct stretch {
    const uint8_t *at, *end; /* loose: changes; packed: escapes */
    const uint8_t *fields;   /* packed; NULL: loose */
    size_t bit;              /* of the fields, that comes next */
    uint64_t unit, base, count_step, bytes_step;
    uint32_t left; /* packed: changes that were not looked at */
    uint8_t skip_bits, count_bits, bytes_bits;
    uint8_t has_residual; /* loose: the change that was looked at */
};

/* 0: it is not one. */
int stretch_open(struct stretch *stretch, const uint8_t *data, size_t size,
                 struct type_value *ret_first) MUST_CHECK;
/* Loose changes alone. */
void stretch_open_loose(struct stretch *stretch, const uint8_t *data, size_t size);

/* The snapshot of the next change, which comes after snapshot `now`; UINT32_MAX: there is none. 0
 * if that is not one. In turn with stretch_apply. */
int stretch_look(struct stretch *stretch, uint32_t now, uint32_t *ret) MUST_CHECK;
/* Apply the change that was looked at. 0 if it is not one. */
int stretch_apply(struct stretch *stretch, struct type_value *value) MUST_CHECK;

/* ---- writing -------------------------------------------------------------------------------- */

/* A loose change; `now` differs from `old`. */
void stretch_put_loose(struct buf *ret, uint32_t skipped, struct type_value old,
                       struct type_value now);

struct stretch_writer; /* memory for it */

struct stretch_writer *stretch_writer_new(void);
void stretch_writer_free(struct stretch_writer *writer);

/* Append the stretch of these loose changes, which stretch_put_loose made. */
void stretch_write(struct stretch_writer *writer, struct type_value first,
                   const struct buf *changes, struct buf *ret);

#endif
