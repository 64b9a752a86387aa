/*
 * What the log of a server, or of an initdb, says of its end. Pure.
 *
 * That is the last line of severity FATAL or PANIC with its DETAIL and HINT, but for refusals of
 * those who asked whether it is there yet, ourselves as a rule. Without one it is all of the log,
 * or whole lines of its end.
 */
#ifndef COLLECTOR_STORE_EMBEDDED_WORDS_H
#define COLLECTOR_STORE_EMBEDDED_WORDS_H

#include <stddef.h>

/* One line that may stand in double quotes, at most `size` bytes with its zero. */
void embedded_words(const char *log, char *ret, size_t size);

#endif
