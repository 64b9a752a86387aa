#include "uplink.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent_day.h"
#include "uplink_state.h"

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

static void of_several_collectors_one_that_works_is_kept(void **state)
{
    (void)state;
    struct day *day = day_new();
    day->before = "127.0.0.1:1,localhost:1,";
    day->fake.cut_every = 40;
    day_run(day);
    assert_all_stored(day);
    assert_true(day->fake.cuts > 0);
    assert_int_equal(day->disconnected, 2 + 3 * day->fake.cuts); /* each time round */
    free(day);
}

/* The pauses of some hundred agents that lost one collector together. */
static void many_agents_come_back_spread_out(void **state)
{
    (void)state;
    enum { AGENTS = 400, TENTHS = 10, ATTEMPTS = 7 };
    struct loop *loop = loop_new();
    const struct uplink_options options = {
        .channel = {.target = "127.0.0.1:1"}, .host = "here", .spool_bytes = 4000, .now_ms = 1};
    for (uint32_t failures = 0; failures < ATTEMPTS; failures++) {
        int64_t bound = (int64_t)UPLINK_RETRY_MS_MIN << failures;
        bound = bound > UPLINK_RETRY_MS_MAX ? UPLINK_RETRY_MS_MAX : bound;
        int tenths[TENTHS] = {0};
        for (int i = 0; i < AGENTS; i++) {
            struct uplink *uplink = NULL;
            assert_int_equal(uplink_new(loop, &options, &day_events, NULL, &uplink, NULL),
                             STATUS_OK);
            uplink->failures = failures;
            int64_t pause_ms = uplink_pause_ms(uplink, RPC_UNAVAILABLE);
            assert_in_range(pause_ms, 1, bound);
            tenths[(pause_ms - 1) * TENTHS / bound]++;
            uplink_free(uplink);
        }
        for (int i = 0; i < TENTHS; i++) /* 40 each, +- 6 standard deviations */
            assert_in_range(tenths[i], 4, 76);
    }
    loop_free(loop);
}

static enum status check_list(const char *list, int plaintext)
{
    const struct rpc_channel_options options = {.target = list, .plaintext = plaintext};
    return collectors_check(&options, NULL);
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
    static const char *const lists[] = {"a:1,", ",a:1", "a:1,,b:1", "a:1,b", "a:1 b:1"};
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        assert_int_not_equal(check_list(lists[i], 1), STATUS_OK);
    assert_int_equal(check_list("a:1,[::1]:2,unix:/x", 1), STATUS_OK);
    assert_int_equal(check_list("[::1]:2,unix:/x", 0), STATUS_OK);
    assert_int_equal(check_list("[::1]:2,a:1", 0), STATUS_USAGE);
    assert_int_equal(check_list("a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,"
                                "a:1",
                                1),
                     STATUS_LIMIT);
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
        cmocka_unit_test(of_several_collectors_one_that_works_is_kept),
        cmocka_unit_test(many_agents_come_back_spread_out),
        cmocka_unit_test(a_wrong_target_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
