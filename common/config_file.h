/*
 * The configuration file: a setting a line.
 *
 *     # a whole line
 *     listen = 0.0.0.0:4777       # or behind a value, after a blank
 *     dsn    = "host=db password='# 1'"
 *
 * Names are those of the options without their dashes. A value is what stands between the first "="
 * and the end of the line, without the blanks around it; in double quotes it may have blanks at its
 * ends and a "#". There are no sections, no escapes and no continued lines.
 */
#ifndef COMMON_CONFIG_FILE_H
#define COMMON_CONFIG_FILE_H

#include <stddef.h>

#include "status.h"
#include "why.h"

enum { CONFIG_FILE_BYTES_MAX = 256 * 1024, CONFIG_LINE_BYTES_MAX = 8192 };

struct config_file {
    char *text; /* what is not read yet; zero-terminated, written to */
    size_t size;
    int line; /* that was read last, from 1 */
};

struct config_entry {
    const char *name; /* both in the text */
    const char *value;
};

/* `text` has `size` bytes and a zero behind them, and outlives the entries. */
void config_file_init(struct config_file *file, char *text, size_t size);

/*
 * The next setting. NOT_FOUND: there is none any more. USAGE: the line `file->line` cannot be read;
 * `why` does not name the line.
 */
enum status config_file_next(struct config_file *file, struct config_entry *ret,
                             struct why *why) MUST_CHECK;

#endif
