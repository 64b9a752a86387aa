/* USES store */
/*
 * The wire to PostgreSQL is cut after every n-th byte, in both directions, while a batch is
 * committed: the same batch, sent again, is stored once, whatever became of the first attempt.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cut_proxy.h"
#include "pg.h"
#include "private_store.h"

static struct private_store store;
static struct cut_proxy proxy;
static struct db *db; /* through the proxy */

static int start(void **state)
{
    (void)state;
    char folder[300], path[320], server[320], dsn[400];
    struct why why = {""};
    private_store_start(&store);
    (void)snprintf(folder, sizeof(folder), "%s/wire", store.folder);
    if (mkdir(folder, 0700) != 0)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/.s.PGSQL.5432", folder);
    private_store_socket(&store, server, sizeof(server));
    cut_proxy_start(&proxy, path, server);
    (void)snprintf(dsn, sizeof(dsn), "host='%s' port=5432 user=heapfleet dbname=postgres", folder);
    private_store_must(db_open(dsn, &db, &why), &why);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    db_close(db);
    cut_proxy_stop(&proxy);
    private_store_stop(&store);
    return 0;
}

static struct process_identity identity_of(uint32_t number)
{
    struct process_identity identity = {
        .service = "fault",
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
        .attributes_json = "{}",
    };
    memcpy(identity.instance_uuid, &number, sizeof(number));
    return identity;
}

enum { ROWS = 20 };

/* 20 snapshots of one type. */
static struct write_batch *make_batch(const struct instance_state *at, uint32_t number)
{
    struct write_batch *batch = write_batch_new();
    struct heap_values heap = HEAP_VALUES_INIT;
    heap_values_resize(&heap, 1);
    for (uint64_t sequence = 1; sequence <= ROWS; sequence++) {
        heap.values[0].count = sequence;
        struct buf body = BUF_INIT;
        snapshot_encode_keyframe(&heap, &body);
        struct snapshot_row row = {.service_id = at->service_id,
                                   .instance_id = at->instance_id,
                                   .sequence = sequence,
                                   .types = 1,
                                   .body = body.data,
                                   .body_size = body.size};
        write_batch_snapshot(batch, &row);
        buf_done(&body);
    }
    heap_values_done(&heap);
    write_batch_end(batch, at->service_id, at->instance_id, 99, "exited");
    uint8_t agent[ID_BYTES] = {0};
    memcpy(agent, &number, sizeof(number));
    write_batch_high_water(batch, agent, ROWS);
    return batch;
}

static enum status count_row(void *user, const struct history_snapshot *snapshot)
{
    uint64_t *next = user;
    assert_int_equal(snapshot->sequence, *next);
    (*next)++;
    return STATUS_OK;
}

/* All of the batch is there, once. */
static void assert_stored(const struct instance_state *at, uint32_t number)
{
    struct why why = {""};
    uint64_t next = 1, high = 0;
    private_store_must(history_walk(store.db, at->service_id, at->instance_id, 0, INT64_MAX,
                                    count_row, &next, &why),
                       &why);
    assert_int_equal(next, ROWS + 1);
    uint8_t agent[ID_BYTES] = {0};
    memcpy(agent, &number, sizeof(number));
    private_store_must(agent_high_water(store.db, agent, &high, &why), &why);
    assert_int_equal(high, ROWS);
    struct process_identity identity = identity_of(number);
    struct instance_state again;
    private_store_must(instance_open(store.db, &identity, &again, &why), &why);
    assert_int_equal(again.instance_id, at->instance_id);
    assert_int_equal(again.type_count, 1);
    assert_int_equal(again.last_sequence, ROWS);
    instance_state_done(&again);
}

/* A name that nobody had before. */
static enum status add_type(const struct instance_state *at, uint32_t number, struct why *why)
{
    char name[32];
    (void)snprintf(name, sizeof(name), "fault.Type%u", number);
    const char *names[] = {name};
    uint32_t place = 9;
    enum status status =
        instance_types_add(db, at->service_id, at->instance_id, names, 1, &place, why);
    if (status == STATUS_OK)
        assert_int_equal(place, 0);
    return status;
}

