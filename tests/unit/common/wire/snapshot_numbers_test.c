#include "snapshot_numbers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "wire.h"

enum { SEQUENCE = 1000, DISTANCE = 7, ARENA_BYTES = 65536 };

static Heapfleet__V1__Snapshot snapshot_with(uint64_t seed)
{
    Heapfleet__V1__Snapshot snapshot = HEAPFLEET__V1__SNAPSHOT__INIT;
    snapshot.process = 3;
    snapshot.dropped = 2;
    snapshot.time_ms = 1700000000000 + (int64_t)seed;
    snapshot.rss_anon_bytes = seed * 4096;
    snapshot.swap_bytes = seed << 50; /* wraps around */
    snapshot.container_usage_bytes = seed + 1;
    snapshot.container_limit_bytes = 1 << 30;
    snapshot.cpu_ms = seed * 3;
    snapshot.census_cpu_us = (uint32_t)seed + 11;
    snapshot.coverage = 10000;
    snapshot.not_objects_bytes = seed + 2;
    snapshot.pool_bytes = seed + 3;
    snapshot.pool_free_bytes = seed + 4;
    snapshot.malloc_free_bytes = seed + 5;
    snapshot.objects_error = seed + 6;
    snapshot.bytes_error = seed + 7;
    snapshot.pss_bytes = seed + 8;
    return snapshot;
}

static size_t packed_size(const Heapfleet__V1__Snapshot *snapshot)
{
    return protobuf_c_message_get_packed_size(&snapshot->base);
}

static void what_is_shortened_comes_back(void **state)
{
    (void)state;
    const uint64_t seeds[][2] = {{5, 6}, {6, 5}, {0, 0}, {0, UINT32_MAX - 11}, {1 << 20, 3}};
    for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
        Heapfleet__V1__Snapshot before = snapshot_with(seeds[i][0]);
        Heapfleet__V1__Snapshot whole = snapshot_with(seeds[i][1]), now = whole;
        now.base_sequence = whole.base_sequence = SEQUENCE - DISTANCE;
        const struct snapshot_numbers base = snapshot_numbers(SEQUENCE - DISTANCE, &before);
        int64_t changes[SNAPSHOT_NUMBERS];
        snapshot_shorten(SEQUENCE, &base, &now, changes);
        assert_int_equal(now.base_distance, DISTANCE);
        assert_int_equal(now.base_sequence, 0);
        assert_true(packed_size(&now) + 20 < packed_size(&whole) || i > 1);

        struct buf bytes = BUF_INIT;
        wire_pack(&now.base, &bytes);
        struct arena arena;
        arena_init(&arena, ARENA_BYTES);
        ProtobufCMessage *message = NULL;
        assert_int_equal(wire_unpack(&heapfleet__v1__snapshot__descriptor, bytes.data, bytes.size,
                                     &arena, &message, NULL),
                         STATUS_OK);
        Heapfleet__V1__Snapshot *back = (Heapfleet__V1__Snapshot *)message;
        if (back == NULL) /* for the analyser */
            return;
        assert_int_equal(snapshot_restore(SEQUENCE, &base, back, NULL), STATUS_OK);
        assert_int_equal(back->dropped, 2);
        assert_int_equal(back->base_sequence, SEQUENCE - DISTANCE);
        const struct snapshot_numbers is = snapshot_numbers(SEQUENCE, back);
        const struct snapshot_numbers was = snapshot_numbers(SEQUENCE, &whole);
        assert_memory_equal(&is, &was, sizeof(is));
        arena_done(&arena);
        buf_done(&bytes);
    }
}

/* Every field of a snapshot is among the numbers, or known not to be: one added later must choose.
 */
static void no_number_is_forgotten(void **state)
{
    (void)state;
    const ProtobufCMessageDescriptor *message = &heapfleet__v1__snapshot__descriptor;
    const char *others[] = {"process", "base_sequence", "body",
                            "dropped", "base_distance", "changes"};
    enum { OTHERS = sizeof(others) / sizeof(others[0]) };
    assert_int_equal(message->n_fields, SNAPSHOT_NUMBERS + OTHERS);
    const Heapfleet__V1__Snapshot before = HEAPFLEET__V1__SNAPSHOT__INIT;
    const struct snapshot_numbers base = snapshot_numbers(1, &before);
    for (unsigned i = 0; i < message->n_fields; i++) {
        int is_other = 0;
        for (size_t k = 0; k < OTHERS; k++)
            is_other |= strcmp(others[k], message->fields[i].name) == 0;
        Heapfleet__V1__Snapshot now = HEAPFLEET__V1__SNAPSHOT__INIT;
        uint32_t one = 1; /* little endian: also the lower half of a wide one */
        memcpy((char *)&now + message->fields[i].offset, &one, sizeof(one));
        const struct snapshot_numbers numbers = snapshot_numbers(1, &now);
        assert_int_equal(memcmp(&numbers, &base, sizeof(base)) != 0, !is_other);
    }
}

