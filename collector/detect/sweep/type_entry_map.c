#include "type_entry_map.h"

#include <stdlib.h>

#include "attributes.h"

static uint32_t slot_of(const struct type_entry_map *map, int32_t id)
{
    uint32_t slot = (uint32_t)id * 2654435761U & (map->capacity - 1);
    while (map->ids[slot] != 0 && map->ids[slot] != id)
        slot = (slot + 1) & (map->capacity - 1);
    return slot;
}

void type_entry_map_done(struct type_entry_map *map)
{
    free(map->ids);
    free(map->types);
    *map = (struct type_entry_map){0};
}

static void enlarge(struct type_entry_map *map)
{
    struct type_entry_map old = *map;
    map->capacity = old.capacity == 0 ? 256 : old.capacity * 2;
    map->ids = calloc(map->capacity, sizeof(*map->ids));
    map->types = calloc(map->capacity, sizeof(*map->types));
    ASSERT(map->ids != NULL && map->types != NULL);
    map->count = 0;
    for (uint32_t i = 0; i < old.capacity; i++)
        if (old.ids[i] != 0)
            type_entry_map_put(map, old.ids[i], old.types[i]);
    type_entry_map_done(&old);
}

void type_entry_map_put(struct type_entry_map *map, int32_t id, int type)
{
    if (map->count * 2 >= map->capacity)
        enlarge(map);
    uint32_t slot = slot_of(map, id);
    map->count += map->ids[slot] == 0;
    map->ids[slot] = id;
    map->types[slot] = type;
}

int type_entry_map_has(const struct type_entry_map *map, int32_t id)
{
    return map->capacity > 0 && map->ids[slot_of(map, id)] != 0;
}

int type_entry_map_get(const struct type_entry_map *map, int32_t id)
{
    return map->types[slot_of(map, id)];
}
