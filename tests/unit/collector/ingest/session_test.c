#include "session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "session_scene.h"

/* ---- tests ---------------------------------------------------------------------------------- */

static void a_stream_from_hello_to_end(void **state)
{
    (void)state;
    struct scene *scene = scene_new(&session_limits_default);
    assert_int_equal(say_hello(scene, 1), SESSION_WAIT);
    assert_int_equal(scene->agents_asked, 1);
    session_agent_found(scene->session, 17);
    assert_int_equal(scene->welcomes, 1);
    assert_int_equal(scene->committed, 17);
    assert_int_equal(start_process(scene, 1, "shop"), SESSION_WAIT);
    assert_int_equal(scene->processes_asked, 1);
    struct instance_state fresh = {.service_id = 3, .instance_id = 4, .chain_broken = 1};
    session_instance_opened(scene->session, &fresh, 0);
    define_two(scene, 1, 1);
    assert_int_equal(scene->types_asked, 1);
    assert_int_equal(send_snapshot(scene, 1, 100, 0), SESSION_READ);
    assert_int_equal(send_snapshot(scene, 1, 101, 100), SESSION_READ);
    assert_int_equal(end_process(scene, 1, 102), SESSION_READ);
    assert_int_equal(session_handled_sequence(scene->session), 102);
    assert_int_equal(scene->refusals, 0);
    assert_int_equal(write_batch_snapshots(scene->batch), 2);
    struct snapshot_row row = write_batch_row(scene->batch, 1);
    assert_int_equal(row.service_id, 3);
    assert_int_equal(row.instance_id, 4);
    assert_int_equal(row.base_sequence, 100);
    assert_int_equal(row.objects, 101);
    assert_int_equal(row.bytes, 808);
    assert_int_equal(row.types, 2);
    assert_int_equal(write_batch_count(&scene->batch->ends, sizeof(struct batch_end)), 1);
    scene_free(scene);
}

static void another_protocol_is_told_what_to_upgrade(void **state)
{
    (void)state;
    static const struct {
        uint32_t protocol;
        const char *who;
    } cases[] = {{0, "upgrade the agent"}, {2, "upgrade the collector"}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct scene *scene = scene_new(&session_limits_default);
        assert_int_equal(say_hello(scene, cases[i].protocol), SESSION_END);
        assert_int_equal(scene->code, RPC_FAILED_PRECONDITION);
        assert_non_null(strstr(scene->why.text, cases[i].who));
        scene_free(scene);
    }
}

static void what_is_stored_already_is_not_stored_again(void **state)
{
    (void)state;
    struct scene *scene = usual_scene(101);
    assert_int_equal(send_snapshot(scene, 1, 100, 0), SESSION_READ);
    assert_int_equal(send_snapshot(scene, 1, 101, 100), SESSION_READ);
    assert_int_equal(write_batch_snapshots(scene->batch), 0);
    assert_int_equal(session_handled_sequence(scene->session), 101);
    assert_int_equal(send_snapshot(scene, 1, 102, 101), SESSION_READ);
    assert_int_equal(write_batch_snapshots(scene->batch), 1);
    assert_int_equal(scene->refusals, 0);
    assert_int_equal(session_counts(scene->session).repeated, 2);
    scene_free(scene);
}

static void shortened_snapshots_are_what_they_were(void **state)
{
    (void)state;
    struct scene *scene = usual_scene(0);
    assert_int_equal(send(scene, 1, 100, 0, 1), SESSION_READ);
    assert_int_equal(send(scene, 1, 101, 100, 1), SESSION_READ);
    assert_int_equal(send(scene, 1, 105, 101, 1), SESSION_READ);
    assert_int_equal(scene->refusals, 0);
    assert_int_equal(write_batch_snapshots(scene->batch), 3);
    for (size_t i = 0; i < 3; i++) {
        struct snapshot_row row = write_batch_row(scene->batch, i);
        assert_int_equal(row.time_ms, now_ms);
        assert_int_equal(row.cpu_ms, 77);
    }
    assert_int_equal(write_batch_row(scene->batch, 2).base_sequence, 101);

    /* against one that never came: refused, and the next keyframe mends it */
    assert_int_equal(send(scene, 1, 107, 106, 1), SESSION_READ);
    assert_int_equal(scene->refusals, 1);
    assert_int_equal(session_counts(scene->session).keyframes_asked, 1);
    assert_int_equal(send(scene, 1, 108, 0, 0), SESSION_READ);
    assert_int_equal(send(scene, 1, 109, 108, 1), SESSION_READ);
    assert_int_equal(scene->refusals, 1);
    scene_free(scene);
}