static void only_a_change_of_that_base_is_shortened(void **state)
{
    (void)state;
    const Heapfleet__V1__Snapshot before = snapshot_with(5);
    const struct snapshot_numbers base = snapshot_numbers(SEQUENCE - DISTANCE, &before);
    const struct snapshot_numbers none = {.sequence = 0};
    int64_t changes[SNAPSHOT_NUMBERS];
    Heapfleet__V1__Snapshot keyframe = snapshot_with(6), other = snapshot_with(6);
    other.base_sequence = SEQUENCE - 1;
    const Heapfleet__V1__Snapshot keyframe_was = keyframe, other_was = other;
    snapshot_shorten(SEQUENCE, &base, &keyframe, changes);
    snapshot_shorten(SEQUENCE, &none, &keyframe, changes);
    snapshot_shorten(SEQUENCE, &base, &other, changes);
    assert_memory_equal(&keyframe, &keyframe_was, sizeof(keyframe));
    assert_memory_equal(&other, &other_was, sizeof(other));
    assert_int_equal(snapshot_restore(SEQUENCE, &base, &other, NULL), STATUS_OK);
    assert_memory_equal(&other, &other_was, sizeof(other));
}

static Heapfleet__V1__Snapshot shortened(int64_t changes[SNAPSHOT_NUMBERS], size_t count)
{
    Heapfleet__V1__Snapshot snapshot = HEAPFLEET__V1__SNAPSHOT__INIT;
    snapshot.base_distance = DISTANCE;
    snapshot.changes = changes;
    snapshot.n_changes = count;
    return snapshot;
}

static void lies_are_refused(void **state)
{
    (void)state;
    const Heapfleet__V1__Snapshot before = snapshot_with(5);
    const struct snapshot_numbers base = snapshot_numbers(SEQUENCE - DISTANCE, &before);
    int64_t changes[SNAPSHOT_NUMBERS + 1] = {1, 2, 3};
    struct why why;

    Heapfleet__V1__Snapshot lie = shortened(changes, 3);
    assert_int_equal(snapshot_restore(SEQUENCE, &base, &lie, &why), STATUS_OK);
    lie = shortened(changes, 3);
    assert_int_equal(snapshot_restore(SEQUENCE + 1, &base, &lie, &why), STATUS_GONE);
    assert_non_null(strstr(why.text, "did not carry last"));
    lie = shortened(changes, SNAPSHOT_NUMBERS + 1);
    assert_int_equal(snapshot_restore(SEQUENCE, &base, &lie, &why), STATUS_INVALID);
    lie = shortened(changes, 3);
    lie.base_sequence = SEQUENCE - DISTANCE;
    assert_int_equal(snapshot_restore(SEQUENCE, &base, &lie, &why), STATUS_INVALID);
    lie = shortened(changes, 3);
    lie.coverage = 1;
    assert_int_equal(snapshot_restore(SEQUENCE, &base, &lie, &why), STATUS_INVALID);
    lie = shortened(changes, 3);
    lie.base_distance = 0;
    assert_int_equal(snapshot_restore(SEQUENCE, &base, &lie, &why), STATUS_INVALID);
    lie.base_distance = SEQUENCE;
    assert_int_equal(snapshot_restore(SEQUENCE, &base, &lie, &why), STATUS_INVALID);

    changes[12] = UINT32_MAX; /* coverage has 32 bits */
    lie = shortened(changes, 13);
    const Heapfleet__V1__Snapshot was = lie;
    assert_int_equal(snapshot_restore(SEQUENCE, &base, &lie, &why), STATUS_INVALID);
    assert_memory_equal(&lie, &was, sizeof(lie));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_shortened_comes_back),
        cmocka_unit_test(no_number_is_forgotten),
        cmocka_unit_test(only_a_change_of_that_base_is_shortened),
        cmocka_unit_test(lies_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
