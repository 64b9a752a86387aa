#include "call_queue.h"

struct queued_call {
    struct queued_call *next;
    call_fn *fn;
    void *arg;
};

void call_queue_init(struct call_queue *queue)
{
    ASSERT(pthread_mutex_init(&queue->lock, NULL) == 0);
    ASSERT(pthread_cond_init(&queue->filled, NULL) == 0);
    queue->first = NULL;
    queue->last = &queue->first;
}

void call_queue_done(struct call_queue *queue)
{
    call_queue_quiesce(queue);
    for (struct queued_call *call = queue->first, *next; call != NULL; call = next) {
        next = call->next;
        free(call);
    }
    pthread_cond_destroy(&queue->filled);
    pthread_mutex_destroy(&queue->lock);
}

void call_queue_push(struct call_queue *queue, call_fn *fn, void *arg, call_fn *wake,
                     void *wake_arg)
{
    struct queued_call *call = malloc(sizeof(*call));
    ASSERT(call != NULL);
    *call = (struct queued_call){.fn = fn, .arg = arg};

    pthread_mutex_lock(&queue->lock);
    int was_empty = queue->first == NULL;
    *queue->last = call;
    queue->last = &call->next;
    if (was_empty) {
        pthread_cond_signal(&queue->filled);
        if (wake != NULL)
            wake(wake_arg);
    }
    pthread_mutex_unlock(&queue->lock);
}

void call_queue_quiesce(struct call_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    pthread_mutex_unlock(&queue->lock);
}

static struct queued_call *take_locked(struct call_queue *queue)
{
    struct queued_call *calls = queue->first;
    queue->first = NULL;
    queue->last = &queue->first;
    return calls;
}

struct queued_call *call_queue_take(struct call_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    struct queued_call *calls = take_locked(queue);
    pthread_mutex_unlock(&queue->lock);
    return calls;
}

struct queued_call *call_queue_wait(struct call_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    while (queue->first == NULL)
        pthread_cond_wait(&queue->filled, &queue->lock);
    struct queued_call *calls = take_locked(queue);
    pthread_mutex_unlock(&queue->lock);
    return calls;
}

void call_queue_run(struct queued_call *calls)
{
    for (struct queued_call *call = calls, *next; call != NULL; call = next) {
        next = call->next;
        call->fn(call->arg);
        free(call);
    }
}
