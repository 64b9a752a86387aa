/*
 * What sys.getsizeof would say of an object, and how much memory it occupies where it lies. Sizes
 * that the object does not hold itself are measured later (late_size.h).
 */
#ifndef AGENT_CENSUS_MEASURE_H
#define AGENT_CENSUS_MEASURE_H

#include "dict_keys.h"
#include "object_kind.h"
#include "sweep.h"
#include "words.h"

enum { /* of the state of a string: kind, compact, ASCII */
       STR_FORM = 7 | 1 << 3 | 1 << 4,
       STR_COMPACT_ASCII = 1 | 1 << 3 | 1 << 4,
};

/* A candidate under measurement. */
struct object {
    addr_t at;
    const uint8_t *bytes; /* SWEEP_AHEAD_BYTES of it, and SWEEP_LEAD_BYTES in front */
    struct type_entry *entry;
    uint64_t size;   /* sys.getsizeof, without what is late */
    uint64_t extent; /* bytes that it occupies from `at` on */
};

/* measure_object for the kinds that it leaves to it. */
int measure_other(struct sweep *sweep, struct object *object) MUST_CHECK;

/* Adds the attribute values that no dict accounts for to the sweep's. 0: it is no object after all.
 */
int measure_values(struct sweep *sweep, struct object *object) MUST_CHECK;

/* tp_basicsize, and tp_itemsize for each of |ob_size|. 0: more than an object can have. */
static inline int measure_variable(const struct object *object, uint64_t *ret)
{
    int64_t size = (int64_t)word_at(object->bytes, OBJECT_SIZE);
    uint64_t items = size < 0 ? -(uint64_t)size : (uint64_t)size;
    *ret = object->entry->basic_size + items * object->entry->item_size;
    return items < (uint64_t)1 << 44;
}

static inline void measure_int(const struct cpython_layout *layout, struct object *object)
{
    int64_t word = (int64_t)word_at(object->bytes, OBJECT_SIZE);
    uint64_t digits = layout->int_tagged ? (uint64_t)word >> 3
                      : word < 0         ? -(uint64_t)word
                                         : (uint64_t)word;
    uint64_t counted = digits < layout->int_digits_min ? layout->int_digits_min : digits;
    object->size = 24 + 4 * counted;
    if (object->extent < 24 + 4 * digits)
        object->extent = 24 + 4 * digits;
}

/* Of a compact ASCII string, which most are; 0: some other. */
static inline int measure_ascii(const struct cpython_layout *layout, struct object *object)
{
    uint32_t state = half_at(object->bytes, layout->str_state) >> layout->str_kind_shift;
    uint64_t length = word_at(object->bytes, OBJECT_SIZE);
    object->size = object->extent = layout->str_ascii_bytes + length + 1;
    return (state & STR_FORM) == STR_COMPACT_ASCII && length < (uint64_t)1 << 44 &&
           (!layout->str_wstr || !word_at(object->bytes, layout->str_wstr));
}

/* Of a dict whose keys are in the chunk, too; 0: they are elsewhere. */
static inline int measure_dict(const struct sweep *sweep, struct object *object)
{
    addr_t offset = word_at(object->bytes, DICT_KEYS) - sweep->chunk_at;
    if (offset >= sweep->chunk_size || sweep->chunk_size - offset < LATE_HEAD_BYTES)
        return 0;
    object->size +=
        dict_bytes(sweep->layout, sweep->chunk + offset, word_at(object->bytes, DICT_VALUES) != 0);
    return 1;
}

/* Sets `size` and `extent` of an object of the most frequent kinds. 0: measure_object decides. */
static inline int measure_quickly(const struct sweep *sweep, struct object *object)
{
    object->size = object->extent = object->entry->basic_size;
    switch ((enum object_kind)object->entry->kind) {
    case KIND_PLAIN:
        return 1;
    case KIND_VARIABLE:
        if (!measure_variable(object, &object->size))
            return 0;
        object->extent = object->size;
        return 1;
    case KIND_STR:
        return measure_ascii(sweep->layout, object);
    case KIND_DICT:
        return measure_dict(sweep, object);
    case KIND_INT:
        measure_int(sweep->layout, object);
        return 1;
    case KIND_LIST: /* allocated */
        object->size += sized(word_at(object->bytes, 32), 8);
        return 1;
    default:
        return 0;
    }
}

/* Sets `size` and `extent` of an object whose other members are set. 0: it is no object after
 * all. */
static inline int measure_object(struct sweep *sweep, struct object *object)
{
    return measure_quickly(sweep, object) || measure_other(sweep, object);
}

#endif
