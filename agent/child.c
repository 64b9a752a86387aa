#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attributes.h"
#include "supervisor.h"

enum { EXIT_NOT_FOUND = 127, EXIT_CANNOT_RUN = 126 };

/* In the child. On failure the error number goes to the parent, whose pipe end an exec() closes. */
NORETURN static void become(char **argv, const sigset_t *mask, int report_fd)
{
    (void)sigprocmask(SIG_SETMASK, mask, NULL);
    execvp(argv[0], argv);
    int error = errno;
    ssize_t written = write(report_fd, &error, sizeof(error));
    (void)written;
    _exit(EXIT_NOT_FOUND);
}

/* The error number of a failed exec(), or 0. */
static int wait_for_exec(int fd)
{
    int error = 0;
    ssize_t size = 0;
    do {
        size = read(fd, &error, sizeof(error));
    } while (size < 0 && errno == EINTR);
    return size == sizeof(error) ? error : 0;
}

static enum status fail_to_start(struct child *child, const char *name, int error, struct why *why)
{
    int missing = error == ENOENT || error == ENOTDIR;
    child->exit_code = missing ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
    return why_fail(why, missing ? STATUS_NOT_FOUND : STATUS_DENIED, "cannot run %s: %s", name,
                    missing ? "there is no such command" : strerror(error));
}

enum status child_start(char **argv, const sigset_t *mask, struct child *ret, struct why *why)
{
    struct child child = {.pid = -1, .signals_fd = -1};
    int pipe_fds[2];
    ret->exit_code = EXIT_CANNOT_RUN;
    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        return why_fail(why, STATUS_FAILED, "cannot make a pipe: %s", strerror(errno));
    child.pid = fork();
    if (child.pid == 0) {
        close(pipe_fds[0]);
        become(argv, mask, pipe_fds[1]);
    }
    int error = child.pid < 0 ? errno : 0;
    close(pipe_fds[1]);
    if (child.pid > 0)
        error = wait_for_exec(pipe_fds[0]);
    close(pipe_fds[0]);
    if (error != 0) {
        if (child.pid > 0)
            (void)waitpid(child.pid, NULL, 0);
        return fail_to_start(ret, argv[0], error, why);
    }
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGCHLD);
    child.signals_fd = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
    ASSERT(child.signals_fd >= 0);
    *ret = child;
    return STATUS_OK;
}

static void reap(void *arg)
{
    struct child *child = arg;
    struct signalfd_siginfo info;
    while (read(child->signals_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        /* several ends may come as one signal: ask until there are no more */
    }
    int status = 0;
    pid_t pid = 0;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid != child->pid || child->ended)
            continue;
        child->ended = 1;
        child->exit_code = supervisor_exit_code(status);
        child->fn(child->arg);
    }
}

void child_follow(struct child *child, struct loop *loop, call_fn *fn, void *arg)
{
    child->fn = fn;
    child->arg = arg;
    child->readable = loop_readable_new(loop, child->signals_fd, reap, child);
    ASSERT(child->readable != NULL);
}

void child_done(struct child *child)
{
    loop_readable_free(child->readable);
    if (child->signals_fd >= 0)
        close(child->signals_fd);
    child->readable = NULL;
    child->signals_fd = -1;
}
