#include "mounts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char *parse(const char *line, uint64_t device)
{
    static char text[256];
    snprintf(text, sizeof(text), "%s", line);
    return mounts_parse_line(text, device);
}

static void reads_a_line(void **state)
{
    (void)state;
    static const char plain[] = "36 35 0:41 / /a\\040-\\040b rw - fuse.sshfs x rw\n";
    assert_string_equal(parse(plain, 41), "fuse.sshfs");
    assert_null(parse(plain, 4));
    assert_null(parse(plain, (uint64_t)41 << 32));
    assert_string_equal(parse("1 2 98:3 / / rw master:1 shared:2 - ext4", (uint64_t)98 << 32 | 3),
                        "ext4");
    static const char *const broken[] = {"", " - ", "1 - fuse", "1 2 - fuse", "1 2 0:41 / / rw"};
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        assert_null(parse(broken[i], 41));
}

/* A disk is never one; what nobody has mounted may be anything. */
static void what_is_unknown_may_wait(void **state)
{
    (void)state;
    assert_false(mounts_may_wait(getpid(), (uint64_t)8 << 32));
    assert_true(mounts_may_wait(getpid(), 1048575));
    assert_true(mounts_may_wait(0x7fffffff, 1048575));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_line),
        cmocka_unit_test(what_is_unknown_may_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
