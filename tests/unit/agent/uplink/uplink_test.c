#include "uplink.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_collector.h"

/*
 * An agent's day in small: three processes whose heaps follow a formula, so that what arrives can
 * be compared with what must have been. A timer makes one fact a tick.
 */
enum { DAY_PROCESSES = 3, DAY_SNAPSHOTS = 12, TYPES_FIRST = 4 };

struct day {
    struct loop *loop;
    struct uplink *uplink;
    struct loop_timer *timer;
    struct fake_collector fake;
    int snapshots; /* of each process */
    int made;      /* ticks so far */
    int64_t flush_ms;
    size_t spool_bytes;
    int starts_alone; /* the collector is started by hand */
    call_fn *tick;
    int connected, disconnected, refused, lost, done;
    char reason[WHY_CAPACITY];
    size_t pending; /* at the end */
};

static uint32_t types_of(int k)
{
    return (uint32_t)(TYPES_FIRST + k / 3);
}

static void heap_of(uint32_t process, int k, struct heap_values *ret)
{
    heap_values_resize(ret, types_of(k));
    for (uint32_t i = 0; i < ret->types; i++) {
        ret->values[i].count = (uint64_t)process * 1000 + (uint64_t)k * (i % 3) * 17 + 5;
        ret->values[i].bytes = ret->values[i].count * 56 + (i == 1 ? (uint64_t)(k * k) * 999 : 0);
    }
}

static void start_process(struct day *day, uint32_t process)
{
    struct identity identity = {.attribute_count = 1};
    for (int i = 0; i < IDENTITY_FIELDS; i++)
        identity.field[i] = "shop";
    identity.attributes[0] = (struct identity_attribute){"team", "a"};
    const struct uplink_process started = {.process = process,
                                           .instance_id = {(uint8_t)process},
                                           .identity = &identity,
                                           .pid = 100 + process,
                                           .runtime_version = "3.11.2",
                                           .started_ms = 1};
    assert_int_equal(uplink_process_started(day->uplink, &started), STATUS_OK);
}

static void snapshot_process(struct day *day, uint32_t process, int k)
{
    struct heap_values heap = HEAP_VALUES_INIT;
    heap_of(process, k, &heap);
    for (uint32_t i = uplink_types_defined(day->uplink, process); i < heap.types; i++) {
        char name[32];
        snprintf(name, sizeof(name), "shop.Type%u", i);
        uplink_define_type(day->uplink, process, name);
    }
    const struct uplink_snapshot snapshot = {
        .process = process, .time_ms = 1 + k, .values = &heap, .coverage = 10000};
    uplink_snapshot(day->uplink, &snapshot);
    heap_values_done(&heap);
}

static void on_done(void *arg)
{
    struct day *day = arg;
    day->done++;
    loop_stop(day->loop);
}

static void on_tick(void *arg)
{
    struct day *day = arg;
    int k = day->made++;
    if (k == 0)
        start_process(day, 1);
    if (k == 2) {
        start_process(day, 2);
        start_process(day, 3);
    }
    if (k == day->snapshots) {
        uplink_process_ended(day->uplink, 2, 1 + k, END_OOM_KILLED);
        loop_timer_stop(day->timer);
        uplink_stop(day->uplink, day->flush_ms, on_done, day);
        return;
    }
    for (uint32_t process = 1; process <= (k < 2 ? 1 : DAY_PROCESSES); process++)
        snapshot_process(day, process, k);
}

static void on_connected(void *user, const char *version)
{
    struct day *day = user;
    assert_non_null(version);
    day->connected++;
}

static void on_disconnected(void *user, const char *reason, int64_t retry_ms)
{
    struct day *day = user;
    assert_true(retry_ms >= 0);
    day->disconnected++;
    snprintf(day->reason, sizeof(day->reason), "%s", reason);
}

static void on_refused(void *user, uint64_t sequence, uint32_t process, const char *reason)
{
    struct day *day = user;
    assert_true(sequence > 0 && process > 0);
    assert_string_equal(reason, "not today");
    day->refused++;
}

