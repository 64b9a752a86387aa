/*
 * `run` in two processes, so that nothing that may befall the watching can befall the command:
 *
 *     supervisor      the process that was started, process 1 in a container: passes signals on,
 *        |            reaps, has one thread and nothing in it that can fail
 *     watcher         finds, counts, sends: gRPC, threads, memory
 *        |
 *     CMD             a child of the watcher, which may thus read it under Yama's scope 1
 *
 * If the watcher dies, CMD becomes a child of the supervisor and runs on.
 */
#ifndef AGENT_SUPERVISOR_H
#define AGENT_SUPERVISOR_H

#include <signal.h>
#include <sys/types.h>

/* The watcher's way to tell its supervisor. */
struct supervisor_link {
    int fd;
    sigset_t mask_before; /* what the program was started with, and CMD shall be */
};

/* CMD runs, as `pid`; to be called at once. And: it has ended, with this exit code. */
void supervisor_tell_started(const struct supervisor_link *link, pid_t pid);
void supervisor_tell_ended(const struct supervisor_link *link, int exit_code);

/*
 * Run fn(arg, link) in the watcher; returns in the supervisor, when all is over, with the exit code
 * for the program: CMD's, or fn's result if it never started CMD. In the watcher this does not
 * return. All signals that can be passed on stay blocked in both. To be called before any thread.
 */
int supervise(int (*fn)(void *arg, const struct supervisor_link *link), void *arg);

/* The exit code that a shell would give for a status of waitpid(). */
int supervisor_exit_code(int wait_status);

#endif
