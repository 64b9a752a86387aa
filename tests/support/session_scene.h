/*
 * A session, what it is told, and everything that it said: process 1 has the types "a" and "b".
 */
#ifndef TESTS_SUPPORT_SESSION_SCENE_H
#define TESTS_SUPPORT_SESSION_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "session.h"
#include "snapshot_numbers.h"
#include "write_batch.h"

typedef Heapfleet__V1__AgentMessage agent_message;

enum { NOW_MS = 1760000000 };
static const int64_t now_ms = (int64_t)NOW_MS * 1000;

/* A session and everything that it said. */
struct scene {
    struct session *session;
    struct write_batch *batch;
    int agents_asked, processes_asked, types_asked;
    int welcomes, refusals, keyframes;
    uint64_t committed, refused_sequence;
    int faults[INGEST_FAULTS];
    int64_t held, room; /* types; room 0: any number */
    struct why why;
    enum rpc_code code;
};

static inline void find_agent(void *user, const uint8_t agent_id[ID_BYTES])
{
    struct scene *scene = user;
    assert_int_equal(agent_id[0], 'A');
    scene->agents_asked++;
}

static inline void open_instance(void *user, const struct process_identity *identity)
{
    struct scene *scene = user;
    assert_string_equal(identity->service, "shop");
    assert_string_equal(identity->attributes_json, "{\"k\":\"v\"}");
    scene->processes_asked++;
}

static inline void add_types(void *user, int64_t service_id, int64_t instance_id,
                             const char *const *names, uint32_t count)
{
    struct scene *scene = user;
    assert_int_equal(service_id, 3);
    assert_int_equal(instance_id, 4);
    assert_int_equal(count, 2);
    assert_string_equal(names[1], "b");
    scene->types_asked++;
}

static inline void send_message(void *user, const Heapfleet__V1__CollectorMessage *message)
{
    struct scene *scene = user;
    switch (message->body_case) {
    case HEAPFLEET__V1__COLLECTOR_MESSAGE__BODY_WELCOME:
        scene->welcomes++;
        scene->committed = message->welcome->committed_sequence;
        return;
    case HEAPFLEET__V1__COLLECTOR_MESSAGE__BODY_REFUSED:
        scene->refusals++;
        scene->refused_sequence = message->refused->sequence;
        assert_true(message->refused->reason[0] != '\0');
        return;
    case HEAPFLEET__V1__COLLECTOR_MESSAGE__BODY_REQUEST:
        scene->keyframes++;
        return;
    default:
        fail_msg("an unexpected message");
    }
}

static inline void count_refusal(void *user, enum ingest_fault fault)
{
    struct scene *scene = user;
    scene->faults[fault]++;
}

static inline int hold(void *user, int64_t types)
{
    struct scene *scene = user;
    scene->held += types;
    assert_true(scene->held >= 0);
    return scene->room == 0 || scene->held <= scene->room;
}

static const struct session_events events = {find_agent,    open_instance, add_types, send_message,
                                             count_refusal, hold,          NULL};

static inline struct scene *scene_new(const struct session_limits *limits)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    scene->session = session_new(limits, &events, scene);
    scene->batch = write_batch_new();
    return scene;
}

static inline void scene_free(struct scene *scene)
{
    session_free(scene->session);
    assert_int_equal(scene->held, 0);
    write_batch_free(scene->batch);
    free(scene);
}

static inline enum session_next take(struct scene *scene, const agent_message *message)
{
    return session_take(scene->session, message, now_ms, scene->batch, &scene->code, &scene->why);
}

/* ---- messages ------------------------------------------------------------------------------- */

#define EMPTY_TEXT ((char *)"")

static inline enum session_next say_hello(struct scene *scene, uint32_t protocol)
{
    Heapfleet__V1__Hello hello = HEAPFLEET__V1__HELLO__INIT;
    uint8_t id[ID_BYTES] = "AAAAAAAAAAAAAAA";
    hello.protocol = protocol;
    hello.agent_id = (ProtobufCBinaryData){ID_BYTES, id};
    hello.host = hello.agent_version = EMPTY_TEXT;
    agent_message message = HEAPFLEET__V1__AGENT_MESSAGE__INIT;
    message.body_case = HEAPFLEET__V1__AGENT_MESSAGE__BODY_HELLO;
    message.hello = &hello;
    return take(scene, &message);
}

static inline enum session_next start_process(struct scene *scene, uint32_t number,
                                              const char *service)
{
    Heapfleet__V1__Attribute attribute = HEAPFLEET__V1__ATTRIBUTE__INIT,
                             *attributes[] = {&attribute};
    attribute.key = (char *)"k";
    attribute.value = (char *)"v";
    uint8_t id[ID_BYTES] = {(uint8_t)number};
    Heapfleet__V1__ProcessStarted started = HEAPFLEET__V1__PROCESS_STARTED__INIT;
    started.process = number;
    started.instance_id = (ProtobufCBinaryData){ID_BYTES, id};
    started.service = (char *)service;
    started.started_ms = now_ms - 1000;
    started.n_attributes = 1;
    started.attributes = attributes;
    agent_message message = HEAPFLEET__V1__AGENT_MESSAGE__INIT;
    message.body_case = HEAPFLEET__V1__AGENT_MESSAGE__BODY_PROCESS_STARTED;
    message.process_started = &started;
    return take(scene, &message);
}