/* A keyframe that is stored already is not stored again, and yet the next one builds on it. */
static void a_repeated_snapshot_may_be_a_base(void **state)
{
    (void)state;
    struct scene *scene = usual_scene(101);
    assert_int_equal(send(scene, 1, 100, 0, 0), SESSION_READ);
    assert_int_equal(send(scene, 1, 101, 100, 1), SESSION_READ);
    assert_int_equal(write_batch_snapshots(scene->batch), 0);
    assert_int_equal(send(scene, 1, 102, 101, 1), SESSION_READ);
    assert_int_equal(scene->refusals, 0);
    assert_int_equal(write_batch_row(scene->batch, 0).cpu_ms, 77);
    scene_free(scene);
}

static void a_gap_asks_for_a_keyframe(void **state)
{
    (void)state;
    struct scene *scene = usual_scene(100);
    assert_int_equal(send_snapshot(scene, 1, 103, 102), SESSION_READ);
    assert_int_equal(scene->refusals, 1);
    assert_int_equal(scene->refused_sequence, 103);
    assert_int_equal(scene->keyframes, 1);
    assert_int_equal(session_handled_sequence(scene->session), 103);
    assert_int_equal(send_snapshot(scene, 1, 104, 0), SESSION_READ);
    assert_int_equal(scene->refusals, 1);
    assert_int_equal(write_batch_snapshots(scene->batch), 1);
    scene_free(scene);
}

static void a_long_chain_asks_for_a_keyframe_once(void **state)
{
    (void)state;
    struct session_limits limits = session_limits_default;
    limits.chain_snapshots_max = 10;
    struct scene *scene = scene_with_process(&limits, 0);
    (void)send_snapshot(scene, 1, 1, 0);
    for (uint64_t sequence = 2; sequence <= 16; sequence++)
        (void)send_snapshot(scene, 1, sequence, sequence - 1);
    assert_int_equal(scene->keyframes, 1);
    (void)send_snapshot(scene, 1, 17, 0);
    for (uint64_t sequence = 18; sequence <= 40; sequence++)
        (void)send_snapshot(scene, 1, sequence, sequence - 1);
    assert_int_equal(scene->keyframes, 2);
    assert_int_equal(scene->refusals, 0);
    scene_free(scene);
}

/* Streams that break often must not make a chain without end. */
static void a_chain_is_as_long_as_the_database_says(void **state)
{
    (void)state;
    struct session_limits limits = session_limits_default;
    limits.chain_snapshots_max = 10;
    struct scene *scene = scene_with_chain(&limits, 100, 9);
    (void)send_snapshot(scene, 1, 101, 100);
    (void)send_snapshot(scene, 1, 102, 101);
    assert_int_equal(scene->keyframes, 1);
    assert_int_equal(scene->refusals, 0);
    scene_free(scene);
}

static void numbers_must_rise(void **state)
{
    (void)state;
    static const uint64_t wrong[] = {0, 99, 100, UINT64_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct scene *scene = usual_scene(0);
        assert_int_equal(send_snapshot(scene, 1, 100, 0), SESSION_READ);
        assert_int_equal(send_snapshot(scene, 1, wrong[i], 0), SESSION_END);
        assert_int_equal(scene->code, RPC_INVALID_ARGUMENT);
        scene_free(scene);
    }
}

