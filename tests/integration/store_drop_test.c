/* USES store */
/* No hot row is dropped with its slot that the chunks do not have. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "keep_scene.h"
#include "process_numbers.h"

/* ---- writers that are not done ----------------------------------------------------------------
 */

static void append_hex(struct buf *text, const struct buf *bytes)
{
    buf_printf(text, "\t\\\\x");
    for (size_t i = 0; i < bytes->size; i++)
        buf_printf(text, "%02x", bytes->data[i]);
}

/* As an ingest does, in a transaction of the test's. */
static void copy_one(struct pg *pg, const struct model *model, size_t i)
{
    const struct snapshot_row *row = &model->snapshots[i].row;
    struct buf text = BUF_INIT, process = BUF_INIT, body = BUF_INIT;
    const struct process_numbers numbers = {{0}};
    process_numbers_pack(&numbers, &process);
    snapshot_encode_keyframe(&model->snapshots[i].values, &body);
    buf_printf(&text, "%lld\t%lld\t%lld\t%lld\t0", (long long)row->service_id,
               (long long)row->instance_id, (long long)row->sequence, (long long)row->time_ms);
    append_hex(&text, &process);
    append_hex(&text, &body);
    buf_append_byte(&text, '\n');
    OK(pg_copy_in(pg,
                  "COPY heapfleet.snap_delta (service_id, instance_id, sequence, time_ms, "
                  "base_sequence, process, body) FROM STDIN",
                  &text, &why));
    buf_done(&text);
    buf_done(&process);
    buf_done(&body);
}

struct keeper {
    int64_t now_ms;
    atomic_int is_done;
};

static void *keep_once(void *arg)
{
    struct keeper *keeper = arg;
    struct db *db = NULL;
    const struct keep_house_config config = KEEP_HOUSE_DEFAULT;
    struct keep_house_report report;
    OK(db_open(store.dsn, &db, &why));
    OK(keep_house(db, &config, keeper->now_ms, &report, &why));
    db_close(db);
    atomic_store(&keeper->is_done, 1);
    return NULL;
}

static int somebody_waits(struct pg *pg)
{
    struct pg_rows rows;
    OK(pg_run(pg, "SELECT count(*) FROM pg_locks WHERE NOT granted", NULL, &rows, &why));
    int waits = pg_i64(&rows, 0, 0) > 0;
    pg_rows_done(&rows);
    return waits;
}

/* What drops the partition waits for the writer's locks: it must count what that has committed. */
static void what_is_being_copied_is_not_dropped_with_the_slot(void **state)
{
    (void)state;
    struct process_identity identity = identity_of("copied", "v1", 5003);
    struct model model;
    struct keeper keeper = {.now_ms = MIDNIGHT + DAY_MS};
    pthread_t thread;
    model_init(&model, &identity, 84);
    for (int i = 0; i < 6; i++)
        model_snap(&model, MIDNIGHT + i * HOUR_MS / 2);
    model_commit(&model, 0, 5);
    struct pg *writer = pg_new(store.dsn);
    OK(pg_begin(writer, &why));
    copy_one(writer, &model, 5);
    assert_int_equal(pthread_create(&thread, NULL, keep_once, &keeper), 0);
    struct pg *locks = pg_new(store.dsn);
    while (!atomic_load(&keeper.is_done) && !somebody_waits(locks))
        usleep(1000);
    OK(pg_commit(writer, &why));
    assert_int_equal(pthread_join(thread, NULL), 0);
    pg_free(writer);
    pg_free(locks);
    (void)keep_and_report(keeper.now_ms);
    assert_int_equal(number("SELECT count(*) FROM heapfleet.snap_delta"), 0);
    model_assert(&model, 0, MIDNIGHT + 2 * HOUR_MS);
    struct instance_state now = open_instance(&identity);
    assert_int_equal(now.last_sequence, model.snapshots[5].row.sequence);
    instance_state_done(&now);
    model_done(&model);
}

/* A partition of somebody's own making, for a whole day. */
static void make_day_wide(const char *name, int64_t day_ms)
{
    char sql[200];
    (void)snprintf(sql, sizeof(sql),
                   "CREATE TABLE heapfleet.%s PARTITION OF heapfleet.snap_delta "
                   "FOR VALUES FROM (%lld) TO (%lld)",
                   name, (long long)day_ms, (long long)day_ms + DAY_MS);
    must_run(store.dsn, sql);
}

