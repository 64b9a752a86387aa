#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "process_numbers.h"

static const struct process_numbers rich = {
    {0, 127, 128, 16383, 16384, INT64_MAX, UINT64_MAX, 1, 10000, 7, 1 << 20, 99, 300, INT64_MAX}};

static void what_is_packed_comes_back(void **state)
{
    (void)state;
    struct buf packed = BUF_INIT;
    process_numbers_pack(&rich, &packed);
    struct process_numbers back;
    assert_int_equal(process_numbers_unpack(packed.data, packed.size, &back, NULL), STATUS_OK);
    assert_memory_equal(&back, &rich, sizeof(back));
    buf_done(&packed);
}

static void anything_shorter_or_longer_is_refused(void **state)
{
    (void)state;
    struct buf packed = BUF_INIT;
    struct process_numbers back = rich;
    process_numbers_pack(&rich, &packed);
    for (size_t size = 0; size < packed.size; size++) {
        size_t numbers = 0;
        for (size_t i = 0; i < size; i++)
            numbers += packed.data[i] < 128; /* a varint ends there */
        int is_of_before = numbers >= PROCESS_NUMBERS_ONCE && packed.data[size - 1] < 128;
        assert_int_equal(process_numbers_unpack(packed.data, size, &back, NULL),
                         is_of_before ? STATUS_OK : STATUS_INVALID);
    }
    back = rich;
    buf_append_byte(&packed, 0);
    assert_int_equal(process_numbers_unpack(packed.data, packed.size, &back, NULL), STATUS_INVALID);
    assert_memory_equal(&back, &rich, sizeof(back));
    buf_done(&packed);
}

static void a_row_of_before_lacks_what_is_new(void **state)
{
    (void)state;
    const uint8_t ten[] = {9, 8, 7, 6, 5, 4, 3, 2, 1, 10};
    struct process_numbers back = rich;
    assert_int_equal(process_numbers_unpack(ten, sizeof(ten), &back, NULL), STATUS_OK);
    for (int i = 0; i < PROCESS_NUMBERS; i++)
        assert_int_equal(back.of[i], i < PROCESS_NUMBERS_ONCE ? ten[i] : 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_packed_comes_back),
        cmocka_unit_test(anything_shorter_or_longer_is_refused),
        cmocka_unit_test(a_row_of_before_lacks_what_is_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
