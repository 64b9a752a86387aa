/* USES store */
/* History is what was written, whatever compaction has made of it and when. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "forget.h"
#include "keep_scene.h"

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
        (void)keep_and_report(fleet->now_ms + (int64_t)(*dice >> 40) % 30 * HOUR_MS);
}

static void history_is_what_was_written(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct fleet fleet;
        char service[32];
        uint64_t dice = seed * 77777;
        (void)snprintf(service, sizeof(service), "property-%d", (int)seed);
        fleet_init(&fleet, service, seed);
        for (int round = 0; round < 10; round++) {
            one_round(&fleet, &dice);
            assert_all(&fleet);
            assert_windows(&fleet);
        }
        for (int i = 0; i < PROCESSES; i++)
            model_commit(&fleet.models[i], fleet.models[i].written, fleet.models[i].count);
        assert_int_equal(keep_and_report(fleet.now_ms + 10 * DAY_MS).lost, 0);
        assert_all(&fleet);
        fleet_done(&fleet);
    }
    assert_int_equal(number("SELECT count(*) FROM heapfleet.snap_delta"), 0);
    assert_int_equal(number("SELECT count(*) FROM heapfleet.compaction"), 0);
    assert_int_equal(number("SELECT count(*) FROM heapfleet.day_due"), 0);
    assert_true(number("SELECT count(*) FROM heapfleet.heap_chunk") > 0);
}

/* ---- rollups -------------------------------------------------------------------------------- */

struct expected {
    double count, bytes; /* sums over the deployment's snapshots */
    uint64_t snapshots, known, count_min, count_max;
};

/* What the rollups say of one type of one deployment, weighed by snapshots. */
static const char rollup_sql[] =
    "SELECT coalesce(sum(h.count_avg[d.hour] * d.snapshots), 0)::float8, "
    "coalesce(sum(h.bytes_avg[d.hour] * d.snapshots), 0)::float8, sum(d.snapshots)::bigint, "
    "coalesce(max(h.count_max), 0), "
    "(SELECT coalesce(sum(y.count_avg * y.snapshots), 0) FROM heapfleet.heap_day y "
    " WHERE y.service_id = $1 AND y.deployment_id = d.deployment_id AND y.type_id = $3)::float8, "
    "(SELECT coalesce(max(y.count_max), 0) FROM heapfleet.heap_day y WHERE y.service_id = $1 "
    " AND y.deployment_id = d.deployment_id AND y.type_id = $3), "
    "(SELECT coalesce(min(y.count_min), 0) FROM heapfleet.heap_day y WHERE y.service_id = $1 "
    " AND y.deployment_id = d.deployment_id AND y.type_id = $3) "
    "FROM heapfleet.deployment_hour d LEFT JOIN heapfleet.heap_hour h "
    "ON h.service_id = d.service_id AND h.slot_ms = d.slot_ms AND h.type_id = $3 "
    "AND h.deployment_id = d.deployment_id WHERE d.service_id = $1 AND d.deployment_id = $2 "
    "GROUP BY d.deployment_id";

static void expect(const struct model *model, const char *type, struct expected *ret)
{
    char name[32];
    uint32_t index = 0;
    for (model_type_name(model, 0, name); strcmp(name, type) != 0;)
        model_type_name(model, ++index, name);
    for (size_t i = 0; i < model->written; i++) {
        struct type_value value = {0, 0};
        if (index < model->snapshots[i].values.types)
            value = model->snapshots[i].values.values[index];
        ret->count += (double)value.count;
        ret->bytes += (double)value.bytes;
        ret->snapshots++;
        ret->count_min = value.count < ret->count_min ? value.count : ret->count_min;
        ret->count_max = value.count > ret->count_max ? value.count : ret->count_max;
    }
}

static void assert_near(double is, double should)
{
    double difference = is > should ? is - should : should - is;
    if (difference > 1e-6 * should + 1e-6)
        fail_msg("%f is not %f", is, should);
}

