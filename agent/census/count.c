/*
 * A freed object's count is 0, or the allocator's link (a pointer, too large for a count) where the
 * count was. There is one ghost: realloc of an object with a GC head moves it and frees the old
 * block, whose first word, the head's `next`, becomes the link, while count and type stay. An
 * object that is tracked has both links, one that is not has no `next`: a `next` without a `prev`
 * is a ghost.
 */
#include "count.h"

#include "attributes.h"

#define INT_NO_DIGITS UINT64_C(0xc0000000c0000000) /* digits have 30 bits */

enum {
    ITEMS_LOOKED_AT = 16,
    LARGE_BYTES = 1 << 14, /* objects from here on must look like blocks to be jumped over .. */
    HUGE_BYTES = 1 << 20,  /* .. and from here on to be counted */
};

static int is_low(const struct sweep *sweep, addr_t at)
{
    for (size_t i = 0; i < sweep->low_count; i++) {
        if (at >= sweep->low[i].start && at < sweep->low[i].end)
            return 1;
    }
    return 0;
}

/*
 * The count is an address: a program that is loaded low (not position-independent) has its static
 * objects and its [heap] below 4 GiB, and a pointer to one of them in front of a stale type is no
 * object. Pointers are aligned; of counts that large, few are. Nor is one the link of malloc in a
 * freed block, which glibc 2.32 and later mixes with the place where it is, its page's number.
 */
static int is_pointer(const struct sweep *sweep, addr_t at, uint64_t count)
{
    uint64_t page = at / REMOTE_PAGE_BYTES, link = count ^ page;
    if (count % 8 == 0 && is_low(sweep, count))
        return 1;
    return is_low(sweep, at) && (link == 0 || (link % 16 == 0 && is_low(sweep, link)));
}

int is_in_a_region(const struct sweep *sweep, uint64_t word)
{
    return remote_regions_find(sweep->present->regions, word) != NULL;
}

/* Where static objects are immortal, one with a small count is an entry of a C table of
 * {number, &SomeType} (or the definition of a module); static types may be younger than their
 * count. */
static int is_table(const struct sweep *sweep, uint64_t count, const struct type_entry *entry)
{
    return sweep->is_file && count < sweep->layout->immortal_from &&
           !object_kind_is_type(entry->kind);
}

/*
 * A large object lies in a block of its own: its end fits what malloc says of the block (the word
 * in front of it, for glibc), or it begins where pages do. False ones do not.
 */
static int is_large_block(addr_t at, const uint8_t *bytes, unsigned front, uint64_t extent)
{
    uint64_t chunk = word_at(bytes, -(int)front - 8) & ~UINT64_C(7), wanted = extent + front;
    if (chunk >= wanted + 8 && chunk <= wanted + 2 * (uint64_t)REMOTE_PAGE_BYTES)
        return 1;
    return (at - front) % REMOTE_PAGE_BYTES <= 64;
}

/* What a large tuple begins with is pointers to objects, what a large int has is digits. */
static int has_items(const struct sweep *sweep, const struct object *object)
{
    const struct type_entry *entry = object->entry;
    uint64_t flags = sweep->types->facts[entry - sweep->types->entries].flags;
    for (unsigned i = 0; i < ITEMS_LOOKED_AT; i++) {
        uint64_t word = word_at(object->bytes, sweep->layout->tuple_bytes + 8 * (int)i);
        if ((flags & TYPE_TUPLE) && (word % 8 || word < REMOTE_PAGE_BYTES || word >> 47))
            return 0;
        if (entry->kind == KIND_INT && (word & INT_NO_DIGITS))
            return 0;
    }
    return 1;
}

uint64_t count_object(struct sweep *sweep, struct type_entry *entry, addr_t at,
                      const uint8_t *bytes, uint64_t room)
{
    struct object object = {.at = at, .bytes = bytes, .entry = entry};
    unsigned front = entry->front_size;
    if (object_kind_is_type(entry->kind) && !(word_at(bytes, TYPE_FLAGS) & TYPE_HEAP))
        front = 0;
    uint64_t count = word_at(bytes, OBJECT_REFCOUNT) & sweep->layout->refcount_mask;
    if (entry->has_gc && front && !is_gc_head(sweep, bytes, count))
        return 0;
    if (entry->least_bytes > room)
        return 0;
    if (sweep->has_odd_counts && (is_pointer(sweep, at, count) || is_table(sweep, count, entry)))
        return 0;
    if (!measure_object(sweep, &object) || (entry->has_values && !measure_values(sweep, &object)))
        return 0;
    if (object.extent > room || object.extent > sweep->limit_bytes)
        return 0;
    int is_doubtful =
        object.extent >= LARGE_BYTES && !is_large_block(at, bytes, front, object.extent);
    if (is_doubtful && (object.extent >= HUGE_BYTES || !has_items(sweep, &object)))
        return 0;
    if (object.size > sweep->limit_bytes) /* what lies elsewhere cannot be that large */
        object.size = entry->basic_size;
    if (object_kind_is_type(entry->kind))
        front = 0; /* counted by measure_type */
    entry->count++;
    type_entry_add(entry, object.size + front);
    return is_doubtful ? OBJECT_BYTES : object.extent;
}
