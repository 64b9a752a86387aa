#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "json.h"
#include "utf8.h"

static enum log_level least_level = LOG_INFO;
static enum log_format line_format = LOG_TEXT;

static const char *const names[] = {"debug", "info", "warn", "error"};

void log_setup(enum log_level least, enum log_format format)
{
    least_level = least;
    line_format = format;
}

int log_level_parse(const char *text, enum log_level *ret)
{
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(text, names[i]) == 0) {
            *ret = (enum log_level)i;
            return 0;
        }
    }
    return -1;
}

void log_event(enum log_level level, const char *event, const char *format, ...)
{
    if (level < least_level)
        return;
    char detail[1024] = "";
    if (format != NULL) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(detail, sizeof(detail), format, args);
        va_end(args);
    }
    utf8_scrub(detail, strlen(detail));
    char when[CLOCK_TEXT_BYTES];
    clock_format_utc(clock_wall_ms(), when);
    struct buf line = BUF_INIT;
    if (line_format == LOG_JSON) {
        buf_printf(&line, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%s\",\"detail\":", when,
                   names[level], event);
        json_append_string(&line, detail, strlen(detail));
        buf_append_text(&line, "}\n");
    } else {
        buf_printf(&line, "%s %-5s %s%s%s\n", when, names[level], event, detail[0] ? " " : "",
                   detail);
    }
    /* one write, so that lines of several threads do not mix */
    ssize_t written = write(STDERR_FILENO, line.data, line.size);
    (void)written;
    buf_done(&line);
}
