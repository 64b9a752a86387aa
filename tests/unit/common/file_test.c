#include "file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

/* It was named by who configures us: no target is missing. */
static void a_missing_file_is_a_mistake(void **state)
{
    (void)state;
    struct buf text = BUF_INIT;
    struct why why = {""};
    assert_int_equal(file_read("/nonexistent/ca.pem", 100, &text, &why), STATUS_USAGE);
    assert_non_null(strstr(why.text, "/nonexistent/ca.pem"));
    assert_int_equal(file_read("/dev/null/ca.pem", 100, &text, &why), STATUS_USAGE);
    assert_int_equal(text.size, 0);
    buf_done(&text);
}

static void a_full_table_is_not(void **state)
{
    (void)state;
    struct buf text = BUF_INIT;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const struct rlimit none = {0, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    enum status status = file_read("/proc/self/status", 100, &text, NULL);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(status, STATUS_FAILED);
    buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_file_is_a_mistake),
        cmocka_unit_test(a_full_table_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
