#include "type_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const char *name_of(int number)
{
    static char name[32];
    (void)snprintf(name, sizeof(name), "app.module.Type%d", number);
    return name;
}

static void names_keep_their_ids(void **state)
{
    (void)state;
    enum { MANY = 20000 };
    struct type_cache cache;
    type_cache_init(&cache);
    assert_int_equal(type_cache_find(&cache, "str"), 0);
    for (int i = 1; i <= MANY; i++)
        type_cache_add(&cache, name_of(i), i);
    type_cache_add(&cache, name_of(7), 99); /* known already */
    assert_int_equal(cache.count, MANY);
    for (int i = 1; i <= MANY; i++)
        assert_int_equal(type_cache_find(&cache, name_of(i)), i);
    assert_int_equal(type_cache_find(&cache, name_of(MANY + 1)), 0);
    type_cache_done(&cache);
    assert_int_equal(type_cache_find(&cache, name_of(1)), 0);
    type_cache_add(&cache, "str", 3);
    assert_int_equal(type_cache_find(&cache, "str"), 3);
    type_cache_done(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_keep_their_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
