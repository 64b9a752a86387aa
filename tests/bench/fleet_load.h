/*
 * A made-up fleet, minute after minute, for measurements of storage: the same numbers for the same
 * shape and seed on every machine, and no clock but its own.
 *
 *     containers                 fleet_load_step(fleet, c)      one snapshot of container c
 *     ├─ service-0: 10 ─┐          values    what its heap holds now
 *     ├─ service-1: 10  │          body      the same in the snapshot codec, as an agent sends it
 *     └─ ...            │          time_ms   its own minute, plus 0 to 20 ms
 *        v1 ──► v2 ──► v3          a deployment ends every process and starts a new one
 *
 * Of the 300 types of a process 12.8 % change between two snapshots on average: 8 % in every one,
 * 8 % in four of ten, 16 % in one of ten, the rest never (fleet_load.c has the table). Counts
 * wander around a base, in one service of five one type leaks; three types of ten have objects of
 * many sizes, so that their bytes do not follow their counts. Each process numbers its types in an
 * order of its own, and ten of them appear during its first hour.
 */
#ifndef TESTS_BENCH_FLEET_LOAD_H
#define TESTS_BENCH_FLEET_LOAD_H

#include <stdint.h>

#include "buf.h"
#include "snapshot_codec.h"

enum {
    FLEET_SERVICE_CONTAINERS = 10,
    FLEET_TYPES_LATE = 10, /* of a process's types: they appear in its first hour */
    FLEET_NAME_BYTES = 48,
    FLEET_KEYFRAME_EVERY = 64, /* as the agent's uplink */
};

struct fleet_shape {
    uint64_t seed;
    uint32_t containers, types;
    int64_t start_ms, interval_ms;
    uint32_t life_snapshots; /* between two deployments; 0: one for ever */
};

/* One process of a container. */
struct fleet_process {
    struct heap_values values; /* after the last step; index as the process numbers its types */
    uint16_t *kinds;           /* [types] index -> which of the service's types */
    uint64_t random;
    uint32_t container, version; /* from 0 */
    uint32_t steps;              /* of the container */
    uint32_t snapshots;          /* of them, in this life */
    int64_t started_ms, time_ms; /* of the last step */
};

struct fleet_load;

struct fleet_load *fleet_load_new(const struct fleet_shape *shape);
void fleet_load_free(struct fleet_load *load);

/* The container's process if its next snapshot is its first, else NULL. */
const struct fleet_process *fleet_load_begins(struct fleet_load *load, uint32_t container);

/* The next snapshot of the container. When its life is over, a new process: `snapshots` is 1. */
const struct fleet_process *fleet_load_step(struct fleet_load *load, uint32_t container);

/* As the agent would send it: a keyframe, or the change since the step before. Valid until the next
 * step. `*ret_is_keyframe` as it says. */
const struct buf *fleet_load_body(const struct fleet_load *load, int *ret_is_keyframe);
/* What the process held before the step: what a collector remembers of it. */
const struct heap_values *fleet_load_before(const struct fleet_load *load);

/* Names; `ret` holds FLEET_NAME_BYTES. The first 100 kinds are types that every service has. */
void fleet_service_name(uint32_t container, char *ret);
void fleet_version_name(uint32_t version, char *ret);
void fleet_type_name(uint32_t container, uint32_t kind, char *ret);

#endif