static void the_database_may_refuse_a_process(void **state)
{
    (void)state;
    struct scene *scene = usual_scene(0);
    assert_int_equal(start_process(scene, 2, "shop"), SESSION_WAIT);
    session_process_failed(scene->session, "no room");
    assert_int_equal(define_types(scene, 2, 0, 2, two_types), SESSION_READ);
    assert_int_equal(send_snapshot(scene, 2, 100, 0), SESSION_READ);
    assert_int_equal(scene->refusals, 1);
    assert_string_equal(session_last_refusal(scene->session), "no room");
    assert_int_equal(send_snapshot(scene, 1, 101, 0), SESSION_READ);
    assert_int_equal(write_batch_snapshots(scene->batch), 1);
    scene_free(scene);
}

static void the_database_may_refuse_types(void **state)
{
    (void)state;
    struct scene *scene = usual_scene(0);
    assert_int_equal(start_process(scene, 2, "shop"), SESSION_WAIT);
    struct instance_state place = {.service_id = 3, .instance_id = 4, .chain_broken = 1};
    session_instance_opened(scene->session, &place, 0);
    assert_int_equal(define_types(scene, 2, 0, 2, two_types), SESSION_WAIT);
    session_process_failed(scene->session, "too many");
    assert_int_equal(send_snapshot(scene, 2, 100, 0), SESSION_READ);
    assert_int_equal(scene->refusals, 1);
    assert_int_equal(send_snapshot(scene, 1, 101, 0), SESSION_READ);
    assert_int_equal(scene->refusals, 1);
    scene_free(scene);
}

/* Numbers below what is stored, which this run did not send: told, not swallowed. */
static void another_runs_newer_facts_are_told(void **state)
{
    (void)state;
    struct scene *scene = usual_scene(0);
    assert_int_equal(start_process(scene, 2, "shop"), SESSION_WAIT);
    struct instance_state place = {.service_id = 3,
                                   .instance_id = 4,
                                   .last_sequence = 500,
                                   .agent_from = 300,
                                   .chain_broken = 1};
    session_instance_opened(scene->session, &place, 100);
    define_two(scene, 2, 1);
    assert_int_equal(send_snapshot(scene, 2, 90, 0), SESSION_READ);
    assert_int_equal(scene->refusals, 0); /* this run's, and stored: its mark says so */
    assert_int_equal(send_snapshot(scene, 2, 110, 0), SESSION_READ);
    assert_int_equal(scene->refusals, 1);
    assert_int_equal(send_snapshot(scene, 2, 300, 0), SESSION_READ);
    assert_int_equal(scene->refusals, 2);
    assert_int_equal(send_snapshot(scene, 2, 301, 0), SESSION_READ);
    assert_int_equal(send_snapshot(scene, 2, 500, 0), SESSION_READ);
    assert_int_equal(scene->refusals, 2); /* this run's: nobody else has come since 300 */
    assert_int_equal(write_batch_snapshots(scene->batch), 0);
    assert_int_equal(send_snapshot(scene, 2, 501, 0), SESSION_READ);
    assert_int_equal(scene->refusals, 2);
    assert_int_equal(write_batch_snapshots(scene->batch), 1);
    scene_free(scene);
}

static void processes_are_bounded_and_come_and_go(void **state)
{
    (void)state;
    struct session_limits limits = session_limits_default;
    limits.processes_max = 50;
    struct scene *scene = scene_with_process(&limits, 0);
    for (uint32_t number = 1000; number > 951; number--)
        assert_int_equal(start_process(scene, number, ""), SESSION_READ);
    assert_int_equal(end_process(scene, 960, 5), SESSION_READ);
    assert_int_equal(start_process(scene, 2000, ""), SESSION_READ);
    assert_int_equal(start_process(scene, 2000, ""), SESSION_READ); /* said again */
    assert_int_equal(start_process(scene, 2001, ""), SESSION_END);
    assert_int_equal(scene->code, RPC_RESOURCE_EXHAUSTED);
    scene_free(scene);
}

/* ---- limits: each is counted under its name, and touches no other process -------------------- */

