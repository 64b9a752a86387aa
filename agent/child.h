/*
 * The one process that `run` starts and answers for, in the manner of a container's init: signals
 * are passed on to it, every dead process that falls to us is reaped, and its end becomes ours.
 *
 * Signals that can be passed on are blocked in the whole program from child_start on and read from
 * a descriptor; the child itself starts with the mask and dispositions that we were given.
 */
#ifndef AGENT_CHILD_H
#define AGENT_CHILD_H

#include <signal.h>
#include <sys/types.h>

#include "loop.h"
#include "status.h"
#include "why.h"

struct child {
    pid_t pid;
    int signals_fd;
    sigset_t mask_before;
    int ended;
    int exit_code; /* once ended: its own, or 128 + the signal that killed it */
    struct loop_readable *readable;
    call_fn *fn;
    void *arg;
};

/*
 * Start argv[0], searched in PATH. To be called before any thread exists. Failure leaves the reason
 * in `why` and the code that a shell would give in `ret->exit_code`: NOT_FOUND 127, DENIED and
 * anything else 126.
 */
enum status child_start(char **argv, struct child *ret, struct why *why) MUST_CHECK;

/* From now on pass signals on and reap; fn(arg), once, when the child has ended. */
void child_follow(struct child *child, struct loop *loop, call_fn *fn, void *arg);
void child_done(struct child *child);

#endif
