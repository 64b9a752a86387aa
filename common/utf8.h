/* UTF-8 as RFC 3629 has it: no surrogates, no overlong forms, nothing above U+10FFFF. */
#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the sequence that starts at `text` (1 to 4), or 0 if it is not valid UTF-8. size > 0 */
size_t utf8_sequence(const char *text, size_t size);

/* 1 if all of `text` is valid. */
int utf8_valid(const char *text, size_t size);

/* How much of `text` is left when it is cut to `most` bytes, but in no character. Valid stays
 * valid. */
size_t utf8_cut(const char *text, size_t size, size_t most);

/* The character of a valid sequence of `length` bytes. */
uint32_t utf8_point(const char *text, size_t length);

/* 0: a control character (C0, DEL, C1), one that reorders text (U+202A.. and U+2066..: the
 * bidirectional controls), or a line or paragraph separator. All of them are below U+10000. */
int utf8_is_safe(uint32_t point);

/*
 * Make a text from outside safe to show on a line of a terminal or a log: every character that is
 * not safe, and every byte that is not valid, becomes '?' or, where it takes several bytes, several
 * '?'. In place; the length stays.
 */
void utf8_scrub(char *text, size_t size);

/*
 * Columns that `text` takes on a terminal, roughly: combining marks none, East Asian wide
 * characters and emoji two, all others one.
 */
size_t utf8_columns(const char *text, size_t size);

#endif
