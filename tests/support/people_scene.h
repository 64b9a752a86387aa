/* A generated history, part of which may be chunks and rollups and part is hot, and who asks for it
 * in SQL or of the Query service. Uses the module query. */
#ifndef TESTS_SUPPORT_PEOPLE_SCENE_H
#define TESTS_SUPPORT_PEOPLE_SCENE_H

#include <stdint.h>
#include <stdio.h>

#include "clock.h"
#include "heap_model.h"
#include "keep_house.h"
#include "query.h"

enum { PROCESSES = 6, HOURS = 31, MINUTE_MS = 60000 };
static const int64_t hour_ms = 3600000;

static struct {
    struct model models[PROCESSES];
    char names[MODEL_TYPES][16];
    int64_t now_ms, from_ms;
    struct pg *pg;
    struct arena arena;
    uint64_t seed;
} world;

/* ---- the history ---------------------------------------------------------------------------- */

static inline uint64_t draw(uint64_t limit)
{
    world.seed = world.seed * 6364136223846793005u + 1442695040888963407u;
    return (world.seed >> 33) % limit;
}

/* From one time to another, every minute or so; some minutes, and once some hours, are missing. */
static inline void live(struct model *model, int64_t from_ms, int64_t to_ms)
{
    int64_t gap_ms = from_ms + (int64_t)model_draw(model, (uint64_t)(to_ms - from_ms));
    for (int64_t at_ms = from_ms; at_ms <= to_ms; at_ms += MINUTE_MS) {
        if (at_ms > gap_ms && at_ms < gap_ms + hour_ms + hour_ms / 2 &&
            at_ms < to_ms - 5 * MINUTE_MS)
            continue;
        if (model_draw(model, 50) != 0 || at_ms + 3 * MINUTE_MS > to_ms)
            model_snap(model, at_ms + (int64_t)model_draw(model, 300));
    }
}

static inline void end_process(const struct model *model, int64_t at_ms)
{
    struct write_batch *batch = write_batch_new();
    write_batch_end(batch, model->at.service_id, model->at.instance_id, at_ms, "exited");
    OK(write_batch_commit(store.db, batch, &why));
    write_batch_free(batch);
}

/* Half of the processes are of v1, which ends when v2 begins; they start minutes apart. */
static inline void make_history(void)
{
    int64_t turn_ms = world.from_ms + 14 * hour_ms + 20 * MINUTE_MS;
    for (uint32_t i = 0; i < PROCESSES; i++) {
        int is_new = i >= PROCESSES / 2;
        struct process_identity identity = identity_of("shop", is_new ? "v2" : "v1", i + 1);
        int64_t start_ms = (is_new ? turn_ms : world.from_ms) + (int64_t)(i % 3) * 7 * MINUTE_MS;
        identity.started_ms = start_ms - 4000;
        model_init(&world.models[i], &identity, 40 + i);
        live(&world.models[i], start_ms, is_new ? world.now_ms - 5000 : turn_ms);
        model_commit(&world.models[i], 0, world.models[i].count);
        if (!is_new)
            end_process(&world.models[i], turn_ms + 1000);
    }
}

static inline void keep(int64_t now_ms)
{
    static const struct keep_house_config config = KEEP_HOUSE_DEFAULT;
    struct keep_house_report report;
    OK(keep_house(store.db, &config, now_ms, &report, &why));
    assert_int_equal(report.lost, 0);
}

static inline int start(void **state)
{
    (void)store_scene_start(state);
    world.seed = 11;
    world.now_ms = clock_wall_ms();
    world.from_ms = world.now_ms - (int64_t)HOURS * hour_ms;
    for (int i = 0; i < MODEL_TYPES; i++)
        (void)snprintf(world.names[i], sizeof(world.names[i]), "model.T%d", i);
    world.pg = pg_new(store.dsn);
    arena_init(&world.arena, 256 << 20);
    make_history();
    return 0;
}

static inline int stop(void **state)
{
    for (int i = 0; i < PROCESSES; i++)
        model_done(&world.models[i]);
    pg_free(world.pg);
    arena_done(&world.arena);
    return store_scene_stop(state);
}

/* ---- asking ---------------------------------------------------------------------------------- */

static inline const void *ask(query_answer_fn *fn, const void *request)
{
    struct query query = {.db = store.db, .arena = &world.arena, .now_ms = clock_wall_ms()};
    ProtobufCMessage *answer = NULL;
    OK(fn(&query, request, &answer, &why));
    return answer;
}

static inline Heapfleet__V1__ServiceRef *shop(void)
{
    static Heapfleet__V1__ServiceRef ref;
    heapfleet__v1__service_ref__init(&ref);
    ref.name = "shop";
    return &ref;
}

static inline struct pg_rows run(const char *sql, const struct pg_params *params)
{
    struct pg_rows rows;
    OK(pg_run(world.pg, sql, params, &rows, &why));
    return rows;
}

static inline void refuses(const char *sql, const char *sentence)
{
    struct pg_rows rows;
    struct why why = {""};
    assert_int_not_equal(pg_run(world.pg, sql, NULL, &rows, &why), STATUS_OK);
    if (strstr(why.text, sentence) == NULL)
        fail_msg("%s: %s", sql, why.text);
}

#endif