/* The process and one that begins with it. */
static enum status open_both(uint32_t number, struct instance_state *ret, struct why *why)
{
    enum { TWIN = 1 << 30 };
    struct process_identity identities[] = {identity_of(number), identity_of(number + TWIN)};
    struct instance_opening openings[] = {{.identity = &identities[0]},
                                          {.identity = &identities[1]}};
    instance_open_all(db, openings, 2);
    for (int i = 0; i < 2; i++) {
        if (openings[i].status == STATUS_OK)
            continue;
        if (openings[1 - i].status == STATUS_OK)
            instance_state_done(&openings[1 - i].state);
        *why = openings[i].why;
        return openings[i].status;
    }
    assert_int_not_equal(openings[0].state.instance_id, openings[1].state.instance_id);
    instance_state_done(&openings[1].state);
    *ret = openings[0].state;
    return STATUS_OK;
}

static uint32_t next_number = 1;

/* Open processes and commit a batch of one over a wire that breaks once. Returns whether it broke.
 */
static int live_through_a_cut(int direction, int after_bytes)
{
    struct why why = {""};
    uint32_t number = next_number++;
    struct instance_state at;
    int before = atomic_load(&proxy.cuts);
    atomic_store(&proxy.left[direction], after_bytes);
    enum status status = open_both(number, &at, &why);
    if (status != STATUS_OK) {
        assert_int_equal(status, STATUS_UNAVAILABLE);
        cut_proxy_mend(&proxy);
        private_store_must(open_both(number, &at, &why), &why);
    }
    status = add_type(&at, number, &why);
    if (status != STATUS_OK) {
        assert_int_equal(status, STATUS_UNAVAILABLE);
        cut_proxy_mend(&proxy);
        private_store_must(add_type(&at, number, &why), &why);
    }
    struct write_batch *batch = make_batch(&at, number);
    status = write_batch_commit(db, batch, &why);
    if (status != STATUS_OK) {
        assert_int_equal(status, STATUS_UNAVAILABLE);
        cut_proxy_mend(&proxy);
        private_store_must(write_batch_commit(db, batch, &why), &why);
    }
    write_batch_free(batch);
    cut_proxy_mend(&proxy);
    assert_stored(&at, number);
    instance_state_done(&at);
    return atomic_load(&proxy.cuts) > before;
}

static void sweep(int direction, int step)
{
    int cuts = 0;
    for (int after = 1;; after += step, cuts++) {
        if (!live_through_a_cut(direction, after))
            break;
    }
    assert_true(cuts > 50); /* the sweep has seen the statements */
}

static void cuts_on_the_way_to_the_server(void **state)
{
    (void)state;
    sweep(CUT_TO_SERVER, 61);
}

static void cuts_on_the_way_back(void **state)
{
    (void)state;
    sweep(CUT_TO_CLIENT, 11);
}

static void a_server_that_is_silent_is_noticed(void **state)
{
    (void)state;
    struct why why = {""};
    char dsn[400];
    (void)snprintf(dsn, sizeof(dsn), "host='%s/wire' user=heapfleet dbname=postgres", store.folder);
    db_close(db); /* the proxy serves one */
    struct pg *pg = pg_new(dsn);
    pg_set_deadline(pg, 300);
    private_store_must(pg_script(pg, "SELECT 1", &why), &why);
    atomic_store(&proxy.silent, 1);
    assert_int_equal(pg_script(pg, "SELECT 1", &why), STATUS_UNAVAILABLE);
    cut_proxy_mend(&proxy);
    private_store_must(pg_script(pg, "SELECT 1", &why), &why);
    pg_free(pg);
    private_store_must(db_open(dsn, &db, &why), &why);
}

static void statements_that_take_too_long_may_be_tried_again(void **state)
{
    (void)state;
    struct why why = {""};
    struct pg *pg = pg_new(store.dsn);
    pg_set_deadline(pg, 300);
    private_store_must(pg_begin(pg, &why), &why);
    assert_int_equal(pg_script(pg, "SELECT pg_sleep(60)", &why), STATUS_UNAVAILABLE);
    pg_rollback(pg);
    private_store_must(pg_begin(pg, &why), &why);
    private_store_must(pg_commit(pg, &why), &why);
    pg_free(pg);
}