static void on_lost(void *user, uint32_t process)
{
    struct day *day = user;
    assert_in_range(process, 1, DAY_PROCESSES);
    day->lost++;
}

static const struct uplink_events day_events = {.connected = on_connected,
                                                .disconnected = on_disconnected,
                                                .refused = on_refused,
                                                .lost = on_lost};

static struct day *day_new(void)
{
    struct day *day = calloc(1, sizeof(*day));
    day->snapshots = DAY_SNAPSHOTS;
    day->flush_ms = 20000;
    day->spool_bytes = 1 << 20;
    day->loop = loop_new();
    return day;
}

static void day_run(struct day *day)
{
    if (!day->starts_alone)
        fake_collector_start(&day->fake);
    char target[64];
    snprintf(target, sizeof(target), "127.0.0.1:%d", day->fake.port == 0 ? 1 : day->fake.port);
    const struct uplink_options options = {.channel = {.target = target},
                                           .host = "here",
                                           .spool_bytes = day->spool_bytes,
                                           .now_ms = 1700000000000};
    assert_int_equal(uplink_new(day->loop, &options, &day_events, day, &day->uplink, NULL),
                     STATUS_OK);
    day->timer = loop_timer_new(day->loop, day->tick == NULL ? on_tick : day->tick, day);
    uplink_start(day->uplink);
    loop_timer_start(day->timer, 0, 1);
    loop_run(day->loop);
    day->pending = uplink_pending(day->uplink);
    loop_timer_free(day->timer);
    uplink_free(day->uplink);
    loop_free(day->loop);
    if (day->fake.server != NULL)
        fake_collector_stop(&day->fake);
    assert_int_equal(day->done, 1);
}

static int stored(const struct day *day, uint32_t process, int k)
{
    struct heap_values heap = HEAP_VALUES_INIT;
    heap_of(process, k, &heap);
    uint64_t fingerprint = fake_fingerprint(&heap);
    heap_values_done(&heap);
    for (int i = 0; i < day->fake.fact_count; i++) {
        const struct fake_fact *fact = &day->fake.facts[i];
        if (fact->process == process && !fact->ended && fact->time_ms == 1 + k)
            return fact->fingerprint == fingerprint;
    }
    return 0;
}

static void assert_all_stored(const struct day *day)
{
    assert_int_equal(day->pending, 0);
    if (day->fake.error[0] != '\0')
        fail_msg("%s", day->fake.error);
    for (uint32_t process = 1; process <= DAY_PROCESSES; process++) {
        for (int k = process == 1 ? 0 : 2; k < day->snapshots; k++) {
            if (!stored(day, process, k))
                fail_msg("snapshot %d of process %u is not stored", k, process);
        }
    }
    const struct fake_fact *last = &day->fake.facts[day->fake.fact_count - 1];
    assert_int_equal(last->process, 2);
    assert_int_equal(last->ended, 1 + (int)END_OOM_KILLED);
    assert_int_equal(day->fake.fact_count, 1 + day->snapshots + 2 * (day->snapshots - 2));
}

/* ----- the tests ----- */

static void delivers_a_day(void **state)
{
    (void)state;
    struct day *day = day_new();
    day_run(day);
    assert_all_stored(day);
    assert_int_equal(day->fake.streams, 1);
    assert_int_equal(day->fake.repeats, 0);
    assert_int_equal(day->fake.half_closes, 1); /* it said goodbye */
    assert_int_equal(day->connected, 1);
    free(day);
}

/* Cut once, at the first step, the second, ... until there is none left to cut. */
static void survives_a_cut_at_every_step(void **state)
{
    (void)state;
    int cuts = 1;
    for (int at = 1; cuts > 0; at++) {
        struct day *day = day_new();
        day->snapshots = 5;
        day->fake.commit_every = 3;
        day->fake.cut_at = at;
        day_run(day);
        cuts = day->fake.cuts;
        if (day->fake.error[0] != '\0' || day->pending > 0 || day->fake.streams > 2 ||
            day->fake.repeats > UPLINK_WINDOW_FACTS) {
            fail_msg("cut at step %d of %d: %s; %d streams, %d repeats, %zu pending, last \"%s\"",
                     at, day->fake.steps, day->fake.error, day->fake.streams, day->fake.repeats,
                     day->pending, day->reason);
        }
        assert_all_stored(day);
        free(day);
    }
}

