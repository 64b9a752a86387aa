/* What is kept for its turn comes back as it was, in order; what finds no room, not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "attributes.h"
#include "backlog.h"

enum { STEP_MS = 100, RANGES = 3, SNAPSHOTS = 60, SNAPSHOT_MS = 17, TYPES_MAX = 6 };
static const int64_t base_ms = 1000;
static const int64_t end_ms = 1000 + SNAPSHOTS * SNAPSHOT_MS;

static int64_t time_of(uint32_t i)
{
    return base_ms + (int64_t)i * SNAPSHOT_MS;
}

/* Types come in the course of a life; values rise, fall, and are 0 at times. */
static void values_of(size_t range, uint32_t i, struct heap_values *ret)
{
    heap_values_resize(ret, 0);
    heap_values_resize(ret, 1 + (uint32_t)(i / 5 + range) % TYPES_MAX);
    for (uint32_t type = 0; type < ret->types; type++)
        ret->values[type] = (i * (type + 1) + range) % 4 == 0
                                ? (struct type_value){0, 0}
                                : (struct type_value){i * type + range, UINT64_MAX / (type + 1)};
}

static void fill(struct backlog *backlog)
{
    struct heap_values values = HEAP_VALUES_INIT;
    backlog_begin(backlog, base_ms, STEP_MS, end_ms);
    for (size_t range = 0; range < RANGES; range++)
        for (uint32_t i = 0; i < SNAPSHOTS; i++) {
            values_of(range, i, &values);
            const struct history_snapshot snapshot = {
                .sequence = i, .time_ms = time_of(i), .values = &values, .cpu_ms = range + i};
            backlog_add(backlog, snapshot.time_ms, range, &snapshot);
        }
    heap_values_done(&values);
}

struct shown {
    uint32_t next[RANGES]; /* snapshot that is due */
    size_t range;          /* newest */
    int64_t before_ms;     /* none may be from then on */
    uint32_t count;
};

static enum status see(void *user, size_t range, const struct history_snapshot *snapshot)
{
    struct shown *shown = user;
    struct heap_values values = HEAP_VALUES_INIT;
    uint32_t i = shown->next[range]++;
    values_of(range, i, &values);
    assert_true(range >= shown->range);
    assert_int_equal(snapshot->sequence, i);
    assert_int_equal(snapshot->time_ms, time_of(i));
    assert_int_equal(snapshot->cpu_ms, range + i);
    assert_true(snapshot->time_ms < shown->before_ms);
    assert_int_equal(snapshot->values->types, values.types);
    assert_memory_equal(snapshot->values->values, values.values,
                        values.types * sizeof(*values.values));
    shown->range = range;
    shown->count++;
    heap_values_done(&values);
    return STATUS_OK;
}

static uint32_t take_all(struct backlog *backlog)
{
    struct shown shown = {.count = 0};
    for (int64_t ms = base_ms + STEP_MS; ms <= end_ms + STEP_MS; ms += STEP_MS) {
        shown.range = 0;
        shown.before_ms = ms;
        assert_int_equal(backlog_take(backlog, ms, see, &shown), STATUS_OK);
    }
    return shown.count;
}

static void test_cuts_come_back_in_order(void **state)
{
    (void)state;
    struct backlog backlog;
    backlog_init(&backlog, 1 << 20);
    for (int round = 0; round < 2; round++) {
        fill(&backlog);
        assert_true(backlog_end_ms(&backlog) >= end_ms);
        assert_int_equal(take_all(&backlog), RANGES * SNAPSHOTS);
        assert_int_equal(backlog.bytes, 0);
    }
    backlog_done(&backlog);
}

/* What is held is whole: every snapshot before the end that is told. */
static void test_the_latest_cuts_give_way(void **state)
{
    (void)state;
    uint32_t before = RANGES * SNAPSHOTS;
    for (size_t bytes = 32768;; bytes /= 2) {
        struct backlog backlog;
        backlog_init(&backlog, bytes);
        fill(&backlog);
        int64_t held_ms = backlog_end_ms(&backlog);
        uint32_t expected = 0;
        for (uint32_t i = 0; i < SNAPSHOTS; i++)
            expected += time_of(i) < held_ms ? RANGES : 0;
        assert_true(backlog.bytes <= bytes);
        assert_true(expected <= before);
        before = expected;
        assert_int_equal(take_all(&backlog), expected);
        backlog_done(&backlog);
        if (bytes == 0)
            break;
    }
    assert_int_equal(before, 0);
}

static enum status refuse(void *user, size_t range, const struct history_snapshot *snapshot)
{
    (void)range, (void)snapshot;
    ++*(uint32_t *)user;
    return STATUS_LIMIT;
}

static void test_a_visitor_may_refuse(void **state)
{
    (void)state;
    struct backlog backlog;
    uint32_t asked = 0;
    backlog_init(&backlog, 1 << 20);
    fill(&backlog);
    assert_int_equal(backlog_take(&backlog, end_ms, refuse, &asked), STATUS_LIMIT);
    assert_int_equal(asked, 1);
    backlog_done(&backlog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cuts_come_back_in_order),
        cmocka_unit_test(test_the_latest_cuts_give_way),
        cmocka_unit_test(test_a_visitor_may_refuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
