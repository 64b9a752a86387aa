#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "attributes.h"
#include "type_kind.h"

static const struct {
    const char *name;
    enum type_kind kind;
} cases[] = {
    {"", TYPE_NONE},
    {"(other)", TYPE_NONE},
    {"dict", TYPE_BUILT_IN},
    {"str", TYPE_BUILT_IN},
    {"NoneType", TYPE_BUILT_IN},
    {"__future__._Feature", TYPE_LIBRARY}, /* first of the table */
    {"zoneinfo.ZoneInfo", TYPE_LIBRARY},   /* last */
    {"collections.OrderedDict", TYPE_LIBRARY},
    {"collections.abc.Mapping", TYPE_LIBRARY},
    {"_thread.lock", TYPE_LIBRARY},
    {"http.client.HTTPMessage", TYPE_LIBRARY},
    {"httpx.Client", TYPE_USER}, /* "http" is a prefix of it */
    {"htt.Client", TYPE_USER},   /* and it one of "http" */
    {"__main__.User", TYPE_USER},
    {"shop.Cart", TYPE_USER},
    {"shop.make.<locals>.Cart", TYPE_USER},
};

static void test_kinds(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (type_kind_of(cases[i].name) != cases[i].kind)
            fail_msg("\"%s\"", cases[i].name);
}

/* What tells least first. */
static void test_ranks(void **state)
{
    (void)state;
    static const char *const names[] = {
        "(native memory)", "dict",           "function",       "weakref.ReferenceType",
        "datetime.date",   "type",           "module",         "abc.ABCMeta",
        "ValueError",      "RuntimeWarning", "ssl.SSLContext", "asyncio.events.TimerHandle",
        "shop.Cart",
    };
    static const enum type_rank ranks[] = {
        TYPE_RANK_NONE,
        TYPE_RANK_BUILT_IN,
        TYPE_RANK_BUILT_IN,
        TYPE_RANK_LIBRARY_PLAIN,
        TYPE_RANK_LIBRARY_PLAIN,
        TYPE_RANK_BUILT_IN_TELLING,
        TYPE_RANK_BUILT_IN_TELLING,
        TYPE_RANK_BUILT_IN_TELLING,
        TYPE_RANK_BUILT_IN_TELLING,
        TYPE_RANK_BUILT_IN_TELLING,
        TYPE_RANK_LIBRARY,
        TYPE_RANK_LIBRARY,
        TYPE_RANK_USER,
    };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (type_rank_of(names[i]) != ranks[i])
            fail_msg("%s", names[i]);
}

static void test_containers(void **state)
{
    (void)state;
    assert_true(type_is_container("dict"));
    assert_true(type_is_container("tuple"));
    assert_false(type_is_container("str"));
    assert_false(type_is_container("shop.list"));
}

static void test_plain_data(void **state)
{
    (void)state;
    static const char *const plain[] = {"NoneType",
                                        "str",
                                        "tuple",
                                        "managedbuffer",
                                        "weakref",
                                        "_contextvars.Context",
                                        "collections.deque",
                                        "threading.Event",
                                        "_queue.Empty",
                                        "weakref.ReferenceType"};
    static const char *const others[] = {"",         "generator", "strange",
                                         "function", "deque",     "_asyncio.Task",
                                         "str.Cart", "shop.dict", "threading.Thread"};
    for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
        if (!type_is_plain(plain[i]))
            fail_msg("%s", plain[i]);
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        if (type_is_plain(others[i]))
            fail_msg("%s", others[i]);
}

static void test_leaves(void **state)
{
    (void)state;
    static const char *const leaves[] = {"_io.BytesIO", "bytes", "str", "numpy.ndarray"};
    static const char *const others[] = {"",        "list", "dict", "set", "collections.deque",
                                         "shop.str"};
    for (size_t i = 0; i < ARRAY_SIZE(leaves); i++)
        assert_true(type_is_leaf(leaves[i]));
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        assert_false(type_is_leaf(others[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),      cmocka_unit_test(test_ranks),
        cmocka_unit_test(test_containers), cmocka_unit_test(test_plain_data),
        cmocka_unit_test(test_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
