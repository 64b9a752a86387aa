/* Inside options.c: rows of the table by name, and values from text to target. */
#ifndef COMMON_OPTION_VALUE_H
#define COMMON_OPTION_VALUE_H

#include <stddef.h>

#include "options.h"

/* 1: only ever a flag, not from the environment or a file. */
int option_is_only_flag(const struct option *option);

/* 1: the ending "-file" may stand behind its name. */
int option_takes_file(const struct option *option);

/*
 * The row with the name, or -1. `*ret_by_file` tells that the name ends in "-file" and the row's
 * does not.
 */
int option_find(const struct option *options, const char *name, size_t size, int *ret_by_file);

/* USAGE: there is no such name. `prefix` and `shown` begin the sentence; a near miss is named. */
enum status option_unknown(const struct option *options, const char *prefix, const char *name,
                           size_t size, struct why *why) MUST_CHECK;

/* "a time such as 250ms ...": what a value must look like. */
const char *option_expectation(const struct option *option);

/*
 * Set the target, or say what is wrong with the value that stands at `place`. `by_file`: the value
 * of a secret is the content of the file `value`, kept in the arena. `*ret_value` is what was set,
 * as text.
 */
enum status option_set(const struct option *option, const char *place, const char *value,
                       int by_file, struct arena *arena, const char **ret_value,
                       struct why *why) MUST_CHECK;

#endif
