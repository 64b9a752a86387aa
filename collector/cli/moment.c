#include "moment.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "parse.h"

static const int64_t time_max_ms = 253402300799999; /* the end of the year 9999 */

/* `digits` digits at `*at` as a number from `least` to `most`; moves behind them. 0 if there are
 * none such. */
static int take_number(const char **at, int digits, int least, int most, int *ret)
{
    int value = 0;
    for (int i = 0; i < digits; i++) {
        char digit = (*at)[i];
        if (digit < '0' || digit > '9')
            return 0;
        value = 10 * value + digit - '0';
    }
    *at += digits;
    *ret = value;
    return value >= least && value <= most;
}

static int take(const char **at, char letter)
{
    if (**at != letter)
        return 0;
    (*at)++;
    return 1;
}

/* ".250": as many digits as there are, the first three count. */
static int take_fraction(const char **at, int64_t *ret_ms)
{
    int64_t unit = 100;
    *ret_ms = 0;
    if (!take(at, '.'))
        return 1;
    if (**at < '0' || **at > '9')
        return 0;
    for (; **at >= '0' && **at <= '9'; (*at)++, unit /= 10)
        *ret_ms += (**at - '0') * unit;
    return 1;
}

static int take_clock(const char **at, struct tm *day, int64_t *ret_ms)
{
    if (!take(at, 'T') && !take(at, ' '))
        return **at == '\0';
    if (!take_number(at, 2, 0, 23, &day->tm_hour) || !take(at, ':') ||
        !take_number(at, 2, 0, 59, &day->tm_min))
        return 0;
    if (take(at, ':') && !take_number(at, 2, 0, 59, &day->tm_sec))
        return 0;
    return take_fraction(at, ret_ms);
}

/* Seconds to subtract; `*ret_local` when nothing is said. */
static int take_zone(const char **at, int64_t *ret_s, int *ret_local)
{
    int hours = 0, minutes = 0;
    char sign = **at;
    *ret_local = sign == '\0';
    *ret_s = 0;
    if (*ret_local || take(at, 'Z'))
        return 1;
    if (!(take(at, '+') || take(at, '-')) || !take_number(at, 2, 0, 23, &hours))
        return 0;
    (void)take(at, ':');
    if (!take_number(at, 2, 0, 59, &minutes))
        return 0;
    *ret_s = (sign == '+' ? 1 : -1) * (int64_t)(hours * 3600 + minutes * 60);
    return 1;
}

/* The 31st of April is not the 1st of May. */
static int is_date(const struct tm *day)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = day->tm_year + 1900;
    int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day->tm_mday <= days[day->tm_mon] + (day->tm_mon == 1 && leap);
}

static int parse_date(const char *text, int64_t *ret)
{
    struct tm day = {.tm_isdst = -1};
    int64_t fraction_ms = 0, offset_s = 0;
    int local = 0;
    if (!take_number(&text, 4, 1970, 9999, &day.tm_year) || !take(&text, '-') ||
        !take_number(&text, 2, 1, 12, &day.tm_mon) || !take(&text, '-') ||
        !take_number(&text, 2, 1, 31, &day.tm_mday))
        return 0;
    day.tm_year -= 1900;
    day.tm_mon--;
    if (!is_date(&day) || !take_clock(&text, &day, &fraction_ms) ||
        !take_zone(&text, &offset_s, &local) || *text != '\0')
        return 0;
    int64_t seconds = local ? mktime(&day) : timegm(&day) - offset_s;
    *ret = seconds * 1000 + fraction_ms;
    return seconds >= 0 && *ret <= time_max_ms;
}

enum status moment_parse(const char *text, int64_t now_ms, int64_t *ret, struct why *why)
{
    int64_t ago_ms = 0;
    uint64_t seconds = 0;
    if (strcmp(text, "now") == 0) {
        *ret = now_ms;
        return STATUS_OK;
    }
    if (text[0] == '@' &&
        parse_u64(text + 1, 0, (uint64_t)time_max_ms / 1000, &seconds) == STATUS_OK) {
        *ret = (int64_t)seconds * 1000;
        return STATUS_OK;
    }
    int has_unit = text[strspn(text, "0123456789.")] != '\0'; /* 2026 may be a year */
    if (has_unit && parse_duration_ms(text, &ago_ms) == STATUS_OK) {
        *ret = ago_ms < now_ms ? now_ms - ago_ms : 0;
        return STATUS_OK;
    }
    int64_t found = 0;
    if (parse_date(text, &found)) {
        *ret = found;
        return STATUS_OK;
    }
    return why_fail(why, STATUS_USAGE,
                    "'%s' is no time: write how long ago (90m, 7d), or 2026-11-22T09:30 (local; "
                    "with a Z: UTC)",
                    text);
}
