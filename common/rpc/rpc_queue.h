/*
 * A completion queue of gRPC with the one thread that serves it: runs the tag of each operation
 * that has completed, and the calls that other threads post.
 */
#ifndef COMMON_RPC_RPC_QUEUE_H
#define COMMON_RPC_RPC_QUEUE_H

#include <grpc/grpc.h>
#include <stdatomic.h>

#include "loop.h"

struct rpc_queue;

/* What completes an operation: embedded in the struct that the operation belongs to. */
struct rpc_tag {
    void (*run)(struct rpc_tag *tag,
                int ok); /* on the queue's thread; ok: the operation's success */
    atomic_int armed;
};

/* The struct of `type` whose `member` is `tag`. */
#define RPC_TAG_OWNER(tag, type, member) ((type *)(void *)((char *)(tag)-offsetof(type, member)))

/* To be called right before the operation is started, with what is to run after it. */
void rpc_tag_arm(struct rpc_tag *tag, void (*run)(struct rpc_tag *, int ok));

struct rpc_queue *rpc_queue_new(const char *thread_name);
/* Runs what completes and what is posted until nothing is outstanding, then joins the thread. */
void rpc_queue_free(struct rpc_queue *queue);

grpc_completion_queue *rpc_queue_cq(struct rpc_queue *queue);
void rpc_queue_post(struct rpc_queue *queue, call_fn *fn, void *arg); /* any thread */
int rpc_queue_is_own_thread(const struct rpc_queue *queue);

#endif
