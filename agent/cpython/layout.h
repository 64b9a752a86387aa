/*
 * Where CPython keeps what the census reads: one row for each run of releases that agree. Nothing
 * else in the program knows an offset that depends on the version.
 *
 * A wrong offset yields plausible numbers that are false, so a version without a row is refused,
 * and a row is checked against the process before it is used (layout_check.h).
 */
#ifndef AGENT_CPYTHON_LAYOUT_H
#define AGENT_CPYTHON_LAYOUT_H

#include <stdint.h>

#include "attributes.h"
#include "python_process.h"

/* What every supported version agrees on: PyObject, PyVarObject, the front of PyTypeObject. */
enum {
    OBJECT_REFCOUNT = 0,
    OBJECT_TYPE = 8,
    OBJECT_SIZE = 16, /* ob_size of variable-sized objects */
    OBJECT_BYTES = 16,

    TYPE_NAME = 24,
    TYPE_BASIC_SIZE = 32,
    TYPE_ITEM_SIZE = 40,
    TYPE_FLAGS = 168,
    TYPE_BASE = 256,
    TYPE_DICT = 264,
    TYPE_FRONT_BYTES = 272,

    DICT_KEYS = 32,
    DICT_VALUES = 40,
    DICT_BYTES = 48,

    GC_HEAD_BYTES = 16,    /* in front of an object whose type has TYPE_HAS_GC */
    PRE_HEADER_BYTES = 16, /* in front of the GC head, for layout.pre_header_flags */
};

/* tp_flags */
#define TYPE_HEAP ((uint64_t)1 << 9)
#define TYPE_READY ((uint64_t)1 << 12)
#define TYPE_HAS_VERSION ((uint64_t)1 << 18)
#define TYPE_HAS_GC ((uint64_t)1 << 14)
#define TYPE_INT ((uint64_t)1 << 24) /* .. and its subclasses */
#define TYPE_LIST ((uint64_t)1 << 25)
#define TYPE_TUPLE ((uint64_t)1 << 26)
#define TYPE_BYTES ((uint64_t)1 << 27)
#define TYPE_STR ((uint64_t)1 << 28)
#define TYPE_DICT_TYPE ((uint64_t)1 << 29)
#define TYPE_TYPE ((uint64_t)1 << 31)
#define TYPE_MANAGED_DICT ((uint64_t)1 << 4)  /* 3.11 and later */
#define TYPE_INLINE_VALUES ((uint64_t)1 << 2) /* 3.13 and later */

/* Where an instance keeps its attributes while it has no __dict__ object. */
enum values_place {
    VALUES_NONE,   /* it always has one (3.8 to 3.10) */
    VALUES_AT_32,  /* a pointer 32 bytes in front of it (3.11) */
    VALUES_TAGGED, /* the pointer 24 bytes in front of it, when odd (3.12) */
    VALUES_INLINE, /* behind the instance itself (3.13 and later) */
};

/* How sys.getsizeof measures a frame. */
enum frame_rule {
    FRAME_OWN_SLOTS,   /* locals, cells, free variables and stack behind it (3.8 to 3.10) */
    FRAME_INTERPRETER, /* an interpreter frame of its code's size (3.11 and later) */
};

struct cpython_layout {
    uint32_t from, to; /* PY_VERSION_HEX, inclusive */
    const char *name;  /* "3.8" */

    /* The count of references is this part of the first word; a live object has 1 .. refcount_max
     * or an immortal count, which is larger and fits in 32 bits. */
    uint64_t refcount_mask;
    uint32_t immortal_from; /* counts from here on are immortal, 0: no such thing */

    uint16_t static_type_bytes, heap_type_bytes;
    uint16_t type_qualname, type_cached_keys; /* of a heap type */
    uint16_t pre_header_flags;                /* tp_flags that put PRE_HEADER_BYTES in front */
    enum values_place values;

    uint16_t str_ascii_bytes, str_compact_bytes, str_legacy_bytes;
    uint16_t str_state, str_kind_shift;
    uint16_t str_utf8_length, str_utf8, str_data;
    uint16_t str_wstr, str_wstr_length; /* 0: gone since 3.12 */

    uint16_t int_tagged;     /* 1: lv_tag (3.12), 0: a signed ob_size */
    uint16_t int_digits_min; /* that are counted for 0 */
    uint16_t tuple_bytes;    /* of an empty one */
    uint16_t bytearray_bytes;
    uint16_t bytearray_front; /* of the bytes object that holds its bytes (3.15) */
    uint16_t pool_bytes;      /* of the allocator, pymalloc.h */

    uint16_t keys_bytes; /* head of a dict's keys; log2 sizes in it (3.11) or a plain one */
    uint16_t keys_log2;

    uint16_t code_bytes, code_extra, code_slots, code_stacksize;
    uint16_t code_cells, code_free; /* tuples of names; 0: code_slots counts all (3.11) */
    uint16_t code_cell_arguments, code_cache, code_bytecode; /* before 3.11, else 0 */
    uint16_t ctype_format;   /* in what a class of ctypes has behind a type (3.13), else 0 */
    uint16_t queue_capacity; /* of a SimpleQueue's ring; 0: it has none that is counted */
    enum frame_rule frame_rule;
    uint16_t frame_bytes;     /* tp_basicsize */
    uint16_t frame_code;      /* of the frame, or of the interpreter frame */
    uint16_t frame_inner;     /* of a frame: its pointer to the interpreter frame */
    uint16_t generator_bytes; /* tp_basicsize */
    uint16_t
        inner_frame_bytes; /* an interpreter frame without slots; at a generator's end. 0: none */
};

/* The row of a version, or NULL. */
const struct cpython_layout *cpython_layout_find(uint32_t version_hex) MUST_CHECK;

/* 1 if a version without a row is newer than the first: another release may have one. */
int cpython_layout_may_come(uint32_t version_hex);

/* "3.8 to 3.15": for messages. */
const char *cpython_layout_versions(void);

#endif
