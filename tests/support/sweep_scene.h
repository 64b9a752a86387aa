/*
 * Services in a private database, and a sweep over them. A process of a service lives for some bins
 * and gains as many carts in each.
 *
 * Included by one test program each; every function is static.
 */
#ifndef TESTS_SUPPORT_SWEEP_SCENE_H
#define TESTS_SUPPORT_SWEEP_SCENE_H

#include <string.h>

#include "findings.h"
#include "fleet_sweep.h"
#include "pg.h"
#include "private_store.h"

/* A snapshot every 100 ms, 48 of them in a horizon. */
enum { BIN_MS = 100, HORIZON_BINS = 48, TYPES = 4 };
enum { CONTAINER_USAGE = 60 << 20, CONTAINER_LIMIT = 64 << 20 };
static const struct sweep_config config = {
    .detect = {.horizon_ms = BIN_MS * HORIZON_BINS}, .collector_id = {1}, .lease_ms = 60000};
static struct sweep *sweep;
static const int64_t day_ms = 1700000000000;
static const char *const names[TYPES] = {"shop.Cart", "dict", "function", "str"};

static struct private_store store;
static uint32_t next_number;
static const char *container_id = ""; /* of the processes that begin */
static uint32_t snapshots_a_bin = 1;
static uint32_t full_at = UINT32_MAX; /* snapshots, after which a process gains no more */

#define OK(call)                                                                                   \
    do {                                                                                           \
        struct why why = {""};                                                                     \
        enum status outcome = (call);                                                              \
        if (outcome != STATUS_OK)                                                                  \
            fail_msg("%s: %s: %s", #call, status_name(outcome), why.text);                         \
    } while (0)

static inline int start(void **state)
{
    (void)state;
    private_store_start(&store);
    sweep = sweep_new(&config);
    return 0;
}

static inline int stop(void **state)
{
    (void)state;
    sweep_free(sweep);
    private_store_stop(&store);
    return 0;
}

/* ---- processes in the database -----------------------------------------------------------------
 */

static inline struct instance_state open_process(const char *service, const char *version,
                                                 int64_t started_ms)
{
    struct instance_state state;
    struct process_identity identity = {
        .service = service,
        .service_namespace = "",
        .environment = "",
        .version = version,
        .host = "node",
        .pod = "",
        .container_id = container_id,
        .image = "",
        .runtime = "cpython",
        .runtime_version = "3.11.2",
        .pid = ++next_number,
        .started_ms = started_ms,
        .attributes_json = "{}",
    };
    for (size_t i = 0; i < ID_BYTES; i += sizeof(next_number))
        memcpy(identity.instance_uuid + i, &next_number, sizeof(next_number));
    OK(instance_open(store.db, &identity, &state, &why));
    return state;
}

static inline void values_at(uint32_t bin, double leak, struct heap_values *ret)
{
    uint32_t until = bin < full_at ? bin : full_at;
    uint64_t leaked = (uint64_t)(leak * (until % 7 == 3 ? until + 2 : until));
    heap_values_resize(ret, TYPES);
    ret->values[0] = (struct type_value){40 + leaked, (40 + leaked) * 48};
    ret->values[1] = (struct type_value){3000 + leaked, (3000 + leaked) * 200};
    ret->values[2] = (struct type_value){900, 122400};
    ret->values[3] = (struct type_value){5000 + bin % 5, 250000};
}

/* A process that lives for `bins` and gains `leak` carts and dicts in each. */
static inline void add_process(const char *service, const char *version, uint32_t start_bin,
                               uint32_t bins, double leak)
{
    int64_t started_ms = day_ms + (int64_t)start_bin * BIN_MS;
    struct instance_state state = open_process(service, version, started_ms);
    struct write_batch *batch = write_batch_new();
    struct heap_values values = HEAP_VALUES_INIT;
    struct buf body = BUF_INIT;
    uint32_t places[TYPES];
    OK(instance_types_add(store.db, state.service_id, state.instance_id, names, TYPES, places,
                          &why));
    for (uint32_t i = 0; i <= bins * snapshots_a_bin; i++) {
        values_at(i, leak / snapshots_a_bin, &values);
        buf_clear(&body);
        snapshot_encode_keyframe(&values, &body);
        struct snapshot_row row = {
            .service_id = state.service_id,
            .instance_id = state.instance_id,
            .sequence = i + 1,
            .time_ms = started_ms + (int64_t)i * BIN_MS / snapshots_a_bin,
            .types = TYPES,
            .container_usage_bytes = CONTAINER_USAGE,
            .container_limit_bytes = CONTAINER_LIMIT,
            .coverage = 10000,
            .body = body.data,
            .body_size = body.size,
        };
        write_batch_snapshot(batch, &row);
    }
    OK(write_batch_commit(store.db, batch, &why));
    buf_done(&body);
    heap_values_done(&values);
    write_batch_free(batch);
    instance_state_done(&state);
}

static inline void sweep_at(uint32_t bin)
{
    OK(sweep_run(sweep, store.db, day_ms + (int64_t)bin * BIN_MS, &why));
}

static inline size_t list(struct arena *arena, struct finding_row **ret)
{
    const struct finding_filter open = {0};
    size_t count = 0;
    OK(findings_list(store.db, &open, 0, arena, ret, &count, &why));
    return count;
}

/* The newest of a service, open or closed, watched or worse; NULL: none. */
static inline const struct finding_row *finding_of(struct arena *arena, const char *service)
{
    const struct finding_filter all = {.closed_from_ms = 1, .is_watch_wanted = 1};
    const struct finding_row *newest = NULL;
    struct finding_row *rows;
    size_t count = 0;
    OK(findings_list(store.db, &all, 0, arena, &rows, &count, &why));
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].service, service) == 0 &&
            (newest == NULL || rows[i].first_seen_ms > newest->first_seen_ms))
            newest = &rows[i];
    return newest;
}

#endif