/* Another session ends ours, as a failover or an administrator would. */
static void a_connection_that_was_ended_is_opened_again(void **state)
{
    (void)state;
    struct why why = {""};
    for (uint32_t i = 0; i < 3; i++) {
        struct pg *pg = pg_new(store.dsn);
        private_store_must(pg_script(pg, "SET application_name = 'victim'", &why), &why);
        struct pg *other = pg_new(store.dsn);
        private_store_must(pg_script(other,
                                     "SELECT pg_terminate_backend(pid, 5000) FROM "
                                     "pg_stat_activity WHERE application_name = 'victim'",
                                     &why),
                           &why);
        private_store_must(pg_script(pg, "SELECT 1", &why), &why);
        pg_free(pg);
        pg_free(other);
    }
}

static void values_survive_the_journey(void **state)
{
    (void)state;
    struct why why = {""};
    struct pg *pg = pg_new(store.dsn);
    struct pg_params params = PG_PARAMS_INIT;
    const uint8_t bytes[] = {0, 1, 255, 0};
    pg_param_i32(&params, INT32_MIN);
    pg_param_i64(&params, INT64_MIN);
    pg_param_f64(&params, -1.5);
    pg_param_text(&params, "a 'quoted' \xc3\xa9");
    pg_param_bytes(&params, bytes, sizeof(bytes));
    pg_param_bytes(&params, NULL, 0);
    struct pg_rows rows;
    private_store_must(
        pg_run(pg, "SELECT $1, $2, $3, $4, $5, $6, NULL::bigint, true", &params, &rows, &why),
        &why);
    size_t size;
    assert_true(pg_i64(&rows, 0, 0) == INT32_MIN);
    assert_true(pg_i64(&rows, 0, 1) == INT64_MIN);
    assert_true(pg_f64(&rows, 0, 2) == -1.5);
    assert_string_equal(pg_text(&rows, 0, 3), "a 'quoted' \xc3\xa9");
    assert_memory_equal(pg_bytes(&rows, 0, 4, &size), bytes, sizeof(bytes));
    assert_int_equal(size, sizeof(bytes));
    (void)pg_bytes(&rows, 0, 5, &size);
    assert_int_equal(size, 0);
    assert_true(pg_is_null(&rows, 0, 6));
    assert_int_equal(pg_i64(&rows, 0, 6), 0);
    assert_int_equal(pg_i64(&rows, 0, 7), 1);
    pg_rows_done(&rows);
    pg_free(pg);
}

static void failures_say_what_can_be_done(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        enum status expected;
        const char *words;
    } cases[] = {
        {"SELEC 1", STATUS_FAILED, "syntax error"},
        {"SELECT 1/0", STATUS_INVALID, "division by zero"},
        {"SELECT * FROM heapfleet.nothing", STATUS_FAILED, "heapfleet.nothing"},
        {"INSERT INTO heapfleet.schema_version (version, name) VALUES (1, 'x')", STATUS_CONFLICT,
         "duplicate key"},
        {"DO $$BEGIN RAISE EXCEPTION USING ERRCODE = '53100'; END$$", STATUS_UNAVAILABLE, "53100"},
        {"DO $$BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END$$", STATUS_UNAVAILABLE, "40P01"},
        {"DO $$BEGIN RAISE EXCEPTION USING ERRCODE = '25006'; END$$", STATUS_UNAVAILABLE,
         "; a standby? name the primary"},
        {"DO $$BEGIN RAISE EXCEPTION USING ERRCODE = '42501'; END$$", STATUS_FAILED,
         "; the role of the DSN must own"},
    };
    struct pg *pg = pg_new(store.dsn);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct why why = {""};
        assert_int_equal(pg_script(pg, cases[i].sql, &why), cases[i].expected);
        assert_non_null(strstr(why.text, cases[i].words));
    }
    /* a transaction in which a statement failed cannot be committed by mistake */
    struct why why = {""};
    private_store_must(pg_begin(pg, &why), &why);
    assert_int_equal(pg_script(pg, "SELECT 1/0", &why), STATUS_INVALID);
    assert_int_equal(pg_commit(pg, &why), STATUS_FAILED);
    pg_free(pg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_on_the_way_to_the_server),
        cmocka_unit_test(cuts_on_the_way_back),
        cmocka_unit_test(a_server_that_is_silent_is_noticed),
        cmocka_unit_test(statements_that_take_too_long_may_be_tried_again),
        cmocka_unit_test(a_connection_that_was_ended_is_opened_again),
        cmocka_unit_test(values_survive_the_journey),
        cmocka_unit_test(failures_say_what_can_be_done),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
