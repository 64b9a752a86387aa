/* USES store */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "private_store.h"

static struct private_store store;

static int start(void **state)
{
    (void)state;
    private_store_start(&store);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    private_store_stop(&store);
    return 0;
}

#define OK(call)                                                                                   \
    do {                                                                                           \
        struct why why = {""};                                                                     \
        enum status outcome = (call);                                                              \
        if (outcome != STATUS_OK)                                                                  \
            fail_msg("%s: %s: %s", #call, status_name(outcome), why.text);                         \
    } while (0)

/* ---- helpers -------------------------------------------------------------------------------- */

static struct process_identity identity_of(const char *service, const char *version, uint8_t number)
{
    struct process_identity identity = {
        .service = service,
        .service_namespace = "",
        .environment = "prod",
        .version = version,
        .host = "node-1",
        .pod = "",
        .container_id = "",
        .image = "",
        .runtime = "cpython",
        .runtime_version = "3.11.2",
        .pid = number,
        .started_ms = 1000000 + number,
        .attributes_json = "{\"k\": \"v\"}",
    };
    memset(identity.instance_uuid, number, ID_BYTES);
    return identity;
}

static void add_snapshot(struct write_batch *batch, const struct instance_state *at,
                         uint64_t sequence, uint64_t base, const struct heap_values *before,
                         const struct heap_values *now)
{
    struct buf body = BUF_INIT;
    if (base == 0)
        snapshot_encode_keyframe(now, &body);
    else
        snapshot_encode_delta(before, now, &body);
    struct snapshot_row row = {
        .service_id = at->service_id,
        .instance_id = at->instance_id,
        .sequence = sequence,
        .base_sequence = base,
        .time_ms = (int64_t)sequence * 10,
        .types = now->types,
        .objects = now->values[0].count,
        .bytes = now->values[0].bytes,
        .rss_anon_bytes = 77,
        .coverage = 10000,
        .body = body.data,
        .body_size = body.size,
    };
    write_batch_snapshot(batch, &row);
    buf_done(&body);
}

/* Two types; the first one's count is the sequence number. */
static void values_at(uint64_t sequence, struct heap_values *ret)
{
    heap_values_resize(ret, 2);
    ret->values[0] = (struct type_value){sequence, sequence * 56};
    ret->values[1] = (struct type_value){3, 300};
}

/* Snapshots first..last, the first a keyframe if `base` is 0. */
static void add_chain(struct write_batch *batch, const struct instance_state *at, uint64_t first,
                      uint64_t last, uint64_t base)
{
    struct heap_values before = HEAP_VALUES_INIT, now = HEAP_VALUES_INIT;
    if (base != 0)
        values_at(base, &before);
    for (uint64_t sequence = first; sequence <= last; sequence++) {
        values_at(sequence, &now);
        add_snapshot(batch, at, sequence, base, &before, &now);
        heap_values_copy(&before, &now);
        base = sequence;
    }
    heap_values_done(&before);
    heap_values_done(&now);
}

static struct instance_state open_instance(const struct process_identity *identity)
{
    struct instance_state state;
    OK(instance_open(store.db, identity, &state, &why));
    return state;
}

static void add_types(const struct instance_state *at, const char *const *names, uint32_t count)
{
    uint32_t places[8];
    OK(instance_types_add(store.db, at->service_id, at->instance_id, names, count, places, &why));
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(places[i], at->type_count + i);
}

struct seen {
    uint64_t count, first, last;
    int wrong;
};

static enum status see(void *user, const struct history_snapshot *snapshot)
{
    struct seen *seen = user;
    seen->first = seen->count == 0 ? snapshot->sequence : seen->first;
    seen->wrong |= seen->count > 0 && snapshot->sequence <= seen->last;
    seen->wrong |= snapshot->values->values[0].count != snapshot->sequence;
    seen->last = snapshot->sequence;
    seen->count++;
    return STATUS_OK;
}

static struct seen walk(const struct instance_state *at, int64_t from_ms, int64_t to_ms)
{
    struct seen seen = {0, 0, 0, 0};
    OK(history_walk(store.db, at->service_id, at->instance_id, from_ms, to_ms, see, &seen, &why));
    assert_false(seen.wrong);
    return seen;
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void opening_twice_is_one_process(void **state)
{
    (void)state;
    struct process_identity identity = identity_of("open", "v1", 1);
    struct instance_state first = open_instance(&identity), second = open_instance(&identity);
    assert_int_equal(first.instance_id, second.instance_id);
    assert_int_equal(first.service_id, second.service_id);
    assert_int_equal(first.last_sequence, 0);
    assert_true(first.chain_broken);
    assert_int_equal(first.type_count, 0);
    instance_state_done(&first);
    instance_state_done(&second);
}

static void what_was_committed_is_found_again(void **state)
{
    (void)state;
    struct process_identity identity = identity_of("again", "v1", 2);
    struct instance_state at = open_instance(&identity);
    const char *names[] = {"__main__.User", "str"};
    const uint8_t agent[ID_BYTES] = {2};
    struct write_batch *batch = write_batch_new();
    add_types(&at, names, 2);
    add_chain(batch, &at, 10, 20, 0);
    write_batch_high_water(batch, agent, 20);
    OK(write_batch_commit(store.db, batch, &why));
    write_batch_free(batch);
    instance_state_done(&at);

    at = open_instance(&identity);
    assert_int_equal(at.last_sequence, 20);
    assert_int_equal(at.chain_length, 10);
    assert_false(at.chain_broken);
    assert_int_equal(at.values.types, 2);
    assert_int_equal(at.values.values[0].count, 20);
    assert_int_equal(at.type_count, 2);
    assert_string_equal(at.type_names[0], "__main__.User");
    uint64_t high = 0;
    OK(agent_high_water(store.db, agent, &high, &why));
    assert_int_equal(high, 20);
    struct seen seen = walk(&at, 0, INT64_MAX);
    assert_int_equal(seen.count, 11);
    seen = walk(&at, 125, 150);
    assert_int_equal(seen.first, 13);
    assert_int_equal(seen.last, 15);
    instance_state_done(&at);
}

static void commit_chain(const struct instance_state *at, uint64_t first, uint64_t last)
{
    struct write_batch *batch = write_batch_new();
    add_chain(batch, at, first, last, 0);
    OK(write_batch_commit(store.db, batch, &why));
    write_batch_free(batch);
}

static uint64_t agent_from(struct process_identity *identity, uint8_t agent)
{
    memset(identity->agent_id, agent, ID_BYTES);
    struct instance_state at = open_instance(identity);
    uint64_t ret = at.agent_from;
    instance_state_done(&at);
    return ret;
}

/* Whatever the marks of agents say. */
static void snapshots_of_an_agents_run_are_its_own(void **state)
{
    (void)state;
    struct process_identity identity = identity_of("own", "v1", 3);
    assert_int_equal(agent_from(&identity, 1), 0);
    struct instance_state at = open_instance(&identity);
    const char *names[] = {"__main__.User", "str"};
    add_types(&at, names, 2);
    commit_chain(&at, 10, 20);
    assert_int_equal(agent_from(&identity, 1), 0);  /* 10 to 20 are the first one's */
    assert_int_equal(agent_from(&identity, 2), 20); /* and not the second one's, */
    assert_int_equal(agent_from(&identity, 2), 20);
    commit_chain(&at, 30, 40);
    assert_int_equal(agent_from(&identity, 2), 20); /* which wrote 30 to 40 */
    assert_int_equal(agent_from(&identity, 1), 40); /* the first one comes back */
    assert_int_equal(agent_from(&identity, 2), 40);
    instance_state_done(&at);
}

static void a_batch_committed_twice_is_stored_once(void **state)
{
    (void)state;
    struct process_identity identity = identity_of("twice", "v1", 3);
    struct instance_state at = open_instance(&identity);
    struct write_batch *batch = write_batch_new();
    add_chain(batch, &at, 1, 5, 0);
    OK(write_batch_commit(store.db, batch, &why));
    OK(write_batch_commit(store.db, batch, &why));
    write_batch_free(batch);
    /* another batch that overlaps: COPY meets a row that exists */
    batch = write_batch_new();
    add_chain(batch, &at, 4, 9, 3);
    OK(write_batch_commit(store.db, batch, &why));
    write_batch_free(batch);
    assert_int_equal(walk(&at, 0, INT64_MAX).count, 9);
    instance_state_done(&at);
}

static void a_type_table_only_grows(void **state)
{
    (void)state;
    struct process_identity identity = identity_of("types", "v1", 10);
    struct instance_state at = open_instance(&identity);
    uint32_t places[3];
    const char *const first[] = {"a", "b"}, *const second[] = {"c", "b", "d"};
    add_types(&at, first, 2);
    OK(instance_types_add(store.db, at.service_id, at.instance_id, second, 3, places, &why));
    assert_int_equal(places[0], 2);
    assert_int_equal(places[1], 1);
    assert_int_equal(places[2], 3);
    OK(instance_types_add(store.db, at.service_id, at.instance_id, second, 3, places, &why));
    assert_int_equal(places[2], 3);
    instance_state_done(&at);
    at = open_instance(&identity);
    assert_int_equal(at.type_count, 4);
    assert_string_equal(at.type_names[3], "d");
    struct why why;
    assert_int_equal(
        instance_types_add(store.db, at.service_id, at.instance_id + 1000, first, 2, places, &why),
        STATUS_LIMIT);
    instance_state_done(&at);
}

/* What the second process lacks, what it has, a name that is none, a process that is none, and the
 * same process again. */
static void many_processes_are_told_together(void **state)
{
    (void)state;
    enum { ASKED = 6 };
    struct instance_state at[2];
    for (uint8_t i = 0; i < 2; i++) {
        struct process_identity identity = identity_of("together", "v1", (uint8_t)(20 + i));
        at[i] = open_instance(&identity);
    }
    const char *const had[] = {"t1", "t2"};
    add_types(&at[1], had, 2);
    const char *const names[ASKED][2] = {{"t3", "t1"},   {"t3", "t4"}, {"t5", "t2"},
                                         {"t6", "\xff"}, {"t7", "t8"}, {"t4", "t3"}};
    const int64_t instances[ASKED] = {at[0].instance_id, at[1].instance_id, at[1].instance_id,
                                      at[0].instance_id, 1000000,           at[1].instance_id};
    uint32_t places[ASKED][2];
    struct types_addition asked[ASKED];
    for (int i = 0; i < ASKED; i++)
        asked[i] = (struct types_addition){.service_id = at[0].service_id,
                                           .instance_id = instances[i],
                                           .names = names[i],
                                           .count = 2,
                                           .places = places[i]};
    instance_types_add_all(store.db, asked, 3);
    instance_types_add_all(store.db, asked + 3, 3);
    static const enum status outcomes[ASKED] = {STATUS_OK,      STATUS_OK,    STATUS_OK,
                                                STATUS_INVALID, STATUS_LIMIT, STATUS_OK};
    for (int i = 0; i < ASKED; i++)
        assert_int_equal(asked[i].status, outcomes[i]);
    instance_state_done(&at[0]);
    instance_state_done(&at[1]);
    for (uint8_t i = 0; i < 2; i++) {
        struct process_identity identity = identity_of("together", "v1", (uint8_t)(20 + i));
        at[i] = open_instance(&identity);
    }
    assert_int_equal(at[0].type_count, 2);
    assert_int_equal(at[1].type_count, 5);
    for (int i = 0; i < ASKED; i++) {
        const struct instance_state *of = &at[instances[i] == at[1].instance_id];
        for (int n = 0; n < 2 && outcomes[i] == STATUS_OK; n++)
            assert_string_equal(of->type_names[places[i][n]], names[i][n]);
    }
    instance_state_done(&at[0]);
    instance_state_done(&at[1]);
}

enum { CROWD = 200 };

struct adder {
    pthread_t thread;
    int64_t service_id, instance_id;
    int start, step;
    uint32_t places[CROWD];
};

/* Every other time it asks twice in one go. */
static void *add_in_own_order(void *arg)
{
    struct adder *adder = arg;
    struct db *db = NULL;
    OK(db_open(store.dsn, &db, &why));
    for (int i = 0; i < CROWD; i++) {
        char text[16];
        int number = (adder->start + i * adder->step) % CROWD;
        const char *names[] = {text};
        (void)snprintf(text, sizeof(text), "crowd%d", number);
        struct types_addition asked[2] = {{.service_id = adder->service_id,
                                           .instance_id = adder->instance_id,
                                           .names = names,
                                           .count = 1,
                                           .places = &adder->places[number]}};
        asked[1] = asked[0];
        instance_types_add_all(db, asked, 1 + (size_t)i % 2);
        assert_int_equal(asked[0].status, STATUS_OK);
        assert_int_equal(asked[i % 2].status, STATUS_OK);
    }
    db_close(db);
    return NULL;
}

/* Several agents watch one process, over several collectors: they agree where each type stands. */
static void many_may_add_types_at_once(void **state)
{
    (void)state;
    struct process_identity identity = identity_of("crowd", "v1", 11);
    struct instance_state at = open_instance(&identity);
    struct adder adders[3];
    static const int steps[] = {1, 3, CROWD - 1};
    for (int i = 0; i < 3; i++) {
        adders[i] = (struct adder){.service_id = at.service_id,
                                   .instance_id = at.instance_id,
                                   .start = i * 61,
                                   .step = steps[i]};
        assert_int_equal(pthread_create(&adders[i].thread, NULL, add_in_own_order, &adders[i]), 0);
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_join(adders[i].thread, NULL), 0);
    assert_memory_equal(adders[0].places, adders[1].places, sizeof(adders[0].places));
    assert_memory_equal(adders[0].places, adders[2].places, sizeof(adders[0].places));
    instance_state_done(&at);
    at = open_instance(&identity);
    assert_int_equal(at.type_count, CROWD);
    for (int i = 0; i < CROWD; i++) {
        char text[16];
        (void)snprintf(text, sizeof(text), "crowd%d", i);
        assert_string_equal(at.type_names[adders[0].places[i]], text);
    }
    instance_state_done(&at);
}

static void a_broken_stretch_is_skipped(void **state)
{
    (void)state;
    struct process_identity identity = identity_of("broken", "v1", 4);
    struct instance_state at = open_instance(&identity);
    struct write_batch *batch = write_batch_new();
    add_chain(batch, &at, 1, 3, 0);
    add_chain(batch, &at, 5, 7, 4); /* 4 is nowhere */
    add_chain(batch, &at, 8, 9, 0);
    add_chain(batch, &at, 11, 12, 10);
    OK(write_batch_commit(store.db, batch, &why));
    write_batch_free(batch);
    struct seen seen = walk(&at, 0, INT64_MAX);
    assert_int_equal(seen.count, 5);
    instance_state_done(&at);
    at = open_instance(&identity);
    assert_true(at.chain_broken);
    assert_int_equal(at.last_sequence, 12);
    instance_state_done(&at);
}

static void a_long_history_comes_in_pages(void **state)
{
    (void)state;
    struct process_identity identity = identity_of("long", "v1", 5);
    struct instance_state at = open_instance(&identity);
    struct write_batch *batch = write_batch_new();
    for (uint64_t first = 1; first <= 3000; first += 100)
        add_chain(batch, &at, first, first + 99, 0);
    OK(write_batch_commit(store.db, batch, &why));
    write_batch_free(batch);
    assert_int_equal(walk(&at, 0, INT64_MAX).count, 3000);
    assert_int_equal(walk(&at, 10000, 20000).count, 1001);
    instance_state_done(&at);
}

/* A keyframe each; times of a clock that ran ahead and was set back. */
static void a_clock_that_jumps_hides_nothing(void **state)
{
    (void)state;
    static const int64_t times[] = {10, 20, 30, 500, 510, 40, 50, 60};
    struct process_identity identity = identity_of("jump", "v1", 9);
    struct instance_state at = open_instance(&identity);
    struct heap_values now = HEAP_VALUES_INIT;
    struct write_batch *batch = write_batch_new();
    for (uint64_t i = 0; i < ARRAY_SIZE(times); i++) {
        values_at(i + 1, &now);
        struct buf body = BUF_INIT;
        snapshot_encode_keyframe(&now, &body);
        struct snapshot_row row = {.service_id = at.service_id,
                                   .instance_id = at.instance_id,
                                   .sequence = i + 1,
                                   .time_ms = times[i],
                                   .body = body.data,
                                   .body_size = body.size};
        write_batch_snapshot(batch, &row);
        buf_done(&body);
    }
    OK(write_batch_commit(store.db, batch, &why));
    write_batch_free(batch);
    heap_values_done(&now);
    assert_int_equal(walk(&at, 0, 1000).count, 8);
    assert_int_equal(walk(&at, 0, 100).count, 6);
    assert_int_equal(walk(&at, 30, 50).count, 3);
    assert_int_equal(walk(&at, 60, 100).count, 1);
    assert_int_equal(walk(&at, 505, 1000).count, 1);
    assert_int_equal(walk(&at, 600, 1000).count, 0);
    instance_state_done(&at);
}

static void lists_tell_what_is_there(void **state)
{
    (void)state;
    struct process_identity one = identity_of("lists", "v1", 6),
                            two = identity_of("lists", "v2", 7);
    struct instance_state at = open_instance(&one), other = open_instance(&two);
    const char *names[] = {"__main__.User", "str"};
    struct write_batch *batch = write_batch_new();
    add_types(&at, names, 2);
    add_chain(batch, &at, 1, 4, 0);
    write_batch_end(batch, at.service_id, at.instance_id, 55, "oom_killed");
    OK(write_batch_commit(store.db, batch, &why));
    write_batch_free(batch);
    batch = write_batch_new(); /* an end that is told twice keeps its first telling */
    write_batch_end(batch, at.service_id, at.instance_id, 70, "exited");
    OK(write_batch_commit(store.db, batch, &why));
    write_batch_free(batch);

    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct service_row *services;
    struct deployment_row *deployments;
    struct instance_row *instances;
    size_t count;
    OK(service_list(store.db, &arena, &services, &count, &why));
    assert_true(count >= 1);
    OK(deployment_versions(store.db, at.service_id, &arena, &deployments, &count, &why));
    assert_int_equal(count, 2);
    assert_string_equal(deployments[0].version, "v1");
    assert_int_equal(deployments[0].first_seen_ms, 1000006);
    OK(instance_list(store.db, at.service_id, 0, &arena, &instances, &count, &why));
    assert_int_equal(count, 2);
    assert_int_equal(instances[0].last_seen_ms, 40);
    assert_int_equal(instances[0].interval_ms, 10);
    assert_int_equal(instances[0].ended_ms, 55);
    assert_true(instances[0].oom_killed);
    assert_int_equal(instances[0].objects, 4);
    assert_int_equal(instances[0].type_count, 2);
    assert_memory_equal(instances[0].uuid, one.instance_uuid, ID_BYTES);
    int32_t id;
    OK(type_id_find(store.db, "str", &id, &why));
    assert_int_equal(id, instances[0].type_ids[1]);
    const int32_t ids[] = {id, 999999, instances[0].type_ids[0]};
    const char **found;
    OK(type_names(store.db, ids, 3, &arena, &found, &why));
    assert_string_equal(found[0], "str");
    assert_string_equal(found[1], "?");
    assert_string_equal(found[2], "__main__.User");
    OK(instance_list(store.db, at.service_id, 60, &arena, &instances, &count, &why));
    assert_int_equal(count, 1);
    struct why why;
    assert_int_equal(type_id_find(store.db, "nobody.has.this", &id, &why), STATUS_NOT_FOUND);
    arena_done(&arena);
    instance_state_done(&at);
    instance_state_done(&other);
}

static void an_end_that_snapshots_belie_is_none(void **state)
{
    (void)state;
    struct process_identity identity = identity_of("belied", "v1", 12);
    struct instance_state at = open_instance(&identity);
    struct write_batch *batch = write_batch_new();
    add_chain(batch, &at, 1, 4, 0); /* until 40 */
    write_batch_end(batch, at.service_id, at.instance_id, 35, "unknown");
    OK(write_batch_commit(store.db, batch, &why));
    write_batch_free(batch);
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct instance_row *instances;
    size_t count;
    OK(instance_list(store.db, at.service_id, 0, &arena, &instances, &count, &why));
    assert_int_equal(count, 1);
    assert_int_equal(instances[0].ended_ms, 0);
    arena_done(&arena);
    instance_state_done(&at);
}

static void migrating_again_changes_nothing(void **state)
{
    (void)state;
    OK(migrate_up(store.db, &why));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening_twice_is_one_process),
        cmocka_unit_test(what_was_committed_is_found_again),
        cmocka_unit_test(snapshots_of_an_agents_run_are_its_own),
        cmocka_unit_test(a_batch_committed_twice_is_stored_once),
        cmocka_unit_test(a_type_table_only_grows),
        cmocka_unit_test(many_processes_are_told_together),
        cmocka_unit_test(many_may_add_types_at_once),
        cmocka_unit_test(a_broken_stretch_is_skipped),
        cmocka_unit_test(a_long_history_comes_in_pages),
        cmocka_unit_test(a_clock_that_jumps_hides_nothing),
        cmocka_unit_test(lists_tell_what_is_there),
        cmocka_unit_test(an_end_that_snapshots_belie_is_none),
        cmocka_unit_test(migrating_again_changes_nothing),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
