#include "type_cache.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 1024 };

void type_cache_init(struct type_cache *cache)
{
    *cache = (struct type_cache){.slots = NULL};
    arena_init(&cache->names, SIZE_MAX);
}

void type_cache_done(struct type_cache *cache)
{
    free(cache->slots);
    cache->slots = NULL;
    cache->capacity = 0;
    cache->count = 0;
    arena_done(&cache->names);
}

/* FNV-1a: names are short, and a collision costs one comparison. */
static uint32_t hash_name(const char *name)
{
    uint32_t hash = 2166136261u;
    for (const char *c = name; *c != '\0'; c++)
        hash = (hash ^ (uint8_t)*c) * 16777619u;
    return hash ^ hash >> 15;
}

/* The slot that holds `name`, or the free one where it belongs. */
static struct type_entry *find_slot(const struct type_cache *cache, const char *name)
{
    uint32_t mask = cache->capacity - 1;
    for (uint32_t i = hash_name(name) & mask;; i = (i + 1) & mask) {
        struct type_entry *slot = &cache->slots[i];
        if (slot->name == NULL || strcmp(slot->name, name) == 0)
            return slot;
    }
}

int32_t type_cache_find(const struct type_cache *cache, const char *name)
{
    if (cache->capacity == 0)
        return 0;
    const struct type_entry *slot = find_slot(cache, name);
    return slot->name != NULL ? slot->id : 0;
}

static void grow(struct type_cache *cache)
{
    struct type_cache larger = *cache;
    larger.capacity = cache->capacity > 0 ? cache->capacity * 2 : FIRST_SLOTS;
    larger.slots = calloc(larger.capacity, sizeof(*larger.slots));
    ASSERT(larger.slots != NULL);
    for (uint32_t i = 0; i < cache->capacity; i++) {
        if (cache->slots[i].name != NULL)
            *find_slot(&larger, cache->slots[i].name) = cache->slots[i];
    }
    free(cache->slots);
    *cache = larger;
}

void type_cache_add(struct type_cache *cache, const char *name, int32_t id)
{
    if (cache->capacity / 2 <= cache->count)
        grow(cache);
    struct type_entry *slot = find_slot(cache, name);
    if (slot->name != NULL)
        return;
    char *copy = arena_strndup(&cache->names, name, strlen(name));
    ASSERT(copy != NULL);
    *slot = (struct type_entry){copy, id};
    cache->count++;
}