static void assert_rollup(int64_t service_id, int64_t deployment_id, int32_t type_id,
                          const struct expected *expected)
{
    struct pg *pg = pg_new(store.dsn);
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, service_id);
    pg_param_i64(&params, deployment_id);
    pg_param_i32(&params, type_id);
    struct pg_rows rows;
    OK(pg_run(pg, rollup_sql, &params, &rows, &why));
    assert_int_equal(rows.count, 1);
    assert_near(pg_f64(&rows, 0, 0), expected->count);
    assert_near(pg_f64(&rows, 0, 1), expected->bytes);
    assert_int_equal(pg_i64(&rows, 0, 2), expected->snapshots);
    assert_int_equal(pg_i64(&rows, 0, 3), expected->count_max);
    assert_near(pg_f64(&rows, 0, 4), expected->count);
    assert_int_equal(pg_i64(&rows, 0, 5), expected->count_max);
    if (expected->count_max > 0)
        assert_true((uint64_t)pg_i64(&rows, 0, 6) >= expected->count_min);
    pg_rows_done(&rows);
    pg_free(pg);
}

/* Also where a part was compacted before the rest came. */
static void rollups_are_means_of_what_was_written(void **state)
{
    (void)state;
    struct fleet fleet;
    fleet_init(&fleet, "rollup", 77);
    for (int i = 0; i < PROCESSES; i++) {
        int64_t now_ms = MIDNIGHT;
        live(&fleet.models[i], &now_ms, 200);
        model_commit(&fleet.models[i], 0, i == 1 ? 100 : 200);
    }
    (void)keep_and_report(MIDNIGHT + 10 * DAY_MS);
    model_commit(&fleet.models[1], 100, 200);
    (void)keep_and_report(MIDNIGHT + 10 * DAY_MS);
    int64_t v1 = number("SELECT d.id FROM heapfleet.deployment d JOIN heapfleet.service s "
                        "ON s.id = d.service_id WHERE s.name = 'rollup' AND d.version = 'v1'");
    int64_t v2 = number("SELECT d.id FROM heapfleet.deployment d JOIN heapfleet.service s "
                        "ON s.id = d.service_id WHERE s.name = 'rollup' AND d.version = 'v2'");
    for (uint32_t type = 0; type < MODEL_TYPES; type++) {
        char name[32];
        int32_t type_id = 0;
        struct expected first = {.count_min = UINT64_MAX}, second = first;
        (void)snprintf(name, sizeof(name), "model.T%u", type);
        OK(type_id_find(store.db, name, &type_id, &why));
        expect(&fleet.models[0], name, &first);
        expect(&fleet.models[1], name, &first);
        expect(&fleet.models[2], name, &second);
        assert_rollup(fleet.models[0].at.service_id, v1, type_id, &first);
        assert_rollup(fleet.models[0].at.service_id, v2, type_id, &second);
    }
    fleet_done(&fleet);
}

/* ---- many collectors ------------------------------------------------------------------------ */

static void *keep_in_a_thread(void *arg)
{
    struct db *db = NULL;
    const struct keep_house_config config = KEEP_HOUSE_DEFAULT;
    OK(db_open(store.dsn, &db, &why));
    for (int i = 0; i < 5; i++) {
        struct keep_house_report report;
        struct why why = {""};
        enum status status = keep_house(db, &config, *(int64_t *)arg, &report, &why);
        if (status == STATUS_UNAVAILABLE && store.server == NULL)
            continue; /* Citus takes some waits for deadlocks: the next round does it */
        if (status != STATUS_OK)
            fail_msg("keep_house: %s: %s", status_name(status), why.text);
    }
    db_close(db);
    return NULL;
}

