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
#include "rpc_server.h"
#include "session.h"
#include "store.h"

struct ingest;

struct ingest_options {
    const char *dsn;          /* two connections; must outlive the ingest */
    size_t pending_bytes_max; /* of facts not yet committed, all streams together; 0: 32 MiB */
    struct session_limits limits;
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

/* After rpc_server_stop. NULL is fine. */
void ingest_free(struct ingest *ingest);

#endif
