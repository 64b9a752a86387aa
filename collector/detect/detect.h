/*
 * Which types of a service are leaking, since which version. Series in, findings out.
 *
 * Pure: no database, no clock, no log. The caller (sweep) feeds the floors of every container life
 * of one service and stores what comes back.
 *
 * Source of the method: the retained floor (minimum in a bin) separates what is kept from what
 * comes and goes; floors of all lives of a deployment are pooled on an axis of uptime; growth that
 * is a line rather than a saturating curve is a leak; a slope that earlier versions did not have at
 * the same uptime dates it.
 */
#ifndef COLLECTOR_DETECT_DETECT_H
#define COLLECTOR_DETECT_DETECT_H

#include <stdint.h>

#include "arena.h"

/* Every time constant is a multiple of the horizon, so that a demonstration runs the same code. */
struct detect_config {
    int64_t horizon_ms; /* uptime that a deployment must have reached to be judged; default 30 h */
};

/* Bins a life is divided into: horizon_ms / DETECT_BINS_PER_HORIZON wide each. */
enum { DETECT_BINS_PER_HORIZON = 48 };

struct detect_floor {
    double count; /* minimum within the bin; NaN when the bin has no snapshot */
    double bytes;
};

/* One container process from its start; bin k covers [k, k+1) * bin width of its uptime. */
struct detect_life {
    uint32_t version; /* index into detect_service.versions */
    int64_t started_ms;
    uint32_t first_bin; /* `floors` begin here; 0 unless the caller has forgotten the early part */
    uint32_t bins;      /* number of bins so far, the unfinished last one excluded */
    int ended;
    int oom_killed;
    const struct detect_floor *floors; /* [type * bins + (bin - first_bin)] */
};

struct detect_service {
    const char *const *types;
    uint32_t type_count;
    const char *const *versions; /* oldest first, by first appearance */
    uint32_t version_count;
    const struct detect_life *lives;
    uint32_t life_count;
};

struct detect_finding {
    uint32_t type;
    uint32_t version;   /* the newest version in which it grows */
    int has_introduced; /* 0: already there in the oldest version known */
    uint32_t introduced_in;
    double count_per_hour; /* mean slope of a life of `version` */
    double bytes_per_hour;
    double confidence;      /* 0..1 */
    uint32_t lives;         /* of `version` that were judged */
    uint32_t companions[8]; /* types that grow with it, less specific */
    uint32_t companion_count;
};

struct detect_findings {
    struct detect_finding *items; /* in the arena; strongest first */
    uint32_t count;
};

/* Judge one service. Results live in `arena` until it is reset. */
void detect_service_leaks(const struct detect_config *config, const struct detect_service *service,
                          struct arena *arena, struct detect_findings *ret);

#endif
