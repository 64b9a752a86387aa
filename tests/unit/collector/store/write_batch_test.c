#include "write_batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void rows_are_kept_with_their_bodies(void **state)
{
    (void)state;
    struct write_batch *batch = write_batch_new();
    assert_true(write_batch_is_empty(batch));
    for (uint64_t i = 0; i < 1000; i++) {
        uint8_t body[64];
        memset(body, (int)(i % 256), sizeof(body));
        struct snapshot_row row = {
            .sequence = i, .time_ms = -1, .body = body, .body_size = i % sizeof(body)};
        write_batch_snapshot(batch, &row);
    }
    assert_int_equal(write_batch_snapshots(batch), 1000);
    assert_false(write_batch_is_empty(batch));
    assert_true(write_batch_bytes(batch) > 1000 * sizeof(struct snapshot_row));
    for (uint64_t i = 0; i < 1000; i++) {
        struct snapshot_row row = write_batch_row(batch, i);
        assert_int_equal(row.sequence, i);
        assert_int_equal(row.time_ms, -1);
        assert_int_equal(row.body_size, i % 64);
        for (size_t k = 0; k < row.body_size; k++)
            assert_int_equal(row.body[k], i % 256);
    }
    write_batch_free(batch);
}

static void high_waters_alone_are_nothing_to_store(void **state)
{
    (void)state;
    struct write_batch *batch = write_batch_new();
    write_batch_high_water(batch, (const uint8_t[ID_BYTES]){1}, 5);
    assert_true(write_batch_is_empty(batch));
    write_batch_end(batch, 1, 2, 3, "no such reason");
    assert_false(write_batch_is_empty(batch));
    struct batch_end end;
    memcpy(&end, batch->ends.data, sizeof(end));
    assert_string_equal(end.reason, "unknown");
    write_batch_free(batch);
    write_batch_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_kept_with_their_bodies),
        cmocka_unit_test(high_waters_alone_are_nothing_to_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
