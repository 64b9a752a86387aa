/*
 * The inside of an uplink, shared by its parts: uplink.c (the connection), uplink_send.c (what goes
 * over it) and uplink_restore.c (what former runs left).
 */
#ifndef AGENT_UPLINK_UPLINK_STATE_H
#define AGENT_UPLINK_UPLINK_STATE_H

#include "collectors.h"
#include "spool.h"
#include "subjects.h"
#include "uplink.h"

enum uplink_state {
    UPLINK_IDLE,
    UPLINK_GREETING,
    UPLINK_STREAMING,
    UPLINK_TURNING,
    UPLINK_PAUSING,
    UPLINK_LEAVING,
    UPLINK_DONE,
    UPLINK_STATES
};

/*
 * A run of the agent: this one, and before it former ones that left something in the spool. Their
 * numbers rise from run to run, those of processes too, so that one spool holds them all in order.
 * A stream carries one run.
 */
struct uplink_run {
    uint8_t id[AGENT_ID_BYTES];
    uint64_t last_sequence; /* its facts and processes go up to here; the present run has no end */
    uint32_t last_process;
};

struct uplink {
    struct loop *loop;
    struct uplink_events events;
    void *user;
    char *host;
    struct uplink_run *runs; /* [run_count], the last is the present one */
    size_t run_count, run;   /* the one that is being delivered */
    uint32_t rejections;     /* of a former run, in a row */

    enum uplink_state state;
    struct collectors collectors;
    struct rpc_stream *stream; /* NULL while there is none */
    struct loop_timer *timer;  /* of GREETING and PAUSING */
    struct loop_timer *deadline;
    int64_t retry_ms;
    uint32_t failures; /* attempts since the last acknowledgement */
    uint64_t random;
    struct why protest; /* why we broke the stream ourselves; empty otherwise */
    int stopping;
    call_fn *stopped;
    void *stopped_arg;

    struct subjects subjects;
    struct spool *spool;
    uint64_t last_sequence;     /* given to a fact */
    uint64_t sent_sequence;     /* last fact sent on this stream, or acknowledged before it */
    uint64_t carried_sequence;  /* the same, without those that could not be sent */
    uint64_t highest_sent;      /* on any stream */
    uint32_t unacknowledged;    /* facts in the spool up to sent_sequence */
    uint32_t announced_process; /* all up to this number are announced on this stream */
    struct arena arena;         /* for the message in hand */
    struct buf message, body;   /* scratch */
    struct heap_values scratch;
};

/* uplink.c */

/* Send what can be sent, and see whether the run, or all of it, has been delivered. */
void uplink_deliver(struct uplink *uplink);

/* How long to wait before the next attempt. */
int64_t uplink_pause_ms(struct uplink *uplink, enum rpc_code code);

/* uplink_restore.c */

void uplink_add_run(struct uplink *uplink, const uint8_t id[AGENT_ID_BYTES]);
/* A spool_restore_fn. */
int uplink_restore(void *uplink, const uint8_t id[SEGMENT_RUN_BYTES],
                   const struct segment_frame *frame);
/* All of it has been seen. */
void uplink_restored(struct uplink *uplink);

/* uplink_send.c */

/* The spool had no room: account for a fact that goes unacknowledged. */
void uplink_lose(void *uplink, const struct spool_fact *fact);
/* A stream is open for the run, of which everything up to `committed` is in the database. */
void uplink_begin(struct uplink *uplink, uint64_t committed);
/* Everything up to `sequence` need not be kept. */
void uplink_acknowledge(struct uplink *uplink, uint64_t sequence);
/* Send as much as the window and the connection take. */
void uplink_pump(struct uplink *uplink);
/* The run that is being delivered has nothing left, and is a former one. */
int uplink_run_is_over(const struct uplink *uplink);
/* Go on to the oldest run that has something left, or to the present one. */
void uplink_choose_run(struct uplink *uplink);
/* The next snapshot of this process is to be a keyframe. */
void uplink_want_keyframe(struct uplink *uplink, uint32_t process);

#endif
