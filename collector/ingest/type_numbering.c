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

/* ---- defining ------------------------------------------------------------------------------- */

/* A call of type_numbering_define under way. */
struct definition {
    struct type_numbering *table;
    struct type_slot *fresh;
    uint32_t fresh_count;
    uint32_t agent_capacity, stored_capacity; /* of places and taken, while this call runs */
};

static uint32_t place_of(const struct type_numbering *table, uint32_t agent_index)
{
    return table->places != NULL ? table->places[agent_index] : agent_index;
}

static int is_taken(const struct type_numbering *table, uint32_t place, uint32_t agent_index)
{
    return table->places != NULL ? table->taken[place] : place < agent_index;
}

static void resize_places(struct definition *definition)
{
    struct type_numbering *table = definition->table;
    table->places = realloc(table->places, definition->agent_capacity * sizeof(*table->places));
    table->taken = realloc(table->taken, definition->stored_capacity);
    ASSERT(table->places != NULL && table->taken != NULL);
    memset(table->taken + table->stored, 0, definition->stored_capacity - table->stored);
}

/* The numberings part here: until now the agent's index was the stored one. */
static void begin_places(struct definition *definition, uint32_t agent_index)
{
    resize_places(definition);
    struct type_numbering *table = definition->table;
    memset(table->taken, 0, definition->stored_capacity);
    for (uint32_t i = 0; i < agent_index; i++) {
        table->places[i] = i;
        table->taken[i] = 1;
    }
}

static void put(struct definition *definition, uint32_t agent_index, uint32_t place)
{
    struct type_numbering *table = definition->table;
    if (table->places == NULL && place != agent_index)
        begin_places(definition, agent_index);
    if (table->places != NULL) {
        table->places[agent_index] = place;
        table->taken[place] = 1;
    }
    table->defined = agent_index + 1;
}

static enum status define_one(struct definition *definition, uint32_t agent_index, const char *name,
                              int *ret_is_new, struct why *why)
{
    struct type_numbering *table = definition->table;
    uint64_t hash = hash_name(name);
    const struct type_slot *found = find_slot(table, hash);
    *ret_is_new = 0;
    if (agent_index < table->defined) {
        if (found != NULL && found->index == place_of(table, agent_index))
            return STATUS_OK;
        return why_fail(why, STATUS_INVALID, "type %u was not called \"%.100s\" before",
                        agent_index, name);
    }
    if (found != NULL && is_taken(table, found->index, agent_index))
        return why_fail(why, STATUS_INVALID, "the type \"%.100s\" is defined twice", name);
    if (found != NULL) {
        put(definition, agent_index, found->index);
        return STATUS_OK;
    }
    uint32_t place = table->stored + definition->fresh_count;
    if (place >= SNAPSHOT_TYPES_MAX)
        return why_fail(why, STATUS_LIMIT, "the process has more than %d types",
                        SNAPSHOT_TYPES_MAX);
    definition->fresh[definition->fresh_count++] = (struct type_slot){hash, place};
    put(definition, agent_index, place);
    *ret_is_new = 1;
    return STATUS_OK;
}

static enum status add_fresh(struct definition *definition, struct why *why)
{
    struct type_numbering *table = definition->table;
    qsort(definition->fresh, definition->fresh_count, sizeof(*definition->fresh), compare_slots);
    for (uint32_t i = 1; i < definition->fresh_count; i++) {
        if (definition->fresh[i].hash == definition->fresh[i - 1].hash)
            return why_fail(why, STATUS_INVALID, "a type is defined twice");
    }
    merge_slots(table, definition->fresh, definition->fresh_count);
    table->stored += definition->fresh_count;
    return STATUS_OK;
}

static enum status define_all(struct definition *definition, uint32_t first_index,
                              const char *const *names, uint32_t count, const char **ret_new,
                              struct why *why)
{
    for (uint32_t i = 0; i < count; i++) {
        int is_new = 0;
        enum status status = define_one(definition, first_index + i, names[i], &is_new, why);
        if (status != STATUS_OK)
            return status;
        if (is_new)
            ret_new[definition->fresh_count - 1] = names[i];
    }
    return definition->fresh_count > 0 ? add_fresh(definition, why) : STATUS_OK;
}

enum status type_numbering_define(struct type_numbering *table, uint32_t first_index,
                                  const char *const *names, uint32_t count, const char **ret_new,
                                  uint32_t *ret_new_count, struct why *why)
{
    if (first_index > table->defined)
        return why_fail(why, STATUS_INVALID, "types %u to %u are defined before type %u",
                        first_index, first_index + count, table->defined);
    if (count > SNAPSHOT_TYPES_MAX - first_index)
        return why_fail(why, STATUS_LIMIT, "the process has more than %d types",
                        SNAPSHOT_TYPES_MAX);
    if (count == 0) {
        *ret_new_count = 0;
        return STATUS_OK;
    }
    uint32_t end = first_index + count;
    struct definition definition = {
        .table = table,
        .fresh = malloc(count * sizeof(*definition.fresh)),
        .agent_capacity = end > table->defined ? end : table->defined,
        .stored_capacity = table->stored + count,
    };
    ASSERT(definition.fresh != NULL);
    if (table->places != NULL)
        resize_places(&definition);
    enum status status = define_all(&definition, first_index, names, count, ret_new, why);
    if (status == STATUS_OK)
        *ret_new_count = definition.fresh_count;
    free(definition.fresh);
    return status;
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
