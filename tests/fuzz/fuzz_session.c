/* USES ingest store wire codec common proto */
/*
 * An agent's stream: packed messages, each with its size in two bytes before it, against a database
 * in memory that commits at once. The first byte says what the database knows when a process is
 * first announced, and which limits hold. Whatever the agent says, what is stored can be read
 * again.
 */
#include "fuzz.h"
#include "session.h"
#include "utf8.h"
#include "wire.h"
#include "write_batch.h"

enum {
    ARENA_BYTES = 1 << 20,
    INSTANCES_MAX = 64,
    KNOWN = 1,
    BROKEN = 2,
    REFUSES = 4,
    SMALL = 8,
    OTHERS = 16
};

struct instance {
    uint8_t uuid[ID_BYTES];
    uint64_t last_sequence;
    struct heap_values heap;
    int is_broken;
    char **names;
    uint32_t name_count;
};

struct scene {
    struct session *session;
    struct instance instances[INSTANCES_MAX]; /* its id is the index */
    size_t count;
    uint8_t choice;
    uint8_t agent_id[ID_BYTES];
    struct instance *opening; /* NULL: none is asked for, or there is no room */
    struct instance *naming;  /* NULL: no names are to be added */
    const char *const *new_names;
    uint32_t new_count;
    int is_asked_for_agent;
};

static const int64_t now_ms = 1795341600000;

/* So small that a few messages reach them. */
static const struct session_limits small_limits = {.processes_max = 2,
                                                   .types_total_max = 4,
                                                   .text_bytes_max = 8,
                                                   .attributes_max = 1,
                                                   .chain_snapshots_max = 2,
                                                   .clock_ahead_ms = 1,
                                                   .clock_behind_ms = 2000};

/* ---- the database --------------------------------------------------------------------------- */

static void add_name(struct instance *instance, const char *name)
{
    instance->names = realloc(instance->names, (instance->name_count + 1) * sizeof(char *));
    ASSERT(instance->names != NULL);
    instance->names[instance->name_count] = strdup(name);
    ASSERT(instance->names[instance->name_count] != NULL);
    instance->name_count++;
}

static void begin_instance(struct instance *instance, const uint8_t *uuid, uint8_t choice)
{
    memcpy(instance->uuid, uuid, ID_BYTES);
    if ((choice & KNOWN) == 0)
        return;
    add_name(instance, "shop.Cart");
    add_name(instance, "str");
    heap_values_resize(&instance->heap, 2);
    instance->heap.values[0] = (struct type_value){3, 300};
    instance->last_sequence = 5;
    instance->is_broken = (choice & BROKEN) != 0;
}

static struct instance *find_or_begin(struct scene *scene, const uint8_t *uuid)
{
    for (size_t i = 0; i < scene->count; i++) {
        if (memcmp(scene->instances[i].uuid, uuid, ID_BYTES) == 0)
            return &scene->instances[i];
    }
    if (scene->count == INSTANCES_MAX)
        return NULL;
    begin_instance(&scene->instances[scene->count], uuid, scene->choice);
    return &scene->instances[scene->count++];
}

static struct instance_state load(const struct scene *scene, const struct instance *instance)
{
    struct instance_state state = {.service_id = 1,
                                   .instance_id = instance - scene->instances,
                                   .last_sequence = instance->last_sequence,
                                   .chain_broken = instance->is_broken || !instance->last_sequence,
                                   .type_count = instance->name_count};
    state.type_names = calloc(instance->name_count + 1, sizeof(char *));
    ASSERT(state.type_names != NULL);
    for (uint32_t i = 0; i < instance->name_count; i++)
        state.type_names[i] = strdup(instance->names[i]);
    if (!state.chain_broken)
        heap_values_copy(&state.values, &instance->heap);
    return state;
}

static uint32_t place_of(struct instance *instance, const char *name)
{
    for (uint32_t i = 0; i < instance->name_count; i++) {
        if (strcmp(instance->names[i], name) == 0)
            return i;
    }
    add_name(instance, name);
    return instance->name_count - 1;
}

static void commit_row(struct scene *scene, const struct snapshot_row *row)
{
    struct instance *instance = &scene->instances[row->instance_id];
    int is_keyframe = row->base_sequence == 0;
    ASSERT(row->sequence > instance->last_sequence && row->sequence <= INT64_MAX);
    ASSERT(is_keyframe == snapshot_is_keyframe(row->body, row->body_size));
    ASSERT(is_keyframe || (!instance->is_broken && row->base_sequence == instance->last_sequence));
    ASSERT(snapshot_decode(row->body, row->body_size, &instance->heap, NULL) == STATUS_OK);
    uint64_t objects = 0;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < instance->heap.types; i++) {
        objects += instance->heap.values[i].count;
        bytes += instance->heap.values[i].bytes;
    }
    ASSERT(row->types == instance->heap.types && row->types <= instance->name_count);
    ASSERT(row->objects == objects && row->bytes == bytes && bytes <= INT64_MAX);
    ASSERT(row->coverage <= 10000);
    instance->last_sequence = row->sequence;
    instance->is_broken = 0;
}

