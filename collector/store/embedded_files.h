/* The files of an embedded cluster: directories, lock, log, configuration, the binaries' place. */
#ifndef COLLECTOR_STORE_EMBEDDED_FILES_H
#define COLLECTOR_STORE_EMBEDDED_FILES_H

#include <limits.h>

#include "embedded_program.h"
#include "status.h"
#include "why.h"

struct embedded_files {
    char data_dir[PATH_MAX];   /* absolute */
    char cluster[PATH_MAX];    /* DIR/postgres */
    char socket_dir[PATH_MAX]; /* DIR/socket */
    char bin_dir[PATH_MAX];
    int lock_fd, log_fd, socket_fd; /* -1: not open; the last is of socket_dir, O_PATH */
    struct service_user user;
};

/*
 * Make the directories, take the lock, open the log. CONFLICT: another collector holds the lock.
 * On failure nothing stays open.
 */
enum status embedded_files_open(const char *data_dir, struct embedded_files *ret,
                                struct why *why) MUST_CHECK;
void embedded_files_close(struct embedded_files *files);

/* Fill bin_dir: `wanted` if not NULL, else what made the cluster, else the newest. */
enum status embedded_find_binaries(struct embedded_files *files, const char *wanted,
                                   struct why *why) MUST_CHECK;

/* A descriptor (O_PATH) of one of our folders, to be closed by the caller; -1 with errno. */
int embedded_open_folder(const char *path);

/*
 * The longest path of a folder in which a socket can be named: ".s.PGSQL.5432" and a zero follow.
 */
enum { EMBEDDED_SOCKET_DIR_MAX = 107 - 14 };

/* Make the cluster with initdb if there is none. */
enum status embedded_make_cluster(struct embedded_files *files, struct why *why) MUST_CHECK;

/* Who may connect: we and the service user, as the database's user heapfleet, by the socket. */
enum status embedded_write_access(const struct embedded_files *files, struct why *why) MUST_CHECK;

/* Why a program that logs here has ended (embedded_words.h). `from`: the size of the log when it
 * began. */
void embedded_log_words(const struct embedded_files *files, off_t from, char *ret, size_t size);
off_t embedded_log_size(const struct embedded_files *files);

#endif
