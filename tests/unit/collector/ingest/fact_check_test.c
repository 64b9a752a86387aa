#include "fact_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const int64_t now_ms = INT64_C(1760000000000), day_ms = INT64_C(86400000);

static void sequences_rise_and_are_not_from_the_future(void **state)
{
    (void)state;
    static const uint64_t ms = 1024;
    const uint64_t now = (uint64_t)now_ms * ms, day = (uint64_t)day_ms * ms;
    const struct {
        uint64_t sequence, previous;
        enum status expected;
    } cases[] = {
        {1, 0, STATUS_OK},
        {0, 0, STATUS_INVALID},
        {5, 5, STATUS_INVALID},
        {4, 5, STATUS_INVALID},
        {now, 5, STATUS_OK},
        {now + day, 5, STATUS_OK},
        {now + day + 1, 5, STATUS_INVALID},
        {UINT64_MAX, 5, STATUS_INVALID},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(fact_check_sequence(cases[i].sequence, cases[i].previous,
                                             &session_limits_default, now_ms, NULL),
                         cases[i].expected);
}

static void times_are_near_ours(void **state)
{
    (void)state;
    const struct session_limits *limits = &session_limits_default;
    const struct {
        int64_t time_ms;
        enum status expected;
    } cases[] = {
        {now_ms, STATUS_OK},
        {now_ms + limits->clock_ahead_ms, STATUS_OK},
        {now_ms + limits->clock_ahead_ms + 1, STATUS_INVALID},
        {now_ms - limits->clock_behind_ms, STATUS_OK},
        {now_ms - limits->clock_behind_ms - 1, STATUS_INVALID},
        {0, STATUS_INVALID},
        {INT64_MIN, STATUS_INVALID},
        {INT64_MAX, STATUS_INVALID},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(fact_check_time(cases[i].time_ms, limits, now_ms, NULL),
                         cases[i].expected);
    struct why why = {""};
    assert_int_equal(fact_check_time(now_ms - (int64_t)40 * 86400 * 1000, limits, now_ms, &why),
                     STATUS_INVALID);
    assert_non_null(strstr(why.text, "3456000 s (40.0 days) in the past: set the clock"));
}

/* Every number of the message is one too large in turn. */
static void numbers_fit_their_columns(void **state)
{
    (void)state;
    Heapfleet__V1__Snapshot snapshot = HEAPFLEET__V1__SNAPSHOT__INIT;
    snapshot.time_ms = now_ms;
    uint64_t *const numbers[] = {
        &snapshot.base_sequence,
        &snapshot.rss_anon_bytes,
        &snapshot.swap_bytes,
        &snapshot.container_usage_bytes,
        &snapshot.container_limit_bytes,
        &snapshot.cpu_ms,
        &snapshot.not_objects_bytes,
        &snapshot.pool_bytes,
        &snapshot.pool_free_bytes,
        &snapshot.malloc_free_bytes,
        &snapshot.objects_error,
        &snapshot.bytes_error,
        &snapshot.pss_bytes,
    };
    struct snapshot_row row;
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        *numbers[i] = INT64_MAX;
        assert_int_equal(fact_check_snapshot(9, &snapshot, &row, NULL), STATUS_OK);
        *numbers[i] = (uint64_t)INT64_MAX + 1;
        assert_int_equal(fact_check_snapshot(9, &snapshot, &row, NULL), STATUS_INVALID);
        *numbers[i] = i + 1;
    }
    snapshot.coverage = 10000;
    snapshot.dropped = INT32_MAX;
    assert_int_equal(fact_check_snapshot(9, &snapshot, &row, NULL), STATUS_OK);
    assert_int_equal(row.sequence, 9);
    assert_int_equal(row.base_sequence, 1);
    assert_int_equal(row.rss_anon_bytes, 2);
    assert_int_equal(row.swap_bytes, 3);
    assert_int_equal(row.container_usage_bytes, 4);
    assert_int_equal(row.container_limit_bytes, 5);
    assert_int_equal(row.cpu_ms, 6);
    assert_int_equal(row.not_objects_bytes, 7);
    assert_int_equal(row.pool_bytes, 8);
    assert_int_equal(row.pool_free_bytes, 9);
    assert_int_equal(row.malloc_free_bytes, 10);
    assert_int_equal(row.pss_bytes, 13);
    assert_int_equal(row.coverage, 10000);
    assert_int_equal(row.dropped, INT32_MAX);
    snapshot.coverage = 10001;
    assert_int_equal(fact_check_snapshot(9, &snapshot, &row, NULL), STATUS_INVALID);
    snapshot.coverage = 0;
    snapshot.dropped = (uint32_t)INT32_MAX + 1;
    assert_int_equal(fact_check_snapshot(9, &snapshot, &row, NULL), STATUS_INVALID);
}

static void a_clock_is_right_wrong_or_senseless(void **state)
{
    (void)state;
    assert_int_equal(fact_check_clock(now_ms, now_ms), 0);
    assert_int_equal(fact_check_clock(now_ms - 4000, now_ms), 0);
    assert_int_equal(fact_check_clock(now_ms - 3600000, now_ms), 3600000);
    assert_int_equal(fact_check_clock(now_ms + 60000, now_ms), -60000);
    static const int64_t senseless[] = {0, -1, 1, INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(senseless); i++)
        assert_int_equal(fact_check_clock(senseless[i], now_ms), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequences_rise_and_are_not_from_the_future),
        cmocka_unit_test(times_are_near_ours),
        cmocka_unit_test(numbers_fit_their_columns),
        cmocka_unit_test(a_clock_is_right_wrong_or_senseless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
