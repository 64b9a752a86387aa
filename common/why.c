#include "why.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"

/* By way of a copy, so that the arguments may include the present text. */
PRINTF(2, 0)
static void format_into(struct why *why, const char *format, va_list args)
{
    char text[WHY_CAPACITY];
    (void)vsnprintf(text, sizeof(text), format, args);
    size_t size = strlen(text);
    utf8_scrub(text, size);
    memcpy(why->text, text, size + 1);
}

void why_set(struct why *why, const char *format, ...)
{
    if (why == NULL)
        return;
    va_list args;
    va_start(args, format);
    format_into(why, format, args);
    va_end(args);
}

enum status why_fail(struct why *why, enum status status, const char *format, ...)
{
    if (why == NULL)
        return status;
    va_list args;
    va_start(args, format);
    format_into(why, format, args);
    va_end(args);
    return status;
}

void why_prefix(struct why *why, const char *format, ...)
{
    if (why == NULL)
        return;
    struct why old = *why;
    va_list args;
    va_start(args, format);
    format_into(why, format, args);
    va_end(args);
    size_t used = strlen(why->text);
    (void)snprintf(why->text + used, sizeof(why->text) - used, ": %s", old.text);
    utf8_scrub(why->text, strlen(why->text)); /* the cut may have split a character */
}
