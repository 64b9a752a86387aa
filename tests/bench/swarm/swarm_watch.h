/* What another process, the collector, costs: CPU time of all its threads, and resident memory. */
#ifndef TESTS_BENCH_SWARM_WATCH_H
#define TESTS_BENCH_SWARM_WATCH_H

#include <stdint.h>

struct swarm_watch {
    double cpu_s;                       /* threads that have ended are not in it */
    uint64_t rss_bytes, rss_peak_bytes; /* the peak is that since its start */
};

/* Zeros when there is no such process; so is `pid` 0. */
struct swarm_watch swarm_watch_now(int pid);

#endif
