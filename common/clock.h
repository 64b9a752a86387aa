/*
 * The clocks. Only wiring layers read them; the pure middle of the programs takes times as
 * arguments.
 */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stddef.h>
#include <stdint.h>

int64_t clock_wall_ms(void); /* milliseconds since 1970-01-01 UTC */
int64_t clock_mono_ns(void); /* monotonic; only differences mean something */
int64_t clock_mono_ms(void); /* the same in milliseconds */
int64_t clock_cpu_ns(void);  /* CPU time of the calling thread */

enum { CLOCK_TEXT_BYTES = 32 };

/* "2026-11-22T09:12:41.123Z"; `ret` holds CLOCK_TEXT_BYTES. */
void clock_format_utc(int64_t wall_ms, char *ret);

#endif
