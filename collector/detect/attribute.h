/*
 * Since which version: the slope of a leaking version against those of the versions before it, at
 * equal uptime, because every start-up looks like growth; and creep, where each version starts
 * higher than the one before it.
 */
#ifndef COLLECTOR_DETECT_ATTRIBUTE_H
#define COLLECTOR_DETECT_ATTRIBUTE_H

#include <stdint.h>

#include "judge.h"

/* Versions that have lives, by first appearance. */
struct version_order {
    uint32_t count;
    uint32_t versions[DETECT_VERSIONS_MAX];
};

struct attribution {
    int is_known;     /* 0: it grew in the oldest version that can be told */
    uint32_t version; /* that brought it; the oldest that grows if !is_known */
    double before;    /* slope a bin of the version before it, at equal uptime */
};

/* `version`: the newest in which it was seen to grow, as `look` says. A version that never had any
 * of it did not leak it. */
void attribute_origin(const struct judge *judge, const struct version_order *order, uint32_t type,
                      enum life_value value, uint32_t version, const struct judge_look *look,
                      struct attribution *ret);

/* The same by those alone that had some of it: of what is new, nobody knows whether it fills up. */
void attribute_leak(const struct judge *judge, const struct version_order *order, uint32_t type,
                    enum life_value value, uint32_t version, const struct judge_look *look,
                    struct attribution *ret);

/* 1 if a life of the version has had some of it. */
int attribute_had(const struct judge *judge, uint32_t type, uint32_t version);

/*
 * How much of the leak's slope the type has in `version`, at equal uptime. NaN: cannot be told yet.
 */
double attribute_share(const struct judge *judge, uint32_t type, enum life_value value,
                       uint32_t version, uint32_t leaking_version, const struct judge_look *look);

/*
 * As attribute_share, of what is left of the slopes beside the load: a clean version that was
 * watched from night to day rises, and one that leaks does not rise from day to night. NaN: the
 * load is not known, or rose with the uptime.
 */
double attribute_share_beside_load(const struct judge *judge, uint32_t type, enum life_value value,
                                   uint32_t version, uint32_t leaking_version,
                                   const struct judge_look *look);

/* The same, where a quiet day makes no leak slow: by the load early in the lives of both. */
double attribute_share_at_load(const struct judge *judge, uint32_t type, enum life_value value,
                               const struct judge_group *other, uint32_t leaking_version,
                               double leaking_uptime, const struct judge_look *look);

/* 1 if the leak itself shows over the uptime by which these two are compared, or nobody knows. */
int attribute_shows(const struct judge *judge, uint32_t type, enum life_value value,
                    uint32_t version, uint32_t leaking_version, const struct judge_look *look);

/*
 * The steepest slope of the lives of a version, also of those just ended, over the last horizon, or
 * the last third of their life, since a leak on errors may rest for days: as a share of `slope`, or
 * of what little load would make of it. What grows by as much as is asked of a leak is not called
 * less than it, nor is what half of its usual load would have hidden. `quiet`: bins, at least.
 * NaN: they are too young.
 */
double attribute_recent_share(const struct judge *judge, uint32_t type, enum life_value value,
                              uint32_t version, double slope, double quiet);

struct creep {
    uint32_t versions; /* rises in a row, up to the newest version */
    double growth;     /* over all of them, relative to the first */
    uint32_t since;    /* the version that rose first */
    uint32_t newest;
};

/* 1 if the type's early floor rises from version to version. */
int attribute_creep(const struct judge *judge, const struct version_order *order, uint32_t type,
                    struct creep *ret);

#endif
