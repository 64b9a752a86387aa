#include "maps.h"

#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static int parse(const char *line, struct maps_entry *ret, const char **ret_name)
{
    size_t name_at = 0;
    int found = maps_parse_line(line, strlen(line), ret, &name_at);
    *ret_name = line + name_at;
    return found;
}

static void reads_a_line(void **state)
{
    (void)state;
    struct maps_entry entry;
    const char *name;
    assert_true(parse("7f10-7f30 rw-p 0001f000 fe:01 42    /lib/a b.so (deleted)", &entry, &name));
    assert_int_equal(entry.start, 0x7f10);
    assert_int_equal(entry.end, 0x7f30);
    assert_int_equal(entry.offset, 0x1f000);
    assert_int_equal(entry.inode, 42);
    assert_true(entry.readable && entry.writable && !entry.executable && !entry.shared);
    assert_string_equal(name, "/lib/a b.so (deleted)");
    assert_true(parse("0-1 --xs 0 0:0 0", &entry, &name));
    assert_true(!entry.readable && !entry.writable && entry.executable && entry.shared);
    assert_string_equal(name, "");
}

static void refuses_what_is_no_mapping(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",
        "x",
        "10-",
        "10-20",
        "10-20 rw",
        "20-10 rw-p 0 0:0 0",
        "10-20 rw-p",
        "10-20 rw-p 0",
        "10-20 rw-p 0 0:0",
        "10-20 rw-p 0 0 0",
    };
    struct maps_entry entry;
    const char *name;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        assert_false(parse(lines[i], &entry, &name));
}

static void finds_ourselves(void **state)
{
    (void)state;
    struct maps maps;
    struct maps_entry entry;
    struct why why;
    int here = 0, stack = 0;
    addr_t last = 0;
    assert_int_equal(maps_open(getpid(), &maps, &why), STATUS_OK);
    while (maps_next(&maps, &entry)) {
        assert_true(entry.start >= last && entry.end > entry.start);
        last = entry.end;
        here += entry.start <= (addr_t)(uintptr_t)&entry && (addr_t)(uintptr_t)&entry < entry.end;
        stack += strcmp(entry.name, "[stack]") == 0;
    }
    maps_close(&maps);
    assert_int_equal(here, 1);
    assert_int_equal(stack, 1);
}

static void says_that_nobody_is_there(void **state)
{
    (void)state;
    struct maps maps;
    struct why why;
    assert_int_equal(maps_open(1 << 22, &maps, &why), STATUS_NOT_FOUND);
    assert_non_null(strstr(why.text, "no process"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_line),
        cmocka_unit_test(refuses_what_is_no_mapping),
        cmocka_unit_test(finds_ourselves),
        cmocka_unit_test(says_that_nobody_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
