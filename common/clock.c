#include "clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_ns(clockid_t id)
{
    struct timespec now = {0};
    (void)clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_wall_ms(void)
{
    return read_ns(CLOCK_REALTIME) / 1000000;
}

int64_t clock_mono_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

int64_t clock_mono_ms(void)
{
    return clock_mono_ns() / 1000000;
}

int64_t clock_cpu_ns(void)
{
    return read_ns(CLOCK_THREAD_CPUTIME_ID);
}

void clock_format_utc(int64_t wall_ms, char *ret)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    int millis = (int)(wall_ms % 1000);
    if (millis < 0) {
        millis += 1000;
        seconds--;
    }
    struct tm parts = {0};
    char text[24] = "1970-01-01T00:00:00";
    if (gmtime_r(&seconds, &parts) != NULL && parts.tm_year < 8100 && parts.tm_year > -1900)
        (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
    (void)snprintf(ret, CLOCK_TEXT_BYTES, "%s.%03dZ", text, millis);
}
