/*
 * grpc.health.v1: whether each service serves, for probes and balancers. On the rpc server's
 * thread, but for health_new and health_free.
 */
#ifndef COLLECTOR_STANDARD_HEALTH_H
#define COLLECTOR_STANDARD_HEALTH_H

#include "rpc_server.h"

enum { HEALTH_METHODS = 2, HEALTH_SERVICES_MAX = 8 };

struct health;

/* `services` (count of them, static texts; "" is the server as a whole) do not serve yet. */
struct health *health_new(const char *const *services, size_t count);
void health_free(struct health *health); /* after the server; NULL is fine */

/* Rows for rpc_server_start. */
void health_methods(struct health *health, struct rpc_method ret[HEALTH_METHODS]);

/* Who watches the service is told, if it is a change. */
void health_set(struct health *health, const char *service, int is_serving);

/* The server is about to stop: nothing serves from now on, whatever is set, and watches end. */
void health_drain(struct health *health);

#endif