/* Process 1 still goes on. */
static void assert_first_goes_on(struct scene *scene, uint64_t sequence)
{
    size_t before = write_batch_snapshots(scene->batch);
    assert_int_equal(send_snapshot(scene, 1, sequence, 0), SESSION_READ);
    assert_int_equal(write_batch_snapshots(scene->batch), before + 1);
}

static void open_second(struct scene *scene)
{
    assert_int_equal(start_process(scene, 2, "shop"), SESSION_WAIT);
    struct instance_state place = {.service_id = 3, .instance_id = 4, .chain_broken = 1};
    session_instance_opened(scene->session, &place, 0);
}

static void types_and_names_are_bounded(void **state)
{
    (void)state;
    static const struct {
        uint32_t first;
        const char *names[3];
        size_t count;
        enum ingest_fault fault;
    } cases[] = {
        {0, {"a", "b", "c"}, 3, FAULT_TYPES}, {2, {"c"}, 1, FAULT_TYPES},
        {UINT32_MAX, {"c"}, 1, FAULT_TYPES},  {0, {"a", "12345"}, 2, FAULT_NAMES},
        {0, {"a", ""}, 2, FAULT_NAMES},       {0, {"new", "new"}, 2, FAULT_NUMBERING},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct session_limits limits = session_limits_default;
        limits.types_max = 2;
        limits.name_bytes_max = 4;
        struct scene *scene = scene_with_process(&limits, 0);
        open_second(scene);
        assert_int_equal(define_types(scene, 2, cases[i].first, cases[i].count, cases[i].names),
                         SESSION_READ);
        assert_int_equal(scene->faults[cases[i].fault], 1);
        assert_int_equal(send_snapshot(scene, 2, 100, 0), SESSION_READ);
        assert_int_equal(scene->refusals, 1);
        assert_int_equal(scene->faults[FAULT_STRANGER], 1);
        assert_first_goes_on(scene, 101);
        scene_free(scene);
    }
}

/* A message of --max-message-size may hold as many names as a process may have, of any length. */
static void all_the_names_of_a_process_may_come_at_once(void **state)
{
    (void)state;
    struct scene *scene = scene_with_process(&session_limits_default, 0);
    static char name[SNAPSHOT_NAME_BYTES_MAX + 1];
    static const char *names[SNAPSHOT_TYPES_MAX];
    memset(name, 'x', SNAPSHOT_NAME_BYTES_MAX);
    for (size_t i = 0; i < SNAPSHOT_TYPES_MAX; i++)
        names[i] = name;
    open_second(scene);
    assert_int_equal(define_types(scene, 2, 0, SNAPSHOT_TYPES_MAX, names), SESSION_READ);
    assert_int_equal(scene->faults[FAULT_NUMBERING], 1); /* they are all the same */
    assert_first_goes_on(scene, 101);
    scene_free(scene);
}

static void a_chain_that_never_ends_is_refused(void **state)
{
    (void)state;
    enum { CHAIN = 10 };
    struct session_limits limits = session_limits_default;
    limits.chain_snapshots_max = CHAIN;
    struct scene *scene = scene_with_process(&limits, 0);
    (void)send_snapshot(scene, 1, 1, 0);
    uint64_t sequence = 2;
    for (; sequence <= CHAIN * CHAIN_PATIENCE + 1; sequence++)
        (void)send_snapshot(scene, 1, sequence, sequence - 1);
    assert_int_equal(scene->refusals, 0);
    (void)send_snapshot(scene, 1, sequence, sequence - 1);
    assert_int_equal(scene->faults[FAULT_CHAIN], 1);
    assert_int_equal(scene->refusals, 1);
    assert_first_goes_on(scene, sequence + 1);
    (void)send_snapshot(scene, 1, sequence + 2, sequence + 1);
    assert_int_equal(scene->refusals, 1);
    scene_free(scene);
}

