/*
 * Files in a place that belongs to a watched process. It may have put anything there: a FIFO, which
 * would hold us for ever, or a device, whose mere opening can do something. Only regular files are
 * opened.
 */
#ifndef AGENT_REMOTE_REGULAR_FILE_H
#define AGENT_REMOTE_REGULAR_FILE_H

#include <sys/types.h>

#include "attributes.h"

/* For reading; a symbolic link at the end of `path` is not followed. -1 and errno. */
int regular_file_open(const char *path) MUST_CHECK;

/* The same for what `handle`, opened with O_PATH, stands for. Closes it; -1 in, -1 out. */
int regular_file_reopen(int handle) MUST_CHECK;

/* A file of a process as the process would open it: a symbolic link in its tree cannot lead to a
 * file of ours. `if_cached`: not if its folders would have to be asked for it (where the kernel can
 * tell: since Linux 5.12). */
int regular_file_open_in_root(pid_t pid, const char *path, int if_cached) MUST_CHECK;

#endif
