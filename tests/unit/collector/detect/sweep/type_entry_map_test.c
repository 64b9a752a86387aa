/* Thousands of ids, some of them far apart, and numbers that change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "type_entry_map.h"

static int32_t id_of(int i)
{
    return i % 2 == 0 ? i + 1 : INT32_MAX - i;
}

static void what_was_put_is_found(void **state)
{
    (void)state;
    enum { MANY = 20000 };
    struct type_entry_map map = {0};
    assert_false(type_entry_map_has(&map, 1));
    for (int i = 0; i < MANY; i++) {
        assert_false(type_entry_map_has(&map, id_of(i)));
        type_entry_map_put(&map, id_of(i), -1); /* the detector has no room for the type */
        type_entry_map_put(&map, id_of(i), i);
    }
    assert_int_equal(map.count, MANY);
    for (int i = 0; i < MANY; i++) {
        assert_true(type_entry_map_has(&map, id_of(i)));
        assert_int_equal(type_entry_map_get(&map, id_of(i)), i);
    }
    assert_false(type_entry_map_has(&map, MANY * 2));
    type_entry_map_done(&map);
    assert_false(type_entry_map_has(&map, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
