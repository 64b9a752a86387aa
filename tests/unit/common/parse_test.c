#include "parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { UNTOUCHED = 4711 };

static void whole_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t least, most, value;
        enum status status;
    } rows[] = {
        {"0", 0, 9, 0, STATUS_OK},
        {"007", 0, 9, 7, STATUS_OK},
        {"18446744073709551615", 0, UINT64_MAX, UINT64_MAX, STATUS_OK},
        {"18446744073709551616", 0, UINT64_MAX, 0, STATUS_INVALID},
        {"99999999999999999999999", 0, UINT64_MAX, 0, STATUS_INVALID},
        {"10", 0, 9, 0, STATUS_INVALID},
        {"4", 5, 9, 0, STATUS_INVALID},
        {"", 0, 9, 0, STATUS_INVALID},
        {"-1", 0, UINT64_MAX, 0, STATUS_INVALID},
        {"+1", 0, 9, 0, STATUS_INVALID},
        {" 1", 0, 9, 0, STATUS_INVALID},
        {"1 ", 0, 9, 0, STATUS_INVALID},
        {"0x1", 0, 9, 0, STATUS_INVALID},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint64_t value = UNTOUCHED;
        assert_int_equal(parse_u64(rows[i].text, rows[i].least, rows[i].most, &value),
                         rows[i].status);
        assert_int_equal(value, rows[i].status == STATUS_OK ? rows[i].value : UNTOUCHED);
    }
}

/* What no unit makes right. */
static const char *const nonsense[] = {
    "",    ".",    ".5s",  "s",    "-1s", "1..5s",      "1.2.3",
    "1e3", "0x10", "1 s",  " 1s",  "1s ", "inf",        "nan",
    "1ss", "1x",   "1,5s", "1e3s", "1S!", "1\xc2\xb5s", "123456789012345678901234567890"};

static void durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {
        {"0", 0},         {"5", 5000},         {"250ms", 250},
        {"5s", 5000},     {"1.5m", 90000},     {"2min", 120000},
        {"6h", 21600000}, {"30d", 2592000000}, {"36500d", 3153600000000},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int64_t ms = UNTOUCHED;
        assert_int_equal(parse_duration_ms(rows[i].text, &ms), STATUS_OK);
        assert_int_equal(ms, rows[i].ms);
    }
    for (size_t i = 0; i < ARRAY_SIZE(nonsense); i++) {
        int64_t ms = UNTOUCHED;
        assert_int_equal(parse_duration_ms(nonsense[i], &ms), STATUS_INVALID);
        assert_int_equal(ms, UNTOUCHED);
    }
    int64_t ms = UNTOUCHED;
    assert_int_equal(parse_duration_ms("36600d", &ms), STATUS_INVALID);
}

static void sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } rows[] = {
        {"0", 0},
        {"4096", 4096},
        {"64k", 65536},
        {"64KiB", 65536},
        {"12M", 12582912},
        {"1.5G", 1610612736},
        {"8000000G", 8000000ULL << 30},
        {"7B", 7},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint64_t bytes = UNTOUCHED;
        assert_int_equal(parse_bytes(rows[i].text, &bytes), STATUS_OK);
        assert_int_equal(bytes, rows[i].bytes);
    }
    for (size_t i = 0; i < ARRAY_SIZE(nonsense); i++) {
        uint64_t bytes = UNTOUCHED;
        assert_int_equal(parse_bytes(nonsense[i], &bytes), STATUS_INVALID);
        assert_int_equal(bytes, UNTOUCHED);
    }
    uint64_t bytes = UNTOUCHED;
    assert_int_equal(parse_bytes("9000000G", &bytes), STATUS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers),
        cmocka_unit_test(durations),
        cmocka_unit_test(sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
