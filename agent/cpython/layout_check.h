/*
 * Does the row fit the process? Before the first census the landmarks of the process are read
 * through the row: `type` must be its own type and have the row's size, None and True must be what
 * they are, built-in types must have the sizes of the row, and from 3.13 on the process's own table
 * of offsets for debuggers must agree.
 */
#ifndef AGENT_CPYTHON_LAYOUT_CHECK_H
#define AGENT_CPYTHON_LAYOUT_CHECK_H

#include "layout.h"
#include "remote.h"
#include "why.h"

/*
 * Find and check the row for the process. STATUS_UNSUPPORTED: no row, a build that no row describes
 * (debug, free-threaded), or one that contradicts its row; `why` names the version and what to do.
 * UNAVAILABLE: what must be looked at is swapped out. GONE, DENIED: like remote_read.
 */
enum status layout_check(struct remote *remote, const struct python_process *process,
                         const struct cpython_layout **ret, struct why *why) MUST_CHECK;

#endif
