/* Inside the server: a call from its acceptance to its end. All on the server's thread. */
#ifndef COMMON_RPC_RPC_CALL_H
#define COMMON_RPC_RPC_CALL_H

#include <grpc/grpc.h>

#include "rpc_connection.h"
#include "rpc_queue.h"
#include "rpc_server.h"

/* What the calls of one server share. */
struct rpc_call_group {
    struct rpc_queue *queue;
    rpc_admit_fn *admit; /* NULL: everybody may do everything */
    void *admit_user;
    struct rpc_connections *connections;           /* which bounds what each of them may do */
    struct rpc_call *first;                        /* the open ones */
    size_t count;                                  /* not freed yet, held ones included */
    void (*emptied)(struct rpc_call_group *group); /* the count fell to 0 */
};

/* Takes `grpc` over, asks `admit` and runs `opened`. `headers` are copied. */
void rpc_call_accept(struct rpc_call_group *group, const struct rpc_method *method, grpc_call *grpc,
                     const grpc_metadata_array *headers);

/* Asks `admit` again about every open call, and ends those that it refuses. */
void rpc_call_group_review(struct rpc_call_group *group);

/* For a method whose calls end when they are opened. */
void rpc_call_ignore_message(struct rpc_call *call, const uint8_t *data, size_t size);

#endif
