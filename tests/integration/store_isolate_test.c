/* USES store */
/*
 * A value that the database does not take, by a check that somebody has added: it is refused alone,
 * with the changes that build on it, wherever it stands in a batch.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "clock.h"
#include "pg.h"
#include "private_store.h"

enum { ROWS = 24, INSTANCES = 2, KEYFRAME_EVERY = 6 };

static struct private_store store;
static struct pg *pg;
static struct instance_state at[INSTANCES];
static uint64_t next_sequence = 1;

static void script(const char *sql)
{
    struct why why = {""};
    private_store_must(pg_script(pg, sql, &why), &why);
}

static int start(void **state)
{
    (void)state;
    private_store_start(&store);
    pg = pg_new(store.dsn);
    for (uint32_t i = 0; i < INSTANCES; i++) {
        struct process_identity identity = {.service = "isolate",
                                            .service_namespace = "",
                                            .environment = "",
                                            .version = "v1",
                                            .host = "",
                                            .pod = "",
                                            .container_id = "",
                                            .image = "",
                                            .runtime = "",
                                            .runtime_version = "",
                                            .started_ms = 1,
                                            .attributes_json = "{}"};
        struct why why = {""};
        memcpy(identity.instance_uuid, &i, sizeof(i));
        private_store_must(instance_open(store.db, &identity, &at[i], &why), &why);
    }
    return 0;
}

static int stop(void **state)
{
    (void)state;
    for (int i = 0; i < INSTANCES; i++)
        instance_state_done(&at[i]);
    pg_free(pg);
    private_store_stop(&store);
    return 0;
}

static void forbid_marked_rows(void)
{
    script("CREATE OR REPLACE FUNCTION heapfleet.forbid() RETURNS trigger LANGUAGE plpgsql AS "
           "$$BEGIN IF NEW.sequence IN (SELECT sequence FROM heapfleet.marked) THEN "
           "RAISE EXCEPTION 'not this one' USING ERRCODE = 'check_violation'; END IF; "
           "RETURN NEW; END$$;"
           "CREATE TABLE IF NOT EXISTS heapfleet.marked (sequence bigint PRIMARY KEY);"
           "CREATE OR REPLACE TRIGGER forbid BEFORE INSERT ON heapfleet.snap_delta "
           "FOR EACH ROW EXECUTE FUNCTION heapfleet.forbid()");
}

static void mark(uint64_t sequence)
{
    char sql[128];
    (void)snprintf(sql, sizeof(sql), "INSERT INTO heapfleet.marked VALUES (%llu)",
                   (unsigned long long)sequence);
    script(sql);
}

/* Rows of two processes in turn, each a change of the one before but for every sixth of a process.
 */
static struct write_batch *make_batch(uint64_t first, int begins_with_keyframe)
{
    struct write_batch *batch = write_batch_new();
    struct heap_values heap = HEAP_VALUES_INIT, before = HEAP_VALUES_INIT;
    heap_values_resize(&heap, 1);
    for (uint64_t i = 0; i < ROWS; i++) {
        uint64_t of_process = i / INSTANCES;
        int keyframe = of_process % KEYFRAME_EVERY == 0 && (of_process > 0 || begins_with_keyframe);
        struct buf body = BUF_INIT;
        heap_values_copy(&before, &heap);
        heap.values[0].count++;
        if (keyframe)
            snapshot_encode_keyframe(&heap, &body);
        else
            snapshot_encode_delta(&before, &heap, &body);
        struct snapshot_row row = {.service_id = at[0].service_id,
                                   .instance_id = at[i % INSTANCES].instance_id,
                                   .sequence = first + i,
                                   .base_sequence = keyframe ? 0 : first + i - INSTANCES,
                                   .time_ms = clock_wall_ms(),
                                   .types = 1,
                                   .body = body.data,
                                   .body_size = body.size};
        write_batch_snapshot(batch, &row);
        buf_done(&body);
    }
    heap_values_done(&heap);
    heap_values_done(&before);
    uint8_t agent[ID_BYTES] = {7};
    write_batch_high_water(batch, agent, first + ROWS - 1);
    return batch;
}

static int64_t number_of(const char *sql)
{
    struct pg_rows rows;
    struct why why = {""};
    private_store_must(pg_run(pg, sql, NULL, &rows, &why), &why);
    int64_t number = pg_i64(&rows, 0, 0);
    pg_rows_done(&rows);
    return number;
}

static int64_t count_stored(uint64_t first)
{
    char sql[160];
    (void)snprintf(sql, sizeof(sql),
                   "SELECT count(*) FROM heapfleet.snap_delta WHERE sequence >= %llu AND "
                   "sequence < %llu",
                   (unsigned long long)first, (unsigned long long)first + ROWS);
    return number_of(sql);
}

