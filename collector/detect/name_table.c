#include "name_table.h"

#include <stdlib.h>
#include <string.h>

static uint32_t hash_of(const char *name, size_t size)
{
    uint64_t hash = 0xcbf29ce484222325U; /* FNV-1a, 64 bits */
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (uint8_t)name[i]) * 0x100000001b3U;
    return (uint32_t)(hash ^ hash >> 32);
}

void name_table_init(struct name_table *table, uint32_t count_max, size_t bytes_max)
{
    *table = (struct name_table){.count_max = count_max};
    arena_init(&table->texts, bytes_max);
}

void name_table_done(struct name_table *table)
{
    arena_done(&table->texts);
    free(table->names);
    free(table->sizes);
    free(table->slots);
}

/* Where the name is, or would be. The table has a free slot. */
static uint32_t slot_of(const struct name_table *table, const char *name, size_t size)
{
    uint32_t mask = table->capacity - 1;
    uint32_t slot = hash_of(name, size) & mask;
    while (table->slots[slot] != 0) {
        uint32_t number = table->slots[slot] - 1;
        if (table->sizes[number] == size && memcmp(table->names[number], name, size) == 0)
            break;
        slot = (slot + 1) & mask;
    }
    return slot;
}

int name_table_find(const struct name_table *table, const char *name, size_t size)
{
    if (table->capacity == 0)
        return NAME_TABLE_NONE;
    return (int)table->slots[slot_of(table, name, size)] - 1;
}

static void grow(struct name_table *table)
{
    uint32_t capacity = table->capacity == 0 ? 64 : table->capacity * 2;
    free(table->slots);
    table->slots = calloc(capacity, sizeof(*table->slots));
    ASSERT(table->slots != NULL);
    table->capacity = capacity;
    for (uint32_t i = 0; i < table->count; i++)
        table->slots[slot_of(table, table->names[i], table->sizes[i])] = i + 1;
    table->room = capacity / 2;
    table->names = realloc(table->names, table->room * sizeof(*table->names));
    table->sizes = realloc(table->sizes, table->room * sizeof(*table->sizes));
    ASSERT(table->names != NULL && table->sizes != NULL);
}

int name_table_add(struct name_table *table, const char *name, size_t size)
{
    if (table->count == table->room) {
        int known = name_table_find(table, name, size);
        if (known >= 0 || table->count >= table->count_max)
            return known;
        grow(table);
    }
    uint32_t slot = slot_of(table, name, size);
    if (table->slots[slot] != 0)
        return (int)table->slots[slot] - 1;
    char *text = table->count < table->count_max ? arena_strndup(&table->texts, name, size) : NULL;
    if (text == NULL)
        return NAME_TABLE_NONE;
    table->names[table->count] = text;
    table->sizes[table->count] = (uint32_t)size;
    table->slots[slot] = ++table->count;
    return (int)table->count - 1;
}
