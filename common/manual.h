/*
 * A program's manual page and its shell completions, made of the tables that its command line is
 * read by, so that they cannot say anything else.
 *
 * The words that an option takes are read off its help: "table, json or csv".
 */
#ifndef COMMON_MANUAL_H
#define COMMON_MANUAL_H

#include <stddef.h>

#include "buf.h"
#include "options.h"

struct manual_command {
    const char *name;     /* one word or two */
    const char *operands; /* "SERVICE [TYPE]"; "" for none */
    const char *help;     /* one line */
    const char *more;     /* sentences, "" for none */
    const struct option *options;
};

struct manual {
    const char *program, *version;
    const char *summary;                   /* "ask a collector which Python services leak" */
    const char *environment, *exit_status; /* sentences */
    const struct manual_command *commands;
    size_t count;
    const char
        *operand; /* which operand completes to the lines that a command prints; NULL: none */
    const char *operand_command; /* that command, for a shell */
};

/* man(7), section 1. */
void manual_page(const struct manual *manual, struct buf *ret);

/* `shell`: bash, zsh or fish. USAGE for any other. */
enum status manual_completion(const struct manual *manual, const char *shell, struct buf *ret,
                              struct why *why) MUST_CHECK;

#endif
