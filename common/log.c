#include "log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "json.h"
#include "log_detail.h"
#include "utf8.h"

enum { DETAIL_BYTES_MAX = 1023 };

static atomic_int least_level = LOG_INFO;
static atomic_int line_format = LOG_TEXT;

static const char *const names[] = {"debug", "info", "warn", "error"};

void log_setup(enum log_level least, enum log_format format)
{
    atomic_store_explicit(&least_level, (int)least, memory_order_relaxed);
    atomic_store_explicit(&line_format, (int)format, memory_order_relaxed);
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

enum status log_setup_words(const char *level, const char *format, struct why *why)
{
    enum log_level least;
    if (log_level_parse(level, &least) != 0)
        return why_fail(why, STATUS_USAGE,
                        "cannot use \"%s\" as a log level: debug, info, warn or error is wanted",
                        level);
    int is_json = strcmp(format, "json") == 0;
    if (!is_json && strcmp(format, "text") != 0)
        return why_fail(why, STATUS_USAGE,
                        "cannot use \"%s\" as a log format: text or json is wanted", format);
    log_setup(least, is_json ? LOG_JSON : LOG_TEXT);
    return STATUS_OK;
}

void log_event(enum log_level level, const char *event, const char *format, ...)
{
    if ((int)level < atomic_load_explicit(&least_level, memory_order_relaxed))
        return;
    struct buf detail = BUF_INIT;
    if (format != NULL) {
        va_list args;
        va_start(args, format);
        log_append_detail(&detail, format, args);
        va_end(args);
    }
    if (detail.size > DETAIL_BYTES_MAX)
        detail.size = DETAIL_BYTES_MAX;
    if (detail.size > 0)
        utf8_scrub((char *)detail.data, detail.size);
    char when[CLOCK_TEXT_BYTES];
    clock_format_utc(clock_wall_ms(), when);
    struct buf line = BUF_INIT;
    if (atomic_load_explicit(&line_format, memory_order_relaxed) == LOG_JSON) {
        buf_printf(&line, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%s\",\"detail\":", when,
                   names[level], event);
        json_append_string(&line, buf_text(&detail), detail.size);
        buf_append_text(&line, "}\n");
    } else {
        buf_printf(&line, "%s %-5s %s%s%s\n", when, names[level], event, detail.size > 0 ? " " : "",
                   buf_text(&detail));
    }
    /* one write, so that lines of several threads do not mix */
    ssize_t written = write(STDERR_FILENO, line.data, line.size);
    (void)written;
    buf_done(&line);
    buf_done(&detail);
}
