#include "buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void grows(void **state)
{
    (void)state;
    struct buf buf = BUF_INIT;
    assert_string_equal(buf_text(&buf), "");
    for (int i = 0; i < 10000; i++)
        buf_append_byte(&buf, (uint8_t)i);
    assert_int_equal(buf.size, 10000);
    for (int i = 0; i < 10000; i++)
        assert_int_equal(buf.data[i], (uint8_t)i);
    buf_append(&buf, NULL, 0);
    assert_int_equal(buf.size, 10000);
    buf_reserve(&buf, 100000);
    assert_true(buf.capacity - buf.size >= 100000);
    buf_done(&buf);
    assert_null(buf.data);
}

static void prints(void **state)
{
    (void)state;
    struct buf buf = BUF_INIT;
    for (int i = 0; i < 40; i++)
        buf_printf(&buf, "%d,", i);
    buf_append_text(&buf, "end");
    assert_string_equal(buf_text(&buf) + buf.size - 9, "38,39,end");
    buf_clear(&buf);
    buf_printf(&buf, "%*s", 500, "x"); /* longer than what was there */
    assert_int_equal(buf.size, 500);
    assert_int_equal(buf_text(&buf)[499], 'x');
    buf_done(&buf);
}

static void gives_its_storage_away(void **state)
{
    (void)state;
    struct buf buf = BUF_INIT;
    size_t size = 77;
    assert_null(buf_detach(&buf, &size));
    assert_int_equal(size, 0);
    buf_append_text(&buf, "mine");
    uint8_t *data = buf_detach(&buf, &size);
    assert_int_equal(size, 4);
    assert_memory_equal(data, "mine", 4);
    assert_null(buf.data);
    buf_append_text(&buf, "again");
    assert_string_equal(buf_text(&buf), "again");
    buf_done(&buf);
    buf_done(NULL);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows),
        cmocka_unit_test(prints),
        cmocka_unit_test(gives_its_storage_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
