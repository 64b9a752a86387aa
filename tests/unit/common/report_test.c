#include "report.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static void numbers_for_people(void **state)
{
    (void)state;
    static const struct {
        double value;
        enum report_unit unit;
        const char *text;
    } rows[] = {
        {0, REPORT_PLAIN, "0"},
        {999, REPORT_PLAIN, "999"},
        {1234567, REPORT_PLAIN, "1,234,567"},
        {-1234, REPORT_PLAIN, "-1,234"},
        {12.34, REPORT_PLAIN, "12.3"},
        {99.94, REPORT_PLAIN, "99.9"},
        {1234.56, REPORT_PLAIN, "1,235"},
        {999.96, REPORT_PLAIN, "1,000"},
        {1e30, REPORT_PLAIN, "1e+30"},
        {0, REPORT_BYTES, "0 B"},
        {999, REPORT_BYTES, "999 B"},
        {999.6, REPORT_BYTES, "1.0 kB"},
        {1000, REPORT_BYTES, "1.0 kB"},
        {999949, REPORT_BYTES, "999.9 kB"},
        {999950, REPORT_BYTES, "1.0 MB"},
        {1234567, REPORT_BYTES, "1.2 MB"},
        {-5e9, REPORT_BYTES, "-5.0 GB"},
        {3e18, REPORT_BYTES, "3.0 EB"},
        {1234, REPORT_RATE, "+1,234/h"},
        {-7.5, REPORT_RATE, "-7.5/h"},
        {0.04, REPORT_RATE, "0/h"},
        {-0.04, REPORT_RATE, "0/h"},
        {1.2e6, REPORT_BYTE_RATE, "+1.2 MB/h"},
        {-12, REPORT_BYTE_RATE, "-12 B/h"},
        {0.2, REPORT_BYTE_RATE, "0 B/h"},
        {0, REPORT_DURATION, "0ms"},
        {250, REPORT_DURATION, "250ms"},
        {1000, REPORT_DURATION, "1s"},
        {61000, REPORT_DURATION, "1m 1s"},
        {3600000, REPORT_DURATION, "1h"},
        {273600000, REPORT_DURATION, "3d 4h"},
        {0.97, REPORT_SHARE, "97 %"},
        {28540, REPORT_ID, "28540"},
        {1234, REPORT_CHANGE, "+1,234"},
        {-7.5, REPORT_CHANGE, "-7.5"},
        {0.04, REPORT_CHANGE, "0"},
        {1.2e6, REPORT_BYTE_CHANGE, "+1.2 MB"},
        {-999, REPORT_BYTE_CHANGE, "-999 B"},
        {0.4, REPORT_BYTE_CHANGE, "0 B"},
        {(double)NAN, REPORT_BYTES, "-"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct buf buf = BUF_INIT;
        report_format_number(&buf, rows[i].value, rows[i].unit);
        assert_string_equal(buf_text(&buf), rows[i].text);
        buf_done(&buf);
    }
}

static const struct report_column columns[] = {
    {"type", "TYPE", REPORT_PLAIN},          {"count", "COUNT", REPORT_PLAIN},
    {"bytes", "BYTES", REPORT_BYTES},        {"bytes_per_hour", "GROWTH", REPORT_BYTE_RATE},
    {"last_seen", "LAST SEEN", REPORT_TIME}, {"with", "WITH", REPORT_PLAIN},
};

static void fill(struct report *report)
{
    static const char *const with[] = {"dict", "li\"st"};
    report_text(report, "caf\xc3\xa9");
    report_uint(report, 1234567);
    report_uint(report, 18446744073709551615ULL);
    report_double(report, 1500);
    report_int(report, 1795338761123);
    report_texts(report, with, 2);
    report_text(report, "=a,\"b\"\n\033[2J");
    report_uint(report, 0);
    report_int(report, 5);
    report_double(report, (double)NAN);
    report_int(report, 0);
    report_texts(report, with, 0);
}

static void shows(enum report_format format, int rows, const char *empty, int colours,
                  const char *expected)
{
    struct report report;
    report_begin(&report, format, columns, ARRAY_SIZE(columns));
    if (rows)
        fill(&report);
    struct buf buf = BUF_INIT;
    report_finish(&report, empty, colours, &buf);
    assert_string_equal(buf_text(&buf), expected);
    buf_done(&buf);
}

static void tables(void **state)
{
    (void)state;
    shows(REPORT_TABLE, 1, "none", 0,
          "TYPE             COUNT    BYTES     GROWTH  LAST SEEN            WITH\n"
          "caf\xc3\xa9         1,234,567  18.4 EB  +1.5 kB/h  2026-11-22 09:12:41  dict, li\"st\n"
          "=a,\"b\"??[2J          0      5 B          -  -                    -\n");
    shows(REPORT_TABLE, 0, "nothing leaks", 0, "nothing leaks\n");
    shows(REPORT_TABLE, 0, NULL, 0, "TYPE  COUNT  BYTES  GROWTH  LAST SEEN  WITH\n");
}

/* On a terminal: the class at the end of a name stays, and names of 40 columns are never touched.
 */
static void long_names_are_shortened_on_a_terminal(void **state)
{
    (void)state;
    static const struct report_column named[] = {{"type", "TYPE", REPORT_PLAIN},
                                                 {"version", "VERSION", REPORT_PLAIN},
                                                 {"count", "COUNT", REPORT_PLAIN}};
    static const struct {
        size_t columns_max;
        const char *text;
    } rows[] = {
        {0,
         "TYPE                                               VERSION  COUNT\n"
         "a.package.with.a.very.long.path.\xe6\x97\xa5\xe6\x9c\xac.and.TheClass  v1           7\n"
         "dict                                               v1           7\n"},
        {62, "TYPE                                            VERSION  COUNT\n"
             "a.package.with.\xe2\x80\xa6ry.long.path.\xe6\x97\xa5\xe6\x9c\xac.and.TheClass  v1    "
             "       7\n"
             "dict                                            v1           7\n"},
        {20,
         "TYPE                                      VERSION  COUNT\n"
         "a.package.wit\xe2\x80\xa6ong.path.\xe6\x97\xa5\xe6\x9c\xac.and.TheClass  v1           7\n"
         "dict                                      v1           7\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct report report;
        struct buf buf = BUF_INIT;
        report_begin(&report, REPORT_TABLE, named, ARRAY_SIZE(named));
        report.columns_max = rows[i].columns_max;
        report_text(&report,
                    "a.package.with.a.very.long.path.\xe6\x97\xa5\xe6\x9c\xac.and.TheClass");
        report_text(&report, "v1");
        report_uint(&report, 7);
        report_text(&report, "dict");
        report_text(&report, "v1");
        report_uint(&report, 7);
        report_finish(&report, NULL, 0, &buf);
        assert_string_equal(buf_text(&buf), rows[i].text);
        buf_done(&buf);
    }
}

/* What can be spared goes from the end, and only as much as must. */
static void columns_are_left_out_on_a_narrow_terminal(void **state)
{
    (void)state;
    static const struct report_column some[] = {{"type", "TYPE", REPORT_PLAIN},
                                                {"since", "SINCE", REPORT_PLAIN},
                                                {"count", "COUNT", REPORT_PLAIN},
                                                {"seen", "SEEN", REPORT_PLAIN}};
    static const struct {
        size_t columns_max;
        const char *text;
    } rows[] = {
        {0, "TYPE  SINCE  COUNT  SEEN\ndict  v1         7  today\n"},
        {25, "TYPE  SINCE  COUNT  SEEN\ndict  v1         7  today\n"},
        {24, "TYPE  SINCE  COUNT\ndict  v1         7\n"},
        {17, "TYPE  COUNT\ndict      7\n"},
        {5, "TYPE  COUNT\ndict      7\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct report report;
        struct buf buf = BUF_INIT;
        report_begin(&report, REPORT_TABLE, some, ARRAY_SIZE(some));
        report_hide_if_narrow(&report, "since");
        report_hide_if_narrow(&report, "seen");
        report.columns_max = rows[i].columns_max;
        report_text(&report, "dict");
        report_text(&report, "v1");
        report_uint(&report, 7);
        report_text(&report, "today");
        report_finish(&report, NULL, 0, &buf);
        assert_string_equal(buf_text(&buf), rows[i].text);
        buf_done(&buf);
    }
}

static void numbers_that_are_names(void **state)
{
    (void)state;
    static const struct report_column ids[] = {{"sequence", "SEQUENCE", REPORT_ID}};
    struct report report;
    struct buf buf = BUF_INIT;
    report_begin(&report, REPORT_TABLE, ids, ARRAY_SIZE(ids));
    report_uint(&report, 18446744073709551615ULL);
    report_uint(&report, 7);
    report_finish(&report, NULL, 0, &buf);
    assert_string_equal(buf_text(&buf),
                        "            SEQUENCE\n18446744073709551615\n                   7\n");
    buf_done(&buf);
}

static void colours(void **state)
{
    (void)state;
    static const struct report_column growth[] = {{"g", "G", REPORT_RATE}};
    struct report report;
    report_begin(&report, REPORT_TABLE, growth, 1);
    report_double(&report, 3);
    report_double(&report, -3);
    report_double(&report, 0);
    struct buf buf = BUF_INIT;
    report_finish(&report, NULL, 1, &buf);
    assert_string_equal(buf_text(&buf), "   \033[1mG\033[0m\n\033[31m+3/h\033[0m\n"
                                        "\033[32m-3/h\033[0m\n \033[2m0/h\033[0m\n");
    buf_done(&buf);
}

static void columns_that_are_empty(void **state)
{
    (void)state;
    static const char *const expected[] = {"A  B  C\n1  -  -\n", "A  C\n1  -\n", "A\n1\n"};
    for (size_t hidden = 0; hidden < 3; hidden++) {
        static const struct report_column three[] = {
            {"a", "A", REPORT_PLAIN}, {"b", "B", REPORT_PLAIN}, {"c", "C", REPORT_TIME}};
        struct report report;
        report_begin(&report, REPORT_TABLE, three, 3);
        report_hide_if_empty(&report, "a");
        for (size_t i = 0; i < hidden; i++)
            report_hide_if_empty(&report, three[1 + i].key);
        report_uint(&report, 1);
        report_text(&report, "");
        report_int(&report, 0);
        struct buf buf = BUF_INIT;
        report_finish(&report, NULL, 0, &buf);
        assert_string_equal(buf_text(&buf), expected[hidden]);
        buf_done(&buf);
    }
}

static void json(void **state)
{
    (void)state;
    shows(REPORT_JSON, 1, "none", 1,
          "[\n  {\"type\": \"caf\xc3\xa9\", \"count\": 1234567, \"bytes\": 18446744073709551615, "
          "\"bytes_per_hour\": 1500, \"last_seen\": \"2026-11-22T09:12:41.123Z\", "
          "\"with\": [\"dict\", \"li\\\"st\"]},\n"
          "  {\"type\": \"=a,\\\"b\\\"\\u000a\\u001b[2J\", \"count\": 0, \"bytes\": 5, "
          "\"bytes_per_hour\": null, \"last_seen\": null, \"with\": []}\n]\n");
    shows(REPORT_JSON, 0, "none", 0, "[]\n");
}

static void csv(void **state)
{
    (void)state;
    shows(REPORT_CSV, 1, "none", 1,
          "type,count,bytes,bytes_per_hour,last_seen,with\n"
          "caf\xc3\xa9,1234567,18446744073709551615,1500,2026-11-22T09:12:41.123Z,"
          "\"dict, li\"\"st\"\n"
          "\"'=a,\"\"b\"\"??[2J\",0,5,,,\n");
    shows(REPORT_CSV, 0, "none", 0, "type,count,bytes,bytes_per_hour,last_seen,with\n");
}

static void csv_of_texts(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } rows[] = {
        {"", ""},
        {"dict", "dict"},
        {"=HYPERLINK(1)", "'=HYPERLINK(1)"},
        {"+1", "'+1"},
        {"-x", "'-x"},
        {"@SUM(A1)", "'@SUM(A1)"},
        {"a=b", "a=b"},
        {" =a", "\" =a\""},
        {"-a,b", "\"'-a,b\""},
        {"\xc2\x9bm", "?"
                      "?m"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct buf buf = BUF_INIT;
        report_append_csv(&buf, rows[i].text);
        assert_string_equal(buf_text(&buf), rows[i].expected);
        buf_done(&buf);
    }
}

static void formats(void **state)
{
    (void)state;
    enum report_format format = REPORT_CSV;
    assert_int_equal(report_format_parse("json", &format, NULL), STATUS_OK);
    assert_int_equal(format, REPORT_JSON);
    struct why why;
    assert_int_equal(report_format_parse("xml", &format, &why), STATUS_USAGE);
    assert_int_equal(format, REPORT_JSON);
    assert_string_equal(why.text, "there is no output format 'xml': it is table, json or csv");
}

int main(void)
{
    (void)setenv("TZ", "UTC", 1);
    tzset();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_for_people),
        cmocka_unit_test(tables),
        cmocka_unit_test(long_names_are_shortened_on_a_terminal),
        cmocka_unit_test(columns_are_left_out_on_a_narrow_terminal),
        cmocka_unit_test(numbers_that_are_names),
        cmocka_unit_test(colours),
        cmocka_unit_test(columns_that_are_empty),
        cmocka_unit_test(json),
        cmocka_unit_test(csv),
        cmocka_unit_test(csv_of_texts),
        cmocka_unit_test(formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
