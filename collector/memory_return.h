/*
 * Memory that was freed goes back to the system. glibc keeps it: after thousands of connections
 * have left, or a peer has opened and reset a million calls, their hundreds of megabytes would stay
 * with the process for ever.
 */
#ifndef COLLECTOR_MEMORY_RETURN_H
#define COLLECTOR_MEMORY_RETURN_H

#include <stdint.h>

struct memory_return {
    int64_t next_ms, pause_ms; /* monotonic; all zero at first */
};

/*
 * Regularly, on any one thread. Every few seconds it compares what is resident with what is in use;
 * if the difference is large, the free pages go, which takes some tens of milliseconds. When that
 * helps little, because what is free lies between what is not, the next look comes later.
 */
void memory_return_tick(struct memory_return *memory, int64_t now_ms);

#endif
