/*
 * What a caller can do about a failure: one code per reaction, not per cause. The cause is for
 * people and travels beside it in a `struct why`.
 */
#ifndef COMMON_STATUS_H
#define COMMON_STATUS_H

#include "attributes.h"

/*     name         exit  reaction of the caller */
#define STATUS_MAP(X)                                                                              \
    X(OK, 0, "go on")                                                                              \
    X(USAGE, 2, "correct the command line")                                                        \
    X(INVALID, 1, "reject this input; the next one may be fine")                                   \
    X(LIMIT, 1, "a stated limit was reached: refuse, count, go on")                                \
    X(NOT_FOUND, 3, "name something that exists")                                                  \
    X(GONE, 3, "forget it: it existed and has ended")                                              \
    X(DENIED, 4, "obtain the permission named in the message")                                     \
    X(UNSUPPORTED, 5, "leave this target alone: its layout is not known")                          \
    X(PARTIAL, 7, "use the result, and say that it is incomplete")                                 \
    X(UNAVAILABLE, 1, "retry later with backoff")                                                  \
    X(CONFLICT, 1, "somebody else did it first: read the new state")                               \
    X(CANCELED, 1, "stop quietly")                                                                 \
    X(FAILED, 1, "give up and report")

enum status {
#define X(name, exit_code, reaction) STATUS_##name,
    STATUS_MAP(X)
#undef X
};

/* The name without its prefix ("NOT_FOUND"); for logs. Never NULL. */
const char *status_name(enum status status);

/* The process exit code for a command that ended with `status`. */
int status_exit_code(enum status status);

#endif
