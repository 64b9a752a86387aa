/* USES store */
/* Many processes opened together: each is as it would have been alone, whatever the others are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pg.h"
#include "private_store.h"

enum { TEXT_BYTES = 32, MANY = 600, MANY_SERVICES = 7 };

static struct private_store store;
static struct pg *pg;

static int start(void **state)
{
    (void)state;
    private_store_start(&store);
    pg = pg_new(store.dsn);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    pg_free(pg);
    private_store_stop(&store);
    return 0;
}

static struct process_identity identity_of(const char *service, const char *version,
                                           uint32_t number)
{
    struct process_identity identity = {.service = service,
                                        .service_namespace = "shop",
                                        .environment = "prod",
                                        .version = version,
                                        .host = "node-1",
                                        .pod = "pod",
                                        .container_id = "container",
                                        .image = "image",
                                        .runtime = "cpython",
                                        .runtime_version = "3.11.2",
                                        .pid = number,
                                        .started_ms = 1000000 + number,
                                        .attributes_json = "{\"k\": \"v\"}"};
    memcpy(identity.instance_uuid, &number, sizeof(number));
    memcpy(identity.agent_id, &number, sizeof(number));
    return identity;
}

static void must_be_ok(const struct instance_opening *opening)
{
    if (opening->status != STATUS_OK)
        fail_msg("%s: %s", status_name(opening->status), opening->why.text);
}

static void forget_states(struct instance_opening *openings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (openings[i].status == STATUS_OK)
            instance_state_done(&openings[i].state);
    }
}

static void assert_same_alone(const struct instance_opening *opening)
{
    struct instance_state alone;
    struct why why = {""};
    private_store_must(instance_open(store.db, opening->identity, &alone, &why), &why);
    assert_int_equal(alone.service_id, opening->state.service_id);
    assert_int_equal(alone.instance_id, opening->state.instance_id);
    assert_int_equal(alone.last_sequence, opening->state.last_sequence);
    assert_int_equal(alone.agent_from, opening->state.agent_from);
    assert_int_equal(alone.chain_broken, opening->state.chain_broken);
    assert_int_equal(alone.type_count, opening->state.type_count);
    instance_state_done(&alone);
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

/* More than one statement takes, of services and versions that nobody had. */
static void all_that_begin_are_created(void **state)
{
    (void)state;
    static char services[MANY][TEXT_BYTES];
    static struct process_identity identities[MANY];
    static struct instance_opening openings[MANY];
    for (uint32_t i = 0; i < MANY; i++) {
        (void)snprintf(services[i], TEXT_BYTES, "begins-%u", i % MANY_SERVICES);
        identities[i] = identity_of(services[i], i % 2 == 0 ? "v1" : "v2", i);
        openings[i] = (struct instance_opening){.identity = &identities[i]};
    }
    instance_open_all(store.db, openings, MANY);
    for (uint32_t i = 0; i < MANY; i++) {
        must_be_ok(&openings[i]);
        assert_int_equal(openings[i].state.last_sequence, 0);
        assert_true(openings[i].state.chain_broken);
        assert_int_equal(openings[i].state.type_count, 0);
    }
    for (uint32_t i = 0; i < MANY; i += 50)
        assert_same_alone(&openings[i]);
    assert_int_equal(number_of("SELECT count(*) FROM heapfleet.service WHERE name LIKE 'begins-%' "
                               "AND service_namespace = 'shop' AND environment = 'prod'"),
                     MANY_SERVICES);
    assert_int_equal(number_of("SELECT count(*) FROM heapfleet.deployment d JOIN heapfleet.service "
                               "s ON s.id = d.service_id WHERE s.name LIKE 'begins-%'"),
                     (int64_t)2 * MANY_SERVICES);
    assert_int_equal(
        number_of(
            "SELECT count(*) FROM heapfleet.instance i JOIN heapfleet.deployment d "
            "ON d.id = i.deployment_id AND d.service_id = i.service_id "
            "WHERE i.host = 'node-1' AND i.pod = 'pod' AND i.container_id = 'container' "
            "AND i.image = 'image' AND i.runtime = 'cpython' AND i.runtime_version = '3.11.2' "
            "AND i.started_ms = 1000000 + i.pid AND i.attributes = '{\"k\": \"v\"}' "
            "AND i.agent_from = 0 AND i.agent_id = i.uuid "
            "AND d.version = CASE i.pid % 2 WHEN 0 THEN 'v1' ELSE 'v2' END"),
        MANY);
    forget_states(openings, MANY);
}

/* Two snapshots of a process with two types. */
static void write_chain(const struct instance_state *at)
{
    static const char *const names[] = {"str", "dict"};
    uint32_t places[2];
    struct why why = {""};
    private_store_must(
        instance_types_add(store.db, at->service_id, at->instance_id, names, 2, places, &why),
        &why);
    struct write_batch *batch = write_batch_new();
    struct heap_values heap = HEAP_VALUES_INIT;
    heap_values_resize(&heap, 2);
    for (uint64_t sequence = 1; sequence <= 2; sequence++) {
        heap.values[1].count = sequence;
        struct buf body = BUF_INIT;
        snapshot_encode_keyframe(&heap, &body);
        struct snapshot_row row = {.service_id = at->service_id,
                                   .instance_id = at->instance_id,
                                   .sequence = sequence,
                                   .time_ms = 1000000 + (int64_t)sequence,
                                   .types = 2,
                                   .body = body.data,
                                   .body_size = body.size};
        write_batch_snapshot(batch, &row);
        buf_done(&body);
    }
    private_store_must(write_batch_commit(store.db, batch, &why), &why);
    write_batch_free(batch);
    heap_values_done(&heap);
}

