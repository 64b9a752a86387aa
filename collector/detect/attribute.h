/*
 * Since which version: the slope of a leaking version against those of the versions before it, at
 * equal uptime, because every start-up looks like growth.
 */
#ifndef COLLECTOR_DETECT_ATTRIBUTE_H
#define COLLECTOR_DETECT_ATTRIBUTE_H

#include <stdint.h>

#include "arena.h"
#include "detect.h"
#include "judge.h"

/*
 * The version whose predecessors did not grow: 1 and `*ret`, or 0 when it grew in the oldest
 * version that is known. Versions without enough uptime to tell are passed over.
 */
int attribute_leak(const struct detect_service *service, uint32_t type, uint32_t version,
                   const struct judge_evidence *evidence, struct arena *arena, uint32_t *ret);

#endif
