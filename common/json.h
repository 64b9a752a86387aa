/* JSON: the only escaping code, and a reader for arrays of strings. */
#ifndef COMMON_JSON_H
#define COMMON_JSON_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/*
 * `text` as a JSON string with its quotes. What could drive a terminal or reorder its text
 * (utf8_is_safe) is escaped; bytes that are not valid UTF-8 become U+FFFD, so that the output is
 * always valid JSON.
 */
void json_append_string(struct buf *buf, const char *text, size_t size);

/* A number as JSON; null if not finite. What is estimated has six significant digits; what is
 * computed from counts and bytes is as it was, to the last that is sure. */
void json_append_double(struct buf *buf, double value);
void json_append_exact(struct buf *buf, double value);

/*
 * Members of an object that begins with '{': a comma where one is due, the name, a colon, and the
 * value. After json_add_name the value is the caller's to append.
 */
void json_add_name(struct buf *buf, const char *name);
void json_add_text(struct buf *buf, const char *name, const char *text);
void json_add_double(struct buf *buf, const char *name, double value);
void json_add_int(struct buf *buf, const char *name, int64_t value);

/*
 * Walk an array of strings such as ["dict", "list"]:
 *     at = json_array_begin(text);
 *     while ((at = json_array_string(at, &buf)) != NULL) { use and clear buf }
 * The next string is appended to `ret`, unescaped. NULL: at the end, or where the text is something
 * else. `at` may be NULL.
 */
const char *json_array_begin(const char *text);
const char *json_array_string(const char *at, struct buf *ret);

#endif
