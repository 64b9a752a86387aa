/*
 * One virtual agent: some processes, one stream, and what has not been acknowledged yet.
 *
 *     AWAY --swarm_agent_connect--> GREETING --Welcome--> STREAMING --swarm_agent_leave--> LEAVING
 *       ^                              |                      |                               |
 *       '------------ closed ----------+----------------------'                               v
 *                                                                                           LEFT
 *
 * Everything is kept until it is acknowledged and sent again, under its number, on the next stream.
 * Each stream begins with a keyframe unless older snapshots wait. All on the swarm's thread.
 */
#ifndef TESTS_BENCH_SWARM_AGENT_H
#define TESTS_BENCH_SWARM_AGENT_H

#include <stdint.h>

#include "rpc_client.h"
#include "swarm_process.h"
#include "swarm_stats.h"

enum swarm_agent_state { SWARM_AWAY, SWARM_GREETING, SWARM_STREAMING, SWARM_LEAVING, SWARM_LEFT };

struct swarm_fact;
struct swarm_agent;

/* What all agents share; the swarm's. */
struct swarm_world {
    uint64_t seed;
    uint32_t processes; /* of an agent */
    uint32_t types, services, window;
    uint32_t restart_per_million; /* snapshots */
    uint32_t *versions;           /* [services] */
    struct swarm_account *accounts;
    struct swarm_stats stats;
    uint32_t served, left; /* agents whose stream has had an Ack; that have left */
    uint32_t greeting;     /* that have begun a stream and wait for the welcome */
    struct buf scratch, shortened;
    struct arena arena, out_arena; /* of the message at hand: that came in, that goes out */
    void *user;
    void (*acknowledged)(void *user, struct swarm_agent *agent);
    void (*away)(void *user, struct swarm_agent *agent); /* the stream has ended */
};

struct swarm_agent {
    struct swarm_world *world;
    struct swarm_agent *next_away;
    uint32_t number, target; /* which collector, of those that there are */
    uint8_t id[AGENT_ID_BYTES];
    enum swarm_agent_state state;
    struct rpc_stream *stream;
    struct swarm_random random;
    struct swarm_process **slots; /* [world->processes]; who runs there now */
    struct swarm_process *ended;  /* until that is acknowledged */
    uint32_t next_process, turn;
    uint64_t sequence, sent_sequence;
    struct swarm_fact *first, **end; /* unacknowledged, oldest first */
    uint32_t waiting;                /* of them */
    uint32_t failures;
    int is_served;
    int64_t retry_at_ms;
};

void swarm_agent_init(struct swarm_agent *agent, struct swarm_world *world, uint32_t number,
                      int64_t now_ms);
void swarm_agent_done(struct swarm_agent *agent); /* AWAY or LEFT */

void swarm_agent_connect(struct swarm_agent *agent, struct rpc_channel *channel);
/* The next snapshot of the next process; restarts and deployments happen on the way. Dropped, and
 * counted, when the window is full. */
void swarm_agent_snapshot(struct swarm_agent *agent);
/* Nothing waits: say so, and wait for the collector's goodbye. */
void swarm_agent_leave(struct swarm_agent *agent);
void swarm_agent_cut(struct swarm_agent *agent); /* the stream, without a word */

#endif
