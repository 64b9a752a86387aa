/*
 * The beginning and the end of a growth that looks like a line: what fills for a day is one until
 * it is full, and a feature that is rolled out is one while that goes on.
 */
#ifndef COLLECTOR_DETECT_JUDGE_ENDS_H
#define COLLECTOR_DETECT_JUDGE_ENDS_H

#include "judge.h"

/* Of the pooled curve of a group. */
struct judge_ends {
    double idle; /* horizons before it began to grow in mid life; 0: it did from the start */
    double rest; /* curve_end_share, behind what may fill for a day, or of what began in mid life */
};

/* `work`: NULL, or as of curve_measure. */
void judge_ends_measure(const struct judge_group *group, const double curve[CURVE_POINTS],
                        const double *work, struct judge_ends *ret);

/*
 * Horizons, of 1, by which a rule of long lives counts a group's `horizons`. `is_strong`: a line so
 * straight to its very end need not be as long, but longer than what fills for a day. What was
 * switched on in mid life must go on for longer, and may not have come to rest.
 */
double judge_ends_horizons(const struct judge_ends *ends, const struct judge_group *group,
                           double horizons, int is_strong);

/*
 * 1 if most of the lives that grow, of those that tell, began with what lives before them had come
 * to, and those had risen within their last day as well: it goes by the clock and not by the
 * process, which no leak does. By the same hour of the day before, so that the load says nothing.
 */
int judge_goes_by_the_clock(const struct judge *judge, uint32_t type, enum life_value value,
                            const struct judge_look *look);

/* The horizons of a line that is not to be confirmed yet. */
double judge_almost(double horizons);

#endif
