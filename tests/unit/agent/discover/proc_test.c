#include "proc.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define TAIL                                                                                       \
    " S 7 100 100 0 -1 4194304 1 2 3 4 50 25 6 7 20 0 1 0 141974 3133440 381 "                     \
    "18446744073709551615 4096 8192 140733407874224 0 0 0"

static void reads_an_ordinary_line(void **state)
{
    (void)state;
    static const char text[] = "1234 (python3)" TAIL;
    struct proc_stat stat;
    assert_int_equal(proc_parse_stat(text, sizeof(text) - 1, &stat), STATUS_OK);
    assert_int_equal(stat.pid, 1234);
    assert_int_equal(stat.parent, 7);
    assert_string_equal(stat.comm, "python3");
    assert_int_equal(stat.state, 'S');
    assert_int_equal(stat.cpu_ticks, 75);
    assert_int_equal(stat.start_ticks, 141974);
    assert_true(stat.image != 0);
    assert_false(stat.kernel_thread);
}

static void a_name_cannot_shift_the_fields(void **state)
{
    (void)state;
    static const char *const names[] = {
        ") S 1 2 3", "a) (b", "(((((", "))))))", " R 1 1 1 ", "", "\n) R 9 9 9 9 9 9 9",
    };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        char text[512];
        int size = snprintf(text, sizeof(text), "1234 (%s)%s", names[i], TAIL);
        struct proc_stat stat;
        assert_int_equal(proc_parse_stat(text, (size_t)size, &stat), STATUS_OK);
        assert_string_equal(stat.comm, names[i]);
        assert_int_equal(stat.parent, 7);
        assert_int_equal(stat.start_ticks, 141974);
    }
}

static void refuses_every_line_that_is_cut(void **state)
{
    (void)state;
    static const char text[] = "1234 (python3) S 7 100 100 0 -1 4194304 1 2 3 4 50 25 6 7 20 0 1 0 "
                               "141974 3133440 381 1 4096 8192 140733407874224";
    size_t last_field = sizeof(text) - 1 - strlen("140733407874224");
    for (size_t size = 0; size <= last_field; size++) {
        /* in a block of its own, so that a sanitizer sees a read behind the end */
        char *copy = malloc(size + 1);
        memcpy(copy, text, size);
        copy[size] = '\x7f';
        struct proc_stat stat = {.pid = 77};
        assert_int_equal(proc_parse_stat(copy, size, &stat), STATUS_INVALID);
        assert_int_equal(stat.pid, 77);
        free(copy);
    }
}

static void survives_any_byte_anywhere(void **state)
{
    (void)state;
    static const char text[] = "1234 (python3)" TAIL;
    char copy[sizeof(text)];
    for (size_t at = 0; at < sizeof(text) - 1; at++) {
        for (int byte = 0; byte < 256; byte++) {
            memcpy(copy, text, sizeof(text));
            copy[at] = (char)byte;
            struct proc_stat stat;
            if (proc_parse_stat(copy, sizeof(text) - 1, &stat) == STATUS_OK) {
                assert_true(stat.pid > 0);
                assert_true(memchr(stat.comm, '\0', sizeof(stat.comm)) != NULL);
            }
        }
    }
}

static void reads_what_status_says(void **state)
{
    (void)state;
    static const char text[] = "Name:\tpython3\nUid:\t1000\t1001\t1000\t1000\nNSpid:\t4242\t31\t7\n"
                               "VmSwap:\t     12 kB\nRssAnon:\t    2048 kB\n"
                               "CapEff:\t000001ffffffffff\nNoNewPrivs:\t1\nSeccomp:\t2\n";
    struct proc_status status;
    proc_parse_status(text, sizeof(text) - 1, &status);
    assert_int_equal(status.uid, 1000);
    assert_int_equal(status.effective_uid, 1001);
    assert_int_equal(status.namespace_pid, 7);
    assert_int_equal(status.rss_anon_bytes, 2048 * 1024);
    assert_int_equal(status.swap_bytes, 12 * 1024);
    assert_true(status.capabilities == 0x1ffffffffff);
    assert_int_equal(status.seccomp, 2);
    assert_int_equal(status.no_new_privileges, 1);
}

