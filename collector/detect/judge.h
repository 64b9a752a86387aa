/*
 * One type in one version of a service: is it leaking there?
 *
 * The lives of a version are pooled on an axis of uptime: each life's floors over their own
 * median, averaged at CURVE_POINTS equal uptimes. Chance that bends one container (a wave of load,
 * a long garbage collection) does not bend all of them alike; a leak does.
 */
#ifndef COLLECTOR_DETECT_JUDGE_H
#define COLLECTOR_DETECT_JUDGE_H

#include <stdint.h>

#include "arena.h"
#include "detect.h"

enum judgement {
    JUDGED_YOUNG,   /* not enough uptime to say anything */
    JUDGED_CLEAN,   /* enough, and it does not grow */
    JUDGED_GROWING, /* it grows, and that may be a cache or a wave */
    JUDGED_LEAK,
};

struct judge {
    const struct detect_service *service;
    double bin_ms;
    struct judge_member *members; /* [life_count], working space */
    double *space;                /* [life_count], working space */
};

/* What a JUDGED_LEAK rests on. */
struct judge_evidence {
    uint32_t *lives; /* those that grow, in the judge's arena */
    uint32_t life_count;
    uint32_t uptime; /* bins of the judged stretch: [settled, uptime) */
    uint32_t settled;
    double share;     /* of the judged lives, that grow */
    double line_gain; /* curve_shape.line_gain */
};

void judge_init(struct judge *judge, const struct detect_service *service, double bin_ms,
                struct arena *arena);

/* `ret` is filled for JUDGED_LEAK only. */
enum judgement judge_type(const struct judge *judge, uint32_t type, uint32_t version,
                          struct arena *arena, struct judge_evidence *ret);

#endif
