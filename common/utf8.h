/* UTF-8 as RFC 3629 has it: no surrogates, no overlong forms, nothing above U+10FFFF. */
#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

#include <stddef.h>

/* Bytes of the sequence that starts at `text` (1 to 4), or 0 if it is not valid UTF-8. size > 0 */
size_t utf8_sequence(const char *text, size_t size);

/* 1 if all of `text` is valid. */
int utf8_valid(const char *text, size_t size);

/*
 * Make a text from outside safe to show on a line of a terminal or a log: every control character
 * (C0, DEL, C1), every one that reorders text (U+202A.. and U+2066..: the bidirectional controls),
 * line and paragraph separators, and every byte that is not valid becomes '?' or, where it takes
 * several bytes, several '?'. In place; the length stays.
 */
void utf8_scrub(char *text, size_t size);

/*
 * Columns that `text` takes on a terminal, roughly: combining marks none, East Asian wide
 * characters and emoji two, all others one.
 */
size_t utf8_columns(const char *text, size_t size);

#endif
