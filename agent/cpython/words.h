/* Words out of bytes that were read from another process; no alignment needed. */
#ifndef AGENT_CPYTHON_WORDS_H
#define AGENT_CPYTHON_WORDS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t word_at(const uint8_t *bytes, ptrdiff_t offset)
{
    uint64_t word;
    memcpy(&word, bytes + offset, sizeof(word));
    return word;
}

static inline uint32_t half_at(const uint8_t *bytes, ptrdiff_t offset)
{
    uint32_t half;
    memcpy(&half, bytes + offset, sizeof(half));
    return half;
}

/* Up to a multiple of `unit`, a power of two. */
static inline uint64_t round_up(uint64_t value, uint64_t unit)
{
    return (value + unit - 1) & ~(unit - 1);
}

/* `count` units of up to 4 KiB; a count that nothing can have becomes a size that nothing can have.
 */
static inline uint64_t sized(uint64_t count, uint64_t unit)
{
    return count < (uint64_t)1 << 48 ? count * unit : (uint64_t)1 << 60;
}

#endif
