#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attributes.h"
#include "log.h"

enum { EXIT_FAILED = 1, EXIT_SIGNAL = 128 };

/* What the watcher tells: small enough for one write to a pipe to be whole. */
struct news {
    pid_t started; /* 0: CMD has ended */
    int exit_code;
};

struct supervisor {
    int signals_fd;
    int news_fd;
    pid_t watcher;  /* 0: dead */
    pid_t command;  /* 0: not started, or ended */
    int command_fd; /* pidfd: no other process can be meant; -1 before Linux 5.3 */
    int heard;      /* whether CMD could be started; signals wait until then */
    int over;
    int exit_code;
};

/* Raised for what a thread itself did: not to be passed on, nor blocked. */
static const int own_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};

int supervisor_exit_code(int wait_status)
{
    return WIFSIGNALED(wait_status) ? EXIT_SIGNAL + WTERMSIG(wait_status)
                                    : WEXITSTATUS(wait_status);
}

/* ----- in the watcher ----- */

static void tell(const struct supervisor_link *link, const struct news *news)
{
    ssize_t written = write(link->fd, news, sizeof(*news)); /* a dead supervisor hears nothing */
    (void)written;
}

void supervisor_tell_started(const struct supervisor_link *link, pid_t pid)
{
    tell(link, &(struct news){.started = pid});
}

void supervisor_tell_ended(const struct supervisor_link *link, int exit_code)
{
    tell(link, &(struct news){.exit_code = exit_code});
}

/* ----- in the supervisor ----- */

static void end_with(struct supervisor *supervisor, int exit_code)
{
    supervisor->command = 0;
    supervisor->exit_code = exit_code;
    supervisor->over |= supervisor->watcher == 0; /* otherwise it still has something to deliver */
}

static void take_news(struct supervisor *supervisor)
{
    struct news news;
    while (read(supervisor->news_fd, &news, sizeof(news)) == (ssize_t)sizeof(news)) {
        supervisor->heard = 1;
        if (news.started == 0) {
            end_with(supervisor, news.exit_code);
            continue;
        }
        supervisor->command = news.started;
        supervisor->command_fd = (int)syscall(SYS_pidfd_open, news.started, 0);
    }
}

/*
 * The watcher's own end is the program's, unless it left CMD behind. What it told last is still in
 * the pipe then.
 */
static void watcher_ended(struct supervisor *supervisor, int wait_status)
{
    supervisor->watcher = 0;
    int had_command = supervisor->command != 0;
    take_news(supervisor);
    if (supervisor->command != 0) {
        log_event(LOG_ERROR, "watcher.died",
                  "exit_code=%d reason=\"the command runs on unwatched\"",
                  supervisor_exit_code(wait_status));
    } else if (!had_command && !supervisor->over) {
        supervisor->exit_code =
            WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : supervisor->exit_code;
    }
    supervisor->over |= supervisor->command == 0;
}

static void reap(struct supervisor *supervisor)
{
    int status = 0;
    pid_t pid = 0;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == supervisor->watcher)
            watcher_ended(supervisor, status);
        else if (pid == supervisor->command) /* ours only after the watcher's death */
            end_with(supervisor, supervisor_exit_code(status));
    }
}

static void send_to_command(const struct supervisor *supervisor, int number)
{
    if (supervisor->command == 0)
        return;
    if (supervisor->command_fd >= 0)
        (void)syscall(SYS_pidfd_send_signal, supervisor->command_fd, number, NULL, 0);
    else
        (void)kill(supervisor->command, number);
}

/*
 * What the terminal raised (SI_KERNEL), CMD has received too, as a member of the same foreground
 * group: it is not passed on. For job control we must stop as the shell expects.
 */
static void pass_on(const struct supervisor *supervisor, const struct signalfd_siginfo *info)
{
    int number = (int)info->ssi_signo;
    int from_terminal = info->ssi_code == SI_KERNEL;
    if (number == SIGPIPE)
        return; /* of our own log */
    if (!from_terminal)
        send_to_command(supervisor, number);
    else if (number == SIGTSTP || number == SIGTTIN || number == SIGTTOU)
        (void)raise(SIGSTOP);
}

static void take_signals(struct supervisor *supervisor)
{
    struct signalfd_siginfo info;
    while (read(supervisor->signals_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGCHLD)
            reap(supervisor);
        else
            pass_on(supervisor, &info);
    }
}

static int watch_over(struct supervisor *supervisor)
{
    struct pollfd fds[] = {{.fd = supervisor->news_fd, .events = POLLIN},
                           {.fd = supervisor->signals_fd, .events = POLLIN}};
    while (!supervisor->over) {
        /* a signal that comes before CMD is there stays pending for it */
        if (poll(fds, supervisor->heard ? 2 : 1, -1) < 0)
            ASSERT(errno == EINTR);
        take_news(supervisor);
        if ((fds[0].revents & POLLHUP) != 0) {
            fds[0].fd = -1; /* the watcher has gone; its SIGCHLD says the rest */
            supervisor->heard = 1;
        }
        if (supervisor->heard)
            take_signals(supervisor);
    }
    return supervisor->exit_code;
}

/* ----- both ----- */

static void set_up_signals(sigset_t *ret_mask, sigset_t *ret_before)
{
    sigfillset(ret_mask);
    for (size_t i = 0; i < ARRAY_SIZE(own_signals); i++)
        sigdelset(ret_mask, own_signals[i]);
    ASSERT(sigprocmask(SIG_SETMASK, ret_mask, ret_before) == 0);
    /* Orphans become ours, as they would be process 1's. */
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
}

int supervise(int (*fn)(void *arg, const struct supervisor_link *link), void *arg)
{
    struct supervisor supervisor = {.command_fd = -1, .exit_code = EXIT_FAILED};
    struct supervisor_link link;
    sigset_t mask;
    int fds[2];
    ASSERT(pipe2(fds, O_CLOEXEC) == 0);
    ASSERT(fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0);
    set_up_signals(&mask, &link.mask_before);
    link.fd = fds[1];

    supervisor.watcher = fork();
    if (supervisor.watcher < 0) {
        log_event(LOG_ERROR, "fork.failed", NULL);
        return EXIT_FAILED;
    }
    if (supervisor.watcher == 0) {
        close(fds[0]);
        (void)prctl(PR_SET_CHILD_SUBREAPER, 1); /* is not inherited */
        int code = fn(arg, &link);
        (void)fflush(NULL);
        _exit(code);
    }
    close(fds[1]);
    supervisor.news_fd = fds[0];
    supervisor.signals_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    ASSERT(supervisor.signals_fd >= 0);
    int code = watch_over(&supervisor);
    close(supervisor.signals_fd);
    close(supervisor.news_fd);
    if (supervisor.command_fd >= 0)
        close(supervisor.command_fd);
    return code;
}
