#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "process_numbers.h"

static const struct process_numbers rich = {
    {0, 127, 128, 16383, 16384, INT64_MAX, UINT64_MAX, 1, 10000, 7}};

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
    for (size_t size = 0; size < packed.size; size++)
        assert_int_equal(process_numbers_unpack(packed.data, size, &back, NULL), STATUS_INVALID);
    buf_append_byte(&packed, 0);
    assert_int_equal(process_numbers_unpack(packed.data, packed.size, &back, NULL), STATUS_INVALID);
    assert_memory_equal(&back, &rich, sizeof(back));
    buf_done(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_packed_comes_back),
        cmocka_unit_test(anything_shorter_or_longer_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