static void survives_many_cuts(void **state)
{
    (void)state;
    struct day *day = day_new();
    day->fake.commit_every = 2;
    day->fake.cut_every = 23;
    day_run(day);
    assert_all_stored(day);
    assert_true(day->fake.cuts > 2);
    free(day);
}

enum { LATE = 50 };

/* Nobody for fifty ticks; then the collector comes, and the day goes on when it has everything. */
static void on_late_tick(void *arg)
{
    struct day *day = arg;
    if (day->made == LATE && day->fake.server == NULL) {
        assert_true(day->lost > 10);
        fake_collector_start(&day->fake);
    }
    if (day->made < LATE || (day->connected > 0 && uplink_pending(day->uplink) == 0))
        on_tick(day);
}

static int lose_and_cut(int cut_at)
{
    struct day *day = day_new();
    fake_collector_start(&day->fake);
    fake_collector_stop(&day->fake); /* only its port is wanted */
    day->starts_alone = 1;
    day->snapshots = 60;
    day->spool_bytes = 4000;
    day->fake.cut_at = cut_at;
    day->tick = on_late_tick;
    day_run(day);

    if (day->fake.error[0] != '\0')
        fail_msg("cut at step %d: %s", cut_at, day->fake.error);
    int said = 0;
    int kept = 0;
    for (int i = 0; i < day->fake.fact_count; i++) {
        const struct fake_fact *fact = &day->fake.facts[i];
        said += (int)fact->dropped;
        kept += !fact->ended;
        if (!fact->ended)
            assert_true(stored(day, fact->process, (int)fact->time_ms - 1));
    }
    /* what a cut kept from being acknowledged may be counted as lost although it arrived */
    assert_true(said == day->lost || cut_at > 0);
    assert_true(kept + said >= 60 + 2 * 58);
    assert_true(kept + day->lost == 60 + 2 * 58 || cut_at > 0);
    int cuts = day->fake.cuts;
    free(day);
    return cuts;
}

/* What a spool without a collector lost is said, and once; what it kept can be read. */
static void tells_what_it_lost(void **state)
{
    (void)state;
    assert_int_equal(lose_and_cut(0), 0);
    for (int at = 1; at < 30; at++)
        assert_int_equal(lose_and_cut(at), 1);
}

static void sends_a_keyframe_now_and_then(void **state)
{
    (void)state;
    struct day *day = day_new();
    day->snapshots = 2 * UPLINK_KEYFRAME_EVERY + 5;
    day_run(day);
    assert_all_stored(day);
    int keyframes = 0;
    for (int i = 0; i < day->fake.fact_count; i++)
        keyframes += day->fake.facts[i].process == 1 && day->fake.facts[i].keyframe;
    assert_int_equal(keyframes, 3);
    free(day);
}

/* Not ahead of the collector, so that what it asks for still comes in time for later facts. */
static void on_paced_tick(void *arg)
{
    struct day *day = arg;
    if (uplink_pending(day->uplink) < 2 * DAY_PROCESSES)
        on_tick(day);
}

static void sends_a_keyframe_on_request(void **state)
{
    (void)state;
    struct day *day = day_new();
    day->tick = on_paced_tick;
    day->fake.request_keyframe_after = 4;
    day->snapshots = 40;
    day_run(day);
    assert_all_stored(day);
    int keyframes = 0;
    for (int i = 0; i < day->fake.fact_count; i++)
        keyframes += day->fake.facts[i].process == 1 && day->fake.facts[i].keyframe;
    assert_int_equal(keyframes, 2);
    free(day);
}

static void a_refused_fact_is_not_sent_again(void **state)
{
    (void)state;
    struct day *day = day_new();
    day->snapshots = 40;
    day->tick = on_paced_tick;
    day->fake.refuse_nth = 5;
    day_run(day);
    assert_string_equal(day->fake.error, "");
    assert_true(day->refused >= 1);
    assert_int_equal(day->fake.streams, 1);
    assert_int_equal(day->fake.repeats, 0);
    /* those that had it as their base were under way; then a keyframe mends it */
    assert_true(stored(day, 1, 39) && stored(day, 2, 39) && stored(day, 3, 39));
    free(day);
}

