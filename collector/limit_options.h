/* The limits on peers as options of `serve`. */
#ifndef COLLECTOR_LIMIT_OPTIONS_H
#define COLLECTOR_LIMIT_OPTIONS_H

#include "command_line.h"
#include "ingest.h"
#include "options.h"
#include "status.h"
#include "why.h"

/* What the options write to; the text of each is in its table. */
struct limit_settings {
    uint64_t message_bytes, types, name_bytes, processes, chain;
    uint64_t streams_of_peer, snapshots_per_s, heap_bytes;
    int64_t clock_ahead_ms, clock_behind_ms, sequence_ahead_ms;
};

enum { LIMIT_OPTIONS = 11 };

struct limit_settings limit_settings_usual(void);
void limit_options(struct limit_settings *settings, struct option ret[LIMIT_OPTIONS]);
/* USAGE with a sentence that names the option that is out of range. */
enum status limit_settings_check(const struct limit_settings *settings,
                                 const struct command_line *line, struct ingest_limits *ret,
                                 struct why *why) MUST_CHECK;

#endif
