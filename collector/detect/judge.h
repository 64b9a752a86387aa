/*
 * One type in one set of lives: does it grow, and is that growth a line?
 *
 * The lives are pooled on an axis of uptime: each life's floors over their own median, averaged at
 * CURVE_POINTS equal uptimes. Chance that bends one container (a wave of load, a long garbage
 * collection) does not bend all of them alike; a leak does.
 */
#ifndef COLLECTOR_DETECT_JUDGE_H
#define COLLECTOR_DETECT_JUDGE_H

#include <stdint.h>

#include "curve.h"
#include "life.h"
#include "verdict.h"

/* The lives of one service, and room to work in. */
struct judge {
    const struct life *lives;
    uint32_t life_count;
    double bin_ms;
    int64_t now_ms;
    uint32_t listed_from; /* types below are memory that no snapshot lists */
    int rest_type; /* in which an agent counts what it does not list; negative: none has any */
    int has_room;  /* 0: there may be types for which there was none */
    struct judge_member *members; /* [DETECT_LIVES_MAX] */
    double *space;                /* [DETECT_LIVES_MAX] */
};

void judge_init(struct judge *judge, double bin_ms);
void judge_done(struct judge *judge);

/* A set of lives that are judged together. */
struct judge_group {
    enum verdict_rule rule; /* A or B */
    uint32_t version;       /* A: theirs */
    uint32_t count;         /* 0: there is nothing to judge */
    uint32_t oom_killed;
    double uptime;   /* bins; the median */
    double from, to; /* the stretch of uptime that all of them have */
    double horizons; /* of uptime, by which the rule counts; 1 is enough */
    uint16_t lives[DETECT_LIVES_MAX];
};

/* Bins of a life that are its start-up, which is not judged. */
double judge_settled_bins(const struct life *life);

/* The long lives of a version. */
void judge_group_version(const struct judge *judge, uint32_t version, struct judge_group *ret);

/*
 * Beside lives of a version that are much older, the longest of the living ones: what was killed
 * and started anew, or added. One of many has to be seen for longer. Empty if there are none.
 */
void judge_group_younger(const struct judge *judge, const struct judge_group *older,
                         struct judge_group *ret);

/* Seen within the last fifteenth of the horizon, and not ended since; killed for memory since. */
int judge_is_living(const struct judge *judge, const struct life *life);
int judge_is_killed(const struct judge *judge, const struct life *life);

/* The longest of a version's lives of which that is true, however long others lived before. */
void judge_group_living(const struct judge *judge, uint32_t version, struct judge_group *ret);
void judge_group_killed(const struct judge *judge, uint32_t version, struct judge_group *ret);

/* One life alone; these lives. */
void judge_group_life(const struct judge *judge, uint16_t life, struct judge_group *ret);
void judge_group_lives(const struct judge *judge, const uint16_t *lives, uint32_t count,
                       struct judge_group *ret);

/* The short lives of all versions; empty if one reached the horizon lately. */
void judge_group_short(const struct judge *judge, struct judge_group *ret);

/* Of these the ones of middling length, if they are much shorter than the longest. What is replaced
 * after so many requests lives longest at night, and all of the longest see the same hours. */
void judge_group_middle(const struct judge *judge, struct judge_group *ret);

NO_PADDING_BEGIN
struct judge_look {
    int grows;              /* maybe a cache or a wave */
    int passes;             /* in a line; whether for long enough, `horizons` says */
    uint8_t passes_busy;    /* as `passes_early`, over the work without any idling */
    uint8_t climbs;         /* too steadily for chance, and falls nowhere; whether it fills up is
                             * not asked */
    uint16_t bends;         /* so much that it is no leak, whatever it looks like over time */
    enum verdict_rule rule; /* by which it passes */
    double horizons;        /* of 1 */
    struct verdict_evidence evidence;
    double slope; /* of `value` a bin, median of those that grow */
    double level; /* of it at the end of the stretch, mean of the lives */
    double from, to;
    struct curve_course course; /* over time or the work done; of the evidence: over time */
    uint32_t growing_count;
    int passes_early; /* as `passes`, where lives without the growth tell what load does to the
                       * type: less of it is asked for, and over the work done it may be straight */
    uint16_t growing[DETECT_LIVES_MAX]; /* lives */
};
NO_PADDING_END

/* Mean load of the lives. NaN: not known. */
double judge_usual_load(const struct judge *judge);

/* How the type's base follows the load, over all lives: 0, or more when that is beyond chance. */
double judge_elasticity(const struct judge *judge, uint32_t type);

/* The same whether or not it falls with the load: what leaks by the request as well does not. */
double judge_elasticity_likely(const struct judge *judge, uint32_t type);

/* At most so much of a growth of the load may show in the type's count: 1 where it is not known. */
double judge_elasticity_most(const struct judge *judge, uint32_t type);

/* As life_trace, behind `from` bins; of a buffer, what is in it, which the load that moves objects
 * does not. */
int judge_trace(const struct life *life, uint32_t type, enum life_value value, double from,
                double elasticity, struct life_curve *ret);

/* 1 if the life is one of those that grow. */
int judge_look_has(const struct judge_look *look, uint32_t life);

/* `ret` is only complete if it grows. */
void judge_look_at(const struct judge *judge, const struct judge_group *group, uint32_t type,
                   enum life_value value, double elasticity, struct judge_look *ret);

#endif
