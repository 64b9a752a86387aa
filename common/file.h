/* A whole small file in memory: certificates, tokens, policies, configuration. */
#ifndef COMMON_FILE_H
#define COMMON_FILE_H

#include <stddef.h>

#include "buf.h"
#include "status.h"
#include "why.h"

/*
 * Appends the file's bytes to `ret`. USAGE: there is no such file; DENIED, FAILED: it cannot be
 * opened; INVALID: it is a
 * folder, cannot be read or holds nothing; LIMIT: more than `bytes_max`. `why` names the path. On
 * failure `ret` is as it was.
 */
enum status file_read(const char *path, size_t bytes_max, struct buf *ret,
                      struct why *why) MUST_CHECK;

#endif