static void many_collectors_share_the_work(void **state)
{
    (void)state;
    enum { MANY = 4 };
    struct fleet fleet;
    pthread_t threads[MANY];
    int64_t now_ms = MIDNIGHT + 10 * DAY_MS;
    fleet_init(&fleet, "many", 78);
    for (int i = 0; i < PROCESSES; i++) {
        int64_t at_ms = MIDNIGHT;
        live(&fleet.models[i], &at_ms, 150);
        model_commit(&fleet.models[i], 0, 50);
    }
    for (int i = 0; i < MANY; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, keep_in_a_thread, &now_ms), 0);
    for (size_t end = 60; end <= 150; end += 10) { /* ingest goes on meanwhile */
        for (int i = 0; i < PROCESSES; i++)
            model_commit(&fleet.models[i], end - 10, end);
        assert_all(&fleet);
    }
    for (int i = 0; i < MANY; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    (void)keep_and_report(now_ms);
    assert_all(&fleet);
    assert_int_equal(number("SELECT count(*) FROM heapfleet.snap_delta"), 0);
    fleet_done(&fleet);
}

static void a_reader_delays_the_end_of_a_partition_and_not_ingest(void **state)
{
    (void)state;
    struct process_identity identity = identity_of("reader", "v1", 5000);
    struct model model;
    model_init(&model, &identity, 79);
    for (int i = 0; i < 10; i++)
        model_snap(&model, MIDNIGHT + i * HOUR_MS / 2);
    model_commit(&model, 0, 5);
    struct pg *reader = pg_new(store.dsn);
    OK(pg_begin(reader, &why));
    OK(pg_script(reader, "SELECT count(*) FROM heapfleet.snap_delta", &why));
    struct keep_house_report report = keep_and_report(MIDNIGHT + DAY_MS);
    assert_int_equal(report.slots, 1);
    assert_true(report.postponed > 0);
    model_commit(&model, 5, 10);
    model_assert(&model, 0, INT64_MAX);
    pg_rollback(reader);
    pg_free(reader);
    assert_int_equal(keep_and_report(MIDNIGHT + DAY_MS).postponed, 0);
    model_assert(&model, 0, INT64_MAX);
    assert_int_equal(number("SELECT count(*) FROM heapfleet.snap_delta"), 0);
    model_done(&model);
}

/* ---- retention ------------------------------------------------------------------------------ */

static int64_t rows_of(const struct model *model, const char *table)
{
    char sql[200];
    (void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM heapfleet.%s WHERE service_id = %lld",
                   table, (long long)model->at.service_id);
    return number(sql);
}

static void each_level_is_kept_as_long_as_asked(void **state)
{
    (void)state;
    struct process_identity identity = identity_of("retain", "v1", 5001);
    struct model model;
    struct keep_house_report report;
    model_init(&model, &identity, 80);
    for (int i = 0; i < 40; i++)
        model_snap(&model, MIDNIGHT + i * HOUR_MS / 2);
    model_commit(&model, 0, 30);
    (void)keep_and_report(MIDNIGHT + 30 * DAY_MS);
    assert_true(rows_of(&model, "heap_chunk") > 0);
    (void)keep_and_report(MIDNIGHT + 31 * DAY_MS);
    assert_int_equal(rows_of(&model, "heap_chunk"), 0);
    int64_t hours = rows_of(&model, "heap_hour"), days = rows_of(&model, "heap_day");
    assert_true(hours > 0 && days > 0);

    /* what comes too late for its chunk does not spoil the rollups */
    model_commit(&model, 30, 40);
    (void)keep_and_report(MIDNIGHT + 31 * DAY_MS);
    assert_int_equal(rows_of(&model, "snap_delta"), 0);
    assert_int_equal(rows_of(&model, "heap_chunk"), 0);
    assert_int_equal(rows_of(&model, "heap_hour"), hours);

    (void)keep_and_report(MIDNIGHT + 440 * DAY_MS);
    assert_int_equal(rows_of(&model, "heap_hour"), 0);
    assert_int_equal(rows_of(&model, "deployment_hour"), 0);
    (void)keep_and_report(MIDNIGHT + 4000 * DAY_MS);
    assert_int_equal(rows_of(&model, "heap_day"), days);
    struct keep_house_config config = KEEP_HOUSE_DEFAULT;
    config.retain_daily_ms = 1000 * DAY_MS;
    OK(keep_house(store.db, &config, MIDNIGHT + 4000 * DAY_MS, &report, &why));
    assert_int_equal(rows_of(&model, "heap_day"), 0);
    model_done(&model);
}

/* ---- a database that somebody edited -------------------------------------------------------- */

