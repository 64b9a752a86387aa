/*
 * What sys.getsizeof would say of an object, and how much memory it occupies where it lies. Sizes
 * that the object does not hold itself are measured later (late_size.h).
 */
#ifndef AGENT_CENSUS_MEASURE_H
#define AGENT_CENSUS_MEASURE_H

#include "object_kind.h"
#include "sweep.h"
#include "words.h"

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

/* Sets `size` and `extent` of an object whose other members are set. 0: it is no object after all.
 * The most frequent kinds are decided here, where the sweep can inline them. */
static inline int measure_object(struct sweep *sweep, struct object *object)
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
    case KIND_INT:
        measure_int(sweep->layout, object);
        return 1;
    case KIND_LIST: /* allocated */
        object->size += sized(word_at(object->bytes, 32), 8);
        return 1;
    default:
        return measure_other(sweep, object);
    }
}

#endif
