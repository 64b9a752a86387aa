/* USES store */
/*
 * The wire to PostgreSQL is cut after every n-th byte, in both directions, while the house is kept:
 * within every statement of it, and between any two. Whatever became of the round, history is what
 * was written, and the next round finishes the work.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "cut_proxy.h"
#include "heap_model.h"
#include "keep_house.h"

#define HOUR_MS ((int64_t)3600 * 1000)
#define DAY_MS (24 * HOUR_MS)
#define MIDNIGHT (20000 * DAY_MS)

static struct cut_proxy proxy;
static struct db *db; /* through the proxy */

static int start(void **state)
{
    char folder[300], path[320], server[320], dsn[400];
    (void)store_scene_start(state);
    (void)snprintf(folder, sizeof(folder), "%s/wire", store.folder);
    if (mkdir(folder, 0700) != 0)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/.s.PGSQL.5432", folder);
    private_store_socket(&store, server, sizeof(server));
    cut_proxy_start(&proxy, path, server);
    (void)snprintf(dsn, sizeof(dsn), "host='%s' port=5432 user=heapfleet dbname=postgres", folder);
    OK(db_open(dsn, &db, &why));
    return 0;
}

static int stop(void **state)
{
    db_close(db);
    cut_proxy_stop(&proxy);
    return store_scene_stop(state);
}

static enum status keep(struct db *through, struct why *why)
{
    const struct keep_house_config config = KEEP_HOUSE_DEFAULT;
    struct keep_house_report report;
    return keep_house(through, &config, MIDNIGHT + 2 * DAY_MS, &report, why);
}

/* Eight hours, of which the first were compacted already, but for a late snapshot. */
static void begin_life(struct model *model, const struct process_identity *identity)
{
    model_init(model, identity, 1); /* the same in every life */
    for (int i = 0; i < 32; i++)
        model_snap(model, MIDNIGHT + i * HOUR_MS / 4);
    model_commit(model, 0, 15);
    OK(keep(store.db, &why));
    model_commit(model, 15, 32);
}

/* Whether the wire broke. */
static int live_through_a_cut(uint32_t number, int direction, int after_bytes)
{
    char service[32];
    struct model model;
    (void)snprintf(service, sizeof(service), "cut-%u", number);
    struct process_identity identity = identity_of(service, "v1", number);
    begin_life(&model, &identity);
    int before = atomic_load(&proxy.cuts);
    atomic_store(&proxy.left[direction], after_bytes);
    enum status status = keep(db, NULL);
    cut_proxy_mend(&proxy);
    int is_cut = atomic_load(&proxy.cuts) > before;
    if (status != STATUS_OK && status != STATUS_UNAVAILABLE)
        fail_msg("cut after %d: %s", after_bytes, status_name(status));
    model_assert(&model, 0, INT64_MAX);
    model_assert_end(&model, &identity);
    OK(keep(db, &why));
    model_assert(&model, 0, INT64_MAX);
    model_assert_end(&model, &identity);
    model_done(&model);
    return is_cut;
}

/* All lives were the same but for the names of the types: so are their rollups, each row is there
 * as often for one as for another. */
static const char differing_sql[] =
    "SELECT count(*) FROM (SELECT count(*) AS times FROM heapfleet.heap_hour "
    "    GROUP BY slot_ms, count_avg, count_min, count_max, bytes_avg) h "
    "WHERE h.times % (SELECT count(*) FROM heapfleet.service) <> 0";

static void sweep(int direction, uint32_t first, int step)
{
    uint32_t number = first;
    for (int after = 1; live_through_a_cut(number, direction, after); after += step)
        number++;
    assert_true(number - first > 30); /* the sweep has seen the statements */
    const char *dsn = store.dsn;
    assert_int_equal(number_of(dsn, "SELECT count(*) FROM heapfleet.snap_delta"), 0);
    assert_true(number_of(dsn, "SELECT count(*) FROM heapfleet.heap_hour") > 0);
    assert_int_equal(number_of(dsn, differing_sql), 0);
}

static void cuts_on_the_way_to_the_server(void **state)
{
    (void)state;
    sweep(CUT_TO_SERVER, 1, 509);
}

static void cuts_on_the_way_back(void **state)
{
    (void)state;
    sweep(CUT_TO_CLIENT, 1001, 257);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_on_the_way_to_the_server),
        cmocka_unit_test(cuts_on_the_way_back),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
