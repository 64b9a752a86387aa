/*
 * The frame of a command: read its settings, show --help, and say what is wrong with them; for
 * commands that can have a configuration file also --config, --print-config, --check and reading
 * everything again on SIGHUP.
 *
 *     struct command_line line = {.name = "heapfleet-collector serve", .help = "usage: ...\n",
 *                                 .options = table, .has_config = 1};
 *     int code = command_line_read(&line, argc, argv);
 *     if (code < 0)
 *         code = command_line_settle(&line, check(&settings, &why), &why);
 *     if (code < 0)
 *         code = command_line_end(&line, run(&settings, &why), &why);
 *     command_line_done(&line);
 *     return code;
 *
 * The rows --help, --config, --print-config and --check are added to the command's own table.
 * Reading again: make the table anew with other targets, command_line_read_again, check, apply what
 * command_line_compare does not name. It is wrong input of a running program: nothing is printed.
 */
#ifndef COMMON_COMMAND_LINE_H
#define COMMON_COMMAND_LINE_H

#include "arena.h"
#include "options.h"
#include "status.h"
#include "why.h"

enum { COMMAND_OPERANDS_MAX = 8 };

struct command_line {
    /* what the command is; the texts and tables outlive it */
    const char *name;             /* "heapfleet-collector serve": begins its complaints */
    const char *help;             /* what --help prints above the options; ends with a line feed */
    const struct option *options; /* its own */
    int has_config;
    int operands_max;
    int takes_rest;                     /* what follows "--" is the command's; else it is refused */
    const char *advice;                 /* options.h; NULL: none */
    const struct option_alias *aliases; /* options.h; NULL: none */
    const struct option *elsewhere;     /* options.h; NULL: none */
    const char *const *reloadable;      /* names that a reload may change, NULL behind the last */

    /* what was read */
    const char *operands[COMMAND_OPERANDS_MAX];
    int operand_count;
    int argc;
    char **argv;
    int rest; /* index in argv of what follows "--", or argc */

    /* own */
    int help_wanted, print_config, check;
    const char *config;
    struct option table[OPTIONS_MAX + 1];
    const char *notes[OPTIONS_MAX + 1]; /* by row of the table */
    struct options_result result;
    struct arena arena;
};

/* -1: go on. Otherwise the exit code, and all has been printed. */
int command_line_read(struct command_line *line, int argc, char **argv) MUST_CHECK;

/*
 * After the command has checked its settings, with what came of it. Says what is wrong; does what
 * --print-config and --check ask for, where --check also opens each OPTION_FILE. -1: go on.
 */
int command_line_settle(const struct command_line *line, enum status status,
                        const struct why *why) MUST_CHECK;

/* The exit code; a failure is told on standard error, if `why` has something to tell. */
int command_line_end(const struct command_line *line, enum status status, const struct why *why);

/*
 * Where the option has its value from: "--listen", "HEAPFLEET_LISTEN", "/etc/x.conf:3: listen", or
 * "--listen" when it is the default. To begin a sentence that says what is wrong with it.
 */
const char *command_line_place(const struct command_line *line, const char *option);

/* 1: the value is not the default. */
int command_line_is_set(const struct command_line *line, const char *option);

/* What the command made of an option, which --print-config says instead of its value: "is hidden,
 * as DATABASE_URL has it". `words` are kept as they are. */
void command_line_note(struct command_line *line, const char *option, const char *words);

/* Which of two options that exclude each other wins: above 0 the first, whose place is the stronger
 * one (flag, environment, file), below 0 the second, 0 neither. */
int command_line_prefers(const struct command_line *line, const char *first, const char *second);

/*
 * Read the same words, environment and files again into `again`, which names a table with other
 * targets and is otherwise like `line`.
 */
enum status command_line_read_again(const struct command_line *line, struct command_line *again,
                                    struct why *why) MUST_CHECK;

/* The options whose values differ: fn(arg, name, 1 if a reload may change it). */
void command_line_compare(const struct command_line *line, const struct command_line *again,
                          void (*fn)(void *arg, const char *option, int is_reloadable), void *arg);

void command_line_done(struct command_line *line);

#endif
