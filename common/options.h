/*
 * Settings from a table of options. First wins: the flag, then the environment variable
 * HEAPFLEET_<NAME> (upper case, '-' as '_'), then the line `name = value` of the configuration file
 * (config_file.h) that an option "config" names, then the default that the target already holds.
 *
 *     static const struct option options[] = {
 *         {"interval", 'i', OPTION_DURATION, &config.interval_ms, "TIME", "between two snapshots"},
 *         {0},
 *     };
 *
 * "--name value", "--name=value", "-n value" and "-nvalue" are accepted, flags stand alone, and
 * "--" ends the options. Those in `options_only_flags` (help, version ...) are only ever flags:
 * images often set a VERSION.
 *
 * A file or a secret can be said by the name of a file everywhere: --token-file, the variable
 * HEAPFLEET_TOKEN_FILE, the line `token-file = /run/secrets/token`. For a secret it holds the
 * value, whose last line feed is cut off; for an OPTION_FILE the ending changes nothing.
 *
 * An environment variable that is empty counts as not set. A flag's is 1, true, yes, on, or 0,
 * false, no, off. A list takes one item from the environment and one a line from the file.
 *
 * A program's commands read settings through command_line.h.
 */
#ifndef COMMON_OPTIONS_H
#define COMMON_OPTIONS_H

#include "arena.h"
#include "status.h"
#include "why.h"

enum option_kind {
    OPTION_FLAG,     /* int *: set to 1 */
    OPTION_TEXT,     /* const char **: points into argv, the environment or the arena */
    OPTION_U64,      /* uint64_t * */
    OPTION_DURATION, /* int64_t *: milliseconds, parse.h */
    OPTION_BYTES,    /* uint64_t *, parse.h */
    OPTION_LIST,     /* struct option_list *: may be repeated, at most OPTION_LIST_MAX times */
    OPTION_FILE,     /* const char **: the path of a file that must be readable */
    OPTION_SECRET,   /* const char **: a text that is never shown */
};

enum { OPTION_LIST_MAX = 64, OPTIONS_MAX = 64 };

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
    const char *value_default; /* in words; NULL: not shown, or what the target holds */
};

/*
 * Reads argv[1] and on, and the environment. Options and operands may mix; operands are collected,
 * in order, into `operands` (at most `operands_max`; `*ret_operands` of them). What follows "--" is
 * not looked at: `*ret_rest` is its index in argv, or argc.
 *
 * STATUS_USAGE with a sentence that names the word and what would be right; near misses of a name
 * are suggested. On failure some targets may have been set. No "config", no OPTION_SECRET.
 */
enum status options_parse(const struct option *options, int argc, char **argv,
                          const char **operands, int operands_max, int *ret_operands, int *ret_rest,
                          struct why *why) MUST_CHECK;

/* Another variable of the environment for an option, after its own. */
struct option_alias {
    const char *option; /* NULL ends the list */
    const char *variable;
};

struct options_input {
    int argc;
    char **argv;
    int operands_max;                   /* room in `operands` */
    const char *advice;                 /* behind a complaint of one too many; NULL: none */
    const struct option_alias *aliases; /* NULL: none */
    const struct option *elsewhere; /* options of other commands: their lines in the configuration
                                       file are passed over. NULL: none */
};

enum option_source { OPTION_DEFAULT, OPTION_CONFIGURED, OPTION_ENVIRONMENT, OPTION_GIVEN };

/* Where an option's value comes from. */
struct option_origin {
    enum option_source source;
    const char *place; /* "--listen", "HEAPFLEET_LISTEN", "/etc/heapfleet.conf:3: listen" */
    const char *value; /* as written; the last one of a list. NULL: the default */
};

struct options_result {
    const char **operands; /* in: the caller's */
    struct arena *arena;   /* in: owns what does not stand in argv or the environment */
    int operand_count, rest;
    struct option_origin origins[OPTIONS_MAX]; /* by row of the table */
};

/* As options_parse, from all sources. Also DENIED and NOT_FOUND, for a file that cannot be read. */
enum status options_read(const struct option *options, const struct options_input *input,
                         struct options_result *result, struct why *why) MUST_CHECK;

/* The table as help text, two columns, on standard output. */
void options_print_help(const struct option *options);

#endif
