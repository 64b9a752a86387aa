/*
 * The one process that the watcher of `run` starts, and the reaping of it and of every orphan that
 * falls to us. All signals are blocked in the whole program (supervisor.h); the child itself starts
 * with the mask and the dispositions that the program was given.
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
    int signals_fd; /* of SIGCHLD */
    int ended;
    int exit_code; /* once ended: its own, or 128 + the signal that killed it */
    struct loop_readable *readable;
    call_fn *fn;
    void *arg;
};

/*
 * Start argv[0], searched in PATH, with this signal mask. To be called before any thread exists.
 * Failure leaves the reason in `why` and the code that a shell would give in `ret->exit_code`:
 * NOT_FOUND 127, DENIED and anything else 126.
 */
enum status child_start(char **argv, const sigset_t *mask, struct child *ret,
                        struct why *why) MUST_CHECK;

/* From now on reap; fn(arg), once, when the child has ended. */
void child_follow(struct child *child, struct loop *loop, call_fn *fn, void *arg);
void child_done(struct child *child);

#endif