static void reasons_have_names(void **state)
{
    (void)state;
    struct session_limits limits = session_limits_default;
    limits.sequence_ahead_ms = 1000;
    struct scene *scene = scene_with_process(&limits, 0);
    (void)send_snapshot(scene, 1, 10, 9);
    assert_int_equal(scene->faults[FAULT_BASE], 1);
    (void)send_snapshot(scene, 77, 11, 0);
    assert_int_equal(scene->faults[FAULT_STRANGER], 1);
    (void)start_process(scene, 2, "");
    assert_int_equal(scene->faults[FAULT_IDENTITY], 1);
    assert_int_equal(start_process(scene, 3, "shop"), SESSION_WAIT);
    session_process_failed(scene->session, "no");
    assert_int_equal(scene->faults[FAULT_DATABASE], 1);
    uint64_t ahead = (uint64_t)(now_ms + 1000) * 1024;
    assert_int_equal(send_snapshot(scene, 1, ahead, 0), SESSION_READ);
    assert_int_equal(send_snapshot(scene, 1, ahead + 1, 0), SESSION_END);
    assert_int_equal(scene->faults[FAULT_SEQUENCE], 1);
    assert_int_equal(scene->faults[FAULT_PROTOCOL], 0);
    scene_free(scene);
}

/* Memory is counted by what the processes' types may take, and given back with them. */
static void heaps_are_counted_for_all_streams_together(void **state)
{
    (void)state;
    struct scene *scene = usual_scene(0);
    assert_int_equal(scene->held, 2 + SESSION_PROCESS_TYPES);
    open_second(scene);
    define_two(scene, 2, 1);
    assert_int_equal(scene->held, 2 * (2 + SESSION_PROCESS_TYPES));
    assert_int_equal(end_process(scene, 2, 5), SESSION_READ);
    assert_int_equal(scene->held, 2 + SESSION_PROCESS_TYPES);
    assert_false(session_is_overdrawn(scene->session));
    scene->room = 2 * SESSION_PROCESS_TYPES + 3;
    assert_int_equal(start_process(scene, 3, "shop"), SESSION_WAIT);
    struct instance_state place = {.service_id = 3, .instance_id = 4, .chain_broken = 1};
    session_instance_opened(scene->session, &place, 0);
    assert_false(session_is_overdrawn(scene->session));
    define_two(scene, 3, 1);
    assert_true(session_is_overdrawn(scene->session));
    scene_free(scene);
}

static void newer_kinds_of_facts_are_answered(void **state)
{
    (void)state;
    struct scene *scene = usual_scene(0);
    agent_message message = HEAPFLEET__V1__AGENT_MESSAGE__INIT;
    assert_int_equal(take(scene, &message), SESSION_READ);
    assert_int_equal(scene->refusals, 0);
    message.sequence = 7;
    assert_int_equal(take(scene, &message), SESSION_READ);
    assert_int_equal(scene->refusals, 1);
    assert_int_equal(session_handled_sequence(scene->session), 7);
    scene_free(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_from_hello_to_end),
        cmocka_unit_test(another_protocol_is_told_what_to_upgrade),
        cmocka_unit_test(what_is_stored_already_is_not_stored_again),
        cmocka_unit_test(shortened_snapshots_are_what_they_were),
        cmocka_unit_test(a_repeated_snapshot_may_be_a_base),
        cmocka_unit_test(a_gap_asks_for_a_keyframe),
        cmocka_unit_test(a_long_chain_asks_for_a_keyframe_once),
        cmocka_unit_test(a_chain_is_as_long_as_the_database_says),
        cmocka_unit_test(numbers_must_rise),
        cmocka_unit_test(the_database_may_refuse_a_process),
        cmocka_unit_test(the_database_may_refuse_types),
        cmocka_unit_test(another_runs_newer_facts_are_told),
        cmocka_unit_test(processes_are_bounded_and_come_and_go),
        cmocka_unit_test(types_and_names_are_bounded),
        cmocka_unit_test(all_the_names_of_a_process_may_come_at_once),
        cmocka_unit_test(a_chain_that_never_ends_is_refused),
        cmocka_unit_test(reasons_have_names),
        cmocka_unit_test(heaps_are_counted_for_all_streams_together),
        cmocka_unit_test(newer_kinds_of_facts_are_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
