#include "pymalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { USED = 0, FREE_BLOCK = 8, SIZE_CLASS = 36, NEXT = 40, MAX_NEXT = 44 };
#define AT UINT64_C(0x7f0000004000)

static void put(uint8_t *head, size_t offset, uint32_t value)
{
    memcpy(head + offset, &value, sizeof(value));
}

/* Blocks of 64 bytes: class 3; five of seven that were ever in use are. */
static void make(uint8_t *head)
{
    uint64_t free_block = AT + 48 + 64;
    memset(head, 0, POOL_HEAD_BYTES);
    put(head, USED, 5);
    memcpy(head + FREE_BLOCK, &free_block, sizeof(free_block));
    put(head, SIZE_CLASS, 3);
    put(head, NEXT, 48 + 7 * 64);
    put(head, MAX_NEXT, 16384 - 64);
}

static void knows_a_pool(void **state)
{
    (void)state;
    uint8_t head[POOL_HEAD_BYTES];
    struct pymalloc_pool pool;
    make(head);
    assert_true(pymalloc_is_pool(cpython_layout_find(0x030b07f0), AT, head, &pool));
    assert_int_equal(pool.block_bytes, 64);
    assert_int_equal(pool.used, 5);
    assert_int_equal(pool.end, 48 + 7 * 64);
    /* 3.9 had smaller pools */
    assert_false(pymalloc_is_pool(cpython_layout_find(0x030912f0), AT, head, &pool));
}

/* Any one field that does not fit the others makes it none. */
static void knows_what_is_none(void **state)
{
    (void)state;
    static const struct {
        size_t offset;
        uint32_t value;
    } wrong[] = {
        {USED, 8},        {SIZE_CLASS, 32},         {SIZE_CLASS, 4},        {NEXT, 47},
        {NEXT, 48 + 7},   {NEXT, 16384 + 48},       {MAX_NEXT, 16384 - 80}, {MAX_NEXT, 0},
        {FREE_BLOCK, 16}, {FREE_BLOCK + 4, 0x7f01},
    };
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        uint8_t head[POOL_HEAD_BYTES];
        struct pymalloc_pool pool;
        make(head);
        put(head, wrong[i].offset, wrong[i].value);
        assert_false(pymalloc_is_pool(cpython_layout_find(0x030b07f0), AT, head, &pool));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_a_pool),
        cmocka_unit_test(knows_what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
