/*
 * The settings that `watch` and `run` have in common, from flags, environment and configuration
 * file to agent_options.
 */
#ifndef AGENT_WATCH_OPTIONS_H
#define AGENT_WATCH_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

#include "agent.h"
#include "command_line.h"
#include "options.h"
#include "rpc_files.h"
#include "status.h"
#include "why.h"

enum { WATCH_OPTIONS_MAX = 32 };

struct watch_options {
    const char *collector;
    int64_t interval_ms;
    int64_t flush_ms;
    const char *cpu_budget;
    uint64_t sample_above_bytes;
    uint64_t spool_bytes;
    const char *spool_dir;
    uint64_t spool_disk_bytes;
    const char *tls_ca, *tls_cert, *tls_key; /* files */
    const char *token;
    int insecure;
    const char *log_level, *log_format;
    struct identity_options identity;
    struct option_list pids;

    struct rpc_tls_texts tls; /* contents of the files */
};

enum watch_mode {
    WATCH_MACHINE, /* `watch` */
    WATCH_COMMAND, /* `run`: shares its environment with the service, and takes no --pid */
};

/* Defaults, and the table of options with them as targets, in `ret` (room for WATCH_OPTIONS_MAX).
 */
void watch_options_init(struct watch_options *options, enum watch_mode mode, struct option *ret);
void watch_options_done(struct watch_options *options);

/* The command's frame, but for its help. `table` is watch_options_init's. */
struct command_line watch_options_line(const char *name, enum watch_mode mode,
                                       const struct option *table);

/*
 * Check everything that can be checked without a connection, set up the log, read the TLS files.
 * USAGE, or DENIED / NOT_FOUND for a file. `ret` points into `options`.
 */
enum status watch_options_resolve(struct watch_options *options, const struct command_line *line,
                                  struct agent_options *ret, struct why *why) MUST_CHECK;

#endif
