/*
 * What other lives say of a growth that looks like a line in those that are judged.
 *
 * A cache that is as large as a day's work fills in a line until the hour it is full, and nothing
 * in that line says so; but a life that grew in the same way before, and lived on, does.
 *
 * Processes that are replaced after so many requests live longest at night. All of the longest see
 * the same hours, in which the load falls and rises again: by that a set of keys looks straight,
 * and a leak bent. Lives of middling length are of the day, whose load changes little while they
 * last.
 */
#ifndef COLLECTOR_DETECT_WITNESS_H
#define COLLECTOR_DETECT_WITNESS_H

#include "judge.h"

/*
 * 1 if another life, of any version, grew by at least half as much over the same uptime, came to
 * rest while there was work to do, and held no less there than the lives that `look` is of hold
 * now. Of counts. What leaks beneath such a cache is told when there is more than there was.
 */
int witness_came_to_rest(const struct judge *judge, uint32_t type, const struct judge_look *look);

/* The short lives: the longest of them, and if `middle` is not empty, that as well. */
void witness_judge_short(const struct judge *judge, const struct judge_group *longest,
                         const struct judge_group *middle, uint32_t type, enum life_value value,
                         double elasticity, struct judge_look *ret);

#endif
