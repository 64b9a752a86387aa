#include "json.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "utf8.h"

static void strings(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t size;
        const char *json;
    } rows[] = {
        {"", 0, "\"\""},
        {"__main__.User", 13, "\"__main__.User\""},
        {"a\"b\\c", 5, "\"a\\\"b\\\\c\""},
        {"\n\x00\x1f\x7f", 4, "\"\\u000a\\u0000\\u001f\\u007f\""},
        {"\xc3\xa9\xf0\x9f\x90\x8d", 6, "\"\xc3\xa9\xf0\x9f\x90\x8d\""},
        {"a\xff\xc3", 3, "\"a\\ufffd\\ufffd\""},
        {"\xed\xa0\x80", 3, "\"\\ufffd\\ufffd\\ufffd\""}, /* a surrogate */
        /* CSI in one character, right-to-left override, a line separator */
        {"\xc2\x9b\xe2\x80\xae\xe2\x80\xa8", 8, "\"\\u009b\\u202e\\u2028\""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct buf buf = BUF_INIT;
        json_append_string(&buf, rows[i].text, rows[i].size);
        assert_string_equal(buf_text(&buf), rows[i].json);
        buf_done(&buf);
    }
}

/* Whatever the two bytes are, the result is UTF-8 with no control byte and both quotes. */
static void any_two_bytes(void **state)
{
    (void)state;
    struct buf buf = BUF_INIT;
    for (unsigned pair = 0; pair < 65536; pair++) {
        const char text[2] = {(char)(pair >> 8), (char)pair};
        buf_clear(&buf);
        json_append_string(&buf, text, 2);
        assert_true(utf8_valid((const char *)buf.data, buf.size));
        assert_int_equal(buf.data[0], '"');
        assert_int_equal(buf.data[buf.size - 1], '"');
        for (size_t i = 0; i < buf.size; i++)
            assert_true(buf.data[i] >= 0x20 && buf.data[i] != 0x7f);
    }
    buf_done(&buf);
}

static void numbers(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *estimated, *exact;
    } rows[] = {
        {0, "0", "0"},
        {1, "1", "1"},
        {-3, "-3", "-3"},
        {123456789012, "123456789012", "123456789012"},
        {0.5, "0.5", "0.5"},
        {1.0 / 3, "0.333333", "0.333333333333333"},
        {0.1 + 0.2, "0.3", "0.3"},
        {123456789.25, "1.23457e+08", "123456789.25"}, /* a mean of bytes, to the byte */
        {1e300, "1e+300", "1e+300"},
        {(double)NAN, "null", "null"},
        {-(double)INFINITY, "null", "null"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct buf buf = BUF_INIT;
        json_append_double(&buf, rows[i].value);
        assert_string_equal(buf_text(&buf), rows[i].estimated);
        buf_clear(&buf);
        json_append_exact(&buf, rows[i].value);
        assert_string_equal(buf_text(&buf), rows[i].exact);
        buf_done(&buf);
    }
}

static void arrays_of_strings(void **state)
{
    (void)state;
    static const struct {
        const char *json, *joined;
    } rows[] = {
        {"[]", ""},
        {" [ ] ", ""},
        {"[\"dict\", \"li\\\"st\"]", "dict|li\"st|"},
        {"[\"\\u00e9\\ud83d\\uDC0D\\n\"]", "\xc3\xa9\xf0\x9f\x90\x8d\n|"},
        {"[\"\\ud83d\",\"\\udc0dx\"]", "\xef\xbf\xbd|\xef\xbf\xbdx|"},
        {"[\"caf\xc3\xa9\"", "caf\xc3\xa9|"},
        {"", ""},
        {"{\"a\":1}", ""},
        {"[\"a\", 1, \"b\"]", "a|"},
        {"[\"a\", \"b", "a|"},
        {"[\"a\", \"\\x\"]", "a|"},
        {"[\"a\", \"\\u12", "a|"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct buf joined = BUF_INIT;
        struct buf item = BUF_INIT;
        const char *at = json_array_begin(rows[i].json);
        while ((at = json_array_string(at, &item)) != NULL) {
            buf_printf(&joined, "%s|", buf_text(&item));
            buf_clear(&item);
        }
        assert_string_equal(buf_text(&joined), rows[i].joined);
        buf_done(&item);
        buf_done(&joined);
    }
}

/* What json_append_string writes is what is read. */
static void written_and_read(void **state)
{
    (void)state;
    char text[256];
    for (int i = 0; i < 255; i++)
        text[i] = (char)(i < 127 ? i + 1 : 'x');
    struct buf json = BUF_INIT;
    struct buf back = BUF_INIT;
    buf_append_byte(&json, '[');
    json_append_string(&json, text, 255);
    assert_non_null(json_array_string(json_array_begin(buf_text(&json)), &back));
    assert_int_equal(back.size, 255);
    assert_memory_equal(back.data, text, 255);
    buf_done(&json);
    buf_done(&back);
}

static void members_get_their_commas(void **state)
{
    (void)state;
    struct buf buf = BUF_INIT;
    buf_append_byte(&buf, '{');
    json_add_text(&buf, "a", "x\"y");
    json_add_int(&buf, "b", INT64_MIN);
    json_add_double(&buf, "c", 0.5);
    json_add_name(&buf, "d");
    buf_append_byte(&buf, '{');
    json_add_int(&buf, "e", 1);
    buf_append_text(&buf, "}}");
    assert_string_equal(buf_text(&buf), "{\"a\":\"x\\\"y\",\"b\":-9223372036854775808,\"c\":0.5,"
                                        "\"d\":{\"e\":1}}");
    buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_get_their_commas),
        cmocka_unit_test(strings),
        cmocka_unit_test(any_two_bytes),
        cmocka_unit_test(numbers),
        cmocka_unit_test(arrays_of_strings),
        cmocka_unit_test(written_and_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
