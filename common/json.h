/* JSON out: the only escaping code. Values are appended to a buf by the caller. */
#ifndef COMMON_JSON_H
#define COMMON_JSON_H

#include <stddef.h>

#include "buf.h"

/*
 * `text` as a JSON string with its quotes. Control bytes are escaped; bytes that are not valid
 * UTF-8 become U+FFFD, so that the output is always valid JSON.
 */
void json_append_string(struct buf *buf, const char *text, size_t size);

/* A number as JSON: shortest form that keeps `value`'s six significant digits; null if not finite. */
void json_append_double(struct buf *buf, double value);

#endif
