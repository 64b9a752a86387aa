/*
 * A fleet of virtual agents against real collectors, to see what these cost. Two threads beside
 * gRPC's own: one that paces, one that plays all the agents.
 *
 *     CONNECTING --all are served--> RUNNING --time is up--> FLUSHING --nothing waits--> LEAVING
 *         --> DONE
 *
 * An agent is served when its stream has had an Ack. FAILED is where a phase goes that does not get
 * there in time.
 */
#ifndef TESTS_BENCH_SWARM_H
#define TESTS_BENCH_SWARM_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"
#include "swarm_stats.h"
#include "swarm_watch.h"
#include "why.h"

enum { SWARM_TARGETS_MAX = 8 };

struct swarm_options {
    const char *targets[SWARM_TARGETS_MAX];
    uint32_t target_count;
    uint32_t agents;
    uint32_t connections; /* each ends with the last of its streams */
    uint32_t processes, services, types, window;
    uint32_t restart_per_million;
    int64_t interval_ms; /* between two snapshots of a process; 0: as fast as they are taken */
    int64_t run_ms, patience_ms;
    int64_t ramp_ms;         /* over which the first connects are spread */
    uint32_t greeting_max;   /* agents that connect at a time; 0: any number */
    int64_t reconnect_ms;    /* into the run, all streams are cut at once; 0: never */
    int64_t deploy_every_ms; /* the next service gets a new version; 0: never */
    int64_t retry_ms;        /* bound of the first random pause; 0: retry at once */
    uint64_t seed;
    int watched;                                    /* pid of the collector; 0: none */
    const char *tls_ca, *tls_certificate, *tls_key; /* PEM texts or NULL */
    const char *ledger; /* file for what was acknowledged, a line a process; NULL: none */
};

struct swarm_result {
    struct swarm_stats stats;
    double connect_s;          /* until all were served for the first time */
    double longest_unserved_s; /* after that, the longest time in which not all were */
    double run_s, flush_s;
    uint64_t run_acknowledged, run_samples; /* within run_s */
    uint64_t run_sent_bytes;                /* on the wire within run_s; 0: not to be had */
    uint64_t run_message_bytes;
    uint32_t connections;
    double cpu_s, run_cpu_s;                              /* of this process */
    struct swarm_watch watch_start, watch_run, watch_end; /* of the swarm, of running, behind it */
    double late_ms; /* the most that a snapshot was behind its time */
};

/* `ret` is complete after a failure of a phase too (STATUS_FAILED). */
enum status swarm_run(const struct swarm_options *options, struct swarm_result *ret,
                      struct why *why) MUST_CHECK;

#endif
