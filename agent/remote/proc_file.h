/* A file of a process in /proc that only who may look into it can open. */
#ifndef AGENT_REMOTE_PROC_FILE_H
#define AGENT_REMOTE_PROC_FILE_H

#include <sys/types.h>

#include "status.h"
#include "why.h"

/* "maps", "pagemap", for reading. NOT_FOUND: no such process; DENIED, LIMIT (of open files),
 * FAILED: `why` names the remedy. */
enum status proc_file_open(pid_t pid, const char *name, int *ret, struct why *why) MUST_CHECK;

#endif