static void commit(struct scene *scene, const struct write_batch *batch)
{
    for (size_t i = 0; i < write_batch_snapshots(batch); i++) {
        struct snapshot_row row = write_batch_row(batch, i);
        commit_row(scene, &row);
    }
}

/* ---- what the session asks and says --------------------------------------------------------- */

static void find_agent(void *user, const uint8_t agent_id[ID_BYTES])
{
    struct scene *scene = user;
    memcpy(scene->agent_id, agent_id, ID_BYTES);
    scene->is_asked_for_agent = 1;
}

static void open_instance(void *user, const struct process_identity *identity)
{
    struct scene *scene = user;
    const char *json = identity->attributes_json;
    ASSERT(fuzz_is_json(json, strlen(json)));
    ASSERT(*identity->service != '\0' && strlen(identity->service) <= 512);
    ASSERT(identity->started_ms >= 0);
    scene->opening = find_or_begin(scene, identity->instance_uuid);
}

static void add_types(void *user, int64_t service_id, int64_t instance_id, const char *const *names,
                      uint32_t count)
{
    struct scene *scene = user;
    ASSERT(service_id == 1 && instance_id < (int64_t)scene->count && count > 0);
    ASSERT(count <= SNAPSHOT_TYPES_MAX);
    scene->naming = &scene->instances[instance_id];
    scene->new_names = names;
    scene->new_count = count;
}

static void send_message(void *user, const Heapfleet__V1__CollectorMessage *message)
{
    struct buf packed = BUF_INIT;
    (void)user;
    wire_pack(&message->base, &packed);
    ASSERT(packed.size > 0 && packed.size < 4096);
    buf_done(&packed);
}

static const struct session_events events = {
    .find_agent = find_agent,
    .open_instance = open_instance,
    .add_types = add_types,
    .send = send_message,
};

static void answer_types(struct scene *scene)
{
    uint32_t *places = calloc(scene->new_count, sizeof(*places));
    ASSERT(places != NULL);
    if ((scene->choice & OTHERS) != 0) /* another collector adds types of the same process */
        (void)place_of(scene->naming, scene->new_count % 2 ? "dict" : "other");
    for (uint32_t i = 0; i < scene->new_count; i++) {
        const char *name = scene->new_names[i];
        ASSERT(*name != '\0' && strlen(name) <= SNAPSHOT_NAME_BYTES_MAX);
        ASSERT(utf8_valid(name, strlen(name)));
        places[i] = place_of(scene->naming, name);
    }
    if (scene->naming->name_count <= SNAPSHOT_TYPES_MAX)
        session_types_added(scene->session, places);
    else
        session_process_failed(scene->session, "the table is full");
    free(places);
    scene->naming = NULL;
}

static void answer(struct scene *scene)
{
    if (scene->is_asked_for_agent) {
        scene->is_asked_for_agent = 0;
        session_agent_found(scene->session, 0);
    } else if (scene->naming != NULL) {
        answer_types(scene);
    } else if (scene->opening == NULL || (scene->choice & REFUSES) != 0) {
        session_process_failed(scene->session, "the database said no");
    } else {
        struct instance_state state = load(scene, scene->opening);
        session_instance_opened(scene->session, &state, scene->opening->last_sequence);
        scene->opening = NULL;
    }
}

/* ---- one message ---------------------------------------------------------------------------- */

static enum session_next take(struct scene *scene, const uint8_t *packed, size_t size)
{
    struct arena arena;
    ProtobufCMessage *message = NULL;
    enum session_next next = SESSION_END;
    arena_init(&arena, ARENA_BYTES);
    if (wire_unpack(&heapfleet__v1__agent_message__descriptor, packed, size, &arena, &message,
                    NULL) == STATUS_OK) {
        struct write_batch *batch = write_batch_new();
        struct why why = {""};
        enum rpc_code code = RPC_OK;
        next = session_take(scene->session, (const Heapfleet__V1__AgentMessage *)message, now_ms,
                            batch, &code, &why);
        ASSERT((next == SESSION_END) == (code != RPC_OK));
        ASSERT((next == SESSION_END) == (why.text[0] != '\0'));
        commit(scene, batch);
        write_batch_free(batch);
    }
    arena_done(&arena);
    return next;
}

static void scene_done(struct scene *scene)
{
    session_free(scene->session);
    for (size_t i = 0; i < scene->count; i++) {
        struct instance *instance = &scene->instances[i];
        while (instance->name_count > 0)
            free(instance->names[--instance->name_count]);
        free(instance->names);
        heap_values_done(&instance->heap);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct scene scene = {.choice = fuzz_take_byte(&input)};
    const struct session_limits *limits =
        scene.choice & SMALL ? &small_limits : &session_limits_default;
    scene.session = session_new(limits, &events, &scene);
    enum session_next next = SESSION_READ;
    while (input.size > 0 && next != SESSION_END) {
        size_t part_size = 0;
        uint8_t *part = fuzz_take_sized(&input, &part_size);
        next = take(&scene, part, part_size);
        if (next == SESSION_WAIT)
            answer(&scene);
        free(part);
    }
    ASSERT(session_describe(scene.session) != NULL);
    scene_done(&scene);
    return 0;
}
