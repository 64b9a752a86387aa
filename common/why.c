#include "why.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Control bytes would break the one-line promise; bytes of 0x80 and up may be UTF-8 and stay. */
static void scrub(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
    }
}

static void format_into(struct why *why, const char *format, va_list args)
{
    (void)vsnprintf(why->text, sizeof(why->text), format, args);
    scrub(why->text);
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
}
