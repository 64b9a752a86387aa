/*
 * One line per event on standard error: `time level event key=value ...`.
 * Only wiring layers log, once per event. Safe from any thread.
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stddef.h>

#include "attributes.h"
#include "status.h"
#include "why.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

/* Before threads start, or from the thread that made them. Default: LOG_INFO as text. */
void log_setup(enum log_level least, enum log_format format);

/* The same from the words of options: "info" and "text" or "json". USAGE: another word. */
enum status log_setup_words(const char *level, const char *format, struct why *why) MUST_CHECK;

/* "debug", "info", "warn" or "error" -> level. 0 on success, -1 for any other word. */
int log_level_parse(const char *text, enum log_level *ret) MUST_CHECK;

/*
 * `event` is a fixed word such as "snapshot.refused"; `format` makes the `key=value` pairs, with
 * values that may hold blanks in double quotes: "pid=%d reason=\"%s\"". NULL for no pairs. A text
 * in quotes is escaped: it cannot end them. One without quotes has to be a word of ours.
 */
void log_event(enum log_level level, const char *event, const char *format, ...) PRINTF(3, 4);

/* For pairs that are made beforehand: `text` as it may stand in double quotes, cut to fit. */
void log_escape(const char *text, char *ret, size_t size);

#endif
