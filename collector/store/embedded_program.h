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
 * Folders that a program works in are handed to it open, as descriptors, and named as
 * PROGRAM_FOLDER_0 and _1 in its arguments. A path below /proc/self/fd starts at the folder itself
 * (proc(5)), so that the service user needs no way through the parents, which may be closed to it
 * (/root, a home), and a socket's name stays short however deep the folder lies.
 */
#define PROGRAM_FOLDER_0 "/proc/self/fd/3"
#define PROGRAM_FOLDER_1 "/proc/self/fd/4"

enum { PROGRAM_FOLDERS = 2 };

struct program {
    const char *const *argv;
    int log_fd;                      /* all its output is appended there */
    int folder_fds[PROGRAM_FOLDERS]; /* -1: none; they stay the caller's */
    int tied;                        /* it gets SIGINT when the calling thread ends */
};

/* Start it in a session of its own, so that a terminal's ^C does not reach it before us. */
enum status program_start(const struct service_user *user, const struct program *program,
                          pid_t *ret, struct why *why) MUST_CHECK;

/* Wait for its end; the status as waitpid(2) has it. */
int program_wait(pid_t pid);

#endif
