#include "config_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "buf.h"

/* The settings of `text`, which must be fine, as "name=value;" in a row. */
static void assert_settings(const char *text, const char *expected)
{
    struct buf copy = BUF_INIT, got = BUF_INIT;
    buf_append_text(&copy, text);
    (void)buf_text(&copy);
    struct config_file file;
    struct config_entry entry;
    struct why why = {""};
    config_file_init(&file, (char *)copy.data, copy.size);
    enum status status;
    while ((status = config_file_next(&file, &entry, &why)) == STATUS_OK)
        buf_printf(&got, "%s=%s;", entry.name, entry.value);
    assert_int_equal(status, STATUS_NOT_FOUND);
    assert_string_equal(buf_text(&got), expected);
    buf_done(&copy);
    buf_done(&got);
}

static void every_form(void **state)
{
    (void)state;
    assert_settings("", "");
    assert_settings("\n\n# nothing\n   \t\n", "");
    assert_settings("a = 1", "a=1;");
    assert_settings("a=1\nb-2 =  two words \r\n\tc\t=\t3\t\n", "a=1;b-2=two words;c=3;");
    assert_settings("a = 1 # one\nb = 1#2\nc =# none\nd =\n", "a=1;b=1#2;c=;d=;");
    assert_settings("a = \" x # y \" # z\nb = \"\"\nc = x\"y\n", "a= x # y ;b=;c=x\"y;");
    assert_settings("a = host=db password=x", "a=host=db password=x;");
    assert_settings("a = \xc3\xa4\xc3\xb6", "a=\xc3\xa4\xc3\xb6;");
}

static void sentences(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t size;
        int line;
        const char *sentence;
    } rows[] = {
        {"a\n", 2, 1, "the line is not \"name = value\""},
        {"\n= 3\n", 5, 2, "the line is not \"name = value\""},
        {"[part]\n", 7, 1, "the line is not \"name = value\""},
        {"a b = 3\n", 8, 1, "the line is not \"name = value\""},
        {"A = 3\n", 6, 1, "the line is not \"name = value\""},
        {"a = \"x\n", 7, 1, "the quote is not closed"},
        {"a = \"x\" y\n", 10, 1, "there is more behind the closing quote"},
        {"a = \x01\n", 6, 1, "the line has a control character"},
        {"# \x1b\n", 4, 1, "the line has a control character"},
        {"a = x\0y\n", 8, 1, "the line has a zero byte"},
        {"a = \xff\n", 6, 1, "the line is not UTF-8"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char text[64];
        memcpy(text, rows[i].text, rows[i].size);
        text[rows[i].size] = '\0';
        struct config_file file;
        struct config_entry entry;
        struct why why = {""};
        config_file_init(&file, text, rows[i].size);
        assert_int_equal(config_file_next(&file, &entry, &why), STATUS_USAGE);
        assert_string_equal(why.text, rows[i].sentence);
        assert_int_equal(file.line, rows[i].line);
    }
}

static void a_line_has_an_end(void **state)
{
    (void)state;
    for (int extra = 0; extra < 2; extra++) {
        size_t size = CONFIG_LINE_BYTES_MAX + (size_t)extra;
        char *text = malloc(size + 1);
        assert_non_null(text);
        memset(text, 'x', size);
        text[1] = '=';
        text[size] = '\0';
        struct config_file file;
        struct config_entry entry;
        struct why why = {""};
        config_file_init(&file, text, size);
        assert_int_equal(config_file_next(&file, &entry, &why), extra ? STATUS_USAGE : STATUS_OK);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form),
        cmocka_unit_test(sentences),
        cmocka_unit_test(a_line_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
