#include "python_version.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void reads_what_py_getversion_says(void **state)
{
    (void)state;
    static const struct {
        const char *text, *version;
        uint32_t hex;
        int free_threaded;
    } cases[] = {
        {"3.11.7 (main, May  9 2026, 07:35:25) [GCC 12.2.0]", "3.11.7", 0x030b07f0, 0},
        {"3.8.18 (default, Mar 1 2026, 1:2:3) \n[GCC 12.2.0]", "3.8.18", 0x030812f0, 0},
        {"3.13.0+ (heads/3.13:1, x) [Clang 18.1]", "3.13.0+", 0x030d00f0, 0},
        {"3.15.0rc2 (main, x) [GCC 16.2.0]", "3.15.0rc2", 0x030f00c2, 0},
        {"3.15.0a1 (main, x) [GCC 16.2.0]", "3.15.0a1", 0x030f00a1, 0},
        {"3.13.1 experimental free-threading build (main, x) [GCC 13]", "3.13.1", 0x030d01f0, 1},
        {"3.14.2 free-threading build (main, x) [GCC 13]", "3.14.2", 0x030e02f0, 1},
        {"2.7.18 (default, x) \n[GCC 12.2.0]", "2.7.18", 0x020712f0, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct python_version version;
        assert_true(python_version_parse(cases[i].text, strlen(cases[i].text), &version));
        assert_string_equal(version.text, cases[i].version);
        assert_int_equal(version.hex, cases[i].hex);
        assert_int_equal(version.free_threaded, cases[i].free_threaded);
    }
}

static void refuses_everything_else(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "3",
        "3.",
        "3.11",
        "3.11.",
        "3.11.7",
        "3.11.7 ",
        "3.11.7 (x",
        "3.11.7 (x) ",
        "3.11.7x (x) [y]",
        "3.11.7rc (x) [y]",
        "3.11.7rc16 (x) [y]",
        "4.1.1 (x) [y]",
        "3.1111.1 (x) [y]",
        "3.11.7 [y]",
        "x3.11.7 (x) [y]",
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct python_version version;
        assert_false(python_version_parse(texts[i], strlen(texts[i]), &version));
    }
}

static void finds_it_wherever_it_lies(void **state)
{
    (void)state;
    static const char text[] = "3.11.7 (main, x) [GCC 12.2.0]";
    char memory[256];
    for (size_t at = 1; at + sizeof(text) <= sizeof(memory); at++) {
        struct python_version version = {0};
        memset(memory, 0, sizeof(memory));
        memcpy(memory + at, text, sizeof(text));
        assert_true(python_version_search(memory, sizeof(memory), &version));
        assert_int_equal(version.hex, 0x030b07f0);
        memory[at - 1] = 'x'; /* not at the begin of its buffer */
        assert_false(python_version_search(memory, sizeof(memory), &version));
    }
    /* cut off at every place: never more than what is there is read */
    for (size_t size = 0; size <= sizeof(text); size++) {
        struct python_version version;
        char *copy = malloc(size + 1);
        copy[0] = '\0';
        memcpy(copy + 1, text, size);
        (void)!python_version_search(copy, size + 1, &version);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_py_getversion_says),
        cmocka_unit_test(refuses_everything_else),
        cmocka_unit_test(finds_it_wherever_it_lies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
