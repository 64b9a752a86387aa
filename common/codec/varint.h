/*
 * LEB128: seven bits a byte, lowest first, the top bit set on all but the last. Only the shortest
 * form of a value is accepted, so that equal values are equal bytes.
 */
#ifndef COMMON_CODEC_VARINT_H
#define COMMON_CODEC_VARINT_H

#include <stddef.h>
#include <stdint.h>

#include "attributes.h"

enum { VARINT_BYTES_MAX = 10 };

/* Writes 1 to VARINT_BYTES_MAX bytes and returns how many. */
size_t varint_write(uint8_t *ret, uint64_t value);

/* varint_read for a value of three bytes and more. */
const uint8_t *varint_read_long(const uint8_t *at, const uint8_t *end, uint64_t *ret) MUST_CHECK;

/* The byte after the varint at `at`, or NULL: cut off by `end`, above 64 bits, or not shortest. */
MUST_CHECK static inline const uint8_t *varint_read(const uint8_t *at, const uint8_t *end,
                                                    uint64_t *ret)
{
    if (at < end && at[0] < 0x80) {
        *ret = at[0];
        return at + 1;
    }
    if (end - at >= 2 && at[1] < 0x80 && at[1] != 0) {
        *ret = (at[0] & 0x7fu) | (uint32_t)at[1] << 7;
        return at + 2;
    }
    return varint_read_long(at, end, ret);
}

/* Small differences of either sign as small numbers: 0, -1, 1, -2 become 0, 1, 2, 3. The
 * difference is given, and returned, modulo 2^64. */
static inline uint64_t zigzag(uint64_t difference)
{
    return (difference << 1) ^ (0 - (difference >> 63));
}

static inline uint64_t unzigzag(uint64_t coded)
{
    return (coded >> 1) ^ (0 - (coded & 1));
}

#endif
