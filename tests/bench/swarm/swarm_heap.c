#include "swarm_heap.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "attributes.h"

enum {
    MOST_OBJECTS = 200 * 1000, /* of the commonest type */
    GROWS_EVERY = 50,
    VARIES_EVERY = 3,
    NEW_TYPE_CHANCE = 20, /* one snapshot in so many */
    LIBRARY_TYPES = 60,
};
static const double zipf_exponent = 1.1;

static const char *const python_types[] = {
    "str",     "tuple", "dict",   "function",           "code",      "bytes",
    "int",     "list",  "cell",   "getset_descriptor",  "type",      "builtin_function_or_method",
    "weakref", "float", "set",    "wrapper_descriptor", "frozenset", "method_descriptor",
    "module",  "slice", "object", "_io.BufferedReader", "generator", "collections.deque",
};

static const uint16_t sizes[] = {28, 32, 48, 56, 64, 72, 104, 120, 184, 232, 440, 1064};

static uint64_t size_of_type(const struct swarm_heap *heap, uint32_t type)
{
    return sizes[swarm_random_mix(heap->kind, type) % ARRAY_SIZE(sizes)];
}

static int varies(uint32_t type)
{
    return type % VARIES_EVERY == 0;
}

/* ---- the beginning -------------------------------------------------------------------------- */

static void appear(struct swarm_heap *heap, uint32_t type)
{
    struct type_value *value = &heap->now.values[type];
    double expected = MOST_OBJECTS / pow((double)type + 1, zipf_exponent);
    double factor = 0.5 + (double)swarm_random_below(&heap->random, 1000) / 1000;
    value->count = 1 + (uint64_t)(expected * factor);
    value->bytes = value->count * size_of_type(heap, type);
    if (varies(type))
        value->bytes += swarm_random_below(&heap->random, value->bytes);
}

void swarm_heap_init(struct swarm_heap *heap, uint64_t kind, uint64_t seed, uint32_t types_max)
{
    *heap = (struct swarm_heap){.types_max = types_max, .kind = kind, .random = {seed}};
    uint32_t types = types_max - types_max / 30;
    heap_values_resize(&heap->now, types);
    for (uint32_t type = 0; type < types; type++)
        appear(heap, type);
}

void swarm_heap_done(struct swarm_heap *heap)
{
    heap_values_done(&heap->now);
}

/* ---- change --------------------------------------------------------------------------------- */

static void change(struct swarm_heap *heap, uint32_t type)
{
    struct type_value *value = &heap->now.values[type];
    uint64_t average = value->count > 0 ? value->bytes / value->count : size_of_type(heap, type);
    uint64_t step = 1 + swarm_random_below(&heap->random, 1 + value->count / 50);
    int shrinks = type % GROWS_EVERY != 7 && step <= value->count &&
                  swarm_random_below(&heap->random, 2) == 0;
    if (shrinks) {
        value->count -= step;
        value->bytes -= step * average;
    } else {
        value->count += step;
        value->bytes += step * average;
    }
    if (varies(type) && value->count > 0)
        value->bytes += swarm_random_below(&heap->random, 64);
}

void swarm_heap_step(struct swarm_heap *heap)
{
    uint64_t per_mille = 100 + swarm_random_below(&heap->random, 101);
    uint64_t gaps = 2000 / per_mille - 1; /* their mean is 1000 / per_mille */
    uint32_t type = (uint32_t)swarm_random_below(&heap->random, gaps);
    while (type < heap->now.types) {
        change(heap, type);
        type += 1 + (uint32_t)swarm_random_below(&heap->random, gaps);
    }
    if (heap->now.types < heap->types_max &&
        swarm_random_below(&heap->random, NEW_TYPE_CHANCE) == 0) {
        heap_values_resize(&heap->now, heap->now.types + 1);
        appear(heap, heap->now.types - 1);
    }
}

/* ---- questions ------------------------------------------------------------------------------ */

uint64_t swarm_heap_objects(const struct swarm_heap *heap)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < heap->now.types; i++)
        sum += heap->now.values[i].count;
    return sum;
}

uint64_t swarm_heap_bytes(const struct swarm_heap *heap)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < heap->now.types; i++)
        sum += heap->now.values[i].bytes;
    return sum;
}

void swarm_heap_type_name(uint32_t service, uint32_t index, char ret[SWARM_NAME_BYTES])
{
    if (index < ARRAY_SIZE(python_types))
        (void)snprintf(ret, SWARM_NAME_BYTES, "%s", python_types[index]);
    else if (index < ARRAY_SIZE(python_types) + LIBRARY_TYPES)
        (void)snprintf(ret, SWARM_NAME_BYTES, "framework.library%u.Type%u", index % 7, index);
    else
        (void)snprintf(ret, SWARM_NAME_BYTES, "service%u.models.Entity%u", service, index);
}
