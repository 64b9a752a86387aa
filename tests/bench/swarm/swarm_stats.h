/* What a swarm counts. One thread at a time. */
#ifndef TESTS_BENCH_SWARM_STATS_H
#define TESTS_BENCH_SWARM_STATS_H

#include <stdint.h>

/* Times from 1 us to an hour, in steps of at most 1/32 of themselves. */
enum { LATENCY_STEPS = 32, LATENCY_OCTAVES = 32 };

struct swarm_latency {
    uint64_t counts[LATENCY_OCTAVES * LATENCY_STEPS];
    uint64_t total;
};

void swarm_latency_add(struct swarm_latency *latency, int64_t ns);
/* Milliseconds that the share (0..1) of all stayed below; 0 if there are none. */
double swarm_latency_ms(const struct swarm_latency *latency, double share);

enum { COMPLAINTS_MAX = 8, COMPLAINT_BYTES = 192 };

/* The same words, and how often. */
struct swarm_complaint {
    uint64_t count;
    char text[COMPLAINT_BYTES];
};

struct swarm_stats {
    uint64_t snapshots, keyframes, samples; /* made */
    uint64_t acknowledged, acknowledged_samples;
    uint64_t refused, dropped, resent;
    uint64_t keyframes_asked;
    uint64_t body_bytes,
        message_bytes; /* of what was sent; repeats and announcements in the second */
    uint64_t welcomes, disconnects;
    uint64_t processes, restarts;
    struct swarm_complaint complaints[COMPLAINTS_MAX]; /* of refusals and broken streams */
    struct swarm_latency latency;
};

/* The last place takes all that find no other. */
void swarm_complain(struct swarm_stats *stats, const char *kind, const char *text);

/* Bytes that this process's TCP connections, as far as they are open now, have handed to the
 * network: TLS and HTTP/2 included, headers of TCP and IP not. */
struct swarm_wire {
    uint64_t sent, received;
    uint32_t connections;
};

struct swarm_wire swarm_wire_now(void);

#endif
