/*
 * gRPC has no call that wakes a completion queue with something of ours. An operation that does
 * nothing, on a call that goes nowhere, completes at once and does the same.
 */
#include "rpc_queue.h"

#include <grpc/grpc.h>
#include <pthread.h>
#include <stdlib.h>

#include "attributes.h"
#include "call_queue.h"
#include "rpc_runtime.h"

struct rpc_queue {
    grpc_completion_queue *cq;
    grpc_channel *nowhere;
    grpc_call *poker;
    struct rpc_tag poke;
    struct call_queue posted;
    pthread_t thread;
    char name[16]; /* the kernel's limit, zero included */
};

void rpc_tag_arm(struct rpc_tag *tag, void (*run)(struct rpc_tag *, int ok))
{
    tag->run = run;
    /* gRPC orders memory by itself, but in code that the thread sanitizer does not see. */
    atomic_store_explicit(&tag->armed, 1, memory_order_release);
}

static void *queue_main(void *arg)
{
    struct rpc_queue *queue = arg;
    pthread_setname_np(pthread_self(), queue->name);
    for (;;) {
        grpc_event event =
            grpc_completion_queue_next(queue->cq, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
        if (event.type == GRPC_QUEUE_SHUTDOWN)
            return NULL;
        struct rpc_tag *tag = event.tag;
        ASSERT(atomic_load_explicit(&tag->armed, memory_order_acquire));
        tag->run(tag, event.success);
    }
}

static void on_poke(struct rpc_tag *tag, int ok)
{
    (void)ok;
    struct rpc_queue *queue = RPC_TAG_OWNER(tag, struct rpc_queue, poke);
    call_queue_run(call_queue_take(&queue->posted));
}

struct rpc_queue *rpc_queue_new(const char *thread_name)
{
    struct rpc_queue *queue = calloc(1, sizeof(*queue));
    ASSERT(queue != NULL);
    snprintf(queue->name, sizeof(queue->name), "%s", thread_name);
    call_queue_init(&queue->posted);
    rpc_tag_arm(&queue->poke, on_poke);

    rpc_runtime_enter();
    sigset_t before;
    rpc_signals_block(&before);
    queue->cq = grpc_completion_queue_create_for_next(NULL);
    queue->nowhere = grpc_lame_client_channel_create("nowhere", GRPC_STATUS_UNAVAILABLE, "nowhere");
    queue->poker = grpc_channel_create_call(queue->nowhere, NULL, 0, queue->cq,
                                            grpc_slice_from_static_string("/"), NULL,
                                            gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    ASSERT(pthread_create(&queue->thread, NULL, queue_main, queue) == 0);
    rpc_signals_restore(&before);
    return queue;
}

void rpc_queue_free(struct rpc_queue *queue)
{
    if (queue == NULL)
        return;
    sigset_t before;
    rpc_signals_block(&before);
    call_queue_quiesce(&queue->posted); /* a poke after the shutdown would be fatal */
    grpc_completion_queue_shutdown(queue->cq);
    ASSERT(pthread_join(queue->thread, NULL) == 0);
    grpc_call_unref(queue->poker);
    grpc_channel_destroy(queue->nowhere);
    grpc_completion_queue_destroy(queue->cq);
    rpc_signals_restore(&before);
    rpc_runtime_leave();
    call_queue_done(&queue->posted);
    free(queue);
}

grpc_completion_queue *rpc_queue_cq(struct rpc_queue *queue)
{
    return queue->cq;
}

static void poke(void *arg)
{
    struct rpc_queue *queue = arg;
    sigset_t before;
    rpc_signals_block(&before);
    ASSERT(grpc_call_start_batch(queue->poker, NULL, 0, &queue->poke, NULL) == GRPC_CALL_OK);
    rpc_signals_restore(&before);
}

void rpc_queue_post(struct rpc_queue *queue, call_fn *fn, void *arg)
{
    call_queue_push(&queue->posted, fn, arg, poke, queue);
}

int rpc_queue_is_own_thread(const struct rpc_queue *queue)
{
    return pthread_equal(queue->thread, pthread_self());
}
