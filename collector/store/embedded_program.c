#include "embedded_program.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- whom ----------------------------------------------------------------------------------- */

static void take_user(const struct passwd *entry, int drop, struct service_user *ret)
{
    *ret = (struct service_user){.uid = entry->pw_uid, .gid = entry->pw_gid, .drop = drop};
    (void)snprintf(ret->name, sizeof(ret->name), "%s", entry->pw_name);
}

static const struct passwd *owner_of(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0 || info.st_uid == 0)
        return NULL;
    return getpwuid(info.st_uid);
}

enum status service_user_find(const char *cluster, struct service_user *ret, struct why *why)
{
    if (geteuid() != 0) {
        const struct passwd *self = getpwuid(geteuid());
        if (self == NULL)
            return why_fail(why, STATUS_FAILED,
                            "user %u has no name: PostgreSQL needs one, add it to /etc/passwd",
                            (unsigned)geteuid());
        take_user(self, 0, ret);
        return STATUS_OK;
    }
    const struct passwd *entry = owner_of(cluster);
    if (entry == NULL)
        entry = getpwnam("postgres");
    if (entry == NULL)
        entry = getpwnam("nobody");
    if (entry == NULL || entry->pw_uid == 0)
        return why_fail(why, STATUS_FAILED,
                        "PostgreSQL refuses to run as root, and there is neither a user postgres "
                        "nor nobody");
    take_user(entry, 1, ret);
    return STATUS_OK;
}

/* In a child only. 0 on success. Only calls that are safe after fork in a program with threads. */
static int become(const struct service_user *user)
{
    if (!user->drop)
        return 0;
    if (setgroups(1, &user->gid) != 0 || setgid(user->gid) != 0 || setuid(user->uid) != 0)
        return -1;
    return 0;
}

/* ---- reaching a path ------------------------------------------------------------------------ */

/* 1 if the user can enter `path`, asked in a child that has become that user. */
static int can_enter(const struct service_user *user, const char *path)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(become(user) == 0 && access(path, X_OK) == 0 ? 0 : 1);
    return pid > 0 && program_wait(pid) == 0;
}

enum status service_user_check_path(const struct service_user *user, const char *path,
                                    struct why *why)
{
    if (!user->drop || can_enter(user, path))
        return STATUS_OK;
    char prefix[PATH_MAX];
    (void)snprintf(prefix, sizeof(prefix), "%s", path);
    for (char *slash = strchr(prefix + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (!can_enter(user, prefix))
            break;
        *slash = '/';
    }
    return why_fail(
        why, STATUS_FAILED,
        "PostgreSQL refuses to run as root, and user %s cannot enter %s: choose a "
        "--data-dir that others can reach, such as /var/lib/heapfleet, or allow it with "
        "chmod o+x %s",
        user->name, prefix, prefix);
}

/* ---- children ------------------------------------------------------------------------------- */

static const char *const clean_environment[] = {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL=C",
    "TZ=UTC",
    "HOME=/",
    NULL,
};

/* In the child, between fork and exec. */
static NORETURN void run_child(const struct service_user *user, const char *const argv[],
                               int log_fd, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)setsid();
    (void)umask(077);
    int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (dup2(null_fd, STDIN_FILENO) < 0 || dup2(log_fd, STDOUT_FILENO) < 0 ||
        dup2(log_fd, STDERR_FILENO) < 0 || chdir("/") != 0 || become(user) != 0)
        _exit(126);
    /* after the change of user, which clears it */
    if (parent != 0 && (prctl(PR_SET_PDEATHSIG, SIGINT) != 0 || getppid() != parent))
        _exit(126);
    (void)execve(argv[0], (char *const *)argv, (char *const *)clean_environment);
    _exit(127);
}

enum status program_start(const struct service_user *user, const char *const argv[], int log_fd,
                          int tied, pid_t *ret, struct why *why)
{
    pid_t self = getpid();
    pid_t pid = fork();
    if (pid < 0)
        return why_fail(why, STATUS_UNAVAILABLE, "cannot start %s: %s", argv[0], strerror(errno));
    if (pid == 0)
        run_child(user, argv, log_fd, tied ? self : 0);
    *ret = pid;
    return STATUS_OK;
}

int program_wait(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return -1;
    }
    return status;
}
