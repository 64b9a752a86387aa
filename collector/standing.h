/*
 * Where the collector stands, for whoever asks over gRPC: health by service, and reflection. Every
 * service serves while PostgreSQL answers and the collector is not leaving. A probe connects to the
 * listener from time to time. When nobody takes the connections any more, it listens again; when
 * that does not help either, it says so.
 *
 * On the main thread.
 */
#ifndef COLLECTOR_STANDING_H
#define COLLECTOR_STANDING_H

#include "ingest.h"
#include "loop.h"
#include "rpc_server.h"

struct standing;

enum { STANDING_METHODS_MAX = 4 };

struct standing *standing_new(struct loop *loop, const struct ingest *ingest, int has_reflection);
void standing_free(struct standing *standing); /* after the server; NULL is fine */

/* Rows for rpc_server_start; how many. */
size_t standing_methods(struct standing *standing, struct rpc_method ret[STANDING_METHODS_MAX]);

/* After rpc_server_start: watch from now on. `lost(arg)`, once, if the listener stays dead. */
void standing_attach(struct standing *standing, struct rpc_server *server, const char *listen,
                     call_fn *lost, void *arg);

/* Nothing serves from now on. */
void standing_drain(struct standing *standing);

#endif
