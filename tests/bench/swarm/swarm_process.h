/* One virtual process: its heap, and its messages, made by the agent's own code. */
#ifndef TESTS_BENCH_SWARM_PROCESS_H
#define TESTS_BENCH_SWARM_PROCESS_H

#include <stdint.h>

#include "buf.h"
#include "messages.h"
#include "snapshot_numbers.h"
#include "swarm_heap.h"

enum { SWARM_KEYFRAME_EVERY = 64 /* as the agent does: UPLINK_KEYFRAME_EVERY */ };

/* What is remembered of a process for ever: of its snapshots, those that were acknowledged. */
struct swarm_account {
    struct swarm_account *next;
    uint8_t uuid[INSTANCE_ID_BYTES];
    uint64_t acknowledged, objects, bytes; /* sums over the snapshots */
};

struct swarm_process {
    struct swarm_process *next;
    struct swarm_account *account;
    uint32_t number; /* the agent's */
    uint32_t service, version;
    uint32_t types_sent;                  /* on the present stream */
    struct snapshot_numbers sent_numbers; /* of the last snapshot sent on it */
    int64_t started_ms;
    int is_ended; /* its ProcessEnded is under way */
    struct swarm_heap heap;
    struct heap_values base; /* what the latest snapshot said */
    uint64_t base_sequence;
    uint32_t since_keyframe;
    int wants_keyframe;
};

/* `account` and the rest of the identity are the caller's to fill in; the heap is new. */
struct swarm_process *swarm_process_new(uint64_t seed, uint32_t service, uint32_t types);
void swarm_process_free(struct swarm_process *process);

/* Each appends one message to `ret`. */
void swarm_process_announce(const struct swarm_process *process, struct buf *ret);
/* The names from types_sent on, which moves. */
void swarm_process_define(struct swarm_process *process, struct buf *ret);
/* The heap moves on, and this is what it became. `*ret_body`: bytes of the snapshot alone. */
void swarm_process_snapshot(struct swarm_process *process, uint64_t sequence, int64_t time_ms,
                            struct buf *ret, size_t *ret_body);

#endif
