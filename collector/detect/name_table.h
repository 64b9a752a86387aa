/* Names with small numbers: each name once, numbered from 0 in the order of first sight. */
#ifndef COLLECTOR_DETECT_NAME_TABLE_H
#define COLLECTOR_DETECT_NAME_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "arena.h"

enum { NAME_TABLE_NONE = -1 };

struct name_table {
    const char **names; /* [count], zero-terminated */
    uint32_t *sizes;
    uint32_t *slots; /* number + 1, 0: free; [capacity], a power of two */
    uint32_t count, room, capacity;
    uint32_t count_max;
    struct arena texts;
};

void name_table_init(struct name_table *table, uint32_t count_max, size_t bytes_max);
void name_table_done(struct name_table *table);

/* The name's number; NAME_TABLE_NONE if it is new and there is no room. May hold zero bytes. */
int name_table_add(struct name_table *table, const char *name, size_t size);

/* The name's number, or NAME_TABLE_NONE. */
int name_table_find(const struct name_table *table, const char *name, size_t size);

#endif
