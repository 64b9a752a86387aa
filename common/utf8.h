/* UTF-8 as RFC 3629 has it: no surrogates, no overlong forms, nothing above U+10FFFF. */
#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

#include <stddef.h>

/* Bytes of the sequence that starts at `text` (1 to 4), or 0 if it is not valid UTF-8. size > 0 */
size_t utf8_sequence(const char *text, size_t size);

/* 1 if all of `text` is valid. */
int utf8_valid(const char *text, size_t size);

#endif
