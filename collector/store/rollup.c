/*
 * A process's sums are kept in arrays by its own type indices, where adding a snapshot is a loop
 * without look-ups; they are folded into the deployment's when the process is through.
 */
#include "rollup.h"

#include <stdlib.h>
#include <string.h>

struct sums {
    double count[ROLLUP_HOURS], bytes[ROLLUP_HOURS];
    uint64_t snapshots, count_min, count_max;
};

struct process {
    uint32_t type_count;
    struct rollup_hour hours[ROLLUP_HOURS];
    uint64_t cpu_first[ROLLUP_HOURS], cpu_last[ROLLUP_HOURS];
};

struct rollup {
    int64_t slot_ms;
    struct rollup_deployment *deployments;
    size_t deployment_count, deployment_capacity;
    struct rollup_deployment *current; /* of `process`; NULL: no process */
    struct process process;
    int32_t *type_ids; /* [process.type_count] */
    struct sums *sums; /* [sums_count] by type index */
    uint32_t sums_count, sums_capacity;
};

struct rollup *rollup_new(void)
{
    struct rollup *rollup = calloc(1, sizeof(*rollup));
    ASSERT(rollup != NULL);
    return rollup;
}

static void drop_deployments(struct rollup *rollup)
{
    for (size_t i = 0; i < rollup->deployment_count; i++) {
        free(rollup->deployments[i].types);
        free(rollup->deployments[i].places);
    }
    rollup->deployment_count = 0;
    rollup->current = NULL;
}

void rollup_free(struct rollup *rollup)
{
    if (rollup == NULL)
        return;
    drop_deployments(rollup);
    free(rollup->deployments);
    free(rollup->sums);
    free(rollup->type_ids);
    free(rollup);
}

void rollup_begin(struct rollup *rollup, int64_t slot_ms)
{
    drop_deployments(rollup);
    rollup->slot_ms = slot_ms;
    rollup->sums_count = 0;
}

/* ---- the types of a deployment -------------------------------------------------------------- */

static uint32_t hash(int32_t type_id)
{
    return (uint32_t)type_id * 2654435761u;
}

static void insert_place(struct rollup_deployment *deployment, uint32_t index)
{
    uint32_t mask = deployment->place_count - 1;
    uint32_t at = hash(deployment->types[index].type_id) & mask;
    while (deployment->places[at] != 0)
        at = (at + 1) & mask;
    deployment->places[at] = index + 1;
}

static void grow_types(struct rollup_deployment *deployment)
{
    uint32_t capacity = deployment->type_capacity == 0 ? 256 : deployment->type_capacity * 2;
    deployment->types = realloc(deployment->types, capacity * sizeof(*deployment->types));
    free(deployment->places);
    deployment->places = calloc((size_t)capacity * 2, sizeof(*deployment->places));
    ASSERT(deployment->types != NULL && deployment->places != NULL);
    deployment->type_capacity = capacity;
    deployment->place_count = capacity * 2;
    for (uint32_t i = 0; i < deployment->type_count; i++)
        insert_place(deployment, i);
}

static struct rollup_type *type_of(struct rollup_deployment *deployment, int32_t type_id)
{
    if (deployment->type_count == deployment->type_capacity)
        grow_types(deployment);
    uint32_t mask = deployment->place_count - 1, at = hash(type_id) & mask;
    for (; deployment->places[at] != 0; at = (at + 1) & mask) {
        struct rollup_type *type = &deployment->types[deployment->places[at] - 1];
        if (type->type_id == type_id)
            return type;
    }
    struct rollup_type *type = &deployment->types[deployment->type_count];
    *type = (struct rollup_type){.type_id = type_id, .count_min = UINT64_MAX};
    insert_place(deployment, deployment->type_count++);
    return type;
}

/* ---- processes ------------------------------------------------------------------------------ */

static struct rollup_deployment *deployment_of(struct rollup *rollup, int64_t id)
{
    for (size_t i = 0; i < rollup->deployment_count; i++) {
        if (rollup->deployments[i].id == id)
            return &rollup->deployments[i];
    }
    if (rollup->deployment_count == rollup->deployment_capacity) {
        rollup->deployment_capacity = rollup->deployment_capacity * 2 + 4;
        rollup->deployments = realloc(rollup->deployments,
                                      rollup->deployment_capacity * sizeof(*rollup->deployments));
        ASSERT(rollup->deployments != NULL);
    }
    struct rollup_deployment *deployment = &rollup->deployments[rollup->deployment_count++];
    *deployment = (struct rollup_deployment){.id = id};
    return deployment;
}

