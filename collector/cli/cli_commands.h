/*
 * The commands of `heapfleet` and their options: two tables, from which the command line is read,
 * and its help, manual page and completions are written.
 */
#ifndef COLLECTOR_CLI_CLI_COMMANDS_H
#define COLLECTOR_CLI_CLI_COMMANDS_H

#include "cli.h"
#include "options.h"

struct cli_command {
    const char *name; /* one word or two */
    unsigned bit;
    int operands_least, operands_most;
    const char *operands; /* for the help */
    cli_command_fn *run;
    const char *help;   /* one line */
    const char *cannot; /* the beginning of an error line */
    const char *more;   /* for its own help */
};

#define CLI_EXIT_CODES                                                                             \
    "0 fine, 1 failed, 2 wrong usage, 3 no such service, version or type,\n"                       \
    "4 no permission, 6 leak found (gate, leaks --exit-code), 7 too early to tell (gate).\n"

/* Ends with a row whose name is NULL. */
extern const struct cli_command cli_commands[];

/* All commands; and what stands before any command, for the help. */
extern const unsigned cli_all_commands, cli_program;

/* The options that any of the commands in `bits` has, with their targets in `cli`. */
void cli_make_options(struct cli *cli, unsigned bits, struct option ret[OPTIONS_MAX]);

#endif
