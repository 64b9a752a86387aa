/* Numbers, durations and sizes that a person or a file wrote. The whole text must match. */
#ifndef COMMON_PARSE_H
#define COMMON_PARSE_H

#include <stdint.h>

#include "status.h"

/* Decimal digits only, least <= value <= most. STATUS_INVALID otherwise. */
enum status parse_u64(const char *text, uint64_t least, uint64_t most, uint64_t *ret) MUST_CHECK;

/* "250ms", "5s", "1.5m", "6h", "30d"; a plain number is seconds. Result in milliseconds, below 100
 * years. */
enum status parse_duration_ms(const char *text, int64_t *ret) MUST_CHECK;

/* "4096", "64k", "12M", "1.5G" (powers of 1024; an ending "B" or "iB" is accepted). */
enum status parse_bytes(const char *text, uint64_t *ret) MUST_CHECK;

#endif
