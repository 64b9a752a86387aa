#include "terminal.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

/* The two ends of a terminal that is 123 columns wide. */
static int master, terminal;

static int open_terminal(void **state)
{
    (void)state;
    master = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    terminal = open(ptsname(master), O_RDWR | O_NOCTTY); /* NOLINT(concurrency-mt-unsafe) */
    assert_true(terminal >= 0);
    const struct winsize size = {.ws_row = 40, .ws_col = 123};
    assert_int_equal(ioctl(terminal, TIOCSWINSZ, &size), 0);
    return 0;
}

static int close_terminal(void **state)
{
    (void)state;
    return close(terminal) | close(master);
}

static void colours(void **state)
{
    (void)state;
    assert_int_equal(setenv("TERM", "xterm", 1), 0);
    assert_int_equal(unsetenv("NO_COLOR"), 0);
    assert_true(terminal_has_colours(terminal));
    assert_int_equal(setenv("NO_COLOR", "", 1), 0); /* as if it were not there */
    assert_true(terminal_has_colours(terminal));
    assert_int_equal(setenv("NO_COLOR", "1", 1), 0);
    assert_false(terminal_has_colours(terminal));
    assert_int_equal(unsetenv("NO_COLOR"), 0);
    assert_int_equal(setenv("TERM", "dumb", 1), 0);
    assert_false(terminal_has_colours(terminal));
    assert_int_equal(unsetenv("TERM"), 0);
    assert_false(terminal_has_colours(terminal));
}

static void other_files(void **state)
{
    (void)state;
    int null = open("/dev/null", O_RDWR);
    assert_true(null >= 0);
    assert_int_equal(setenv("TERM", "xterm", 1), 0);
    assert_false(terminal_has_colours(null));
    assert_int_equal(terminal_columns(null, 77), 77);
    assert_int_equal(close(null), 0);
}

static void width(void **state)
{
    (void)state;
    assert_int_equal(terminal_columns(terminal, 77), 123);
    const struct winsize size = {0};
    assert_int_equal(ioctl(terminal, TIOCSWINSZ, &size), 0);
    assert_int_equal(terminal_columns(terminal, 77), 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(colours),
        cmocka_unit_test(other_files),
        cmocka_unit_test(width),
    };
    return cmocka_run_group_tests(tests, open_terminal, close_terminal);
}