struct bad_collector {
    struct fake_collector fake;
    const char *reason;
};

static void leaves_a_collector_that_breaks_the_rules(void **state)
{
    (void)state;
    static const struct bad_collector cases[] = {
        {{.protocol = 2}, "speaks protocol 2 and this agent 1"},
        {{.ack_too_much = 5000}, "acknowledged what was never sent"},
        {{.committed = UINT64_MAX}, "claims to have what was never sent"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct day *day = day_new();
        day->fake = cases[i].fake;
        day->flush_ms = 1000;
        day_run(day);
        assert_true(day->disconnected > 0);
        assert_non_null(strstr(day->reason, cases[i].reason));
        free(day);
    }
}

static void does_not_wait_for_ever(void **state)
{
    (void)state;
    struct day *day = day_new(); /* nobody there */
    day->starts_alone = 1;
    day->flush_ms = 50;
    day_run(day);
    free(day);

    day = day_new(); /* somebody who says nothing */
    day->fake.silent = 1;
    day->flush_ms = 50;
    day_run(day);
    assert_int_equal(day->connected, 0);
    free(day);
}

static void stops_before_it_has_started(void **state)
{
    (void)state;
    struct day *day = day_new();
    const struct uplink_options options = {
        .channel = {.target = "127.0.0.1:1"}, .host = "here", .spool_bytes = 4000, .now_ms = 1};
    assert_int_equal(uplink_new(day->loop, &options, &day_events, day, &day->uplink, NULL),
                     STATUS_OK);
    uplink_stop(day->uplink, 1000, on_done, day);
    loop_run(day->loop);
    uplink_free(day->uplink);
    loop_free(day->loop);
    assert_int_equal(day->done, 1);
    free(day);
}

/* An hour to deliver nothing is not taken. */
static void leaves_at_once_when_there_is_nothing_to_deliver(void **state)
{
    (void)state;
    for (int silent = 0; silent < 2; silent++) {
        struct day *day = day_new();
        day->fake.silent = silent;
        fake_collector_start(&day->fake);
        char target[64];
        snprintf(target, sizeof(target), "127.0.0.1:%d", day->fake.port);
        const struct uplink_options options = {
            .channel = {.target = target}, .host = "here", .spool_bytes = 4000, .now_ms = 1};
        assert_int_equal(uplink_new(day->loop, &options, &day_events, day, &day->uplink, NULL),
                         STATUS_OK);
        uplink_start(day->uplink);
        uplink_stop(day->uplink, 3600000, on_done, day);
        loop_run(day->loop);
        uplink_free(day->uplink);
        loop_free(day->loop);
        fake_collector_stop(&day->fake);
        assert_int_equal(day->done, 1);
        free(day);
    }
}

static void a_wrong_target_is_said(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct why why = {""};
    struct uplink *uplink = NULL;
    const struct uplink_options options = {.channel = {.target = "nowhere"}, .host = "here"};
    assert_int_equal(uplink_new(loop, &options, &day_events, NULL, &uplink, &why), STATUS_USAGE);
    assert_non_null(strstr(why.text, "nowhere"));
    assert_null(uplink);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delivers_a_day),
        cmocka_unit_test(survives_a_cut_at_every_step),
        cmocka_unit_test(survives_many_cuts),
        cmocka_unit_test(tells_what_it_lost),
        cmocka_unit_test(sends_a_keyframe_now_and_then),
        cmocka_unit_test(sends_a_keyframe_on_request),
        cmocka_unit_test(a_refused_fact_is_not_sent_again),
        cmocka_unit_test(leaves_a_collector_that_breaks_the_rules),
        cmocka_unit_test(does_not_wait_for_ever),
        cmocka_unit_test(stops_before_it_has_started),
        cmocka_unit_test(leaves_at_once_when_there_is_nothing_to_deliver),
        cmocka_unit_test(a_wrong_target_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
