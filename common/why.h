/*
 * The reason of a failure, in words for a person: "what could not be done: why; what to do".
 * Lower case, no full stop, one line. Filled where the failure happens, printed once, by the layer
 * that logs. The caller owns the struct (usually on its stack); a NULL `why` is always accepted.
 */
#ifndef COMMON_WHY_H
#define COMMON_WHY_H

#include "status.h"

enum { WHY_CAPACITY = 512 };

struct why {
    char text[WHY_CAPACITY];
};

/* Replace the text. What does not fit is cut. Bytes that are not printable become '?'. The
 * arguments may include the present text. */
void why_set(struct why *why, const char *format, ...) PRINTF(2, 3);

/* Put "context: " before the present text. */
void why_prefix(struct why *why, const char *format, ...) PRINTF(2, 3);

/* Set the text and return `status`: `return why_fail(why, STATUS_INVALID, "...")`. */
enum status why_fail(struct why *why, enum status status, const char *format, ...) PRINTF(3, 4);

#endif
