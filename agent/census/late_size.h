/*
 * Sizes that an object does not hold itself: the keys of a dict, say, are measured by a head that
 * lies elsewhere. Such places are collected and read many at a time.
 */
#ifndef AGENT_CENSUS_LATE_SIZE_H
#define AGENT_CENSUS_LATE_SIZE_H

#include "far_read.h"
#include "present_map.h"
#include "type_table.h"

enum {
    LATE_ITEMS = 8192,
    LATE_ARRAYS = 64,
    LATE_HEAD_BYTES = 96, /* of a place are read, at most */
};

enum late_rule {
    LATE_DICT,       /* keys of a dict; extra: 1 if it has split values */
    LATE_CLASS_KEYS, /* shared keys of a class */
    LATE_BYTES_BUF,  /* the bytes object of a BytesIO */
    LATE_CODE_SLOTS, /* code object: the slots of a frame of it */
    LATE_FRAME_CODE, /* a frame's pointer to its code */
    LATE_CODE_EXTRA, /* extra data of a code object */
    LATE_CODE_CACHE, /* bytecode of a code object with an inline cache; extra: bytes known so far */
    LATE_CELLS,      /* names of cells of a code object, of which some are arguments */
    LATE_MEMO,       /* of a pickler .. */
    LATE_OUTPUT,     /* .. and the bytes object that it writes to */
    LATE_FORMAT,     /* codes of a struct.Struct */
    LATE_ELEMENT,    /* attributes and children of an xml.etree element */
    LATE_DIMENSIONS, /* lengths of an ndarray of up to 8 dimensions; extra: bytes of an item,
                        and above 32 bits the number of dimensions */
};

struct late_item {
    addr_t at;
    uint64_t extra;
    uint32_t entry; /* index into the type table */
    uint32_t rule;  /* enum late_rule */
};

/* The bytes of an item, by the address of its description {char typecode; int itemsize; ..}. */
struct late_array {
    addr_t at;
    uint64_t item_bytes;
};

struct late_sizes {
    struct type_table *types;          /* the caller's */
    const struct present_map *present; /* the caller's */
    uint64_t limit_bytes;              /* no object is larger than all of the process's memory */
    size_t count;
    struct late_item items[LATE_ITEMS];
    struct far_place places[LATE_ITEMS];
    struct late_array arrays[LATE_ARRAYS];
    struct far_reader reader;
};

struct late_sizes *late_sizes_new(struct type_table *types, const struct present_map *present);
void late_sizes_free(struct late_sizes *late);

/* Remember; reads what was collected when the queue is full. */
void late_sizes_add(struct late_sizes *late, struct late_item item);

/* Read and add up all that was collected. */
void late_sizes_flush(struct late_sizes *late);

/* The items of an array.array, whose description lies in a module's constant data. */
uint64_t late_array_bytes(struct late_sizes *late, addr_t description, uint64_t items) MUST_CHECK;

/* The bytes of a zero-terminated text with its zero; 0: it cannot be read. For what is rare. */
uint64_t late_text_bytes(const struct late_sizes *late, addr_t at) MUST_CHECK;

/* Add up one item whose place is at hand: LATE_HEAD_BYTES of it are at `head`. */
void late_sizes_apply(struct late_sizes *late, const struct late_item *item, const uint8_t *head);

#endif
