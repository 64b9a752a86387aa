#include "varint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Values around every change of length. */
static void round_trip(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit <= 64; bit++) {
        for (int offset = -2; offset <= 2; offset++) {
            uint64_t value = (bit == 64 ? 0 : (uint64_t)1 << bit) + (uint64_t)(int64_t)offset;
            uint8_t bytes[VARINT_BYTES_MAX];
            size_t size = varint_write(bytes, value);
            assert_in_range(size, 1, VARINT_BYTES_MAX);
            uint64_t back = ~value;
            assert_ptr_equal(varint_read(bytes, bytes + size, &back), bytes + size);
            assert_int_equal(back, value);
            for (size_t cut = 0; cut < size; cut++)
                assert_null(varint_read(bytes, bytes + cut, &back));
        }
    }
}

static void other_forms_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[12];
        size_t size;
    } rows[] = {
        {{0x80, 0x00}, 2},
        {{0x80, 0x80, 0x00}, 3},
        {{0xff, 0x80, 0x00}, 3},
        {{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00}, 10},
        {{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02}, 10},
        {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x81, 0x00}, 11},
        {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, 11},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint64_t value = 77;
        assert_null(varint_read(rows[i].bytes, rows[i].bytes + rows[i].size, &value));
        assert_int_equal(value, 77);
    }
}

static void zigzag_of_both_signs(void **state)
{
    (void)state;
    assert_int_equal(zigzag(0), 0);
    assert_int_equal(zigzag(UINT64_MAX), 1);
    assert_int_equal(zigzag(1), 2);
    assert_int_equal(zigzag((uint64_t)INT64_MIN), UINT64_MAX);
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t value = (uint64_t)1 << bit;
        assert_int_equal(unzigzag(zigzag(value)), value);
        assert_int_equal(unzigzag(zigzag(0 - value)), 0 - value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(other_forms_are_refused),
        cmocka_unit_test(zigzag_of_both_signs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
