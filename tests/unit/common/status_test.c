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
        const char *name;
        enum status status;
        int exit_code;
    } rows[] = {
        {"OK", STATUS_OK, 0},
        {"USAGE", STATUS_USAGE, 2},
        {"NOT_FOUND", STATUS_NOT_FOUND, 3},
        {"DENIED", STATUS_DENIED, 4},
        {"UNSUPPORTED", STATUS_UNSUPPORTED, 5},
        {"PARTIAL", STATUS_PARTIAL, 7},
        {"UNAVAILABLE", STATUS_UNAVAILABLE, 1},
        {"FAILED", STATUS_FAILED, 1},
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
