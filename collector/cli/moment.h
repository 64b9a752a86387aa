/*
 * A moment as a person writes it:
 *
 *     now   90m   7d                         so long ago
 *     2026-11-22   2026-11-22T09:30          local time; a blank in place of the T is fine,
 *     2026-11-22T09:30:05.250                seconds and milliseconds are optional
 *     2026-11-22T09:30Z   ...+02:00          of that zone
 *     @1795338000                            seconds since 1970
 */
#ifndef COLLECTOR_CLI_MOMENT_H
#define COLLECTOR_CLI_MOMENT_H

#include <stdint.h>

#include "status.h"
#include "why.h"

/* Milliseconds since 1970, from 0 to the end of the year 9999. USAGE: the text is none of these. */
enum status moment_parse(const char *text, int64_t now_ms, int64_t *ret,
                         struct why *why) MUST_CHECK;

#endif
