/* Inside the server: a call from its acceptance to its end. All on the server's thread. */
#ifndef COMMON_RPC_RPC_CALL_H
#define COMMON_RPC_RPC_CALL_H

#include <grpc/grpc.h>

#include "rpc_queue.h"
#include "rpc_server.h"

/* What the calls of one server share. */
struct rpc_call_group {
    struct rpc_queue *queue;
    size_t count;                                  /* not freed yet, held ones included */
    void (*emptied)(struct rpc_call_group *group); /* the count fell to 0 */
};

/* Takes `grpc` over and runs `opened`. `headers` are copied. */
void rpc_call_accept(struct rpc_call_group *group, const struct rpc_method *method, grpc_call *grpc,
                     const grpc_metadata_array *headers);

#endif
