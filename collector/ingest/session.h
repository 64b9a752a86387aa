/*
 * One agent's stream: what it has announced, and what each of its messages means. Pure: messages
 * and the time go in; rows go into a write batch, messages to the agent and questions to the
 * database go out through `struct session_events`.
 *
 *     NEW --Hello--> GREETING --session_agent_found--> OPEN
 *     OPEN --ProcessStarted--> OPENING --session_instance_opened--> OPEN
 *     OPEN --TypeDefinitions with new names--> NAMING --session_types_added--> OPEN
 *     any --a message that breaks the protocol--> ENDED
 *
 * While it waits for an answer (SESSION_WAIT) it must not be given the next message.
 *
 * What a peer may exceed, and what happens: a message that breaks the protocol ends the stream; a
 * process that breaks a limit is rejected, which refuses all its facts and touches no other
 * process; a fact that is wrong is refused alone, and a keyframe is asked for.
 */
#ifndef COLLECTOR_INGEST_SESSION_H
#define COLLECTOR_INGEST_SESSION_H

#include <stdint.h>

#include "ingest.pb-c.h"
#include "ingest_fault.h"
#include "rpc_code.h"
#include "store.h"
#include "why.h"

/* Each a limit on one peer. */
struct session_limits {
    uint32_t processes_max;       /* at a time */
    uint32_t types_max;           /* of a process; at most SNAPSHOT_TYPES_MAX */
    uint32_t types_total_max;     /* of all these processes together */
    uint32_t name_bytes_max;      /* of a type; at most SNAPSHOT_NAME_BYTES_MAX */
    uint32_t text_bytes_max;      /* a service's name, a version, an image ... */
    uint32_t attributes_max;      /* of a process */
    uint32_t chain_snapshots_max; /* changes in a row before a keyframe is asked for; more than
                                     CHAIN_PATIENCE times as many are refused */
    int64_t clock_ahead_ms;       /* a time this far in the future is refused */
    int64_t clock_behind_ms;      /* and one this far in the past */
    int64_t sequence_ahead_ms;    /* a number that lies so far ahead of now breaks the protocol */
};

enum { CHAIN_PATIENCE = 4 };

extern const struct session_limits session_limits_default;

struct session_events {
    /* Answer with session_agent_found. */
    void (*find_agent)(void *user, const uint8_t agent_id[ID_BYTES]);
    /* Answer with session_instance_opened or session_process_failed. `identity` is valid during the
     * call only. */
    void (*open_instance)(void *user, const struct process_identity *identity);
    /* Answer with session_types_added or session_process_failed; `names` are valid until then. */
    void (*add_types)(void *user, int64_t service_id, int64_t instance_id, const char *const *names,
                      uint32_t count);
    void (*send)(void *user, const Heapfleet__V1__CollectorMessage *message);
    /* Something was refused: to be counted. May be NULL. */
    void (*refused)(void *user, enum ingest_fault fault);
    /* The heaps of this stream hold so many types more (less, if negative) in memory, SESSION_
     * TYPE_BYTES each at most. 0: all streams together hold too many now, and this one is to end.
     * May be NULL. */
    int (*hold)(void *user, int64_t types);
    /* May the agent write this service? Not OK rejects the process. NULL: any. */
    enum status (*may_write)(void *user, const char *service, struct why *why);
};

enum { SESSION_TYPE_BYTES = 64, SESSION_PROCESS_TYPES = 8 /* what a process itself counts as */ };

struct session_counts {
    uint64_t snapshots, repeated, refused, keyframes_asked;
};

struct session;

struct session *session_new(const struct session_limits *limits,
                            const struct session_events *events, void *user);
void session_free(struct session *session);

enum session_next {
    SESSION_READ, /* give it the next message */
    SESSION_WAIT, /* after the answer that it asked for */
    SESSION_END,  /* end the call with `*ret_code` and the text of `why` */
};

/* `message` was unpacked by common/wire: its strings are UTF-8 and not NULL. */
enum session_next session_take(struct session *session, const Heapfleet__V1__AgentMessage *message,
                               int64_t now_ms, struct write_batch *batch, enum rpc_code *ret_code,
                               struct why *why) MUST_CHECK;

/* The highest number that this agent run has in the database. Says Welcome. */
void session_agent_found(struct session *session, uint64_t committed_sequence);
/* `state` is emptied. `committed_sequence` of this agent run was read after it. */
void session_instance_opened(struct session *session, struct instance_state *state,
                             uint64_t committed_sequence);
/* Where the names that it asked for stand. */
void session_types_added(struct session *session, const uint32_t *places);
/* The database refused what was asked: the process is rejected. */
void session_process_failed(struct session *session, const char *reason);

/* The database does not take a snapshot that was in a batch. 0: it is of none of our processes. */
int session_snapshot_refused(struct session *session, const struct refused_row *row);

/* Whether one of its processes is of this service. */
int session_has_service(const struct session *session, int64_t service_id);

/* The newest fact that is in the batch or an earlier one, or was refused; 0: none. */
/* It holds what is too much for all streams together: end it. */
int session_is_overdrawn(const struct session *session);
uint64_t session_handled_sequence(const struct session *session);
const uint8_t *session_agent_id(const struct session *session); /* ID_BYTES; zeros before Hello */
const char *session_describe(const struct session *session);    /* host="..." version="..." */
struct session_counts session_counts(const struct session *session);
/* The reason of the latest refusal; "": none. */
const char *session_last_refusal(const struct session *session);

#endif
