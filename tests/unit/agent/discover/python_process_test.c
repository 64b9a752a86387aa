#include "python_process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

/* Who can open no file of it does not know that it has ended. */
static void a_full_table_ends_no_process(void **state)
{
    (void)state;
    struct rlimit limit;
    struct why why = {""};
    struct python_process process = {.pid = getpid()};
    struct python_process found;
    assert_int_equal(python_process_identify(&process), STATUS_OK);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const struct rlimit none = {0, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    enum status checked = python_process_check(&process, &why);
    enum status sought = python_process_find(getpid(), &found, &why);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(checked, STATUS_LIMIT);
    assert_int_equal(sought, STATUS_LIMIT);
    assert_int_equal(python_process_check(&process, &why), STATUS_OK);
    process.start_ticks++;
    assert_int_equal(python_process_check(&process, &why), STATUS_GONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_full_table_ends_no_process)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
