/*
 * Sums of one service over the four hours of a slot: by deployment, type and hour. Fed snapshot by
 * snapshot, one process after the other. Pure.
 *
 * A process that does not know a type has none of it: means are over all snapshots of the
 * deployment, and the smallest count is 0 where a snapshot lacks the type.
 */
#ifndef COLLECTOR_STORE_ROLLUP_H
#define COLLECTOR_STORE_ROLLUP_H

#include "chunk_codec.h"

enum { ROLLUP_HOURS = 4, ROLLUP_HOUR_MS = CHUNK_SLOT_MS / ROLLUP_HOURS };

struct rollup_type {
    int32_t type_id;
    double count[ROLLUP_HOURS], bytes[ROLLUP_HOURS]; /* sums over snapshots */
    uint64_t snapshots;                              /* that knew the type */
    uint64_t count_min, count_max;                   /* of those */
};

struct rollup_hour {
    uint32_t instances, snapshots;
    double objects, bytes, rss_anon, container_usage; /* sums over snapshots */
    uint64_t rss_anon_max, container_usage_max, container_limit_max;
    uint64_t cpu_ms; /* used between a process's first and last snapshot of the hour */
};

struct rollup_deployment {
    int64_t id;
    struct rollup_hour hours[ROLLUP_HOURS];
    struct rollup_type *types; /* [type_count], in order of their appearance */
    uint32_t type_count, type_capacity;
    uint32_t *places; /* [place_count] hash by type id: index + 1, 0: free */
    uint32_t place_count;
};

struct rollup;

struct rollup *rollup_new(void);
void rollup_free(struct rollup *rollup);
void rollup_begin(struct rollup *rollup, int64_t slot_ms); /* an empty one */

/* What follows is of another process. `type_ids` is copied. */
void rollup_process(struct rollup *rollup, int64_t deployment_id, const int32_t *type_ids,
                    uint32_t type_count);
void rollup_restart(struct rollup *rollup); /* forget what was added of this process */
/* Times lie within the slot (asserted). Types beyond type_count are left out. */
void rollup_add(struct rollup *rollup, const struct chunk_snapshot *snapshot,
                const struct heap_values *values);
/* All deployments that had a snapshot; valid until the next begin. */
const struct rollup_deployment *rollup_end(struct rollup *rollup, size_t *ret_count);

#endif
