/*
 * How much room there is in a life's container, and how fast all that live in it fill it.
 *
 * The workers of one server share a memory limit: each sees the same limit and the same usage, and
 * to each it looks as if what is left were its own. It is filled by what all of them grow by.
 */
#ifndef COLLECTOR_DETECT_ROOM_H
#define COLLECTOR_DETECT_ROOM_H

#include <stdint.h>

#include "life.h"

struct detector;

/* Of one container, by those of its lives that go on. A life that has ended, or whose container is
 * not known, has one of its own. */
struct room {
    double left;    /* bytes up to the limit, by what was seen last; NaN: there is no limit */
    double slope;   /* bytes a bin by which all of them grow; NaN: the memory of none is known */
    double grown;   /* bytes by which they have grown since their starts, at that pace */
    double fillers; /* how many of them fill it: one that hardly grows is no part of the race */
};

/* A pass begins: what was measured in the one before is over. */
void rooms_forget(const struct detector *detector);

/* Measured once a pass. Valid until the next one. */
const struct room *room_of(const struct detector *detector, uint32_t life);

/* Do these two share a container? */
int room_is_shared(const struct detector *detector, uint32_t life, uint32_t other);

/* Present growth of one process a bin, when caches have had half its time to fill; NaN: its memory
 * is not known. */
double room_process_slope(const struct life *life);

#endif
