/*
 * The Query service of proto/heapfleet/v1/query.proto on a gRPC server.
 *
 *     query_service_new(dsn)                  workers start; nobody connects yet
 *     query_service_methods(service, ...)     rows for rpc_server_start
 *     rpc_server_start, query_service_set_server(service, server)
 *     query_service_tick                      now and then
 *     ...
 *     query_service_drain                     streams end
 *     rpc_server_stop                         waits for the questions that are under way
 *     query_service_free(service)
 *
 * Threads. A question arrives on the server's thread, is answered by one of a few workers, each
 * with a database connection of its own, and its answer goes out on the server's thread again.
 * Questions above a limit are refused with RESOURCE_EXHAUSTED.
 *
 * Streams. Each page is a question of its own, that queues behind all others: while the peer takes
 * the page before, a stream has no worker and no connection, only that page in memory. One that
 * lets a page wait for QUERY_PATIENCE_MS is ended RESOURCE_EXHAUSTED.
 */
#ifndef COLLECTOR_QUERY_QUERY_SERVICE_H
#define COLLECTOR_QUERY_QUERY_SERVICE_H

#include <stddef.h>
#include <stdint.h>

#include "rpc_server.h"

struct query_service;

/* `dsn` as for db_open; copied. */
struct query_service *query_service_new(const char *dsn);

enum { QUERY_METHODS = 15, QUERY_PATIENCE_MS = 60 * 1000 };

/* Writes a row for each method, at most `max`; returns how many there are (QUERY_METHODS). */
size_t query_service_methods(struct query_service *service, struct rpc_method *ret, size_t max);

/*
 * Where answers are sent from. To be called when rpc_server_start has returned, from any thread.
 * A question that arrives before is answered UNAVAILABLE.
 */
void query_service_set_server(struct query_service *service, struct rpc_server *server);

/* Ends the streams that nobody reads, by the monotonic clock; every few seconds or more often.
 * After query_service_set_server, on the same thread, as the next. */
void query_service_tick(struct query_service *service, int64_t now_ms);

/* Streams end UNAVAILABLE after the page that they are at; questions are answered still. */
void query_service_drain(struct query_service *service);

/* After rpc_server_stop. NULL is fine. */
void query_service_free(struct query_service *service);

#endif
