/*
 * How sys.getsizeof measures the objects of a type: most by the two sizes in the type, a few by a
 * __sizeof__ of their own, which subclasses inherit. A Python class that defines __sizeof__ is
 * measured as its base is: nothing of the target runs.
 */
#ifndef AGENT_CPYTHON_OBJECT_KIND_H
#define AGENT_CPYTHON_OBJECT_KIND_H

#include <stdint.h>

#include "attributes.h"

enum object_kind {
    KIND_PLAIN,    /* tp_basicsize, and tp_itemsize for each of ob_size */
    KIND_VARIABLE, /* the same, when tp_itemsize is not 0 */
    KIND_INT,
    KIND_STR,
    KIND_LIST,
    KIND_DICT,
    KIND_TYPE,
    KIND_CTYPE,    /* a class of ctypes, which says how a C type is laid out (3.13) .. */
    KIND_STG_DICT, /* .. or its __dict__ does (3.8 to 3.12) */
    KIND_SET,      /* and frozenset */
    KIND_BYTEARRAY,
    KIND_DEQUE,
    KIND_ORDERED_DICT,
    KIND_CODE,
    KIND_FRAME,
    KIND_GENERATOR, /* and coroutine, async_generator */
    KIND_ARRAY,
    KIND_BYTES_IO,
    KIND_BUFFERED_IO,
    KIND_DECIMAL,
    KIND_STRUCT,
    KIND_NAIVE_TIME, /* allocated without its last word, which would be a time zone */
    KIND_ELEMENT,    /* of xml.etree */
    KIND_NDARRAY,
    KIND_SCALAR_1, /* of numpy: sys.getsizeof counts the value twice, here of 1 byte .. */
    KIND_SCALAR_2,
    KIND_SCALAR_4,
    KIND_SCALAR_8,
    KIND_SCALAR_16,
    KIND_SCALAR_32,
    KIND_SCALAR_SIZED, /* .. and of ob_size bytes */
    KIND_PRODUCT,      /* of itertools */
    KIND_COMBINATIONS,
    KIND_PERMUTATIONS,
    KIND_PICKLER,
    KIND_UNPICKLER,
    KIND_QUEUE, /* queue.SimpleQueue */
};

/* Are objects of this kind types? */
static inline int object_kind_is_type(enum object_kind kind)
{
    return kind == KIND_TYPE || kind == KIND_CTYPE;
}

/*
 * Of a type with these tp_flags and tp_itemsize, whose full name is `name` and whose base is of
 * kind `base` (KIND_PLAIN for none).
 */
enum object_kind object_kind_of(const char *name, uint64_t flags, int64_t item_size,
                                enum object_kind base) MUST_CHECK;

#endif
