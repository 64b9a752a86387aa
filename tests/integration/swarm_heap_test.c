/* USES swarm */
/* The swarm's heaps are what they claim to be, and the same again from the same seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "attributes.h"
#include "swarm_heap.h"
#include "swarm_process.h"
#include "swarm_stats.h"

enum { TYPES = 300, STEPS = 400 };

static uint32_t changed(const struct heap_values *before, const struct heap_values *now)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < before->types; i++)
        count += before->values[i].count != now->values[i].count ||
                 before->values[i].bytes != now->values[i].bytes;
    return count;
}

static void a_tenth_to_a_fifth_changes(void **state)
{
    (void)state;
    struct swarm_heap heap;
    struct heap_values before = HEAP_VALUES_INIT;
    uint64_t sum = 0, types = 0;
    swarm_heap_init(&heap, 7, 1, TYPES);
    for (int i = 0; i < STEPS; i++) {
        heap_values_copy(&before, &heap.now);
        swarm_heap_step(&heap);
        uint32_t some = changed(&before, &heap.now);
        assert_in_range(some, TYPES / 25, TYPES * 3 / 10); /* chance aside, the mean counts */
        sum += some;
        types += before.types;
    }
    assert_in_range(sum * 1000 / types, 100, 200);
    assert_int_equal(heap.now.types, TYPES);
    heap_values_done(&before);
    swarm_heap_done(&heap);
}

static void few_types_have_most_objects(void **state)
{
    (void)state;
    struct swarm_heap heap;
    swarm_heap_init(&heap, 7, 1, TYPES);
    uint64_t top = 0;
    for (uint32_t i = 0; i < 10; i++)
        top += heap.now.values[i].count;
    assert_true(top * 2 > swarm_heap_objects(&heap));
    assert_in_range(swarm_heap_objects(&heap), 500 * 1000, 2000 * 1000);
    swarm_heap_done(&heap);
}

static void run_messages(uint64_t seed, struct buf *ret)
{
    struct swarm_account account = {.uuid = {1}};
    struct swarm_process *process = swarm_process_new(seed, 3, TYPES);
    process->account = &account;
    process->number = 1;
    process->started_ms = 1000;
    swarm_process_announce(process, ret);
    swarm_process_define(process, ret);
    for (int i = 0; i < STEPS; i++) {
        size_t body;
        swarm_process_snapshot(process, (uint64_t)i + 1, 2000 + i, ret, &body);
    }
    swarm_process_free(process);
}

static void a_seed_decides_every_byte(void **state)
{
    (void)state;
    struct buf first = BUF_INIT, second = BUF_INIT, other = BUF_INIT;
    run_messages(1, &first);
    run_messages(1, &second);
    run_messages(2, &other);
    assert_int_equal(first.size, second.size);
    assert_memory_equal(first.data, second.data, first.size);
    assert_false(first.size == other.size && memcmp(first.data, other.data, first.size) == 0);
    buf_done(&first);
    buf_done(&second);
    buf_done(&other);
}

static void latencies_fall_into_narrow_steps(void **state)
{
    (void)state;
    for (int64_t us = 1; us < (int64_t)3600 * 1000 * 1000; us += us / 7 + 1) {
        struct swarm_latency latency = {.total = 0};
        swarm_latency_add(&latency, us * 1000);
        double said_us = swarm_latency_ms(&latency, 0.5) * 1000;
        assert_true(said_us > (double)us && said_us <= (double)us * 1.04 + 1);
    }
}

static void shares_are_counted_from_below(void **state)
{
    (void)state;
    struct swarm_latency latency = {.total = 0};
    assert_true(swarm_latency_ms(&latency, 0.99) == 0);
    for (int i = 0; i < 100; i++)
        swarm_latency_add(&latency, (i < 98 ? 1 : 1000) * (int64_t)1000000);
    assert_true(swarm_latency_ms(&latency, 0.5) < 1.1);
    assert_true(swarm_latency_ms(&latency, 0.99) > 999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tenth_to_a_fifth_changes),
        cmocka_unit_test(few_types_have_most_objects),
        cmocka_unit_test(a_seed_decides_every_byte),
        cmocka_unit_test(latencies_fall_into_narrow_steps),
        cmocka_unit_test(shares_are_counted_from_below),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
