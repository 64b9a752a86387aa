/* Inside the client: what the blocking calls and the streams of one channel share. */
#ifndef COMMON_RPC_RPC_CHANNEL_H
#define COMMON_RPC_RPC_CHANNEL_H

#include <grpc/grpc.h>

#include "rpc_client.h"
#include "rpc_queue.h"

/* A call of gRPC on the channel, whose operations complete on `cq`. Any thread. */
grpc_call *rpc_channel_create_call(struct rpc_channel *channel, const char *path,
                                   grpc_completion_queue *cq, gpr_timespec deadline);

/* What every call sends ahead: who we are, if there is a token. Kept until the call has ended. */
struct rpc_headers {
    grpc_metadata authorization;
    size_t count;
};

void rpc_headers_init(struct rpc_headers *headers, struct rpc_channel *channel);
void rpc_headers_done(struct rpc_headers *headers);
grpc_op rpc_headers_op(struct rpc_headers *headers); /* GRPC_OP_SEND_INITIAL_METADATA */

/* A stream opens (and may use the channel's queue until it has closed), or has closed. */
struct rpc_queue *rpc_channel_attach(struct rpc_channel *channel);
void rpc_channel_detach(struct rpc_channel *channel);

/* What to tell a person about a call that ended with `code` and gRPC's `text`. */
void rpc_channel_explain(const struct rpc_channel *channel, int code, const char *text,
                         struct why *why);

#endif
