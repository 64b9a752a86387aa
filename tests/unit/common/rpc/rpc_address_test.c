#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "attributes.h"
#include "rpc_address.h"

static void what_is_written_is_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host;
        int port, is_unix;
    } rows[] = {
        {"127.0.0.1:4777", "127.0.0.1", 4777, 0},
        {"localhost:0", "localhost", 0, 0},
        {"collector-1.my_net.example:65535", "collector-1.my_net.example", 65535, 0},
        {"[::1]:4777", "::1", 4777, 0},
        {"[fe80::1%eth0]:1", "fe80::1%eth0", 1, 0},
        {"unix:/run/heapfleet.sock", "/run/heapfleet.sock", 0, 1},
        {"unix:here", "here", 0, 1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rpc_address address;
        assert_int_equal(rpc_address_parse(rows[i].text, &address, NULL), STATUS_OK);
        assert_string_equal(address.host, rows[i].host);
        assert_int_equal(address.port, rows[i].port);
        assert_int_equal(address.is_unix, rows[i].is_unix);
    }
}

static void anything_else_is_refused_and_named(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",          ":",           "4777",    "localhost", ":4777",      "host:",
        "host:http", "host:65536",  "host:-1", "host: 1",   "ho st:1",    "::1:4777",
        "[::1]",     "[::1]4777",   "[]:1",    "[::1:4777", "http://a:1", "user@host:1",
        "unix:",     "host/path:1", "[a]b]:1", "a:1:2",     "\xc3\xa9:1", "dns:///localhost:1",
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct rpc_address address = {.port = -7};
        struct why why = {""};
        assert_int_equal(rpc_address_parse(texts[i], &address, &why), STATUS_INVALID);
        assert_int_equal(address.port, -7);
        assert_non_null(strstr(why.text, "is not an address"));
    }
}

static void names_have_a_limit(void **state)
{
    (void)state;
    char text[400];
    struct rpc_address address;
    for (int size = 200; size < 300; size++) {
        memset(text, 'a', sizeof(text));
        memcpy(text + size, ":1", 3);
        assert_int_equal(rpc_address_parse(text, &address, NULL),
                         size < RPC_HOST_BYTES ? STATUS_OK : STATUS_INVALID);
    }
    for (int size = 90; size < 120; size++) {
        memset(text, 'a', sizeof(text));
        memcpy(text, "unix:", 5);
        text[5 + size] = 0;
        assert_int_equal(rpc_address_parse(text, &address, NULL),
                         size <= 107 ? STATUS_OK : STATUS_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_taken_apart),
        cmocka_unit_test(anything_else_is_refused_and_named),
        cmocka_unit_test(names_have_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
