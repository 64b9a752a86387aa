/*
 * The heap of a virtual service: a few types with very many objects, many with few (Zipf), of which
 * 10 to 20 % change from one snapshot to the next. Two thirds of the types have objects of one
 * size, the others (strings, containers) of many; every fiftieth only grows. New types turn up
 * until there are `types_max`. Pure: the seed decides everything.
 */
#ifndef TESTS_BENCH_SWARM_HEAP_H
#define TESTS_BENCH_SWARM_HEAP_H

#include <stdint.h>

#include "snapshot_codec.h"
#include "swarm_random.h"

struct swarm_heap {
    struct heap_values now;
    uint32_t types_max;
    uint64_t kind; /* of the service: which type has which size */
    struct swarm_random random;
};

/* Of a process that has just started. `kind` is common to the processes of a service. */
void swarm_heap_init(struct swarm_heap *heap, uint64_t kind, uint64_t seed, uint32_t types_max);
void swarm_heap_done(struct swarm_heap *heap);

/* The heap at the next snapshot. */
void swarm_heap_step(struct swarm_heap *heap);

uint64_t swarm_heap_objects(const struct swarm_heap *heap);
uint64_t swarm_heap_bytes(const struct swarm_heap *heap);

enum { SWARM_NAME_BYTES = 64 };

/* The first types are Python's own, the same for all; then come libraries', then the service's. */
void swarm_heap_type_name(uint32_t service, uint32_t index, char ret[SWARM_NAME_BYTES]);

#endif