static void a_partition_stays_that_holds_more_than_the_slot(void **state)
{
    (void)state;
    static const char *const names[] = {"own", "snap_delta_20241012_00"};
    for (int n = 0; n < 2; n++) {
        struct process_identity identity = identity_of("wide", "v1", 5010 + (uint32_t)n);
        struct model model;
        int64_t day_ms = MIDNIGHT + (7 + n) * DAY_MS;
        make_day_wide(names[n], day_ms);
        model_init(&model, &identity, 90);
        for (int i = 0; i < 12; i++)
            model_snap(&model, day_ms + i * 2 * HOUR_MS);
        model_commit(&model, 0, 12);
        assert_int_equal(keep_and_report(day_ms + 3 * DAY_MS).slots, 1);
        model_assert(&model, 0, INT64_MAX);
        char sql[100];
        (void)snprintf(sql, sizeof(sql), "DROP TABLE heapfleet.%s", names[n]);
        must_run(store.dsn, sql);
        model_done(&model);
    }
}

/* What somebody's own partition holds whole is not missing; what it holds a part of is told, and
 * the rest of the round is done. */
static void a_partition_of_ones_own_stops_no_others(void **state)
{
    (void)state;
    enum { DAY = 20 };
    int64_t day_ms = MIDNIGHT + DAY * DAY_MS;
    struct process_identity identity = identity_of("ahead", "v1", 5020);
    struct model model;
    model_init(&model, &identity, 91);
    for (int i = 0; i < 5; i++)
        model_snap(&model, day_ms - DAY_MS + i * HOUR_MS / 2);
    model_commit(&model, 0, 5);
    char sql[200];
    (void)snprintf(sql, sizeof(sql),
                   "CREATE TABLE heapfleet.own PARTITION OF heapfleet.snap_delta "
                   "FOR VALUES FROM (%lld) TO (%lld)",
                   (long long)day_ms + SLOT_MS, (long long)day_ms + 10 * HOUR_MS);
    must_run(store.dsn, sql);
    struct keep_house_report report;
    struct keep_house_config config = KEEP_HOUSE_DEFAULT;
    struct why told = {""};
    for (int round = 0; round < 2; round++) {
        assert_int_equal(keep_house(store.db, &config, day_ms, &report, &told), STATUS_FAILED);
        assert_non_null(strstr(told.text, "snap_delta_20241024_08"));
        assert_int_equal(report.slots, round == 0);
        assert_int_equal(number("SELECT count(*) FROM heapfleet.partition "
                                "WHERE name = 'snap_delta_20241024_00' "
                                "OR level = 'heap_chunk' AND name >= 'heap_chunk_20241024'"),
                         1 + 3);
    }
    model_assert(&model, 0, INT64_MAX);
    must_run(store.dsn, "DROP TABLE heapfleet.own");
    assert_int_equal(keep_and_report(day_ms).partitions_made, 2);
    model_done(&model);
}

/* ---- what fails again and again -------------------------------------------------------------- */

/* A slot that cannot be packed, as of a table that somebody has made stricter, is the only one. */
static void a_slot_that_fails_stops_neither_days_nor_retention(void **state)
{
    (void)state;
    struct process_identity identity = identity_of("strict", "v1", 5005);
    struct keep_house_config config = KEEP_HOUSE_DEFAULT;
    struct keep_house_report report;
    struct why why = {""};
    struct model model;
    int64_t day_ms = MIDNIGHT + 10 * DAY_MS;
    char sql[160];
    model_init(&model, &identity, 89);
    for (int i = 0; i < 20; i++)
        model_snap(&model, day_ms + i * HOUR_MS);
    model_commit(&model, 0, 20);
    (void)snprintf(sql, sizeof(sql), "SELECT heapfleet.make_partition('heap_chunk', %lld)",
                   (long long)(day_ms - 60 * DAY_MS));
    must_run(store.dsn, sql);
    (void)snprintf(sql, sizeof(sql),
                   "ALTER TABLE heapfleet.heap_chunk ADD CONSTRAINT strict CHECK (slot_ms <> %lld)",
                   (long long)day_ms);
    must_run(store.dsn, sql);
    assert_int_equal(keep_house(store.db, &config, day_ms + 2 * DAY_MS, &report, &why),
                     STATUS_FAILED);
    assert_non_null(strstr(why.text, "violates check constraint"));
    assert_int_equal(report.slots, 4);
    assert_int_equal(report.days, 1);
    assert_int_equal(report.partitions_dropped, 5); /* four slots, and the old one */
    must_run(store.dsn, "ALTER TABLE heapfleet.heap_chunk DROP CONSTRAINT strict");
    assert_int_equal(keep_and_report(day_ms + 2 * DAY_MS).slots, 1);
    model_assert(&model, 0, INT64_MAX);
    model_done(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_partition_stays_that_holds_more_than_the_slot),
        cmocka_unit_test(what_is_being_copied_is_not_dropped_with_the_slot),
        cmocka_unit_test(a_partition_of_ones_own_stops_no_others),
        cmocka_unit_test(a_slot_that_fails_stops_neither_days_nor_retention),
    };
    return cmocka_run_group_tests(tests, store_scene_start, store_scene_stop);
}