static void status_without_lines_is_empty(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "\n\n\n", "Uid:", "Uid:\n", "RssAnon:\tmany kB\n", "NSpid:\t\n", "Uid"};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct proc_status status;
        proc_parse_status(texts[i], strlen(texts[i]), &status);
        assert_int_equal(status.uid, -1);
        assert_int_equal(status.namespace_pid, 0);
        assert_int_equal(status.rss_anon_bytes, 0);
    }
}

static void a_number_too_large_is_not_believed(void **state)
{
    (void)state;
    static const char text[] = "RssAnon:\t18446744073709551615 kB\n";
    struct proc_status status;
    proc_parse_status(text, sizeof(text) - 1, &status);
    assert_int_equal(status.rss_anon_bytes, 0);
}

/* ----- the real /proc ----- */

static int find_self(void *user, pid_t pid)
{
    int *found = user;
    *found = pid == getpid();
    return *found;
}

static void finds_itself(void **state)
{
    (void)state;
    struct proc_fs fs;
    assert_int_equal(proc_fs_open("/proc", &fs, NULL), STATUS_OK);
    int found = 0;
    assert_int_equal(proc_list(&fs, find_self, &found), STATUS_OK);
    assert_true(found);

    struct proc_stat stat;
    assert_int_equal(proc_stat(&fs, getpid(), &stat), STATUS_OK);
    assert_int_equal(stat.parent, getppid());
    assert_true(stat.image != 0);
    assert_true(proc_ticks_ms(stat.start_ticks) <= proc_boot_now_ms());
    struct proc_status status;
    assert_int_equal(proc_status(&fs, getpid(), &status), STATUS_OK);
    assert_int_equal(status.uid, getuid());
    assert_true(status.rss_anon_bytes > 0);
    proc_fs_close(&fs);
}

static void knows_descendants(void **state)
{
    (void)state;
    struct proc_fs fs;
    assert_int_equal(proc_fs_open("/proc", &fs, NULL), STATUS_OK);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        pause();
        _exit(0);
    }
    assert_true(proc_descends(&fs, child, getpid()));
    assert_true(proc_descends(&fs, child, getppid()));
    assert_false(proc_descends(&fs, getpid(), child));
    assert_false(proc_descends(&fs, getpid(), getpid()));
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    struct proc_stat stat;
    assert_int_equal(proc_stat(&fs, child, &stat), STATUS_GONE);
    assert_false(proc_descends(&fs, child, getpid()));
    proc_fs_close(&fs);
}

static void a_missing_proc_is_said(void **state)
{
    (void)state;
    struct proc_fs fs;
    struct why why;
    assert_int_equal(proc_fs_open("/nonexistent/proc", &fs, &why), STATUS_FAILED);
    assert_non_null(strstr(why.text, "/nonexistent/proc"));
    assert_int_equal(proc_fs_open("/", &fs, &why), STATUS_OK); /* a folder, but not of processes */
    assert_int_equal(proc_fs_check(&fs, &why), STATUS_FAILED);
    assert_non_null(strstr(why.text, "mount"));
    proc_fs_close(&fs);
    assert_int_equal(proc_fs_open("/proc", &fs, &why), STATUS_OK);
    assert_int_equal(proc_fs_check(&fs, &why), STATUS_OK);
    proc_fs_close(&fs);
}

static void a_long_file_is_cut(void **state)
{
    (void)state;
    struct proc_fs fs;
    assert_int_equal(proc_fs_open("/proc", &fs, NULL), STATUS_OK);
    char text[16];
    size_t size = 0;
    assert_int_equal(proc_read(&fs, getpid(), "status", text, sizeof(text), &size), STATUS_OK);
    assert_int_equal(size, sizeof(text));
    proc_fs_close(&fs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_an_ordinary_line),
        cmocka_unit_test(a_name_cannot_shift_the_fields),
        cmocka_unit_test(refuses_every_line_that_is_cut),
        cmocka_unit_test(survives_any_byte_anywhere),
        cmocka_unit_test(reads_what_status_says),
        cmocka_unit_test(status_without_lines_is_empty),
        cmocka_unit_test(a_number_too_large_is_not_believed),
        cmocka_unit_test(finds_itself),
        cmocka_unit_test(knows_descendants),
        cmocka_unit_test(a_missing_proc_is_said),
        cmocka_unit_test(a_long_file_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
