#include "messages.h"

#include <string.h>

#include "attributes.h"
#include "version.h"
#include "wire.h"

/* protobuf-c wants char * for what it only reads */
static char *text_of(const char *text)
{
    union {
        const char *in;
        char *out;
    } pointer = {.in = text};
    return pointer.out;
}

static void pack(Heapfleet__V1__AgentMessage *message, struct buf *ret)
{
    wire_pack(&message->base, ret);
}

void message_hello(const uint8_t agent_id[AGENT_ID_BYTES], const char *host, int64_t now_ms,
                   struct buf *ret)
{
    uint8_t id[AGENT_ID_BYTES];
    memcpy(id, agent_id, sizeof(id));
    Heapfleet__V1__Hello hello = HEAPFLEET__V1__HELLO__INIT;
    hello.protocol = HEAPFLEET_PROTOCOL;
    hello.agent_id = (ProtobufCBinaryData){.len = sizeof(id), .data = id};
    hello.agent_version = text_of(HEAPFLEET_VERSION);
    hello.host = text_of(host);
    hello.time_ms = now_ms;
    Heapfleet__V1__AgentMessage message = HEAPFLEET__V1__AGENT_MESSAGE__INIT;
    message.body_case = HEAPFLEET__V1__AGENT_MESSAGE__BODY_HELLO;
    message.hello = &hello;
    pack(&message, ret);
}

void message_process_started(const struct uplink_process *process, struct buf *ret)
{
    const struct identity *identity = process->identity;
    uint8_t id[INSTANCE_ID_BYTES];
    memcpy(id, process->instance_id, sizeof(id));
    Heapfleet__V1__Attribute attributes[IDENTITY_ATTRIBUTES_MAX];
    Heapfleet__V1__Attribute *pointers[IDENTITY_ATTRIBUTES_MAX];
    ASSERT(identity->attribute_count <= IDENTITY_ATTRIBUTES_MAX);
    for (size_t i = 0; i < identity->attribute_count; i++) {
        heapfleet__v1__attribute__init(&attributes[i]);
        attributes[i].key = text_of(identity->attributes[i].key);
        attributes[i].value = text_of(identity->attributes[i].value);
        pointers[i] = &attributes[i];
    }
    Heapfleet__V1__ProcessStarted started = HEAPFLEET__V1__PROCESS_STARTED__INIT;
    started.process = process->process;
    started.instance_id = (ProtobufCBinaryData){.len = sizeof(id), .data = id};
    started.service = text_of(identity->field[IDENTITY_SERVICE]);
    started.service_namespace = text_of(identity->field[IDENTITY_NAMESPACE]);
    started.version = text_of(identity->field[IDENTITY_VERSION]);
    started.environment = text_of(identity->field[IDENTITY_ENVIRONMENT]);
    started.host = text_of(identity->field[IDENTITY_HOST]);
    started.pod = text_of(identity->field[IDENTITY_POD]);
    started.container_id = text_of(identity->field[IDENTITY_CONTAINER]);
    started.image = text_of(identity->field[IDENTITY_IMAGE]);
    started.pid = process->pid;
    started.runtime = text_of("cpython");
    started.runtime_version = text_of(process->runtime_version);
    started.started_ms = process->started_ms;
    started.n_attributes = identity->attribute_count;
    started.attributes = pointers;
    Heapfleet__V1__AgentMessage message = HEAPFLEET__V1__AGENT_MESSAGE__INIT;
    message.body_case = HEAPFLEET__V1__AGENT_MESSAGE__BODY_PROCESS_STARTED;
    message.process_started = &started;
    pack(&message, ret);
}

void message_type_definitions(uint32_t process, uint32_t first_index, const char *names,
                              uint32_t count, struct buf *ret)
{
    char **pointers = calloc(count, sizeof(*pointers));
    ASSERT(pointers != NULL);
    for (uint32_t i = 0; i < count; i++) {
        pointers[i] = text_of(names);
        names += strlen(names) + 1;
    }
    Heapfleet__V1__TypeDefinitions definitions = HEAPFLEET__V1__TYPE_DEFINITIONS__INIT;
    definitions.process = process;
    definitions.first_index = first_index;
    definitions.n_names = count;
    definitions.names = pointers;
    Heapfleet__V1__AgentMessage message = HEAPFLEET__V1__AGENT_MESSAGE__INIT;
    message.body_case = HEAPFLEET__V1__AGENT_MESSAGE__BODY_TYPE_DEFINITIONS;
    message.type_definitions = &definitions;
    pack(&message, ret);
    free(pointers);
}

