#include "embedded_program.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
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

/* ---- children ------------------------------------------------------------------------------- */

static const char *const clean_environment[] = {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL=C",
    "TZ=UTC",
    "HOME=/",
    NULL,
};

/* Descriptors 3 and 4, whatever numbers the folders have now; they stay open across exec. */
static int place_folders(const int folder_fds[PROGRAM_FOLDERS])
{
    int moved[PROGRAM_FOLDERS];
    for (int i = 0; i < PROGRAM_FOLDERS; i++) {
        moved[i] = folder_fds[i] < 0 ? -1 : fcntl(folder_fds[i], F_DUPFD_CLOEXEC, 10);
        if (folder_fds[i] >= 0 && moved[i] < 0)
            return -1;
    }
    for (int i = 0; i < PROGRAM_FOLDERS; i++) {
        if (moved[i] >= 0 && dup2(moved[i], STDERR_FILENO + 1 + i) < 0)
            return -1;
    }
    return 0;
}

/* In the child, between fork and exec. */
static NORETURN void run_child(const struct service_user *user, const struct program *program,
                               pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)setsid();
    (void)umask(077);
    int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (dup2(null_fd, STDIN_FILENO) < 0 || dup2(program->log_fd, STDOUT_FILENO) < 0 ||
        dup2(program->log_fd, STDERR_FILENO) < 0 || place_folders(program->folder_fds) != 0 ||
        chdir("/") != 0 || become(user) != 0)
        _exit(126);
    /* after the change of user, which clears it */
    if (program->tied && (prctl(PR_SET_PDEATHSIG, SIGINT) != 0 || getppid() != parent))
        _exit(126);
    (void)execve(program->argv[0], (char *const *)program->argv, (char *const *)clean_environment);
    _exit(127);
}

enum status program_start(const struct service_user *user, const struct program *program,
                          pid_t *ret, struct why *why)
{
    pid_t self = getpid();
    pid_t pid = fork();
    if (pid < 0)
        return why_fail(why, STATUS_UNAVAILABLE, "cannot start %s: %s", program->argv[0],
                        strerror(errno));
    if (pid == 0)
        run_child(user, program, self);
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
