/*
 * A line of comma-separated values (RFC 4180) in place: fields may be in quotes, a quote within
 * them is doubled. A line ends before its line feed; a carriage return at its end is cut.
 */
#ifndef COLLECTOR_DETECT_REPLAY_CSV_LINE_H
#define COLLECTOR_DETECT_REPLAY_CSV_LINE_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"
#include "why.h"

struct csv_field {
    const char *text; /* in the line; not zero-terminated */
    size_t size;
};

/* How many fields a line has. */
struct csv_shape {
    size_t least, most;
    size_t before; /* of these, in front of the piece at hand */
};

/* The fields of the piece, `most` less `before`, unquoted within `line`, which is changed; those
 * that it does not have are empty. INVALID: it is something else. */
enum status csv_line_split(char *line, size_t size, const struct csv_shape *shape,
                           struct csv_field *ret, struct why *why) MUST_CHECK;

/*
 * A number: digits, maybe with a sign and decimals, which are cut off. What is beyond the range
 * becomes its end: negative numbers and damaged ones are for the caller to judge.
 */
enum status csv_number(const struct csv_field *field, const char *name, int64_t *ret,
                       struct why *why) MUST_CHECK;

#endif
