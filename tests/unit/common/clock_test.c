#include "clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "attributes.h"

static void utc_texts(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {1, "1970-01-01T00:00:00.001Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {-1000, "1969-12-31T23:59:59.000Z"},
        {1795338761123, "2026-11-22T09:12:41.123Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char text[CLOCK_TEXT_BYTES];
        clock_format_utc(rows[i].ms, text);
        assert_string_equal(text, rows[i].text);
    }
}

static void any_time_fits(void **state)
{
    (void)state;
    static const int64_t rows[] = {INT64_MIN, INT64_MIN + 1, -62167219200001, 253402300800000,
                                   INT64_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char text[CLOCK_TEXT_BYTES + 1];
        text[CLOCK_TEXT_BYTES] = '#';
        clock_format_utc(rows[i], text);
        assert_int_equal(text[CLOCK_TEXT_BYTES], '#');
    }
}

static void clocks_run(void **state)
{
    (void)state;
    int64_t mono = clock_mono_ns();
    int64_t cpu = clock_cpu_ns();
    volatile unsigned spin = 0;
    while (clock_cpu_ns() == cpu)
        spin++;
    assert_true(clock_cpu_ns() > cpu);
    assert_true(clock_mono_ns() > mono);
    assert_true(clock_wall_ms() > 1700000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utc_texts),
        cmocka_unit_test(any_time_fits),
        cmocka_unit_test(clocks_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
