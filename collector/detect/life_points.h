/*
 * The floors of one type in one life of a container, as a few evenly spaced points: each is the
 * lowest floor of its stretch of uptime, which is what is kept there and not what comes and goes.
 */
#ifndef COLLECTOR_DETECT_LIFE_POINTS_H
#define COLLECTOR_DETECT_LIFE_POINTS_H

#include <stddef.h>
#include <stdint.h>

#include "detect.h"

/* Uptime in whole bins. */
uint32_t life_uptime(const struct detect_life *life);

/* First bin that is both known and behind the start-up, a tenth of `uptime` and at least one bin.
 */
uint32_t life_settled(const struct detect_life *life, uint32_t uptime);

enum life_value { LIFE_COUNT, LIFE_BYTES };

/*
 * `count` points over [from, to) of the uptime, all finite; needs to - from >= count. A stretch
 * without snapshots takes the line between its neighbours. 0 if that is more than a quarter of
 * them or the life does not reach that far, else 1.
 */
int life_points(const struct detect_life *life, uint32_t type, enum life_value value, uint32_t from,
                uint32_t to, size_t count, double *ret);

/* Slope of such points, per bin; NaN where there are none. At most TREND_POINTS_MAX. */
double life_slope(const struct detect_life *life, uint32_t type, enum life_value value,
                  uint32_t from, uint32_t to, size_t count);

#endif
