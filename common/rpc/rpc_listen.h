/* Inside the server: binding an address, and saying why it could not be bound. */
#ifndef COMMON_RPC_RPC_LISTEN_H
#define COMMON_RPC_RPC_LISTEN_H

#include <grpc/grpc.h>

#include "rpc_connection.h"
#include "rpc_server.h"
#include "rpc_tls.h"

/* What every connection passes. */
struct rpc_door {
    struct rpc_tls *tls;
    struct rpc_connections *connections;
};

/*
 * Bind `listen` (every address that its host name has) to a server that is not started.
 * `*port`, if not 0, stands for port 0; it becomes the bound port, 0 for a UNIX socket.
 * Errors as for rpc_server_start.
 */
enum status rpc_listen_bind(grpc_server *server, const struct rpc_server_options *options,
                            const struct rpc_door *door, int *port, struct why *why) MUST_CHECK;

#endif
