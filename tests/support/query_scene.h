/*
 * A collector's reading half with a small fleet in it: a private PostgreSQL, the Query service and
 * a gRPC server on a port of the kernel's choice. Uses the modules store, query and rpc.
 *
 *     shop, prod     v1: two processes, an hour, ended. v2: two, an hour until now, live;
 *                    shop.cart.CartLine grows by 10 and 20 a minute
 *     search, prod   v7: one process, live, steady
 *     search, staging  the same
 */
#ifndef TESTS_SUPPORT_QUERY_SCENE_H
#define TESTS_SUPPORT_QUERY_SCENE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "findings_scene.h"
#include "private_store.h"
#include "query_service.h"
#include "rpc_server.h"

enum { SCENE_TYPES = 4 };
static const int64_t scene_minute_ms = 60000;
static const int64_t scene_hour_ms = 3600000;

struct query_scene {
    struct private_store store;
    struct query_service *service;
    struct rpc_server *server;
    char target[32];
    int64_t now_ms; /* the newest snapshot of the live processes */
    uint8_t processes;
    uint64_t sequence;
};

static inline void query_scene_snapshot(struct query_scene *scene, struct write_batch *batch,
                                        const struct instance_state *at, int64_t time_ms,
                                        const struct type_value *values)
{
    struct heap_values heap = HEAP_VALUES_INIT;
    struct buf body = BUF_INIT;
    heap_values_resize(&heap, SCENE_TYPES);
    memcpy(heap.values, values, SCENE_TYPES * sizeof(*values));
    snapshot_encode_keyframe(&heap, &body);
    struct snapshot_row row = {
        .service_id = at->service_id,
        .instance_id = at->instance_id,
        .sequence = ++scene->sequence,
        .time_ms = time_ms,
        .types = SCENE_TYPES,
        .body = body.data,
        .body_size = body.size,
        .coverage = 10000,
        .not_objects_bytes = 4000 * values[SCENE_TYPES - 1].count, /* a buffer of each line's */
    };
    for (size_t i = 0; i < SCENE_TYPES; i++) {
        row.objects += values[i].count;
        row.bytes += values[i].bytes;
    }
    write_batch_snapshot(batch, &row);
    buf_done(&body);
    heap_values_done(&heap);
}

/* A process that is watched for an hour, a snapshot a minute. */
static inline void query_scene_process(struct query_scene *scene, const char *service,
                                       const char *environment, const char *version,
                                       int64_t started_ms, uint64_t lines_a_minute, int ends)
{
    static const char *const types[SCENE_TYPES] = {"dict", "str", "list", "shop.cart.CartLine"};
    struct why why = {0};
    struct process_identity identity = {
        .service = service,
        .service_namespace = "",
        .environment = environment,
        .version = version,
        .host = "node-1",
        .pod = "",
        .container_id = "",
        .image = "",
        .runtime = "cpython",
        .runtime_version = "3.11.2",
        .pid = ++scene->processes,
        .started_ms = started_ms,
        .attributes_json = "{}",
    };
    memset(identity.instance_uuid, scene->processes, ID_BYTES);
    struct instance_state state;
    private_store_must(instance_open(scene->store.db, &identity, &state, &why), &why);
    struct write_batch *batch = write_batch_new();
    uint32_t places[SCENE_TYPES];
    private_store_must(instance_types_add(scene->store.db, state.service_id, state.instance_id,
                                          types, SCENE_TYPES, places, &why),
                       &why);
    for (int i = 0; i <= 60; i++) {
        uint64_t lines = 1000 + lines_a_minute * (uint64_t)i;
        struct type_value values[SCENE_TYPES] = {{20000 + lines, 64 * (20000 + lines)},
                                                 {150000, 11000000},
                                                 {8000 + (uint64_t)(i % 7) * 40, 700000},
                                                 {lines, 48 * lines}};
        query_scene_snapshot(scene, batch, &state, started_ms + i * scene_minute_ms, values);
    }
    if (ends)
        write_batch_end(batch, state.service_id, state.instance_id, started_ms + scene_hour_ms,
                        "exited");
    private_store_must(write_batch_commit(scene->store.db, batch, &why), &why);
    write_batch_free(batch);
    instance_state_done(&state);
}

static inline void query_scene_finding(struct query_scene *scene)
{
    struct why why = {0};
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct service_row *services = NULL;
    size_t count = 0;
    private_store_must(service_list(scene->store.db, &arena, &services, &count, &why), &why);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(services[i].name, "shop") != 0)
            continue;
        struct finding_row row = {
            .type = "shop.cart.CartLine",
            .severity = "confirmed",
            .introduced_in = "v2",
            .count_per_hour = 900,
            .bytes_per_hour = 43200,
            .confidence = 0.97,
            .until_limit_ms = 30 * scene_hour_ms,
            .instances = 2,
            .companions_json = "[\"dict\"]",
            .kind = "objects",
            .rule = "A",
            .version = "v2",
            .evidence_json = "{\"second_half\": 0.51, \"reason\": \"a line, not a curve\", "
                             "\"curves\": []}",
        };
        private_store_must(replace_findings(scene->store.db, services[i].id, &row, 1, NULL, 0,
                                            scene->now_ms, &why),
                           &why);
    }
    arena_done(&arena);
}

static inline void query_scene_start(struct query_scene *scene)
{
    struct why why = {0};
    *scene = (struct query_scene){.now_ms = clock_wall_ms()};
    private_store_start(&scene->store);
    int64_t start_ms = scene->now_ms - scene_hour_ms;
    query_scene_process(scene, "shop", "prod", "v1", start_ms - scene_hour_ms, 0, 1);
    query_scene_process(scene, "shop", "prod", "v1", start_ms - scene_hour_ms + 700, 0, 1);
    query_scene_process(scene, "shop", "prod", "v2", start_ms, 10, 0);
    query_scene_process(scene, "shop", "prod", "v2", start_ms + 700, 20, 0);
    query_scene_process(scene, "search", "prod", "v7", start_ms, 0, 0);
    query_scene_process(scene, "search", "staging", "v7", start_ms, 0, 0);
    query_scene_finding(scene);

    struct rpc_method methods[QUERY_METHODS];
    scene->service = query_service_new(scene->store.dsn);
    size_t count = query_service_methods(scene->service, methods, QUERY_METHODS);
    struct rpc_server_options options = {.listen = "127.0.0.1:0"};
    private_store_must(rpc_server_start(&options, methods, count, &scene->server, &why), &why);
    query_service_set_server(scene->service, scene->server);
    (void)snprintf(scene->target, sizeof(scene->target), "127.0.0.1:%d",
                   rpc_server_port(scene->server));
}

static inline void query_scene_stop(struct query_scene *scene)
{
    rpc_server_stop(scene->server, 1000);
    query_service_free(scene->service);
    private_store_stop(&scene->store);
}

#endif
