/* Times as people write them. */
#include "moment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static const int64_t now_ms = 1795338000000; /* 2026-11-22T08:20Z */

static int in_berlin(void **state)
{
    (void)state;
    (void)setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1); /* a rule: no zone files are needed */
    tzset();
    return 0;
}

static void times_that_are_some(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"now", 1795338000000},
        {"90m", 1795338000000 - 90 * 60000},
        {"7d", 1795338000000 - 7 * 86400000LL},
        {"36500d", 0},
        {"@1795338000", 1795338000000},
        {"2026-11-22T09:00Z", 1795338000000},
        {"2026-11-22T10:00", 1795338000000}, /* winter: an hour ahead */
        {"2026-11-22 10:00", 1795338000000},
        {"2026-07-01T12:00", 1782900000000}, /* summer: two */
        {"2026-11-22T11:00:00+02:00", 1795338000000},
        {"2026-11-22T04:00:00-0500", 1795338000000},
        {"2026-11-22T09:00:01.25Z", 1795338001250},
        {"2026-11-22T09:00:01.2509999Z", 1795338001250},
        {"2026-11-22", 1795302000000},
        {"2024-02-29T00:00Z", 1709164800000},
        {"9999-12-31T23:59:59.999Z", 253402300799999},
        {"1970-01-01T00:00Z", 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct why why = {""};
        int64_t ms = -1;
        if (moment_parse(cases[i].text, now_ms, &ms, &why) != STATUS_OK)
            fail_msg("%s", why.text);
        if (ms != cases[i].ms)
            fail_msg("%s: %lld", cases[i].text, (long long)ms);
    }
}

static void times_that_are_none(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "0",
        "3600",
        "yesterday",
        "2026",
        "2026-13-01",
        "2026-02-29",
        "2026-11-31",
        "2026-11-22T",
        "2026-11-22T9:00",
        "2026-11-22T24:00",
        "2026-11-22T09:60",
        "2026-11-22T09:00:00.",
        "2026-11-22T09:00X",
        "2026-11-22T09:00+2",
        "2026-11-22T09:00Z ",
        "2026-11-22Z",
        "1969-12-31T00:00Z",
        "10000-01-01",
        "@",
        "@-1",
        "@1e9",
        "5 parsecs",
        "1970-01-01T00:00+14:00",
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct why why = {""};
        int64_t ms = -1;
        if (moment_parse(texts[i], now_ms, &ms, &why) != STATUS_USAGE)
            fail_msg("'%s' was taken for %lld", texts[i], (long long)ms);
        assert_int_equal(ms, -1);
        assert_true(why.text[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_that_are_some),
        cmocka_unit_test(times_that_are_none),
    };
    return cmocka_run_group_tests(tests, in_berlin, NULL);
}