static inline enum session_next define_types(struct scene *scene, uint32_t process, uint32_t first,
                                             size_t count, const char *const *names)
{
    Heapfleet__V1__TypeDefinitions types = HEAPFLEET__V1__TYPE_DEFINITIONS__INIT;
    types.process = process;
    types.first_index = first;
    types.n_names = count;
    types.names = (char **)names;
    agent_message message = HEAPFLEET__V1__AGENT_MESSAGE__INIT;
    message.body_case = HEAPFLEET__V1__AGENT_MESSAGE__BODY_TYPE_DEFINITIONS;
    message.type_definitions = &types;
    return take(scene, &message);
}

/* Two types, of which the first one's count is the number; a delta on `base`, or a keyframe if 0.
 * `shortened`: against a snapshot `base` that said what this one says. */
static inline enum session_next send(struct scene *scene, uint32_t process, uint64_t sequence,
                                     uint64_t base, int shortened)
{
    struct heap_values old = HEAP_VALUES_INIT, now = HEAP_VALUES_INIT;
    heap_values_resize(&old, 2);
    heap_values_resize(&now, 2);
    old.values[0] = (struct type_value){base % 1024, base % 1024 * 8};
    now.values[0] = (struct type_value){sequence % 1024, sequence % 1024 * 8};
    struct buf body = BUF_INIT;
    if (base == 0)
        snapshot_encode_keyframe(&now, &body);
    else
        snapshot_encode_delta(&old, &now, &body);
    Heapfleet__V1__Snapshot snapshot = HEAPFLEET__V1__SNAPSHOT__INIT;
    snapshot.process = process;
    snapshot.time_ms = now_ms;
    snapshot.cpu_ms = 77;
    snapshot.base_sequence = base;
    snapshot.body = (ProtobufCBinaryData){body.size, body.data};
    int64_t changes[SNAPSHOT_NUMBERS];
    const struct snapshot_numbers same = snapshot_numbers(base, &snapshot);
    if (shortened)
        snapshot_shorten(sequence, &same, &snapshot, changes);
    agent_message message = HEAPFLEET__V1__AGENT_MESSAGE__INIT;
    message.sequence = sequence;
    message.body_case = HEAPFLEET__V1__AGENT_MESSAGE__BODY_SNAPSHOT;
    message.snapshot = &snapshot;
    enum session_next next = take(scene, &message);
    buf_done(&body);
    heap_values_done(&old);
    heap_values_done(&now);
    return next;
}

static inline enum session_next send_snapshot(struct scene *scene, uint32_t process,
                                              uint64_t sequence, uint64_t base)
{
    return send(scene, process, sequence, base, 0);
}

static inline enum session_next end_process(struct scene *scene, uint32_t process,
                                            uint64_t sequence)
{
    Heapfleet__V1__ProcessEnded ended = HEAPFLEET__V1__PROCESS_ENDED__INIT;
    ended.process = process;
    ended.time_ms = now_ms;
    agent_message message = HEAPFLEET__V1__AGENT_MESSAGE__INIT;
    message.sequence = sequence;
    message.body_case = HEAPFLEET__V1__AGENT_MESSAGE__BODY_PROCESS_ENDED;
    message.process_ended = &ended;
    return take(scene, &message);
}

static const char *const two_types[] = {"a", "b"};

/* Names that the database does not know are asked for. */
static inline void define_two(struct scene *scene, uint32_t process, int are_new)
{
    assert_int_equal(define_types(scene, process, 0, 2, two_types),
                     are_new ? SESSION_WAIT : SESSION_READ);
    if (are_new)
        session_types_added(scene->session, (const uint32_t[]){0, 1});
}

/* A stream with process 1, which the database has up to `last_sequence`. */
static inline struct scene *scene_with_chain(const struct session_limits *limits,
                                             uint64_t last_sequence, uint32_t chain_length)
{
    struct scene *scene = scene_new(limits);
    assert_int_equal(say_hello(scene, 1), SESSION_WAIT);
    session_agent_found(scene->session, 0);
    assert_int_equal(start_process(scene, 1, "shop"), SESSION_WAIT);
    struct instance_state state = {.service_id = 3,
                                   .instance_id = 4,
                                   .last_sequence = last_sequence,
                                   .chain_broken = last_sequence == 0,
                                   .chain_length = chain_length};
    if (last_sequence != 0) {
        heap_values_resize(&state.values, 2);
        state.values.values[0] = (struct type_value){last_sequence, last_sequence * 8};
        state.type_count = 2;
        state.type_names = calloc(2, sizeof(char *));
        state.type_names[0] = strdup("a");
        state.type_names[1] = strdup("b");
    }
    session_instance_opened(scene->session, &state, last_sequence);
    define_two(scene, 1, last_sequence == 0);
    return scene;
}

static inline struct scene *scene_with_process(const struct session_limits *limits,
                                               uint64_t last_sequence)
{
    return scene_with_chain(limits, last_sequence, 0);
}

static inline struct scene *usual_scene(uint64_t last_sequence)
{
    return scene_with_process(&session_limits_default, last_sequence);
}

#endif
