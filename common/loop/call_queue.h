/*
 * Calls on their way from any thread to one thread: the queue behind loop_post, worker_post and
 * rpc_server_post. Many threads push; the owner takes everything at once and runs it.
 */
#ifndef COMMON_LOOP_CALL_QUEUE_H
#define COMMON_LOOP_CALL_QUEUE_H

#include <pthread.h>

#include "attributes.h"
#include "loop.h"

struct queued_call; /* a singly linked list, oldest first */

struct call_queue {
    pthread_mutex_t lock;
    pthread_cond_t filled; /* for call_queue_wait */
    struct queued_call *first, **last;
};

void call_queue_init(struct call_queue *queue);
void call_queue_done(struct call_queue *queue); /* drops what is queued without running it */

/* Any thread. `wake(wake_arg)` is called when the queue was empty, before the owner can see that it
 * is not: so the owner, even if this call is its last, cannot be freed under it. NULL: none. */
void call_queue_push(struct call_queue *queue, call_fn *fn, void *arg, call_fn *wake,
                     void *wake_arg);

/* Wait until a push that is under way has returned. What a wake needs may be freed after this. */
void call_queue_quiesce(struct call_queue *queue);

/* Everything queued, or NULL; yours until call_queue_run. */
struct queued_call *call_queue_take(struct call_queue *queue) MUST_CHECK;
/* The same, but waits until there is something. */
struct queued_call *call_queue_wait(struct call_queue *queue) MUST_CHECK;

/* Run the calls in order, outside the lock, and free them. NULL is fine. */
void call_queue_run(struct queued_call *calls);

#endif