static void fold_types(struct rollup *rollup)
{
    for (uint32_t i = 0; i < rollup->sums_count; i++) {
        const struct sums *sums = &rollup->sums[i];
        if (sums->snapshots == 0)
            continue;
        struct rollup_type *type = type_of(rollup->current, rollup->type_ids[i]);
        for (int h = 0; h < ROLLUP_HOURS; h++) {
            type->count[h] += sums->count[h];
            type->bytes[h] += sums->bytes[h];
        }
        type->snapshots += sums->snapshots;
        type->count_min = sums->count_min < type->count_min ? sums->count_min : type->count_min;
        type->count_max = sums->count_max > type->count_max ? sums->count_max : type->count_max;
    }
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void fold_hour(struct rollup_hour *into, const struct rollup_hour *hour, uint64_t cpu_first,
                      uint64_t cpu_last)
{
    into->instances += hour->snapshots > 0;
    into->snapshots += hour->snapshots;
    into->objects += hour->objects;
    into->bytes += hour->bytes;
    into->rss_anon += hour->rss_anon;
    into->container_usage += hour->container_usage;
    into->rss_anon_max = larger(into->rss_anon_max, hour->rss_anon_max);
    into->container_usage_max = larger(into->container_usage_max, hour->container_usage_max);
    into->container_limit_max = larger(into->container_limit_max, hour->container_limit_max);
    into->cpu_ms += cpu_last > cpu_first ? cpu_last - cpu_first : 0;
}

static void fold_process(struct rollup *rollup)
{
    if (rollup->current == NULL)
        return;
    const struct process *process = &rollup->process;
    for (int h = 0; h < ROLLUP_HOURS; h++)
        fold_hour(&rollup->current->hours[h], &process->hours[h], process->cpu_first[h],
                  process->cpu_last[h]);
    fold_types(rollup);
    rollup->current = NULL;
}

void rollup_process(struct rollup *rollup, int64_t deployment_id, const int32_t *type_ids,
                    uint32_t type_count)
{
    fold_process(rollup);
    rollup->current = deployment_of(rollup, deployment_id);
    rollup->process = (struct process){.type_count = type_count};
    rollup->type_ids = realloc(rollup->type_ids, ((size_t)type_count + 1) * sizeof(*type_ids));
    ASSERT(rollup->type_ids != NULL);
    if (type_count > 0)
        memcpy(rollup->type_ids, type_ids, type_count * sizeof(*type_ids));
    rollup->sums_count = 0;
}

void rollup_restart(struct rollup *rollup)
{
    rollup->process = (struct process){.type_count = rollup->process.type_count};
    rollup->sums_count = 0;
}

static void grow_sums(struct rollup *rollup, uint32_t types)
{
    if (types > rollup->sums_capacity) {
        rollup->sums = realloc(rollup->sums, types * sizeof(*rollup->sums));
        ASSERT(rollup->sums != NULL);
        rollup->sums_capacity = types;
    }
    for (uint32_t i = rollup->sums_count; i < types; i++)
        rollup->sums[i] = (struct sums){.count_min = UINT64_MAX};
    rollup->sums_count = types;
}

static void add_process_numbers(struct process *process, int h, const uint64_t *numbers)
{
    struct rollup_hour *hour = &process->hours[h];
    if (hour->snapshots++ == 0)
        process->cpu_first[h] = numbers[PROCESS_CPU_MS];
    process->cpu_last[h] = numbers[PROCESS_CPU_MS];
    hour->objects += (double)numbers[PROCESS_OBJECTS];
    hour->bytes += (double)numbers[PROCESS_BYTES];
    hour->rss_anon += (double)numbers[PROCESS_RSS_ANON];
    hour->container_usage += (double)numbers[PROCESS_CONTAINER_USAGE];
    hour->rss_anon_max = larger(hour->rss_anon_max, numbers[PROCESS_RSS_ANON]);
    hour->container_usage_max = larger(hour->container_usage_max, numbers[PROCESS_CONTAINER_USAGE]);
    hour->container_limit_max = larger(hour->container_limit_max, numbers[PROCESS_CONTAINER_LIMIT]);
}

void rollup_add(struct rollup *rollup, const struct chunk_snapshot *snapshot,
                const struct heap_values *values)
{
    int64_t into_ms = snapshot->time_ms - rollup->slot_ms;
    ASSERT(into_ms >= 0 && into_ms < CHUNK_SLOT_MS && rollup->current != NULL);
    int h = (int)(into_ms / ROLLUP_HOUR_MS);
    add_process_numbers(&rollup->process, h, snapshot->process.of);
    uint32_t types = values->types;
    if (types > rollup->process.type_count)
        types = rollup->process.type_count;
    if (types > rollup->sums_count)
        grow_sums(rollup, types);
    for (uint32_t i = 0; i < types; i++) {
        struct sums *sums = &rollup->sums[i];
        uint64_t count = values->values[i].count;
        sums->count[h] += (double)count;
        sums->bytes[h] += (double)values->values[i].bytes;
        sums->snapshots++;
        sums->count_min = count < sums->count_min ? count : sums->count_min;
        sums->count_max = count > sums->count_max ? count : sums->count_max;
    }
}

const struct rollup_deployment *rollup_end(struct rollup *rollup, size_t *ret_count)
{
    fold_process(rollup);
    *ret_count = rollup->deployment_count;
    return rollup->deployments;
}