static void a_database_edited_by_hand_loses_nothing(void **state)
{
    (void)state;
    const char *dsn = store.dsn;
    struct process_identity identity = identity_of("edited", "v1", 5002);
    struct model model;
    model_init(&model, &identity, 81);
    for (int i = 0; i < 40; i++)
        model_snap(&model, MIDNIGHT + i * HOUR_MS / 2);
    must_run(dsn, "ALTER TABLE heapfleet.snap_delta ADD COLUMN remark text DEFAULT 'hello'");
    must_run(dsn, "ALTER TABLE heapfleet.heap_chunk ADD COLUMN remark text");
    model_commit(&model, 0, 20);
    (void)keep_and_report(MIDNIGHT + DAY_MS);
    must_run(dsn, "DO $$ DECLARE p text; BEGIN FOR p IN SELECT name FROM heapfleet.partition "
                  "WHERE level <> 'heap_chunk' LOOP EXECUTE 'DROP TABLE heapfleet.' || p; "
                  "END LOOP; END $$");
    model_commit(&model, 20, 30);
    (void)keep_and_report(MIDNIGHT + 2 * DAY_MS);
    model_assert(&model, 0, INT64_MAX);

    /* a partition of somebody's own making gets the key that stores each row once */
    must_run(dsn, "CREATE TABLE heapfleet.own PARTITION OF heapfleet.snap_delta "
                  "FOR VALUES FROM (1728864000000) TO (1728878400000)");
    (void)keep_and_report(MIDNIGHT + 2 * DAY_MS);
    assert_int_equal(number("SELECT count(*) FROM pg_index WHERE indisprimary "
                            "AND indrelid = 'heapfleet.own'::regclass"),
                     1);
    must_run(dsn, "DROP TABLE heapfleet.own");

    /* a partition that is not attached any more holds the batch up, and says so */
    must_run(dsn, "SELECT heapfleet.make_partition('snap_delta', 86400000)");
    must_run(dsn, "ALTER TABLE heapfleet.snap_delta DETACH PARTITION "
                  "heapfleet.snap_delta_19700102_00");
    struct db *db = store.db;
    struct write_batch *batch = write_batch_new();
    struct snapshot_row row = {.service_id = 1,
                               .instance_id = 1,
                               .sequence = 1,
                               .time_ms = 86400000,
                               .body = (const uint8_t *)"\x10",
                               .body_size = 1};
    struct why why = {""};
    write_batch_snapshot(batch, &row);
    assert_int_equal(write_batch_commit(db, batch, &why), STATUS_FAILED);
    assert_non_null(strstr(why.text, "heapfleet.snap_delta_19700102_00 is there and no partition"));
    must_run(dsn, "DROP TABLE heapfleet.snap_delta_19700102_00");
    assert_int_equal(write_batch_commit(db, batch, &why), STATUS_OK);
    write_batch_free(batch);
    must_run(dsn, "ALTER TABLE heapfleet.snap_delta DROP COLUMN remark");
    must_run(dsn, "ALTER TABLE heapfleet.heap_chunk DROP COLUMN remark");
    must_run(dsn, "DELETE FROM heapfleet.snap_delta");
    model_done(&model);
}

/* ---- forgetting ----------------------------------------------------------------------------- */

