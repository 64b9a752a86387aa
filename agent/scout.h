/*
 * The agent's eyes: finds CPython processes and counts their heaps. All of it runs on the
 * network's thread, one call at a time; between calls the loop may look at the results.
 */
#ifndef AGENT_SCOUT_H
#define AGENT_SCOUT_H

#include <stdint.h>
#include <sys/types.h>

#include "census.h"
#include "identity.h"
#include "messages.h"
#include "proc.h"
#include "python_process.h"
#include "status.h"
#include "why.h"

enum { SCOUT_PIDS_MAX = 64 };

struct scout_options {
    struct identity_options identity;
    pid_t pids[SCOUT_PIDS_MAX]; /* only the processes that have them now; none: all */
    int pid_count;
    pid_t descendants_of;        /* only its descendants; 0: all */
    uint64_t sample_above_bytes; /* census_sample_above */
};

/* A process under watch. The network thread's while a call is under way, the loop's otherwise. */
struct target {
    uint32_t process; /* the agent's number for it; given by the loop */
    struct python_process python;
    struct proc_stat stat; /* of the last look */
    uint8_t instance_id[INSTANCE_ID_BYTES];
    struct container_memory_path memory_path;
    struct container_memory memory; /* of the last look */
    uint64_t swap_bytes, pss_bytes;
    struct census *census;
    struct census_result result;

    int64_t next_ms;   /* of its next census; for the schedule */
    uint32_t failures; /* in a row */
};

void target_free(struct target *target);

/* What a scan brought to light. The lists belong to whoever takes them. */
struct scout_found {
    struct target *target;
    struct identity identity; /* its texts are in `arena` */
    struct arena arena;
    struct scout_found *next;
};
struct scout_ended {
    pid_t pid;
    enum end_reason reason;
    struct scout_ended *next;
};

struct scout {
    struct scout_options options;
    uint64_t pid_starts[SCOUT_PIDS_MAX]; /* of those named; 0: there was no such process */
    struct proc_fs fs;
    struct roster *roster;
    struct target *const *targets; /* under watch, in no order; the loop's array */
    size_t target_count;
    uint64_t
        oom_kills; /* on the machine, of which each has been given to an end, up to the last scan */
    struct scout_found *found; /* oldest first */
    struct scout_ended *ended;
};

/* FAILED when /proc cannot be read. */
enum status scout_init(struct scout *scout, const struct scout_options *options,
                       struct why *why) MUST_CHECK;
void scout_done(struct scout *scout);

/* Look for starts and ends: appends to `found` and `ended`. */
enum status scout_scan(struct scout *scout, struct why *why) MUST_CHECK;

/* Count a slice of one, as census_slice does. With the last slice (*ret_more is 0) it fills
 * target->result and the facts beside it. */
enum status scout_census(struct scout *scout, struct target *target, int64_t cpu_ns, int *ret_more,
                         struct why *why) MUST_CHECK;

#endif
