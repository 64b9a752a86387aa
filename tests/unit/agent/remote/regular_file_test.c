#include "regular_file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/regular_file_test.XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static int setup(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    int fd = open(in_folder("file"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "yes", 3), 3);
    close(fd);
    assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
    assert_int_equal(symlink("file", in_folder("link")), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(in_folder("file"));
    unlink(in_folder("fifo"));
    unlink(in_folder("link"));
    rmdir(folder);
    return 0;
}

static void a_file_is_opened_for_reading(void **state)
{
    (void)state;
    char text[8] = "";
    int fd = regular_file_open(in_folder("file"));
    assert_true(fd >= 0);
    assert_int_equal(read(fd, text, sizeof(text)), 3);
    assert_string_equal(text, "yes");
    assert_int_equal(write(fd, "no", 2), -1);
    close(fd);
}

/* Opening the FIFO would wait for a writer that never comes. */
static void nothing_else_is_opened(void **state)
{
    (void)state;
    (void)alarm(30);
    assert_int_equal(regular_file_open(in_folder("fifo")), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(regular_file_open(in_folder("link")), -1);
    assert_int_equal(regular_file_open("/dev/null"), -1);
    assert_int_equal(regular_file_open(folder), -1);
    (void)alarm(0);
}

static void a_failure_leaves_its_reason(void **state)
{
    (void)state;
    assert_int_equal(regular_file_open(in_folder("none")), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(regular_file_reopen(-1), -1);
}

/* Descriptors are not left behind, whatever happens. */
static void nothing_is_left_open(void **state)
{
    (void)state;
    int before = dup(0);
    close(before);
    assert_int_equal(regular_file_open(in_folder("fifo")), -1);
    assert_int_equal(regular_file_open(in_folder("none")), -1);
    int fd = regular_file_open(in_folder("file"));
    close(fd);
    int after = dup(0);
    close(after);
    assert_int_equal(after, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_opened_for_reading),
        cmocka_unit_test(nothing_else_is_opened),
        cmocka_unit_test(a_failure_leaves_its_reason),
        cmocka_unit_test(nothing_is_left_open),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
