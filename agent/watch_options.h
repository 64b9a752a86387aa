/* The options that `watch` and `run` have in common, from the command line to agent_options. */
#ifndef AGENT_WATCH_OPTIONS_H
#define AGENT_WATCH_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

#include "agent.h"
#include "options.h"
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
    const char *log_level, *log_format;
    struct identity_options identity;
    struct option_list pids;
    int help;

    char *pem[3]; /* contents of the files; freed by watch_options_done */
};

/* Defaults; `flush_ms` differs between the commands. */
void watch_options_init(struct watch_options *options, int64_t flush_ms);
void watch_options_done(struct watch_options *options);

/*
 * The table for options_parse: the common options, in `ret` (room for WATCH_OPTIONS_MAX). `pids`
 * says whether the command has --pid.
 */
void watch_options_table(struct watch_options *options, int pids, struct option *ret);

/*
 * Check everything that can be checked without a connection, set up the log, read the TLS files.
 * USAGE, or DENIED / NOT_FOUND for a file. `ret` points into `options`.
 */
enum status watch_options_resolve(struct watch_options *options, struct agent_options *ret,
                                  struct why *why) MUST_CHECK;

#endif
