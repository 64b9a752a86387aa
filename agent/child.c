#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attributes.h"

enum { EXIT_NOT_FOUND = 127, EXIT_CANNOT_RUN = 126, EXIT_SIGNAL = 128 };

/* Raised for what a thread itself did: not ours to pass on, nor to block. */
static const int own_signals[] = {SIGSEGV, SIGBUS, SIGFPE,  SIGILL,
                                  SIGTRAP, SIGSYS, SIGABRT, SIGPIPE};

static void all_that_can_be_passed_on(sigset_t *ret)
{
    sigfillset(ret);
    for (size_t i = 0; i < ARRAY_SIZE(own_signals); i++)
        sigdelset(ret, own_signals[i]);
}

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

enum status child_start(char **argv, struct child *ret, struct why *why)
{
    struct child child = {.pid = -1, .signals_fd = -1};
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        return why_fail(why, STATUS_FAILED, "cannot make a pipe: %s", strerror(errno));
    sigset_t mask;
    all_that_can_be_passed_on(&mask);
    ASSERT(sigprocmask(SIG_SETMASK, &mask, &child.mask_before) == 0);
    /* Orphans of the child become ours, as they would be process 1's: they stay descendants, which
     * both reaping and permission to look at them need. */
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);

    child.pid = fork();
    if (child.pid == 0) {
        close(pipe_fds[0]);
        become(argv, &child.mask_before, pipe_fds[1]);
    }
    int error = child.pid < 0 ? errno : 0;
    (void)signal(SIGPIPE, SIG_IGN); /* after the fork: an ignored signal stays so in the child */
    close(pipe_fds[1]);
    if (child.pid > 0)
        error = wait_for_exec(pipe_fds[0]);
    close(pipe_fds[0]);
    if (error != 0) {
        if (child.pid > 0)
            (void)waitpid(child.pid, NULL, 0);
        ret->exit_code = EXIT_CANNOT_RUN;
        return fail_to_start(ret, argv[0], error, why);
    }
    child.signals_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    ASSERT(child.signals_fd >= 0);
    *ret = child;
    return STATUS_OK;
}

static void reap(struct child *child)
{
    int status = 0;
    pid_t pid = 0;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid != child->pid || child->ended)
            continue;
        child->ended = 1;
        child->exit_code =
            WIFSIGNALED(status) ? EXIT_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
        child->fn(child->arg);
    }
}

/*
 * What the terminal raised (SI_KERNEL), the child has received too, as a member of the same
 * foreground group: it is not passed on. For job control we must stop as the shell expects.
 */
static void pass_on(struct child *child, const struct signalfd_siginfo *info)
{
    int number = (int)info->ssi_signo;
    if (number == SIGCHLD) {
        reap(child);
        return;
    }
    int from_terminal = info->ssi_code == SI_KERNEL;
    if (!from_terminal && !child->ended)
        (void)kill(child->pid, number);
    if (from_terminal && (number == SIGTSTP || number == SIGTTIN || number == SIGTTOU))
        (void)raise(SIGSTOP);
}

static void on_signals(void *arg)
{
    struct child *child = arg;
    struct signalfd_siginfo info;
    while (read(child->signals_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        pass_on(child, &info);
}

void child_follow(struct child *child, struct loop *loop, call_fn *fn, void *arg)
{
    child->fn = fn;
    child->arg = arg;
    child->readable = loop_readable_new(loop, child->signals_fd, on_signals, child);
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
