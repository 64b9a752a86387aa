/*
 * Programs of PostgreSQL as children: as an unprivileged user, with a clean environment and all
 * their output in one file.
 */
#ifndef COLLECTOR_STORE_EMBEDDED_PROGRAM_H
#define COLLECTOR_STORE_EMBEDDED_PROGRAM_H

#include <sys/types.h>

#include "status.h"
#include "why.h"

/* Whom the programs run as. Nobody changes anything when we are not root: then it is ourselves. */
struct service_user {
    uid_t uid;
    gid_t gid;
    int drop; /* 1: change to it in the child */
    char name[64];
};

/*
 * Root: the owner of `cluster` if it exists and is not root, else `postgres`, else `nobody`.
 * Anybody else: themselves.
 */
enum status service_user_find(const char *cluster, struct service_user *ret,
                              struct why *why) MUST_CHECK;

/*
 * FAILED, naming the directory and the ways out, when the user cannot reach `path` through its
 * parents, or cannot enter it.
 */
enum status service_user_check_path(const struct service_user *user, const char *path,
                                    struct why *why) MUST_CHECK;

/*
 * Start `argv` with its output appended to `log_fd`. With `tied`, it gets SIGINT when the calling
 * thread ends. It has a session of its own, so that a terminal's ^C does not reach it before us.
 */
enum status program_start(const struct service_user *user, const char *const argv[], int log_fd,
                          int tied, pid_t *ret, struct why *why) MUST_CHECK;

/* Wait for its end; the status as waitpid(2) has it. */
int program_wait(pid_t pid);

#endif
