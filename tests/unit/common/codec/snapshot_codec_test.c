#include "snapshot_codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "varint.h"

static uint64_t seed;

static uint64_t random_u64(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static uint64_t random_below(uint64_t limit)
{
    return random_u64() % limit;
}

static void assert_same(const struct heap_values *left, const struct heap_values *right)
{
    assert_int_equal(left->types, right->types);
    for (uint32_t i = 0; i < left->types; i++) {
        assert_int_equal(left->values[i].count, right->values[i].count);
        assert_int_equal(left->values[i].bytes, right->values[i].bytes);
    }
}

static struct heap_values copy_of(const struct heap_values *heap)
{
    struct heap_values copy = HEAP_VALUES_INIT;
    heap_values_copy(&copy, heap);
    return copy;
}

static void decode_ok(const struct buf *body, struct heap_values *heap)
{
    struct why why = {0};
    if (snapshot_decode(body->data, body->size, heap, &why) != STATUS_OK)
        fail_msg("%s", why.text);
}

/* A value of every magnitude, the limits included. */
static uint64_t random_value(uint64_t most)
{
    switch (random_below(8)) {
    case 0:
        return 0;
    case 1:
        return most;
    case 2:
        return most - random_below(3);
    default:
        return random_u64() % (((most - 1) >> random_below(48)) + 1);
    }
}

static void change_randomly(struct heap_values *heap, uint32_t types_most)
{
    if (random_below(3) == 0 && heap->types < types_most)
        heap_values_resize(heap,
                           heap->types + (uint32_t)random_below(types_most - heap->types + 1));
    uint64_t one_in = 1 + random_below(10);
    for (uint32_t i = 0; i < heap->types; i++) {
        if (random_below(one_in) != 0)
            continue;
        heap->values[i].count = random_value(SNAPSHOT_COUNT_MAX);
        heap->values[i].bytes = random_value(SNAPSHOT_BYTES_MAX);
    }
}

/* A type that is looked at alone is as it is among the others, or as it was. */
static void assert_types_alone(const uint8_t *body, size_t size, const struct heap_values *before,
                               const struct heap_values *after, enum status outcome)
{
    for (uint32_t index = 0; index < after->types + 2; index++) {
        struct type_value was =
            index < before->types ? before->values[index] : (struct type_value){0};
        struct type_value is = index < after->types ? after->values[index] : (struct type_value){0};
        struct type_value value = was;
        enum status status = snapshot_decode_type(body, size, index, &value, NULL);
        if (outcome == STATUS_OK)
            assert_int_equal(status, STATUS_OK);
        if (status != STATUS_OK)
            is = was;
        if (status != STATUS_OK || outcome == STATUS_OK) {
            assert_int_equal(value.count, is.count);
            assert_int_equal(value.bytes, is.bytes);
        }
    }
}

static void random_histories(void **state)
{
    (void)state;
    for (seed = 1; seed <= 200; seed += 1) {
        uint64_t keep = seed;
        struct heap_values now = HEAP_VALUES_INIT;
        struct heap_values decoded = HEAP_VALUES_INIT;
        struct buf body = BUF_INIT;
        uint32_t types_most = (uint32_t)(seed % 10 == 0 ? SNAPSHOT_TYPES_MAX : seed * 3);
        for (int step = 0; step < 12; step++) {
            struct heap_values base = copy_of(&now);
            change_randomly(&now, types_most);
            buf_clear(&body);
            if (random_below(4) == 0) {
                snapshot_encode_keyframe(&now, &body);
                assert_true(snapshot_is_keyframe(body.data, body.size));
            } else {
                snapshot_encode_delta(&base, &now, &body);
                assert_false(snapshot_is_keyframe(body.data, body.size));
            }
            decode_ok(&body, &decoded);
            assert_same(&decoded, &now);
            if (types_most < SNAPSHOT_TYPES_MAX)
                assert_types_alone(body.data, body.size, &base, &now, STATUS_OK);
            heap_values_done(&base);
        }
        heap_values_done(&now);
        heap_values_done(&decoded);
        buf_done(&body);
        seed = keep;
    }
}

/* The promise of the format: what moves by whole objects costs nothing for its bytes. */
static void a_regular_change_is_two_bytes(void **state)
{
    (void)state;
    struct heap_values base = HEAP_VALUES_INIT;
    heap_values_resize(&base, 100);
    base.values[40] = (struct type_value){1000, 56000};
    struct heap_values now = copy_of(&base);
    now.values[40] = (struct type_value){1010, 56560};
    struct buf body = BUF_INIT;
    snapshot_encode_delta(&base, &now, &body);
    const uint8_t expected[] = {0x12, 100, 80, 20};
    assert_int_equal(body.size, sizeof(expected));
    assert_memory_equal(body.data, expected, sizeof(expected));
    buf_clear(&body);
    snapshot_encode_delta(&now, &base, &body);
    decode_ok(&body, &now);
    assert_same(&now, &base);
    buf_done(&body);
    heap_values_done(&base);
    heap_values_done(&now);
}

/* What the first schema's collectors have stored. */
static void an_older_delta_is_read(void **state)
{
    (void)state;
    static const uint8_t body[] = {0x11, 3, 1, 20, 0, 0, 1, 4};
    struct heap_values heap = HEAP_VALUES_INIT;
    heap_values_resize(&heap, 3);
    heap.values[1] = (struct type_value){1000, 56000};
    heap.values[2] = (struct type_value){2, 20};
    assert_int_equal(snapshot_decode(body, sizeof(body), &heap, NULL), STATUS_OK);
    assert_int_equal(heap.values[1].count, 1010);
    assert_int_equal(heap.values[1].bytes, 56560);
    assert_int_equal(heap.values[2].count, 1);
    assert_int_equal(heap.values[2].bytes, 12);
    heap_values_done(&heap);
}

static void a_keyframe_replaces_whatever_was_there(void **state)
{
    (void)state;
    struct heap_values heap = HEAP_VALUES_INIT;
    heap_values_resize(&heap, 9);
    heap.values[8] = (struct type_value){5, 5};
    struct heap_values two = HEAP_VALUES_INIT;
    heap_values_resize(&two, 2);
    two.values[1] = (struct type_value){7, 8};
    struct buf body = BUF_INIT;
    snapshot_encode_keyframe(&two, &body);
    decode_ok(&body, &heap);
    assert_same(&heap, &two);
    /* what the shorter table cut off does not come back */
    heap_values_resize(&heap, 9);
    assert_int_equal(heap.values[8].count, 0);
    buf_done(&body);
    heap_values_done(&heap);
    heap_values_done(&two);
}

/* ---- bodies from outside -------------------------------------------------------------------- */

static void refused(const uint8_t *body, size_t size, const struct heap_values *heap)
{
    struct heap_values target = copy_of(heap);
    struct why why = {0};
    assert_int_equal(snapshot_decode(body, size, &target, &why), STATUS_INVALID);
    assert_true(strlen(why.text) > 0);
    assert_same(&target, heap);
    heap_values_done(&target);
}

/* Decoded from memory of the exact size, so that a sanitizer sees a read behind the end. */
static void any_outcome_is_whole(const uint8_t *bytes, size_t size, const struct heap_values *heap)
{
    uint8_t *body = malloc(size + (size == 0));
    assert_non_null(body);
    if (size > 0)
        memcpy(body, bytes, size);
    struct heap_values target = copy_of(heap);
    enum status status = snapshot_decode(body, size, &target, NULL);
    if (status == STATUS_OK && (size == 0 || body[0] != 0x11)) {
        /* the one body of this change is the body that was decoded */
        struct buf again = BUF_INIT;
        if (snapshot_is_keyframe(body, size))
            snapshot_encode_keyframe(&target, &again);
        else
            snapshot_encode_delta(heap, &target, &again);
        assert_int_equal(again.size, size);
        assert_memory_equal(again.data, body, size);
        buf_done(&again);
    } else if (status != STATUS_OK) {
        assert_int_equal(status, STATUS_INVALID);
        assert_same(&target, heap);
    }
    assert_types_alone(body, size, heap, &target, status);
    heap_values_done(&target);
    free(body);
}

static void sweep(const struct buf *body, const struct heap_values *heap)
{
    for (size_t size = 0; size < body->size; size++)
        any_outcome_is_whole(body->data, size, heap);
    for (size_t at = 0; at < body->size; at++) {
        uint8_t was = body->data[at];
        for (unsigned byte = 0; byte < 256; byte++) {
            body->data[at] = (uint8_t)byte;
            any_outcome_is_whole(body->data, body->size, heap);
        }
        body->data[at] = was;
    }
}

static void every_cut_and_every_changed_byte(void **state)
{
    (void)state;
    for (seed = 500; seed < 520; seed++) {
        uint64_t keep = seed;
        struct heap_values base = HEAP_VALUES_INIT;
        heap_values_resize(&base, 5);
        change_randomly(&base, 12);
        struct heap_values now = copy_of(&base);
        change_randomly(&now, 12);
        struct buf body = BUF_INIT;
        snapshot_encode_delta(&base, &now, &body);
        sweep(&body, &base);
        buf_clear(&body);
        snapshot_encode_keyframe(&now, &body);
        sweep(&body, &base);
        for (size_t size = 0; size < body.size; size++)
            refused(body.data, size, &base); /* no part of a keyframe is a keyframe */
        buf_done(&body);
        heap_values_done(&base);
        heap_values_done(&now);
        seed = keep;
    }
}

static void limits_are_exact(void **state)
{
    (void)state;
    struct heap_values heap = HEAP_VALUES_INIT;
    heap_values_resize(&heap, 1);
    heap.values[0] = (struct type_value){SNAPSHOT_COUNT_MAX, SNAPSHOT_BYTES_MAX};
    static const struct {
        uint64_t count, bytes;
        int fits;
    } rows[] = {
        {SNAPSHOT_COUNT_MAX, SNAPSHOT_BYTES_MAX, 1},
        {SNAPSHOT_COUNT_MAX + 1, 0, 0},
        {0, SNAPSHOT_BYTES_MAX + 1, 0},
        {UINT64_MAX, 0, 0},
        {0, UINT64_MAX, 0},
        {0, 0, 1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct buf body = BUF_INIT;
        uint8_t number[VARINT_BYTES_MAX];
        buf_append(&body, "\x10\x01", 2);
        buf_append(&body, number, varint_write(number, rows[i].count));
        buf_append(&body, number, varint_write(number, rows[i].bytes));
        struct heap_values target = HEAP_VALUES_INIT;
        if (rows[i].fits)
            decode_ok(&body, &target);
        else
            refused(body.data, body.size, &heap);
        heap_values_done(&target);
        buf_done(&body);
    }
    heap_values_done(&heap);
}

/* A delta has no fewer types than what it changes, which a type that it leaves out can tell. */
static void a_type_alone_is_not_cut_off(void **state)
{
    (void)state;
    static const uint8_t body[] = {0x12, 2};
    struct type_value value = {3, 4};
    assert_int_equal(snapshot_decode_type(body, sizeof(body), 2, &value, NULL), STATUS_INVALID);
    assert_true(value.count == 3 && value.bytes == 4);
    assert_int_equal(snapshot_decode_type(body, sizeof(body), 1, &value, NULL), STATUS_OK);
    assert_true(value.count == 3 && value.bytes == 4);
    value = (struct type_value){0};
    assert_int_equal(snapshot_decode_type(body, sizeof(body), 2, &value, NULL), STATUS_OK);
}

static void what_is_not_a_body(void **state)
{
    (void)state;
    struct heap_values heap = HEAP_VALUES_INIT;
    heap_values_resize(&heap, 3);
    heap.values[1] = (struct type_value){10, 100};
    static const struct {
        const char *bytes;
        size_t size;
    } rows[] = {
        {"", 0},
        {"\x13\x03", 2},                                              /* unknown format */
        {"\x11\x03\x01\x00\x00", 5},                                  /* changes nothing */
        {"\x11\x03\x03\x02\x00", 5},                                  /* index 3 of 3 */
        {"\x12", 1},                                                  /* no number of types */
        {"\x12\x02", 2},                                              /* fewer than before */
        {"\x10\x81\x80\x01", 4},                                      /* 16385 types */
        {"\x12\x81\x80\x01", 4},                                      /* 16385 types */
        {"\x10\x00\x00", 3},                                          /* trailing byte */
        {"\x10\x01\x00\x00\x00", 5},                                  /* trailing byte */
        {"\x12\x03\x06\x02", 4},                                      /* index 3 of 3 */
        {"\x12\x03\x02\x15", 4},                                      /* count 10 - 11 */
        {"\x12\x03\x02\x00", 4},                                      /* changes nothing */
        {"\x12\x03\x03\x00\x00", 5},                                  /* nor this */
        {"\x12\x03\x03\x02\x00", 5},                                  /* an empty residual */
        {"\x12\x03\x03\x02", 4},                                      /* no residual */
        {"\x12\x03\x02\x82\x00", 5},                                  /* not shortest */
        {"\x12\x03\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02", 13}, /* gap 2^63-1 */
        {"\x12\x03\x02\x02\xfc\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02", 15}, /* wraps */
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        refused((const uint8_t *)rows[i].bytes, rows[i].size, &heap);
    heap_values_done(&heap);
}

static void noise(void **state)
{
    (void)state;
    seed = 4711;
    struct heap_values heap = HEAP_VALUES_INIT;
    heap_values_resize(&heap, 4);
    for (int round = 0; round < 100000; round++) {
        uint8_t body[40];
        size_t size = random_below(sizeof(body));
        for (size_t i = 0; i < size; i++)
            body[i] = (uint8_t)(random_below(2) ? random_below(6) : random_u64());
        if (size > 0)
            body[0] = (uint8_t)(0x10 + random_below(3));
        any_outcome_is_whole(body, size, &heap);
    }
    heap_values_done(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_histories),
        cmocka_unit_test(a_regular_change_is_two_bytes),
        cmocka_unit_test(an_older_delta_is_read),
        cmocka_unit_test(a_keyframe_replaces_whatever_was_there),
        cmocka_unit_test(every_cut_and_every_changed_byte),
        cmocka_unit_test(limits_are_exact),
        cmocka_unit_test(what_is_not_a_body),
        cmocka_unit_test(a_type_alone_is_not_cut_off),
        cmocka_unit_test(noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
