/*
 * One stream of one agent: between the rpc server's callbacks and the session. Owned by the
 * ingest's list from `opened` to its end, which is when the call has closed and no look-up is under
 * way.
 *
 * The next message is asked for only when the session wants one, the writer has room and the stream
 * is not faster than it may be: that is how a database that is slow, or away, holds the agents
 * back.
 */
#ifndef COLLECTOR_INGEST_INGEST_CALL_H
#define COLLECTOR_INGEST_INGEST_CALL_H

#include "arena.h"
#include "ingest.h"
#include "ingest_metrics.h"
#include "ingest_opener.h"
#include "ingest_writer.h"
#include "peer_count.h"
#include "rpc_server.h"
#include "session.h"

struct ingest_call {
    struct ingest_call *next, *previous; /* in ingest_calls.first */
    struct ingest_calls *calls;
    struct rpc_call *rpc; /* held */
    struct session *session;
    struct ingest_lookup lookup;
    struct ingest_ticket ticket;
    int is_waiting; /* for the answer to `lookup` */
    int is_stalled; /* the next message was not asked for: the writer was full, or it is too fast */
    double allowance; /* messages that it may send at once */
    int64_t allowed_ms;
    int has_said_refusal;
};

/* What all streams share; the ingest's. */
struct ingest_calls {
    struct ingest_call *first;
    uint32_t count, stalled;
    struct ingest_limits limits;
    struct ingest_metrics metrics;
    struct peer_counts *peers;
    int64_t held;                   /* types in the heaps of all streams */
    ingest_may_write_fn *may_write; /* NULL: any agent may write any service */
    void *may_write_user;
    struct ingest_writer *writer;
    struct ingest_opener *opener;
    struct arena scratch; /* of the message at hand */
    int is_ready;         /* 0: streams that come wait for ingest_calls_resume */
    int is_draining;
};

/* The rpc server's callbacks. */
void ingest_call_opened(struct ingest_calls *calls, struct rpc_call *rpc);
void ingest_call_message(struct rpc_call *rpc, const uint8_t *data, size_t size);
void ingest_call_half_closed(struct rpc_call *rpc);
void ingest_call_closed(struct rpc_call *rpc);

void ingest_call_answered(struct ingest_lookup *lookup);

/* Ask the stalled streams for their next messages, if there is room and it is time. Cheap when
 * there are none. */
void ingest_calls_resume(struct ingest_calls *calls);
/* Tell the stream that it came from, if it is still there. */
void ingest_calls_refuse(const struct ingest_calls *calls, const struct refused_row *row);
/* End the streams that have a process of this service: they have to announce it anew. */
void ingest_calls_forget(const struct ingest_calls *calls, int64_t service_id);
void ingest_calls_finish(struct ingest_calls *calls, enum rpc_code code, const char *text);

#endif
