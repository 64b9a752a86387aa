/*
 * What the detector says of one leak: how sure it is, what grows, on what evidence, since which
 * version, and how long there is. A value; texts belong to the detector that gave it and stay valid
 * until it is fed again.
 *
 * Rates are per hour of a container's life, means over the lives that grow. Uptimes are
 * milliseconds since the start of a life.
 */
#ifndef COLLECTOR_DETECT_VERDICT_H
#define COLLECTOR_DETECT_VERDICT_H

#include <stdint.h>

#include "attributes.h"

/* How sure. A verdict climbs as evidence comes in; `resolved` ends it. */
enum verdict_tier {
    VERDICT_WATCH,     /* it grows; that may be a warm-up, a cache or a wave: no alarm */
    VERDICT_SUSPECT,   /* it grows in a line, but not for long enough; or from version to version:
                          worth a look */
    VERDICT_CONFIRMED, /* a leak: worth an alarm */
    VERDICT_RESOLVED,  /* was confirmed; fixed, or it stopped: `reason` says which */
};

/* What grows. */
enum verdict_kind {
    VERDICT_OBJECTS,       /* objects that are kept: counts rise */
    VERDICT_BUFFER,        /* bytes rise at flat counts: a list, dict or bytearray that is kept */
    VERDICT_NATIVE,        /* memory that is not Python's: the process grows, its objects do not */
    VERDICT_FRAGMENTATION, /* free space in Python's pools and malloc's blocks grows */
};

/* Which test it passed (README.md). */
enum verdict_rule {
    VERDICT_RULE_NONE, /* a watch */
    VERDICT_RULE_A,    /* long lives of a version: all containers */
    VERDICT_RULE_SOME, /* A': some containers of a version */
    VERDICT_RULE_B,    /* short lives, pooled across versions */
    VERDICT_RULE_C,    /* creep: each version starts higher than the one before; a suspect */
    VERDICT_RULE_D,    /* urgent: the memory limit will not wait for the horizon */
};

const char *verdict_tier_name(enum verdict_tier tier); /* "watch", "suspect", ... */
const char *verdict_kind_name(enum verdict_kind kind); /* "objects", "buffer", ... */
const char *verdict_rule_name(enum verdict_rule rule); /* "A", "A'", "B", "C", "D"; "" for none */

enum { VERDICT_CURVE_POINTS = 16, VERDICT_CURVES_MAX = 4, VERDICT_COMPANIONS_MAX = 8 };

/* Growth at uptime of one version: what a plot shows. */
struct verdict_curve {
    const char *version;
    uint32_t lives;
    int64_t from_ms, to_ms; /* uptime of the first and the last point */
    double
        values[VERDICT_CURVE_POINTS]; /* mean of a life: objects, bytes of a buffer or of memory */
};

NO_PADDING_BEGIN
/* What the judgement rests on; 0 where a rule does not use it. */
struct verdict_evidence {
    uint32_t lives, lives_growing; /* looked at; that grow */
    uint32_t lives_oom_killed;
    uint32_t versions_rising; /* creep, and short lives: versions in a row */
    int64_t uptime_ms;        /* median of the lives */
    double growth;            /* over the judged stretch, relative to its median */
    double load_growth;       /* of the load over the same stretch */
    double elasticity;        /* of the base to the load, which has been taken out */
    double p;                 /* that a curve as straight as this is chance */
    double r2;                /* of the best line */
    double line_gain;         /* dBIC: best saturating curve minus best line; > 0: a line */
    double second_half;       /* share of the growth in the second half; a line: 0.5 */
    double tail;              /* slope of the last third over the whole slope; a line: 1 */
    double jump;              /* largest step over the growth; a line: 0.23 */
    double plateau_share;     /* of the lives that look as if they fill up */
    double slope_earlier;     /* count_per_hour of the version before introduced_in, equal uptime */
};
NO_PADDING_END

struct verdict {
    const char *type; /* "(native memory)" and "(free heap space)" for those kinds */
    enum verdict_tier tier;
    enum verdict_kind kind;
    enum verdict_rule rule;
    int64_t since_ms;          /* when the tier was reached */
    int64_t first_ms;          /* when it first was suspect */
    const char *introduced_in; /* "": already in the oldest version known; of a watch: not known */
    const char *oldest_in;     /* the oldest version known to grow; the same, or where it is "" */
    const char *still_in;      /* newest version in which it grows */
    const char *fixed_in;      /* "": not fixed */
    double count_per_hour, bytes_per_hour;
    double confidence;      /* 0..1; a rank, not a probability that was measured */
    int64_t until_limit_ms; /* until the first container is full, as all in it grow; 0: unknown */
    const char *reason;     /* why this tier, why not a cache, or why resolved: a sentence */
    struct verdict_evidence evidence;
    struct verdict_curve curves[VERDICT_CURVES_MAX]; /* newest version first */
    uint32_t curve_count;
    const char *companions[VERDICT_COMPANIONS_MAX]; /* types that grow with it, less specific */
    uint32_t companion_count;
};

/*
 * 1 for what has passed a rule for as long as it takes: a leak, one that is resolved, and creep,
 * which is never more than suspect. Others may be gone with the next pass.
 */
int verdict_is_settled(const struct verdict *verdict);

#endif
