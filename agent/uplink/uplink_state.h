/*
 * The inside of an uplink, shared by its two halves: uplink.c (the connection) and uplink_send.c
 * (what goes over it).
 */
#ifndef AGENT_UPLINK_UPLINK_STATE_H
#define AGENT_UPLINK_UPLINK_STATE_H

#include "spool.h"
#include "subjects.h"
#include "uplink.h"

enum uplink_state {
    UPLINK_IDLE,
    UPLINK_GREETING,
    UPLINK_STREAMING,
    UPLINK_PAUSING,
    UPLINK_LEAVING,
    UPLINK_DONE,
    UPLINK_STATES
};

struct uplink {
    struct loop *loop;
    struct uplink_events events;
    void *user;
    char *host;
    uint8_t agent_id[AGENT_ID_BYTES];

    enum uplink_state state;
    struct rpc_channel *channel;
    struct rpc_stream *stream; /* NULL while there is none */
    struct loop_timer *timer;  /* of GREETING and PAUSING */
    struct loop_timer *deadline;
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
    uint64_t highest_sent;      /* on any stream */
    uint32_t unacknowledged;    /* facts in the spool up to sent_sequence */
    uint32_t announced_process; /* all up to this number are announced on this stream */
    struct arena arena;         /* for the message in hand */
    struct buf message, body;   /* scratch */
    struct heap_values scratch;
};

/* uplink_send.c */

/* The spool had no room: account for a fact that goes unacknowledged. */
void uplink_lose(void *uplink, const struct spool_fact *fact);
/* A stream is open, everything up to `committed` is in the database. */
void uplink_begin(struct uplink *uplink, uint64_t committed);
/* Everything up to `sequence` need not be kept. */
void uplink_acknowledge(struct uplink *uplink, uint64_t sequence);
/* Send as much as the window and the connection take. */
void uplink_pump(struct uplink *uplink);
/* The next snapshot of this process is to be a keyframe. */
void uplink_want_keyframe(struct uplink *uplink, uint32_t process);

#endif