static void a_service_is_forgotten_and_no_other(void **state)
{
    (void)state;
    struct process_identity one = identity_of("forgotten", "v1", 6000),
                            other = identity_of("kept", "v1", 6001);
    struct model gone, kept;
    model_init(&gone, &one, 82);
    model_init(&kept, &other, 83);
    for (int i = 0; i < 40; i++) {
        model_snap(&gone, MIDNIGHT + i * HOUR_MS / 2);
        model_snap(&kept, MIDNIGHT + i * HOUR_MS / 2);
    }
    model_commit(&gone, 0, 30);
    model_commit(&kept, 0, 30);
    (void)keep_and_report(MIDNIGHT + DAY_MS / 2);
    assert_int_equal(service_forget(store.db, "forgotten", "", "test", NULL), STATUS_NOT_FOUND);
    must_run(store.dsn, "INSERT INTO heapfleet.forgotten VALUES (-1, now() - interval '15 days')");
    OK(service_forget(store.db, "forgotten", "", "prod", &why));
    assert_int_equal(service_forget(store.db, "forgotten", "", "prod", NULL), STATUS_NOT_FOUND);
    assert_int_equal(number("SELECT count(*) FROM heapfleet.forgotten"), 1);
    static const char *const tables[] = {"snap_delta",      "heap_chunk", "instance_last",
                                         "deployment_hour", "heap_hour",  "instance",
                                         "deployment",      "day_due",    "compaction"};
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
        assert_int_equal(rows_of(&gone, tables[i]), 0);

    /* a stream that goes on until it notices: what it writes goes, and nothing is in the way */
    model_commit(&gone, 30, 40);
    model_commit(&kept, 30, 40);
    struct keep_house_report report = keep_and_report(MIDNIGHT + 2 * DAY_MS);
    assert_int_equal(report.lost, 0);
    assert_int_equal(report.forgotten, 10);
    assert_int_equal(rows_of(&gone, "snap_delta"), 0);
    model_assert(&kept, 0, INT64_MAX);
    model_done(&gone);
    model_done(&kept);
}

/* More rows than are fetched at a time: processes go on from one piece to the next. */
static void a_slot_may_have_many_rows(void **state)
{
    (void)state;
    enum { MANY = 3, ROWS = 900 };
    struct model models[MANY];
    for (int i = 0; i < MANY; i++) {
        struct process_identity identity = identity_of("many rows", "v1", (uint8_t)(i + 1));
        model_init(&models[i], &identity, 70 + (uint64_t)i);
        for (int64_t n = 0; n < ROWS; n++)
            model_snap(&models[i], MIDNIGHT + n * 15000);
        model_commit(&models[i], 0, i == 0 ? ROWS : ROWS - 100);
    }
    struct keep_house_report report = keep_and_report(MIDNIGHT + DAY_MS / 2);
    assert_int_equal(report.chunks, MANY);
    assert_int_equal(report.snapshots, MANY * ROWS - 200);
    static const char sum_sql[] = "SELECT sum(h.snapshots) FROM heapfleet.deployment_hour h "
                                  "JOIN heapfleet.service s ON s.id = h.service_id "
                                  "WHERE s.name = 'many rows'";
    assert_int_equal(number(sum_sql), MANY * ROWS - 200);
    for (int i = 1; i < MANY; i++)
        model_commit(&models[i], ROWS - 100, ROWS);
    assert_int_equal(keep_and_report(MIDNIGHT + DAY_MS / 2).lost, 0);
    assert_int_equal(number(sum_sql), MANY * ROWS);
    for (int i = 0; i < MANY; i++) {
        struct process_identity identity = identity_of("many rows", "v1", (uint8_t)(i + 1));
        model_assert(&models[i], 0, INT64_MAX);
        model_assert_end(&models[i], &identity);
        model_done(&models[i]);
    }
    assert_int_equal(
        number("SELECT count(*) FROM heapfleet.instance_last l "
               "JOIN heapfleet.service s ON s.id = l.service_id "
               "WHERE s.name = 'many rows' AND l.sequence = (SELECT max(c.last_sequence) "
               "FROM heapfleet.heap_chunk c WHERE c.service_id = l.service_id "
               "AND c.instance_id = l.instance_id) AND length(l.body) > 0"),
        MANY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(history_is_what_was_written),
        cmocka_unit_test(rollups_are_means_of_what_was_written),
        cmocka_unit_test(a_slot_may_have_many_rows),
        cmocka_unit_test(many_collectors_share_the_work),
        cmocka_unit_test(a_reader_delays_the_end_of_a_partition_and_not_ingest),
        cmocka_unit_test(each_level_is_kept_as_long_as_asked),
        cmocka_unit_test(a_service_is_forgotten_and_no_other),
        cmocka_unit_test(a_database_edited_by_hand_loses_nothing),
    };
    return cmocka_run_group_tests(tests, store_scene_start, store_scene_stop);
}
