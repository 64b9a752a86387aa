/*
 * grpc.reflection: what this server serves, so that grpcurl and its kin need no .proto files. Both
 * v1alpha and v1, which are the same on the wire.
 */
#ifndef COLLECTOR_STANDARD_REFLECTION_H
#define COLLECTOR_STANDARD_REFLECTION_H

#include "rpc_server.h"

enum { REFLECTION_METHODS = 2 };

/* Rows for rpc_server_start. */
void reflection_methods(struct rpc_method ret[REFLECTION_METHODS]);

#endif
