/*
 * Rule D: a leak that will reach its container's memory limit within a day of thirty hours' horizon
 * cannot wait for the horizon.
 */
#ifndef COLLECTOR_DETECT_URGENT_H
#define COLLECTOR_DETECT_URGENT_H

#include "detector_state.h"

/* Is any living container with a limit so near to it that this minor pass is worth its time? Every
 * ninetieth of the horizon; while one is young, every pass. */
int urgent_is_due(const struct detector *detector);

/* A pass begins, whether or not it is due: what was seen in those before is a pass older. */
void urgent_age(struct detector *detector);

/*
 * Did lives of this or other versions grow as much at the look's stretch of uptime, and live on?
 * 1, as for lives of other versions that have held as many as these hold now, and for lives of this
 * one, or such as were killed for memory, that did and had stopped; they did not: 0; none are known
 * that held the type: -1. `slope`: objects a bin, as it is now.
 */
int urgent_is_usual(const struct detector *detector, uint32_t version, uint32_t type,
                    const struct judge_look *look, double slope);

/* Is there an earlier life that held the type, too, and so can tell whether that growth is usual?
 */
int urgent_is_known(const struct detector *detector, const struct candidate *candidate,
                    uint32_t type);

/* Judge the types of such groups; what passes becomes a candidate. */
void urgent_judge(struct detector *detector, const struct version_order *order,
                  const struct judge_group *groups, uint32_t count);

/*
 * Time, in ms, until the first container of a living life that grows is full, by the growth of all
 * processes in it where that is known, else by `bytes_per_hour` of each of these lives. 0: no limit
 * is known, or it does not grow.
 */
int64_t urgent_until_limit_ms(const struct detector *detector, const struct judge_look *look,
                              uint32_t version, double bytes_per_hour);

#endif