void message_snapshot(uint64_t sequence, const struct uplink_snapshot *from, uint64_t base_sequence,
                      const struct buf *body, struct buf *ret)
{
    Heapfleet__V1__Snapshot snapshot = HEAPFLEET__V1__SNAPSHOT__INIT;
    snapshot.process = from->process;
    snapshot.time_ms = from->time_ms;
    snapshot.base_sequence = base_sequence;
    snapshot.body = (ProtobufCBinaryData){.len = body->size, .data = body->data};
    snapshot.rss_anon_bytes = from->rss_anon_bytes;
    snapshot.swap_bytes = from->swap_bytes;
    snapshot.pss_bytes = from->pss_bytes;
    snapshot.container_usage_bytes = from->container_usage_bytes;
    snapshot.container_limit_bytes = from->container_limit_bytes;
    snapshot.cpu_ms = from->cpu_ms;
    snapshot.census_cpu_us = from->census_cpu_us;
    snapshot.coverage = from->coverage;
    snapshot.not_objects_bytes = from->not_objects_bytes;
    snapshot.pool_bytes = from->pool_bytes;
    snapshot.pool_free_bytes = from->pool_free_bytes;
    snapshot.malloc_free_bytes = from->malloc_free_bytes;
    snapshot.objects_error = from->objects_error;
    snapshot.bytes_error = from->bytes_error;
    message_repack_snapshot(sequence, &snapshot, ret);
}

void message_process_ended(uint64_t sequence, uint32_t process, int64_t time_ms,
                           enum end_reason reason, struct buf *ret)
{
    static const Heapfleet__V1__EndReason reasons[] = {
        [END_UNKNOWN] = HEAPFLEET__V1__END_REASON__END_REASON_UNKNOWN,
        [END_EXITED] = HEAPFLEET__V1__END_REASON__END_REASON_EXITED,
        [END_OOM_KILLED] = HEAPFLEET__V1__END_REASON__END_REASON_OOM_KILLED,
        [END_REPLACED] = HEAPFLEET__V1__END_REASON__END_REASON_REPLACED,
    };
    Heapfleet__V1__ProcessEnded ended = HEAPFLEET__V1__PROCESS_ENDED__INIT;
    ended.process = process;
    ended.time_ms = time_ms;
    ended.reason = reasons[reason];
    Heapfleet__V1__AgentMessage message = HEAPFLEET__V1__AGENT_MESSAGE__INIT;
    message.sequence = sequence;
    message.body_case = HEAPFLEET__V1__AGENT_MESSAGE__BODY_PROCESS_ENDED;
    message.process_ended = &ended;
    pack(&message, ret);
}

Heapfleet__V1__Snapshot *message_own_snapshot(const uint8_t *data, size_t size, struct arena *arena)
{
    ProtobufCMessage *unpacked = NULL;
    if (wire_unpack(&heapfleet__v1__agent_message__descriptor, data, size, arena, &unpacked,
                    NULL) != STATUS_OK)
        return NULL; /* we packed it, but it may have lain on a disk */
    const Heapfleet__V1__AgentMessage *message = (const Heapfleet__V1__AgentMessage *)unpacked;
    return message->body_case == HEAPFLEET__V1__AGENT_MESSAGE__BODY_SNAPSHOT ? message->snapshot
                                                                             : NULL;
}

void message_repack_snapshot(uint64_t sequence, Heapfleet__V1__Snapshot *snapshot, struct buf *ret)
{
    Heapfleet__V1__AgentMessage message = HEAPFLEET__V1__AGENT_MESSAGE__INIT;
    message.sequence = sequence;
    message.body_case = HEAPFLEET__V1__AGENT_MESSAGE__BODY_SNAPSHOT;
    message.snapshot = snapshot;
    pack(&message, ret);
}

void message_stream_snapshot(uint64_t sequence, Heapfleet__V1__Snapshot *snapshot,
                             struct snapshot_numbers *sent, struct buf *ret)
{
    struct snapshot_numbers numbers = snapshot_numbers(sequence, snapshot);
    int64_t changes[SNAPSHOT_NUMBERS];
    snapshot_shorten(sequence, sent, snapshot, changes);
    *sent = numbers;
    message_repack_snapshot(sequence, snapshot, ret);
}

enum status message_from_collector(const uint8_t *data, size_t size, struct arena *arena,
                                   Heapfleet__V1__CollectorMessage **ret, struct why *why)
{
    ProtobufCMessage *unpacked = NULL;
    enum status status = wire_unpack(&heapfleet__v1__collector_message__descriptor, data, size,
                                     arena, &unpacked, why);
    if (status == STATUS_OK)
        *ret = (Heapfleet__V1__CollectorMessage *)unpacked;
    return status;
}
