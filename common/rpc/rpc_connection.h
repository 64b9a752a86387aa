/*
 * Inside the server: what one connection may ask for, which gRPC 1.51 does not bound.
 *
 * Calls that are taken back at once do not count as open ones (rapid reset, CVE-2023-44487), and
 * gRPC keeps each of them, some 12 KiB, until our thread has seen it: a connection fills the memory
 * as fast as it can send. Nor does gRPC bound the open calls of a peer that does not acknowledge
 * its settings, nor the bytes of its headers. So calls are counted here on their way in, on gRPC's
 * own threads, and those of a connection that has opened too many in a second are refused before
 * anybody keeps them.
 *
 * The counts of a connection are a property of its auth context, which lives as long as it does.
 */
#ifndef COMMON_RPC_RPC_CONNECTION_H
#define COMMON_RPC_RPC_CONNECTION_H

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <stdint.h>

struct rpc_connection_limits {
    uint32_t calls_a_second_max; /* more, and all its further calls are refused */
    uint32_t void_calls_max;   /* within a second, taken back before they said anything; likewise */
    uint32_t calls_open_max;   /* what the peer is told; a few more are borne */
    uint32_t header_bytes_max; /* of a call, 32 for each header included, as HTTP/2 counts */
};

/* What the connections of a server share. */
struct rpc_connections;

struct rpc_connections *rpc_connections_new(const struct rpc_connection_limits *limits);
void rpc_connections_free(struct rpc_connections *connections); /* after gRPC's server; or NULL */

/* For credentials that no port has yet. */
void rpc_connections_watch(struct rpc_connections *connections,
                           grpc_server_credentials *credentials);

/* Of all servers of the process. Any thread. */
struct rpc_connection_counts {
    uint64_t used;     /* connections that have opened a call */
    uint64_t full;     /* times that a connection had as many open calls as it may */
    uint64_t too_many; /* calls that were refused because they did not wait for one to end */
    uint64_t too_fast; /* that were refused because there were too many within a second */
    uint64_t too_long; /* that were refused for their headers */
};

struct rpc_connection_counts rpc_connection_counts(void);

/*
 * A call has arrived; 0 and a sentence: it must be refused. `*ret_cut`: its connection should be
 * cut, which is said once. The context is that of the call, and is wanted again when it has left.
 */
int rpc_connection_enter(struct rpc_connections *connections, grpc_auth_context *context,
                         const char **ret_message, int *ret_cut);
/* `is_void`: it was taken back before it said anything. 1: its connection should be cut, likewise.
 */
int rpc_connection_leave(struct rpc_connections *connections, grpc_auth_context *context,
                         int is_void);

#endif
