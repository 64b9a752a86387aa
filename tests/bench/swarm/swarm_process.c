#include "swarm_process.h"

#include <stdlib.h>

#include "attributes.h"

struct swarm_process *swarm_process_new(uint64_t seed, uint32_t service, uint32_t types)
{
    struct swarm_process *process = calloc(1, sizeof(*process));
    ASSERT(process != NULL);
    process->service = service;
    swarm_heap_init(&process->heap, swarm_random_mix(1, service), seed, types);
    return process;
}

void swarm_process_free(struct swarm_process *process)
{
    if (process == NULL)
        return;
    swarm_heap_done(&process->heap);
    heap_values_done(&process->base);
    free(process);
}

void swarm_process_announce(const struct swarm_process *process, struct buf *ret)
{
    char service[64], version[32], pod[96], container[80];
    (void)snprintf(service, sizeof(service), "swarm-%u", process->service);
    (void)snprintf(version, sizeof(version), "1.%u.0", process->version);
    unsigned long long name = swarm_random_mix(process->heap.kind, (uint64_t)process->started_ms);
    (void)snprintf(pod, sizeof(pod), "%s-%08x", service, (unsigned)name);
    (void)snprintf(container, sizeof(container), "%016llx%016llx%016llx%016llx", name, name ^ 1,
                   name ^ 2, name ^ 3);
    const struct identity identity = {
        .field =
            {
                [IDENTITY_SERVICE] = service,
                [IDENTITY_NAMESPACE] = "load",
                [IDENTITY_VERSION] = version,
                [IDENTITY_ENVIRONMENT] = "swarm",
                [IDENTITY_HOST] = "swarm-host",
                [IDENTITY_POD] = pod,
                [IDENTITY_CONTAINER] = container,
                [IDENTITY_IMAGE] = "registry.example/swarm/service:1",
            },
        .attributes = {{"k8s.namespace.name", "load"}},
        .attribute_count = 1,
    };
    struct uplink_process announced = {
        .process = process->number,
        .identity = &identity,
        .pid = 1,
        .runtime_version = "3.11.2",
        .started_ms = process->started_ms,
    };
    memcpy(announced.instance_id, process->account->uuid, INSTANCE_ID_BYTES);
    message_process_started(&announced, ret);
}

void swarm_process_define(struct swarm_process *process, struct buf *ret)
{
    struct buf names = BUF_INIT;
    uint32_t first = process->types_sent;
    for (; process->types_sent < process->heap.now.types; process->types_sent++) {
        char name[SWARM_NAME_BYTES];
        swarm_heap_type_name(process->service, process->types_sent, name);
        buf_append(&names, name, strlen(name) + 1);
    }
    message_type_definitions(process->number, first, (const char *)names.data,
                             process->types_sent - first, ret);
    buf_done(&names);
}

static void encode(struct swarm_process *process, struct buf *body)
{
    int whole = process->base_sequence == 0 || process->wants_keyframe ||
                process->since_keyframe + 1 >= SWARM_KEYFRAME_EVERY;
    if (whole) {
        process->base_sequence = 0;
        process->since_keyframe = 0;
        process->wants_keyframe = 0;
        snapshot_encode_keyframe(&process->heap.now, body);
    } else {
        process->since_keyframe++;
        snapshot_encode_delta(&process->base, &process->heap.now, body);
    }
    heap_values_copy(&process->base, &process->heap.now);
}

void swarm_process_snapshot(struct swarm_process *process, uint64_t sequence, int64_t time_ms,
                            struct buf *ret, size_t *ret_body)
{
    struct buf body = BUF_INIT;
    swarm_heap_step(&process->heap);
    encode(process, &body);
    uint64_t bytes = swarm_heap_bytes(&process->heap);
    const struct uplink_snapshot snapshot = {
        .process = process->number,
        .time_ms = time_ms,
        .rss_anon_bytes = bytes + bytes / 4,
        .container_usage_bytes = bytes + bytes / 2,
        .container_limit_bytes = (uint64_t)1 << 30,
        .not_objects_bytes = bytes / 4,
        .cpu_ms = (uint64_t)(time_ms - process->started_ms) / 4,
        .census_cpu_us = 6000,
        .coverage = 10000,
    };
    message_snapshot(sequence, &snapshot, process->base_sequence, &body, ret);
    process->base_sequence = sequence;
    *ret_body = body.size;
    buf_done(&body);
}
