#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data_stack.h"

static size_t chunk(uint64_t previous, uint64_t size, uint64_t top)
{
    const uint64_t head[] = {previous, size, top};
    return data_stack_chunk_bytes((const uint8_t *)head);
}

static void knows_the_first_chunk_and_the_next(void **state)
{
    (void)state;
    assert_int_equal(chunk(0, 16384, 0), 16384);
    assert_int_equal(chunk(0x7f0000001000, 32768, 4096), 32768);
}

static void takes_nothing_else_for_one(void **state)
{
    (void)state;
    assert_int_equal(chunk(0, 8192, 0), 0);              /* too small */
    assert_int_equal(chunk(0, 16384 + 4096, 0), 0);      /* not a power of two */
    assert_int_equal(chunk(0, UINT64_C(1) << 21, 0), 0); /* would hide much of a liar's heap */
    assert_int_equal(chunk(0x7f0000001008, 16384, 0), 0);
    assert_int_equal(chunk(0, 16384, 2049), 0);
    assert_int_equal(chunk(0, 0, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_the_first_chunk_and_the_next),
        cmocka_unit_test(takes_nothing_else_for_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
