/*
 * The types of one process: from the address of a type object to what a census adds up for it, and
 * from there to the row of its name. Types are recognised when an object of theirs is first seen;
 * an address that turned out to be no type is remembered for the rest of the census.
 *
 * Rows are names: they stay as long as the table, so that their indices can go on the wire. Two
 * classes of one full name share a row. Rows and entries are bounded; what does not fit is counted
 * in TYPE_ROW_OTHER.
 */
#ifndef AGENT_CENSUS_TYPE_TABLE_H
#define AGENT_CENSUS_TYPE_TABLE_H

#include "arena.h"
#include "object_kind.h"
#include "present_map.h"
#include "type_reader.h"

enum {
    TYPE_ROWS_MAX = 16384, /* SNAPSHOT_TYPES_MAX */
    TYPE_ENTRIES_MAX = 131072,
    HUGE_OBJECT_BYTES = 1 << 18,
    TYPE_ROW_OTHER = 0,  /* "(other)" */
    TYPE_ROW_VALUES = 1, /* "(attribute values)": bytes only */
    TYPE_MISSES = 16384,
    TYPE_PROBES_MAX = 1 << 18, /* recognitions that one census tries .. */
    TYPE_ASKS_MAX = 1 << 20,   /* .. addresses that it asks the process about .. */
    TYPE_ASKS_SHIFT = 7, /* .. and one more for so many bytes (a power of two) that it reads */
};

/* What the sweep needs of a type, in one cache line. */
struct type_entry {
    addr_t at;
    uint64_t count, bytes; /* of this census .. */
    uint64_t huge_bytes;   /* .. and of objects of HUGE_OBJECT_BYTES or more: of all of it */
    uint32_t basic_size, item_size;
    uint32_t values_bytes; /* of one instance's values that lie elsewhere; 0: not yet known */
    uint32_t row;
    uint8_t kind;         /* enum object_kind */
    uint8_t has_gc;       /* a GC head lies in front of its objects */
    uint8_t front_size;   /* GC head and pre-header, as sys.getsizeof counts them */
    uint8_t has_values;   /* its objects may hold attribute values outside a dict */
    uint32_t least_bytes; /* that one of its objects occupies */
    uint32_t root_size;   /* basic_size of the base that has the kind first */
    uint32_t is_unsure;   /* no module was found: asked anew by the next census */
};

struct type_table {
    const struct cpython_layout *layout;
    const struct present_map *present; /* the caller's */
    struct type_reader reader;
    addr_t type_type;

    struct type_entry *entries;
    struct type_facts *facts; /* of each entry: the same next time? */
    uint32_t count, capacity;
    uint32_t *slots; /* index + 1, by address */
    uint32_t slot_mask;
    addr_t misses[TYPE_MISSES];
    uint32_t probes_left;
    uint64_t asks_left;
    int is_cut;    /* some addresses were not asked about for lack of these, or of entries */
    uint64_t seed; /* of the hashes: nobody whom we read can make them collide */

    const char **names; /* of each row */
    uint32_t rows, row_capacity;
    uint16_t *row_slots; /* row, by name; 0: free (row 0 is never looked up) */
    uint32_t folded;     /* types counted in TYPE_ROW_OTHER for lack of rows */
    struct arena text;
};

struct type_table *type_table_new(const struct cpython_layout *layout,
                                  const struct python_process *process,
                                  const struct present_map *present);
void type_table_free(struct type_table *table);

/* Before each census: all counts 0, entries whose type has ended or changed forgotten. Behind it:
 * what only a census needs is given back. */
void type_table_begin(struct type_table *table);
void type_table_end(struct type_table *table);

/* What an object, or a part of one, adds to its type. */
static inline void type_entry_add(struct type_entry *entry, uint64_t bytes)
{
    if (bytes < HUGE_OBJECT_BYTES)
        entry->bytes += bytes;
    else
        entry->huge_bytes += bytes;
}

/* Recognise which of these addresses are types, all at once; the others are remembered as misses.
 */
void type_table_probe_all(struct type_table *table, const addr_t *types, size_t count);

static inline uint32_t type_table_hash(const struct type_table *table, addr_t at)
{
    return (uint32_t)((at >> 3) * table->seed >> 40);
}

/* May `count` more addresses be asked about? Counts them. */
static inline int type_table_may_ask(struct type_table *table, size_t count)
{
    if (table->asks_left < count) {
        table->is_cut = 1;
        return 0;
    }
    table->asks_left -= count;
    return 1;
}

/* Remember that there is no type at `at`. */
static inline void type_table_miss(struct type_table *table, addr_t at)
{
    table->misses[type_table_hash(table, at) % TYPE_MISSES] = at;
}

static inline int type_table_is_miss(const struct type_table *table, addr_t at)
{
    return table->misses[type_table_hash(table, at) % TYPE_MISSES] == at;
}

/* Could these sizes and flags, TYPE_FLAGS + 8 bytes of an object, be a type's? */
int type_table_may_be_type(const uint8_t *front) MUST_CHECK;

/* The slow half of type_table_find: recognise, or remember that there is no type. */
struct type_entry *type_table_probe(struct type_table *table, addr_t at) MUST_CHECK;

/* The entry of the type at this address, NULL if none is known there. */
static inline struct type_entry *type_table_find(const struct type_table *table, addr_t at)
{
    for (uint32_t slot = type_table_hash(table, at);; slot++) {
        uint32_t index = table->slots[slot & table->slot_mask];
        if (index == 0)
            return NULL;
        if (table->entries[index - 1].at == at)
            return &table->entries[index - 1];
    }
}

/* The bytes that a shared-keys head grants to the values of one instance, read from the process. */
uint32_t type_table_values_bytes(struct type_table *table, struct type_entry *entry);

#endif
