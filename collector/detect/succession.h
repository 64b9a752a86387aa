/*
 * Rule B for lives of half a day or a day: too short for rule A, too few for a pool of short lives.
 *
 * Where a version is deployed each day, at the same hour, all lives look alike: what one of them
 * says of a leak, that it grows in a line until it ends, the next one says again. Versions in a row
 * that do are witnesses, and their uptimes add up. What fills for a day and is emptied by the next
 * deployment would say the same; but that did not begin with a deployment: a version before the
 * row is asked for, long enough up, in which it does not grow.
 *
 * Where CPU time does not tell the work, the day's shape stays in each of them, and no line says
 * that it is none of a cache. But the last hours of one version and the first ones of the next have
 * about the same load: what fills up is slow by then, and fast again in the next; a leak is not.
 */
#ifndef COLLECTOR_DETECT_SUCCESSION_H
#define COLLECTOR_DETECT_SUCCESSION_H

#include "attribute.h"
#include "judge.h"

/* 1, and `look`, the one at the newest of these versions, becomes rule B's: there are enough. */
int succession_judge(const struct judge *judge, const struct version_order *order,
                     const struct judge_group *group, uint32_t type, enum life_value value,
                     double elasticity, struct judge_look *look);

#endif
