/*
 * How far each process of a service has been read, and where it lives.
 */
#ifndef COLLECTOR_DETECT_SWEEP_FOLLOWER_H
#define COLLECTOR_DETECT_SWEEP_FOLLOWER_H

#include "detector.h"
#include "instance_about.h"

NO_PADDING_BEGIN
/* How far a process has been read. Saved as it lies in memory. */
struct follower {
    int64_t instance_id;
    int64_t read_ms;             /* newest snapshot; 0: none */
    int32_t ended;               /* its end has been told */
    uint16_t seen;               /* in this sweep's list */
    uint16_t kept;               /* the detector had it at the end of the last sweep */
    struct detect_key container; /* zero: not asked for yet */
};
NO_PADDING_END

struct followers {
    struct follower *list; /* ascending by id; 0 is empty */
    uint32_t count, room;
};

/* NULL: there is none. */
struct follower *followers_find(struct followers *followers, int64_t instance_id);

/* One for each process of the list, and none for others: those are long gone. Who is new has been
 * read until `read_ms`. */
void followers_match(struct followers *followers, const struct instance_row *instances,
                     size_t count, int64_t read_ms);

/* Is its container known? */
int follower_is_placed(const struct follower *follower);
/* A process of no known container has one to itself: its own name is as good as any. */
void follower_place(struct follower *follower, const struct instance_about *about);

#endif
