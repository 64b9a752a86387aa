/*
 * Is a candidate, whose count and type look right, an object? If so, it is added to its type.
 */
#ifndef AGENT_CENSUS_COUNT_H
#define AGENT_CENSUS_COUNT_H

#include "measure.h"
#include "sweep.h"
#include "words.h"

enum {
    GC_COLLECTING = 2,                       /* in `prev` of a GC head */
    QUICK_BYTES_MAX = HUGE_OBJECT_BYTES / 2, /* huge ones are not for count_in_block */
};

/* Returns the bytes to jump over, at most `room`; 0: no object. */
uint64_t count_object(struct sweep *sweep, struct type_entry *entry, addr_t at,
                      const uint8_t *bytes, uint64_t room) MUST_CHECK;

/* Is this word the address of something in the target's own memory? */
int is_in_a_region(const struct sweep *sweep, uint64_t word) MUST_CHECK;

/* Addresses of GC heads are aligned to words, but for those of whole generations, which lie in the
 * interpreter's data or, of a sub-interpreter, in a block of malloc, and in Debian's CPython 3.13
 * at any fourth byte there; the lowest two bits of a link are flags. */
static inline int is_link(const struct sweep *sweep, uint64_t word)
{
    return word - REMOTE_PAGE_BYTES < ((uint64_t)1 << 47) - REMOTE_PAGE_BYTES &&
           ((word & 4) == 0 || is_in_a_region(sweep, word));
}

/*
 * Tracked objects have both links, others none. While a collection runs, `prev` is a part of the
 * count or, of an object that has not been reached yet, a link.
 */
static inline int is_gc_head(const struct sweep *sweep, const uint8_t *bytes, uint64_t count)
{
    uint64_t next = word_at(bytes, -16), prev = word_at(bytes, -8);
    if (next == 0)
        return prev >> 2 == 0;
    if (!is_link(sweep, next))
        return 0;
    return is_link(sweep, prev) || ((prev & GC_COLLECTING) && prev >> 2 <= count);
}

/*
 * The object of type `entry` that begins behind `front` bytes of a block, if all is as it nearly
 * always is: what count_object would do, in a third of the time. 0: that must look closer.
 */
MUST_CHECK static inline int count_in_block(const struct sweep *sweep, struct type_entry *entry,
                                            addr_t at, const uint8_t *bytes, uint64_t count,
                                            size_t front, size_t room)
{
    struct object object = {.at = at, .bytes = bytes, .entry = entry};
    if (entry->front_size != front || entry->least_bytes > room || entry->has_values ||
        count >= sweep->quick_below || (front && !is_gc_head(sweep, bytes, count)) ||
        !measure_quickly(sweep, &object) || object.extent > room ||
        object.size >= QUICK_BYTES_MAX || object.size > sweep->limit_bytes)
        return 0;
    entry->count++;
    entry->bytes += object.size + front;
    return 1;
}

#endif
