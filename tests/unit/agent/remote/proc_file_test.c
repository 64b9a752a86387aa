#include "proc_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "maps.h"
#include "remote.h"

static void opens_what_there_is(void **state)
{
    (void)state;
    struct why why = {""};
    int fd = -1;
    assert_int_equal(proc_file_open(getpid(), "maps", &fd, &why), STATUS_OK);
    close(fd);
    assert_int_equal(proc_file_open(0x7fffffff, "maps", &fd, &why), STATUS_NOT_FOUND);
    assert_string_equal(why.text, "there is no process 2147483647");
}

/* No permission would help who has too many files open. */
static void a_full_table_is_no_lack_of_permission(void **state)
{
    (void)state;
    static struct maps maps;
    struct rlimit limit;
    struct remote *remote = NULL;
    struct why why = {""};
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const struct rlimit none = {0, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    enum status of_maps = maps_open(getpid(), &maps, &why);
    struct why why_remote = {""};
    enum status of_remote = remote_open(getpid(), &remote, &why_remote);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(of_maps, STATUS_LIMIT);
    assert_non_null(strstr(why.text, "ulimit -n"));
    assert_null(strstr(why.text, "CAP_"));
    assert_int_equal(of_remote, STATUS_LIMIT);
    assert_non_null(strstr(why_remote.text, "ulimit -n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_what_there_is),
        cmocka_unit_test(a_full_table_is_no_lack_of_permission),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
