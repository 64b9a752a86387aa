#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rpc_code.h"

static void names_are_the_protocols(void **state)
{
    (void)state;
    assert_string_equal(rpc_code_name(0), "OK");
    assert_string_equal(rpc_code_name(8), "RESOURCE_EXHAUSTED");
    assert_string_equal(rpc_code_name(16), "UNAUTHENTICATED");
    assert_string_equal(rpc_code_name(17), "UNKNOWN");
    assert_string_equal(rpc_code_name(-1), "UNKNOWN");
}

static void every_code_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int code = 0; code <= RPC_UNAUTHENTICATED; code++)
        for (int other = 0; other < code; other++)
            assert_string_not_equal(rpc_code_name(code), rpc_code_name(other));
}

/* What a client does about a failure is what the server's own caller would have done. */
static void a_status_survives_the_wire(void **state)
{
    (void)state;
    static const enum status kept[] = {
        STATUS_OK,          STATUS_INVALID,     STATUS_LIMIT,    STATUS_NOT_FOUND, STATUS_DENIED,
        STATUS_UNSUPPORTED, STATUS_UNAVAILABLE, STATUS_CONFLICT, STATUS_CANCELED,  STATUS_FAILED,
    };
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        assert_int_equal(rpc_status_of_code((int)rpc_code_of_status(kept[i])), kept[i]);
    assert_int_equal(rpc_status_of_code((int)rpc_code_of_status(STATUS_USAGE)), STATUS_INVALID);
    assert_int_equal(rpc_status_of_code((int)rpc_code_of_status(STATUS_GONE)), STATUS_NOT_FOUND);
    assert_int_equal(rpc_status_of_code((int)rpc_code_of_status(STATUS_PARTIAL)), STATUS_OK);
}

static void an_unknown_code_is_a_failure(void **state)
{
    (void)state;
    assert_int_equal(rpc_status_of_code(17), STATUS_FAILED);
    assert_int_equal(rpc_status_of_code(-5), STATUS_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_the_protocols),
        cmocka_unit_test(every_code_has_a_name_of_its_own),
        cmocka_unit_test(a_status_survives_the_wire),
        cmocka_unit_test(an_unknown_code_is_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
