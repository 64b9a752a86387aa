/* USES store */
/* History is what was written, whatever compaction has made of it and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "heap_model.h"
#include "keep_house.h"

#define HOUR_MS ((int64_t)3600 * 1000)
#define SLOT_MS (4 * HOUR_MS)
#define DAY_MS (24 * HOUR_MS)
#define MIDNIGHT (20000 * DAY_MS) /* some day in 2024 */

static struct keep_house_report keep(int64_t now_ms)
{
    struct keep_house_report report;
    struct keep_house_config config = KEEP_HOUSE_DEFAULT;
    OK(keep_house(store.db, &config, now_ms, &report, &why));
    return report;
}

static int64_t number(const char *sql)
{
    return number_of(embedded_dsn(store.server), sql);
}

/* ---- generated histories -------------------------------------------------------------------- */

enum { PROCESSES = 3 };

struct fleet {
    struct process_identity identities[PROCESSES];
    struct model models[PROCESSES];
    int64_t now_ms;
};

static void fleet_init(struct fleet *fleet, const char *service, uint64_t seed)
{
    *fleet = (struct fleet){.now_ms = MIDNIGHT};
    for (uint32_t i = 0; i < PROCESSES; i++) {
        fleet->identities[i] =
            identity_of(service, i == 2 ? "v2" : "v1", (uint32_t)seed * PROCESSES + i + 1);
        model_init(&fleet->models[i], &fleet->identities[i], seed * 10 + i);
    }
}

static void fleet_done(struct fleet *fleet)
{
    for (int i = 0; i < PROCESSES; i++)
        model_done(&fleet->models[i]);
}

/* A stretch of a process's life: a snapshot every few minutes, now and then none for hours, or a
 * clock that is set back or forth. */
static void live(struct model *model, int64_t *now_ms, int snapshots)
{
    for (int i = 0; i < snapshots; i++) {
        int64_t step_ms = 240000 + (int64_t)model_draw(model, 2000);
        if (model_draw(model, 40) == 0)
            step_ms += (int64_t)model_draw(model, 6) * HOUR_MS;
        *now_ms += step_ms;
        int64_t clock_ms = *now_ms;
        if (model_draw(model, 30) == 0)
            clock_ms -= (int64_t)model_draw(model, 9) * HOUR_MS;
        model_snap(model, clock_ms);
    }
}

static void assert_all(const struct fleet *fleet)
{
    for (int i = 0; i < PROCESSES; i++) {
        const struct model *model = &fleet->models[i];
        if (model->written == 0)
            continue;
        model_assert(model, 0, INT64_MAX);
        model_assert_end(model, &fleet->identities[i]);
    }
}

static void assert_windows(struct fleet *fleet)
{
    for (int i = 0; i < PROCESSES; i++) {
        struct model *model = &fleet->models[i];
        int64_t from_ms = MIDNIGHT + (int64_t)model_draw(model, 40) * HOUR_MS;
        model_assert(model, from_ms, from_ms + (int64_t)model_draw(model, 20) * HOUR_MS);
    }
}

/* Processes write what they have, or keep it for later; a batch comes twice; the house is kept at
 * odd times. */
static void one_round(struct fleet *fleet, uint64_t *dice)
{
    for (int i = 0; i < PROCESSES; i++) {
        struct model *model = &fleet->models[i];
        int64_t now_ms = fleet->now_ms;
        live(model, &now_ms, 8 + (int)model_draw(model, 30));
        if (model_draw(model, 4) != 0)
            model_commit(model, model->written, model->count);
        if (model_draw(model, 4) == 0 && model->written > 30)
            model_commit(model, model->written - 30, model->written);
    }
    fleet->now_ms += (int64_t)(*dice % 5) * HOUR_MS;
    *dice = *dice * 6364136223846793005u + 1442695040888963407u;
    if (*dice >> 63)
        (void)keep(fleet->now_ms + (int64_t)(*dice >> 40) % 30 * HOUR_MS);
}

static void history_is_what_was_written(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct fleet fleet;
        char service[32];
        uint64_t dice = seed * 77777;
        (void)snprintf(service, sizeof(service), "property-%d", (int)seed);
        fleet_init(&fleet, service, seed);
        for (int round = 0; round < 12; round++) {
            one_round(&fleet, &dice);
            assert_all(&fleet);
            assert_windows(&fleet);
        }
        for (int i = 0; i < PROCESSES; i++)
            model_commit(&fleet.models[i], fleet.models[i].written, fleet.models[i].count);
        assert_int_equal(keep(fleet.now_ms + 10 * DAY_MS).lost, 0);
        assert_all(&fleet);
        fleet_done(&fleet);
    }
    assert_int_equal(number("SELECT count(*) FROM heapfleet.snap_delta"), 0);
    assert_int_equal(number("SELECT count(*) FROM heapfleet.compaction"), 0);
    assert_int_equal(number("SELECT count(*) FROM heapfleet.day_due"), 0);
    assert_true(number("SELECT count(*) FROM heapfleet.heap_chunk") > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(history_is_what_was_written),
    };
    return cmocka_run_group_tests(tests, store_scene_start, store_scene_stop);
}
