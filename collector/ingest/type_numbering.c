#include "type_numbering.h"

#include <stdlib.h>
#include <string.h>

void type_numbering_done(struct type_numbering *table)
{
    free(table->slots);
    free(table->places);
    free(table->taken);
    *table = TYPE_NUMBERING_INIT;
}

/* FNV-1a, 64 bits. An agent that makes its own names collide confuses its own process only. */
static uint64_t hash_name(const char *name)
{
    uint64_t hash = 14695981039346656037u;
    for (const char *c = name; *c != '\0'; c++)
        hash = (hash ^ (uint8_t)*c) * 1099511628211u;
    return hash;
}

static int compare_slots(const void *a, const void *b)
{
    const struct type_slot *left = a, *right = b;
    if (left->hash != right->hash)
        return left->hash < right->hash ? -1 : 1;
    return (left->index > right->index) - (left->index < right->index);
}

static const struct type_slot *find_slot(const struct type_numbering *table, uint64_t hash)
{
    uint32_t low = 0, high = table->slot_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (table->slots[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low < table->slot_count && table->slots[low].hash == hash ? &table->slots[low] : NULL;
}

/* Merge sorted `fresh` into the sorted slots. */
static void merge_slots(struct type_numbering *table, const struct type_slot *fresh, uint32_t count)
{
    uint32_t total = table->slot_count + count;
    struct type_slot *slots = realloc(table->slots, total * sizeof(*slots));
    ASSERT(slots != NULL);
    uint32_t old = table->slot_count, left = count;
    for (uint32_t to = total; left > 0; to--) {
        if (old > 0 && compare_slots(&slots[old - 1], &fresh[left - 1]) > 0)
            slots[to - 1] = slots[--old];
        else
            slots[to - 1] = fresh[--left];
    }
    table->slots = slots;
    table->slot_count = total;
}

void type_numbering_load(struct type_numbering *table, const char *const *names, uint32_t count)
{
    ASSERT(table->slots == NULL);
    if (count == 0)
        return;
    struct type_slot *fresh = malloc(count * sizeof(*fresh));
    ASSERT(fresh != NULL);
    for (uint32_t i = 0; i < count; i++)
        fresh[i] = (struct type_slot){hash_name(names[i]), i};
    qsort(fresh, count, sizeof(*fresh), compare_slots);
    merge_slots(table, fresh, count);
    free(fresh);
    table->stored = count;
}

/* ---- learning ------------------------------------------------------------------------------- */

static enum status check_twice(struct type_slot *slots, uint32_t count, struct why *why)
{
    qsort(slots, count, sizeof(*slots), compare_slots);
    for (uint32_t i = 1; i < count; i++) {
        if (slots[i].hash == slots[i - 1].hash)
            return why_fail(why, STATUS_INVALID, "a type is defined twice");
    }
    return STATUS_OK;
}

enum status type_numbering_unknown(const struct type_numbering *numbering, const char *const *names,
                                   uint32_t count, const char **ret, uint32_t *ret_count,
                                   struct why *why)
{
    struct type_slot *slots = malloc(((size_t)count + 1) * sizeof(*slots));
    ASSERT(slots != NULL);
    uint32_t unknown = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t hash = hash_name(names[i]);
        if (find_slot(numbering, hash) != NULL)
            continue;
        slots[unknown] = (struct type_slot){hash, i};
        ret[unknown++] = names[i];
    }
    enum status status = check_twice(slots, unknown, why);
    free(slots);
    if (status == STATUS_OK)
        *ret_count = unknown;
    return status;
}

static void grow_stored(struct type_numbering *numbering, uint32_t stored)
{
    if (stored <= numbering->stored)
        return;
    if (numbering->places != NULL) {
        numbering->taken = realloc(numbering->taken, stored);
        ASSERT(numbering->taken != NULL);
        memset(numbering->taken + numbering->stored, 0, stored - numbering->stored);
    }
    numbering->stored = stored;
}

void type_numbering_learn(struct type_numbering *numbering, const char *const *names,
                          const uint32_t *places, uint32_t count)
{
    struct type_slot *fresh = malloc(((size_t)count + 1) * sizeof(*fresh));
    ASSERT(fresh != NULL);
    for (uint32_t i = 0; i < count; i++) {
        ASSERT(places[i] < SNAPSHOT_TYPES_MAX);
        fresh[i] = (struct type_slot){hash_name(names[i]), places[i]};
        grow_stored(numbering, places[i] + 1);
    }
    qsort(fresh, count, sizeof(*fresh), compare_slots);
    merge_slots(numbering, fresh, count);
    free(fresh);
}

/* ---- defining ------------------------------------------------------------------------------- */

static uint32_t place_of(const struct type_numbering *numbering, uint32_t agent_index)
{
    return numbering->places != NULL ? numbering->places[agent_index] : agent_index;
}

static int is_taken(const struct type_numbering *numbering, uint32_t place, uint32_t agent_index)
{
    return numbering->places != NULL ? numbering->taken[place] : place < agent_index;
}

static void resize_places(struct type_numbering *numbering, uint32_t end)
{
    numbering->places = realloc(numbering->places, end * sizeof(*numbering->places));
    ASSERT(numbering->places != NULL);
}

/* The numberings part here: until now the agent's index was the stored one. */
static void begin_places(struct type_numbering *numbering, uint32_t agent_index, uint32_t end)
{
    resize_places(numbering, end);
    numbering->taken = calloc(numbering->stored, 1);
    ASSERT(numbering->taken != NULL);
    for (uint32_t i = 0; i < agent_index; i++) {
        numbering->places[i] = i;
        numbering->taken[i] = 1;
    }
}

/* `end`: the number of types that the agent will have defined with this message. */
static void put(struct type_numbering *numbering, uint32_t agent_index, uint32_t place,
                uint32_t end)
{
    if (numbering->places == NULL && place != agent_index)
        begin_places(numbering, agent_index, end);
    if (numbering->places != NULL) {
        numbering->places[agent_index] = place;
        numbering->taken[place] = 1;
    }
    numbering->defined = agent_index + 1;
}

static enum status define_one(struct type_numbering *numbering, uint32_t agent_index,
                              const char *name, uint32_t end, struct why *why)
{
    const struct type_slot *found = find_slot(numbering, hash_name(name));
    ASSERT(found != NULL);
    if (agent_index < numbering->defined) {
        if (found->index == place_of(numbering, agent_index))
            return STATUS_OK;
        return why_fail(why, STATUS_INVALID, "type %u was not called '%.100s' before", agent_index,
                        name);
    }
    if (is_taken(numbering, found->index, agent_index))
        return why_fail(why, STATUS_INVALID, "the type '%.100s' is defined twice", name);
    put(numbering, agent_index, found->index, end);
    return STATUS_OK;
}

enum status type_numbering_define(struct type_numbering *numbering, uint32_t first_index,
                                  const char *const *names, uint32_t count, struct why *why)
{
    if (first_index > numbering->defined)
        return why_fail(why, STATUS_INVALID, "types from %u on are defined before type %u",
                        first_index, numbering->defined);
    if (count > SNAPSHOT_TYPES_MAX - first_index)
        return why_fail(why, STATUS_LIMIT, "the process has more than %d types",
                        SNAPSHOT_TYPES_MAX);
    uint32_t end = first_index + count;
    if (numbering->places != NULL && end > numbering->defined)
        resize_places(numbering, end);
    for (uint32_t i = 0; i < count; i++) {
        enum status status = define_one(numbering, first_index + i, names[i], end, why);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* ---- translating ---------------------------------------------------------------------------- */

void type_numbering_to_stored(const struct type_numbering *table, const struct heap_values *from,
                              struct heap_values *ret)
{
    ASSERT(from->types <= table->defined);
    heap_values_resize(ret, 0);
    heap_values_resize(ret, table->stored);
    for (uint32_t i = 0; i < from->types; i++)
        ret->values[place_of(table, i)] = from->values[i];
}

void type_numbering_to_agent(const struct type_numbering *table, const struct heap_values *from,
                             struct heap_values *ret)
{
    heap_values_resize(ret, 0);
    heap_values_resize(ret, table->defined);
    uint32_t types = 0;
    for (uint32_t i = 0; i < table->defined; i++) {
        uint32_t place = place_of(table, i);
        if (place < from->types)
            ret->values[i] = from->values[place];
        if (ret->values[i].count != 0 || ret->values[i].bytes != 0)
            types = i + 1;
    }
    heap_values_resize(ret, types);
}
