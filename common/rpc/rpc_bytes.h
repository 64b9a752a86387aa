/* Messages between gRPC's byte buffers and ours. */
#ifndef COMMON_RPC_RPC_BYTES_H
#define COMMON_RPC_RPC_BYTES_H

#include <grpc/byte_buffer.h>
#include <grpc/slice.h>
#include <stddef.h>
#include <stdint.h>

/* All bytes of a received message in one piece; unref the slice. */
grpc_slice rpc_bytes_join(grpc_byte_buffer *message);

/* A copy of `data` as a message; destroy it. */
grpc_byte_buffer *rpc_bytes_new(const uint8_t *data, size_t size);

/* Copies of messages that wait to be sent, oldest first. All zero is empty. */
struct rpc_outbox {
    struct rpc_waiting *first, *last;
    size_t bytes; /* of all that wait */
};

void rpc_outbox_push(struct rpc_outbox *outbox, const uint8_t *data, size_t size);
grpc_byte_buffer *rpc_outbox_first(struct rpc_outbox *outbox); /* NULL when empty; stays inside */
int rpc_outbox_holds_one(const struct rpc_outbox *outbox);
void rpc_outbox_pop(struct rpc_outbox *outbox);
void rpc_outbox_clear(struct rpc_outbox *outbox);

#endif
