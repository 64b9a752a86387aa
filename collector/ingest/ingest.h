/*
 * The Ingest service: agents' streams into the database.
 *
 * Threads: the rpc server's thread runs all of it; workers block for it, one that commits and some
 * that look up what streams need. The functions say where they may be called.
 */
#ifndef COLLECTOR_INGEST_INGEST_H
#define COLLECTOR_INGEST_INGEST_H

#include <stddef.h>
#include <stdint.h>

#include "loop.h"
#include "metrics.h"
#include "rpc_server.h"
#include "session.h"
#include "store.h"

struct ingest;

/* What peers may. 0 where it says so: no limit. */
struct ingest_limits {
    struct session_limits session; /* of one stream */
    uint32_t message_bytes_max;    /* of a message; the rpc server holds it */
    uint32_t streams_of_peer_max;  /* 0 */
    uint32_t snapshots_per_s_max;  /* of a stream, which is read more slowly above it; 0 */
    uint64_t heap_bytes_max;       /* that the heaps of all streams take together; 0 */
};

struct ingest_limits ingest_limits_usual(void);

/* DENIED, with a reason for the agent's operator. On the server's thread. */
typedef enum status ingest_may_write_fn(void *user, struct rpc_call *call, const char *service,
                                        struct why *why);

struct ingest_options {
    const char *dsn;          /* two connections; must outlive the ingest */
    size_t pending_bytes_max; /* of facts not yet committed, all streams together; 0: 32 MiB */
    struct ingest_limits limits;
    struct metrics *metrics;        /* where to count; NULL: nowhere */
    ingest_may_write_fn *may_write; /* asked for each process; NULL: any agent, any service */
    void *may_write_user;
};

/* Opens the connections. Any thread. */
enum status ingest_new(const struct ingest_options *options, struct ingest **ret,
                       struct why *why) MUST_CHECK;

/* "/heapfleet.v1.Ingest/Stream", for rpc_server_start. */
struct rpc_method ingest_method(struct ingest *ingest);

/* After rpc_server_start; streams that came earlier wait for it. Any thread. */
void ingest_attach(struct ingest *ingest, struct rpc_server *server);

/* Commit what has gathered; every 250 ms or so. Any thread. */
void ingest_tick(struct ingest *ingest);

/*
 * Orderly end: read no more, commit, acknowledge, end the streams UNAVAILABLE, then post
 * done(arg) to `loop`. Any thread, once.
 */
void ingest_drain(struct ingest *ingest, struct loop *loop, call_fn *done, void *arg);

/* Any thread, while the ingest lives. 0 and a sentence: the rpc thread stands still. */
int ingest_is_alive(const struct ingest *ingest, struct why *why);
/* 0 and a sentence: the database is away, or it drains; agents had better go elsewhere. */
int ingest_is_ready(const struct ingest *ingest, struct why *why);

/* After rpc_server_stop. NULL is fine. */
void ingest_free(struct ingest *ingest);

#endif
