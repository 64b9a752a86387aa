/*
 * libuv in the shape of loop.h. A handle is one heap block with the uv handle inside; `_free`
 * closes it, and libuv gives the block back in a later turn of the loop, once nothing points at it.
 * That is what makes freeing a handle from its own callback safe.
 */
#include "loop.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <uv.h>

#include "attributes.h"
#include "call_queue.h"

struct loop {
    uv_loop_t uv;
    uv_async_t wake;
    struct call_queue posted;
    atomic_int stopping;
};

struct loop_timer {
    uv_timer_t uv;
    call_fn *fn;
    void *arg;
};

struct loop_signal {
    uv_signal_t uv;
    call_fn *fn;
    void *arg;
};

struct loop_readable {
    uv_poll_t uv;
    call_fn *fn;
    void *arg;
};

static void *must_alloc(size_t size)
{
    void *memory = calloc(1, size);
    ASSERT(memory != NULL);
    return memory;
}

/* libuv fails here only when memory or descriptors run out, and no program can go on then. */
static void must(int result)
{
    ASSERT(result == 0);
}

/* ----- the loop ----- */

static void on_wake(uv_async_t *wake)
{
    struct loop *loop = wake->data;
    /* Read before the queue, so that what was posted before loop_stop runs before the stop. */
    int stopping = atomic_exchange(&loop->stopping, 0);
    call_queue_run(call_queue_take(&loop->posted));
    if (stopping)
        uv_stop(&loop->uv);
}

struct loop *loop_new(void)
{
    struct loop *loop = must_alloc(sizeof(*loop));
    call_queue_init(&loop->posted);
    must(uv_loop_init(&loop->uv));
    must(uv_async_init(&loop->uv, &loop->wake, on_wake));
    loop->wake.data = loop;
    return loop;
}

static void assert_freed(uv_handle_t *handle, void *arg)
{
    (void)arg;
    ASSERT(uv_is_closing(handle)); /* a timer, signal or readable outlives its loop */
}

void loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    call_queue_quiesce(&loop->posted);
    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_walk(&loop->uv, assert_freed, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT); /* only the closings are left */
    must(uv_loop_close(&loop->uv));
    call_queue_done(&loop->posted);
    free(loop);
}

void loop_run(struct loop *loop)
{
    uv_run(&loop->uv, UV_RUN_DEFAULT); /* `wake` keeps it alive until loop_stop */
}

void loop_stop(struct loop *loop)
{
    atomic_store(&loop->stopping, 1);
    must(uv_async_send(&loop->wake));
}

static void wake_loop(void *arg)
{
    struct loop *loop = arg;
    must(uv_async_send(&loop->wake));
}

void loop_post(struct loop *loop, call_fn *fn, void *arg)
{
    call_queue_push(&loop->posted, fn, arg, wake_loop, loop);
}

/* ----- handles ----- */

static void free_handle(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_timer(uv_timer_t *uv)
{
    struct loop_timer *timer = uv->data;
    timer->fn(timer->arg);
}

struct loop_timer *loop_timer_new(struct loop *loop, call_fn *fn, void *arg)
{
    struct loop_timer *timer = must_alloc(sizeof(*timer));
    timer->fn = fn;
    timer->arg = arg;
    must(uv_timer_init(&loop->uv, &timer->uv));
    timer->uv.data = timer;
    return timer;
}

void loop_timer_free(struct loop_timer *timer)
{
    if (timer != NULL)
        uv_close((uv_handle_t *)&timer->uv, free_handle);
}

void loop_timer_start(struct loop_timer *timer, uint64_t first_ms, uint64_t repeat_ms)
{
    /* The loop's own time is that of the turn's start; a long callback would shorten the wait. */
    uv_update_time(timer->uv.loop);
    must(uv_timer_start(&timer->uv, on_timer, first_ms, repeat_ms));
}

void loop_timer_stop(struct loop_timer *timer)
{
    must(uv_timer_stop(&timer->uv));
}

static void on_signal(uv_signal_t *uv, int number)
{
    (void)number;
    struct loop_signal *signal = uv->data;
    signal->fn(signal->arg);
}

struct loop_signal *loop_signal_new(struct loop *loop, int signal, call_fn *fn, void *arg)
{
    struct loop_signal *handle = must_alloc(sizeof(*handle));
    handle->fn = fn;
    handle->arg = arg;
    must(uv_signal_init(&loop->uv, &handle->uv));
    handle->uv.data = handle;
    must(uv_signal_start(&handle->uv, on_signal, signal));
    return handle;
}

void loop_signal_free(struct loop_signal *signal)
{
    if (signal != NULL)
        uv_close((uv_handle_t *)&signal->uv, free_handle);
}

/* An error of the descriptor is reported like data: reading it tells the owner which. */
static void on_readable(uv_poll_t *uv, int result, int events)
{
    (void)result;
    (void)events;
    struct loop_readable *readable = uv->data;
    readable->fn(readable->arg);
}

struct loop_readable *loop_readable_new(struct loop *loop, int fd, call_fn *fn, void *arg)
{
    struct loop_readable *readable = must_alloc(sizeof(*readable));
    readable->fn = fn;
    readable->arg = arg;
    if (uv_poll_init(&loop->uv, &readable->uv, fd) != 0) {
        free(readable);
        return NULL;
    }
    readable->uv.data = readable;
    must(uv_poll_start(&readable->uv, UV_READABLE, on_readable));
    return readable;
}

void loop_readable_free(struct loop_readable *readable)
{
    if (readable != NULL)
        uv_close((uv_handle_t *)&readable->uv, free_handle);
}
