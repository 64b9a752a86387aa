/* Inside the log: `key=value` pairs from a format, with values in quotes that cannot end them. */
#ifndef COMMON_LOG_DETAIL_H
#define COMMON_LOG_DETAIL_H

#include <stdarg.h>

#include "buf.h"

/*
 * As vprintf, but a text that stands in double quotes ("%s" with quotes around it) has its quotes
 * and backslashes escaped, so that it cannot look like another pair. Knows the conversions
 * d i u x X c s f g p and %, with flags, width (not of texts), precision and the lengths hh h l ll
 * z j.
 */
void log_append_detail(struct buf *ret, const char *format, va_list args);

#endif
