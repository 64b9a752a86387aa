#include "loop.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include "attributes.h"
#include "call_queue.h"

enum { THREAD_NAME_BYTES = 16 }; /* the kernel's limit, zero included */

struct worker {
    struct call_queue queue;
    pthread_t thread;
    int done; /* touched by the worker's thread only */
    char name[THREAD_NAME_BYTES];
};

static void *worker_main(void *arg)
{
    struct worker *worker = arg;
    pthread_setname_np(pthread_self(), worker->name);
    while (!worker->done)
        call_queue_run(call_queue_wait(&worker->queue));
    return NULL;
}

/* The last call of a worker: it is posted, so that everything before it has run. */
static void worker_end(void *arg)
{
    struct worker *worker = arg;
    worker->done = 1;
}

struct worker *worker_new(const char *name)
{
    struct worker *worker = calloc(1, sizeof(*worker));
    ASSERT(worker != NULL);
    call_queue_init(&worker->queue);
    snprintf(worker->name, sizeof(worker->name), "%s", name);

    /* The mask is inherited; blocking here leaves no moment in which the thread takes a signal. */
    sigset_t all, before;
    sigfillset(&all);
    ASSERT(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    ASSERT(pthread_create(&worker->thread, NULL, worker_main, worker) == 0);
    ASSERT(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    return worker;
}

void worker_post(struct worker *worker, call_fn *fn, void *arg)
{
    call_queue_push(&worker->queue, fn, arg, NULL, NULL);
}

void worker_free(struct worker *worker)
{
    if (worker == NULL)
        return;
    worker_post(worker, worker_end, worker);
    ASSERT(pthread_join(worker->thread, NULL) == 0);
    call_queue_done(&worker->queue);
    free(worker);
}
