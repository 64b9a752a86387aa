#include "status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* The exit codes are a promise to scripts. */
static void exit_codes(void **state)
{
    (void)state;
    static const struct {
        enum status status;
        const char *name;
        int exit_code;
    } rows[] = {
        {STATUS_OK, "OK", 0},
        {STATUS_USAGE, "USAGE", 2},
        {STATUS_NOT_FOUND, "NOT_FOUND", 3},
        {STATUS_DENIED, "DENIED", 4},
        {STATUS_UNSUPPORTED, "UNSUPPORTED", 5},
        {STATUS_PARTIAL, "PARTIAL", 7},
        {STATUS_UNAVAILABLE, "UNAVAILABLE", 1},
        {STATUS_FAILED, "FAILED", 1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_string_equal(status_name(rows[i].status), rows[i].name);
        assert_int_equal(status_exit_code(rows[i].status), rows[i].exit_code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(exit_codes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
