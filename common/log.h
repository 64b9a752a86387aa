/*
 * One line per event on standard error: `time level event key=value ...`.
 * Only wiring layers log, once per event. Safe from any thread.
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include "attributes.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

/* Call once, before threads start. Default: LOG_INFO as text. */
void log_setup(enum log_level least, enum log_format format);

/* "debug", "info", "warn" or "error" -> level. 0 on success, -1 for any other word. */
int log_level_parse(const char *text, enum log_level *ret) MUST_CHECK;

/*
 * `event` is a fixed word such as "snapshot.refused"; `format` makes the `key=value` pairs, with
 * values that may hold blanks in double quotes: "pid=%d reason=\"%s\"". NULL for no pairs.
 */
void log_event(enum log_level level, const char *event, const char *format, ...) PRINTF(3, 4);

#endif