static int64_t count_dangling(void)
{
    return number_of("SELECT count(*) FROM heapfleet.snap_delta d WHERE base_sequence <> 0 AND "
                     "NOT EXISTS (SELECT FROM heapfleet.snap_delta b WHERE b.instance_id = "
                     "d.instance_id AND b.sequence = d.base_sequence)");
}

/* Those of its process from place `bad` to the next keyframe. */
static size_t fall_with(uint64_t bad)
{
    uint64_t of_process = bad / INSTANCES;
    return (size_t)(KEYFRAME_EVERY - of_process % KEYFRAME_EVERY);
}

static void a_bad_row_is_refused_alone_wherever_it_stands(void **state)
{
    (void)state;
    uint8_t agent[ID_BYTES] = {7};
    forbid_marked_rows();
    for (uint64_t bad = 0; bad < ROWS; bad += 3) {
        uint64_t first = next_sequence, high = 0;
        struct why why = {""};
        mark(first + bad);
        struct write_batch *batch = make_batch(first, 1);
        private_store_must(write_batch_commit(store.db, batch, &why), &why);
        assert_int_equal(write_batch_refused(batch), fall_with(bad));
        struct refused_row refused = write_batch_refused_row(batch, 0);
        assert_int_equal(refused.sequence, first + bad);
        assert_int_equal(refused.instance_id, at[bad % INSTANCES].instance_id);
        assert_non_null(strstr(refused.why.text, "not this one"));
        assert_int_equal(count_stored(first), ROWS - fall_with(bad));
        private_store_must(agent_high_water(store.db, agent, &high, &why), &why);
        assert_int_equal(high, first + ROWS - 1);
        write_batch_free(batch);
        next_sequence += ROWS;
    }
    assert_int_equal(count_dangling(), 0);
}

static void several_bad_rows_are_each_refused(void **state)
{
    (void)state;
    struct why why = {""};
    uint64_t first = next_sequence;
    mark(first + 2);  /* process 1, its second: 5 fall */
    mark(first + 5);  /* process 2, its third: 4 */
    mark(first + 12); /* process 1, the keyframe: 6 */
    struct write_batch *batch = make_batch(first, 1);
    private_store_must(write_batch_commit(store.db, batch, &why), &why);
    assert_int_equal(write_batch_refused(batch), 15);
    assert_int_equal(count_stored(first), ROWS - 15);
    assert_int_equal(count_dangling(), 0);
    write_batch_free(batch);
    next_sequence += ROWS;
}

/* The next batch was filled before anybody knew. */
static void what_builds_on_a_refused_row_of_an_earlier_batch_is_refused(void **state)
{
    (void)state;
    struct why why = {""};
    uint64_t first = next_sequence;
    struct write_batch *batch = make_batch(first, 0);
    write_batch_break(batch, at[0].instance_id);
    write_batch_break(batch, at[1].instance_id);
    private_store_must(write_batch_commit(store.db, batch, &why), &why);
    assert_int_equal(write_batch_refused(batch), KEYFRAME_EVERY * INSTANCES);
    assert_int_equal(count_stored(first), ROWS - KEYFRAME_EVERY * INSTANCES);
    assert_int_equal(count_dangling(), 0);
    write_batch_free(batch);
    next_sequence += ROWS;
}

/* A table that takes nothing is in need of a person: nothing is refused, all of it is kept. */
static void a_table_that_takes_nothing_is_not_the_rows_fault(void **state)
{
    (void)state;
    struct why why = {""};
    uint64_t first = next_sequence;
    for (uint64_t i = 0; i < ROWS; i++)
        mark(first + i);
    struct write_batch *batch = make_batch(first, 1);
    assert_int_equal(write_batch_commit(store.db, batch, &why), STATUS_FAILED);
    assert_non_null(strstr(why.text, "none of 24 snapshots is taken"));
    assert_int_equal(write_batch_refused(batch), 0);
    script("TRUNCATE heapfleet.marked");
    private_store_must(write_batch_commit(store.db, batch, &why), &why);
    assert_int_equal(write_batch_refused(batch), 0);
    assert_int_equal(count_stored(first), ROWS);
    write_batch_free(batch);
    next_sequence += ROWS;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bad_row_is_refused_alone_wherever_it_stands),
        cmocka_unit_test(several_bad_rows_are_each_refused),
        cmocka_unit_test(what_builds_on_a_refused_row_of_an_earlier_batch_is_refused),
        cmocka_unit_test(a_table_that_takes_nothing_is_not_the_rows_fault),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
