#include "utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "attributes.h"

static size_t encode(uint32_t point, char *ret)
{
    if (point < 0x80) {
        ret[0] = (char)point;
        return 1;
    }
    size_t length = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--) {
        ret[i] = (char)(0x80 | (point & 0x3F));
        point >>= 6;
    }
    static const uint8_t lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    ret[0] = (char)(lead[length] | point);
    return length;
}

/* Every number that fits the form, the surrogates and those above U+10FFFF included. */
static void every_code_point(void **state)
{
    (void)state;
    for (uint32_t point = 0; point < 0x200000; point++) {
        char text[4];
        size_t length = encode(point, text);
        int valid = point < 0xD800 || (point > 0xDFFF && point <= 0x10FFFF);
        if (utf8_sequence(text, length) != (valid ? length : 0))
            fail_msg("U+%X", point);
        for (size_t cut = 1; cut < length; cut++)
            assert_int_equal(utf8_sequence(text, cut), 0);
    }
}

static void overlong_and_stray(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80",     "\xe0\x9f\xbf",
        "\x80",     "\xbf",     "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf",
        "\xfe",     "\xff",     "\xe2\x28\xa1",     "\xe2\x82\x28"};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_int_equal(utf8_sequence(rows[i], strlen(rows[i])), 0);
        assert_false(utf8_valid(rows[i], strlen(rows[i])));
    }
    assert_true(utf8_valid("", 0));
    assert_true(utf8_valid("a\0b", 3));
    assert_false(utf8_valid("abc\xc3", 4));
}

static void scrubbed(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
    } rows[] = {
        {"plain caf\xc3\xa9", "plain caf\xc3\xa9"},
        {"\x1b]0;title\x07", "?]0;title?"},
        {"\xc2\x9b"
         "31m",
         "??31m"}, /* C1: an escape sequence in one character */
        {"user\xe2\x80\xae"
         "cod",
         "user???cod"}, /* right-to-left override */
        {"a\xe2\x80\xa8"
         "b",
         "a???b"}, /* line separator */
        {"bad\xff\xc3", "bad??"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char text[40];
        size_t size = strlen(rows[i].text);
        memcpy(text, rows[i].text, size + 1);
        utf8_scrub(text, size);
        assert_string_equal(text, rows[i].shown);
    }
}

static void columns(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t columns;
    } rows[] = {
        {"", 0},
        {"shop", 4},
        {"caf\xc3\xa9", 4},
        {"cafe\xcc\x81", 4},             /* combining acute accent */
        {"\xe6\x97\xa5\xe6\x9c\xac", 4}, /* two wide characters */
        {"\xf0\x9f\x90\x8d", 2},         /* snake */
        {"\xe2\xa3\xbf", 1},             /* braille, as in our plots */
        {"\xff", 1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_int_equal(utf8_columns(rows[i].text, strlen(rows[i].text)), rows[i].columns);
}

static void cut_between_characters(void **state)
{
    (void)state;
    assert_int_equal(utf8_cut("abc", 3, 5), 3);
    assert_int_equal(utf8_cut("abc", 3, 3), 3);
    assert_int_equal(utf8_cut("abc", 3, 2), 2);
    assert_int_equal(utf8_cut("a\u00e9b", 4, 2), 1);
    assert_int_equal(utf8_cut("a\u00e9b", 4, 3), 3);
    for (size_t most = 0; most < 4; most++)
        assert_int_equal(utf8_cut("\U0001f600", 4, most), 0);
    assert_int_equal(utf8_cut("\x80\x80\x80\x80\x80\x80", 6, 5), 2); /* none: anywhere */
    assert_int_equal(utf8_cut("", 0, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point),
        cmocka_unit_test(overlong_and_stray),
        cmocka_unit_test(scrubbed),
        cmocka_unit_test(columns),
        cmocka_unit_test(cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
