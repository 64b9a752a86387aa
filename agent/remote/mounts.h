/*
 * Which file systems a process of somebody's answers for. Reading a file of such a one waits for
 * that process, which may never answer, and no signal ends the wait.
 */
#ifndef AGENT_REMOTE_MOUNTS_H
#define AGENT_REMOTE_MOUNTS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "attributes.h"

enum { MOUNTS_LINES_MAX = 8192 };

/* 1 if the files of that device (major << 32 | minor, as in maps) may be of FUSE: `pid` and we have
 * no other file system under that number. No file of it is touched. */
int mounts_may_wait(pid_t pid, uint64_t device) MUST_CHECK;

/* The type of file system of a line of /proc/PID/mountinfo if it is of that device, else NULL. */
const char *mounts_parse_line(char *line, uint64_t device) MUST_CHECK;

#endif