/* One that is there with snapshots, one twice, one whose version was corrected, one that another
 * agent watches now, and one that the database does not take. */
static void each_has_an_outcome_of_its_own(void **state)
{
    (void)state;
    enum { OLD, NEW, NEW_AGAIN, CORRECTED, TAKEN_OVER, REFUSED, LAST, COUNT };
    struct process_identity identities[COUNT];
    struct instance_opening openings[COUNT];
    for (uint32_t i = 0; i < COUNT; i++) {
        identities[i] = identity_of("mixed", "v1", 2000 + i);
        openings[i] = (struct instance_opening){.identity = &identities[i]};
    }
    static const int there[] = {OLD, CORRECTED, TAKEN_OVER};
    struct why why = {""};
    for (size_t i = 0; i < ARRAY_SIZE(there); i++) {
        struct instance_state at;
        private_store_must(instance_open(store.db, &identities[there[i]], &at, &why), &why);
        write_chain(&at);
        instance_state_done(&at);
    }
    identities[NEW_AGAIN] = identities[NEW];
    identities[CORRECTED].version = "v2";
    identities[TAKEN_OVER].agent_id[8] = 1;
    identities[REFUSED].attributes_json = "{\"k\": \"\\u0000\"}";
    instance_open_all(store.db, openings, COUNT);
    assert_int_equal(openings[REFUSED].status, STATUS_INVALID);
    for (int i = 0; i < COUNT; i++) {
        if (i == REFUSED)
            continue;
        must_be_ok(&openings[i]);
        assert_same_alone(&openings[i]);
    }
    assert_int_equal(openings[NEW].state.instance_id, openings[NEW_AGAIN].state.instance_id);
    for (size_t i = 0; i < ARRAY_SIZE(there); i++) {
        const struct instance_state *at = &openings[there[i]].state;
        assert_int_equal(at->last_sequence, 2);
        assert_int_equal(at->type_count, 2);
        assert_string_equal(at->type_names[1], "dict");
        assert_int_equal(at->values.values[1].count, 2);
        assert_int_equal(at->agent_from, there[i] == TAKEN_OVER ? 2 : 0);
    }
    assert_int_equal(number_of("SELECT count(*) FROM heapfleet.instance i JOIN "
                               "heapfleet.deployment d ON d.id = i.deployment_id "
                               "WHERE i.pid = 2003 AND d.version = 'v2'"),
                     1);
    assert_int_equal(number_of("SELECT count(*) FROM heapfleet.instance WHERE pid >= 2000"),
                     COUNT - 2);
    forget_states(openings, COUNT);
}

/* The second was found as its agent's own, and is the other's when its turn comes. */
static void of_two_agents_the_last_has_it(void **state)
{
    (void)state;
    struct process_identity identities[] = {identity_of("rivals", "v1", 3000),
                                            identity_of("rivals", "v1", 3000)};
    struct instance_opening openings[] = {{.identity = &identities[0]},
                                          {.identity = &identities[1]}};
    struct instance_state at;
    struct why why = {""};
    private_store_must(instance_open(store.db, &identities[1], &at, &why), &why);
    write_chain(&at);
    instance_state_done(&at);
    identities[0].agent_id[8] = 1;
    instance_open_all(store.db, openings, 2);
    must_be_ok(&openings[0]);
    must_be_ok(&openings[1]);
    assert_int_equal(openings[1].state.agent_from, 2);
    assert_int_equal(openings[1].state.type_count, 2);
    assert_int_equal(number_of("SELECT count(*) FROM heapfleet.instance WHERE pid = 3000 "
                               "AND agent_id = uuid AND agent_from = 2"),
                     1);
    forget_states(openings, 2);
}

static void agents_are_told_together(void **state)
{
    (void)state;
    enum { AGENTS = 3 };
    uint8_t agents[AGENTS + 1][ID_BYTES] = {{9, 1}, {9, 2}, {9, 3}, {9, 1}};
    struct write_batch *batch = write_batch_new();
    write_batch_high_water(batch, agents[0], 41);
    write_batch_high_water(batch, agents[2], 43);
    struct why why = {""};
    private_store_must(write_batch_commit(store.db, batch, &why), &why);
    write_batch_free(batch);
    uint64_t sequences[AGENTS + 1] = {7, 7, 7, 7};
    private_store_must(agent_high_waters(store.db, (const uint8_t(*)[ID_BYTES])agents, AGENTS + 1,
                                         sequences, &why),
                       &why);
    static const uint64_t expected[] = {41, 0, 43, 41};
    assert_memory_equal(sequences, expected, sizeof(expected));
}

static void nobody_at_all_is_fine(void **state)
{
    (void)state;
    instance_open_all(store.db, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_begin_are_created),
        cmocka_unit_test(each_has_an_outcome_of_its_own),
        cmocka_unit_test(of_two_agents_the_last_has_it),
        cmocka_unit_test(agents_are_told_together),
        cmocka_unit_test(nobody_at_all_is_fine),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
