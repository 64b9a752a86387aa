/*
 * Does a new version leak what the old one does not? For pipelines: an answer within the time of a
 * canary, from the history of both versions.
 *
 * All lives are laid on one axis of uptime, cut at the uptime that half the processes of both
 * versions have reached, and given to the detector with a horizon a little shorter than that: the
 * old version's first, as if the new one had replaced it just then. What the detector confirms for
 * the new version and not for the old one stops the pipeline. The shorter the uptime, the more a
 * cache that still fills looks like a leak; in the old version it looked the same, and does not
 * count.
 */
#ifndef COLLECTOR_DETECT_CANARY_CANARY_H
#define COLLECTOR_DETECT_CANARY_CANARY_H

#include "arena.h"
#include "status.h"
#include "store.h"
#include "why.h"

enum {
    CANARY_LIVES_MAX = 16,            /* of a version, the longest */
    CANARY_MIN_UPTIME_MS = 10 * 1000, /* the least that can be asked for */
};

struct canary_request {
    int64_t service_id;
    const struct deployment_row *baseline, *candidate;
    const struct instance_row *instances; /* of the service */
    size_t instance_count;
    int64_t min_uptime_ms; /* half the processes of both versions must have reached it */
};

enum canary_outcome { CANARY_CLEAN, CANARY_LEAK, CANARY_TOO_EARLY };

struct canary_leak {
    const char *type;
    double count_per_hour, bytes_per_hour; /* mean of a process of the candidate */
    const char *reason;                    /* why it is believed */
};

struct canary_answer {
    enum canary_outcome outcome;
    const char *reason; /* a sentence */
    int64_t uptime_ms;  /* at which the versions were compared; 0: they were not */
    struct canary_leak *leaks;
    size_t leak_count;
};

/* The answer lives in `arena`. INVALID: the request is wrong; LIMIT: the arena is too small. */
enum status canary_judge(struct db *db, const struct canary_request *request, struct arena *arena,
                         struct canary_answer *ret, struct why *why) MUST_CHECK;

#endif
