/*
 * Command-line options from a table. First wins: the flag, then the environment variable
 * HEAPFLEET_<NAME> (upper case, '-' as '_'), then the default that the target already holds.
 *
 *     static const struct option options[] = {
 *         {"interval", 'i', OPTION_DURATION, &config.interval_ms, "TIME", "between two snapshots"},
 *         {0},
 *     };
 *
 * "--name value", "--name=value", "-n value" and "-nvalue" are accepted, flags stand alone, and
 * "--" ends the options. `--help` and `--version` are the caller's business (they are ordinary
 * OPTION_FLAGs), and alone are not read from the environment: images often set a VERSION.
 *
 * An environment variable that is empty counts as not set. A flag's is 1, true, yes, on, or 0,
 * false, no, off. A list takes one item from the environment.
 */
#ifndef COMMON_OPTIONS_H
#define COMMON_OPTIONS_H

#include "status.h"
#include "why.h"

enum option_kind {
    OPTION_FLAG,     /* int *: set to 1 */
    OPTION_TEXT,     /* const char **: points into argv or the environment */
    OPTION_U64,      /* uint64_t * */
    OPTION_DURATION, /* int64_t *: milliseconds, parse.h */
    OPTION_BYTES,    /* uint64_t *, parse.h */
    OPTION_LIST,     /* struct option_list *: may be repeated, at most OPTION_LIST_MAX times */
};

enum { OPTION_LIST_MAX = 64 };

struct option_list {
    const char *items[OPTION_LIST_MAX];
    int count;
};

struct option {
    const char *name; /* long name without dashes; NULL ends the table */
    char letter;      /* 0: none */
    enum option_kind kind;
    void *target;
    const char *metavar;       /* of its value, for the help */
    const char *help;          /* one line */
    const char *value_default; /* for the help only; NULL: not shown */
};

/*
 * Reads argv[1] and on. Options and operands may mix; operands are collected, in order, into
 * `operands` (at most `operands_max`; `*ret_operands` of them). What follows "--" is not looked at:
 * `*ret_rest` is its index in argv, or argc.
 *
 * STATUS_USAGE with a sentence that names the word and what would be right; near misses of a name
 * are suggested. On failure some targets may have been set.
 */
enum status options_parse(const struct option *options, int argc, char **argv,
                          const char **operands, int operands_max, int *ret_operands, int *ret_rest,
                          struct why *why) MUST_CHECK;

/* The table as help text, two columns, on standard output. */
void options_print_help(const struct option *options);

#endif
