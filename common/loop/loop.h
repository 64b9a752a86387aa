/*
 * The event loop (the only code that includes <uv.h>), and the two ways by which threads meet:
 * `loop_post` hands a call to the loop's thread, `worker_post` hands one to a worker's thread.
 * Nothing else in the program takes a lock, common/rpc aside.
 *
 * Everything here but loop_post, loop_stop and worker_post is called on the loop's own thread.
 * Handles are owned by who made them and freed with their own `_free`, before the loop; freeing a
 * handle from its own callback is allowed.
 */
#ifndef COMMON_LOOP_LOOP_H
#define COMMON_LOOP_LOOP_H

#include <stdint.h>

#include "attributes.h"

struct loop;
struct loop_timer;
struct loop_signal;
struct loop_readable;
struct worker;

typedef void call_fn(void *arg);

struct loop *loop_new(void);
void loop_free(struct loop *loop); /* after loop_run returned; runs nothing that is still posted */
void loop_run(struct loop *loop);  /* until loop_stop */
void loop_stop(struct loop *loop); /* any thread; what this thread posted before runs first */

/* Run fn(arg) on the loop's thread, in order of posting. Any thread. Memory for the call is taken
 * from the heap and freed after it. */
void loop_post(struct loop *loop, call_fn *fn, void *arg);

/* A timer that is not running. */
struct loop_timer *loop_timer_new(struct loop *loop, call_fn *fn, void *arg);
void loop_timer_free(struct loop_timer *timer);
/* First after `first_ms`, then every `repeat_ms` (0: once). Restarts a running timer. */
void loop_timer_start(struct loop_timer *timer, uint64_t first_ms, uint64_t repeat_ms);
void loop_timer_stop(struct loop_timer *timer);

/* fn(arg) on the loop's thread for each arrival of the signal. */
struct loop_signal *loop_signal_new(struct loop *loop, int signal, call_fn *fn, void *arg);
void loop_signal_free(struct loop_signal *signal);

/* fn(arg) whenever `fd` is readable (level triggered). The fd stays the caller's and must outlive
 * the handle; it becomes non-blocking. An end or an error counts as readable. NULL if the fd cannot
 * be polled (a plain file). */
struct loop_readable *loop_readable_new(struct loop *loop, int fd, call_fn *fn, void *arg);
void loop_readable_free(struct loop_readable *readable);

/* A thread that runs what is posted to it, one call after the other. Signals are blocked in it. */
struct worker *worker_new(const char *name);
void worker_post(struct worker *worker, call_fn *fn, void *arg); /* any thread */
/* Runs what was posted before, then joins the thread. */
void worker_free(struct worker *worker);

#endif
