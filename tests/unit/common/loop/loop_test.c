#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "loop.h"

/* What the callbacks of one test share. All on the loop's thread. */
struct scene {
    struct loop *loop;
    struct loop_timer *timer;
    struct loop_signal *signal;
    struct loop_readable *readable;
    int fds[2];
    int count;
    int stop_at;
    pthread_t thread;
};

static void count_and_stop(void *arg)
{
    struct scene *scene = arg;
    if (++scene->count == scene->stop_at)
        loop_stop(scene->loop);
}

static void must_not_run(void *arg)
{
    (void)arg;
    fail_msg("this call must not run");
}

/* ----- posting and stopping ----- */

enum { THREADS = 4, POSTS = 2000 };

struct post {
    struct posts *posts;
    int thread, number;
};

struct posts {
    struct loop *loop;
    struct post of[THREADS][POSTS];
    int next[THREADS], total;
    pthread_t loop_thread;
};

static void take_post(void *arg)
{
    struct post *post = arg;
    struct posts *posts = post->posts;
    assert_true(pthread_equal(pthread_self(), posts->loop_thread));
    assert_int_equal(post->number, posts->next[post->thread]++);
    if (++posts->total == THREADS * POSTS)
        loop_stop(posts->loop);
}

static void *post_all(void *arg)
{
    struct post *own = arg;
    for (int i = 0; i < POSTS; i++)
        loop_post(own->posts->loop, take_post, &own[i]);
    return NULL;
}

static void posts_of_each_thread_keep_their_order(void **state)
{
    (void)state;
    static struct posts posts;
    posts = (struct posts){.loop = loop_new(), .loop_thread = pthread_self()};
    pthread_t threads[THREADS];
    for (int t = 0; t < THREADS; t++) {
        for (int i = 0; i < POSTS; i++)
            posts.of[t][i] = (struct post){&posts, t, i};
        assert_int_equal(pthread_create(&threads[t], NULL, post_all, posts.of[t]), 0);
    }
    loop_run(posts.loop);
    for (int t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    assert_int_equal(posts.total, THREADS * POSTS);
    loop_free(posts.loop);
}

static void posting_before_run_is_kept_and_stop_comes_after_it(void **state)
{
    (void)state;
    struct scene scene = {.loop = loop_new()};
    loop_post(scene.loop, count_and_stop, &scene);
    loop_post(scene.loop, count_and_stop, &scene);
    loop_stop(scene.loop);
    loop_run(scene.loop);
    assert_int_equal(scene.count, 2);

    scene.stop_at = 3; /* it can run again */
    loop_post(scene.loop, count_and_stop, &scene);
    loop_run(scene.loop);
    assert_int_equal(scene.count, 3);
    loop_free(scene.loop);
}

static void stop_the_loop(void *arg)
{
    loop_stop(arg);
}

static void *post_stop(void *arg)
{
    loop_post(arg, stop_the_loop, arg);
    return NULL;
}

/* The poster may still be inside loop_post when its call ends the loop. */
static void the_last_post_may_end_the_loop(void **state)
{
    (void)state;
    for (int i = 0; i < 500; i++) {
        struct scene scene = {.loop = loop_new(), .stop_at = -1};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, post_stop, scene.loop), 0);
        loop_post(scene.loop, count_and_stop, &scene);
        loop_run(scene.loop);
        loop_free(scene.loop);
        pthread_join(thread, NULL);
    }
}

static void post_again(void *arg)
{
    struct scene *scene = arg;
    count_and_stop(scene);
    if (scene->count < scene->stop_at)
        loop_post(scene->loop, post_again, scene);
}

static void a_call_may_post_the_next(void **state)
{
    (void)state;
    struct scene scene = {.loop = loop_new(), .stop_at = 100};
    loop_post(scene.loop, post_again, &scene);
    loop_run(scene.loop);
    assert_int_equal(scene.count, 100);
    loop_free(scene.loop);
}

static void free_drops_what_is_still_posted(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    loop_post(loop, must_not_run, NULL);
    loop_free(loop);
    loop_free(NULL);
}

/* ----- timers ----- */

static void a_timer_repeats_until_it_is_stopped(void **state)
{
    (void)state;
    struct scene scene = {.loop = loop_new(), .stop_at = 3};
    scene.timer = loop_timer_new(scene.loop, count_and_stop, &scene);
    loop_timer_start(scene.timer, 0, 1);
    loop_run(scene.loop);
    assert_int_equal(scene.count, 3);

    loop_timer_stop(scene.timer);
    loop_timer_stop(scene.timer);
    struct scene other = {.loop = scene.loop, .stop_at = 1};
    struct loop_timer *later = loop_timer_new(scene.loop, count_and_stop, &other);
    loop_timer_start(later, 20, 0);
    loop_run(scene.loop);
    assert_int_equal(scene.count, 3);
    loop_timer_free(later);
    loop_timer_free(scene.timer);
    loop_timer_free(NULL);
    loop_free(scene.loop);
}

static void starting_a_running_timer_moves_it(void **state)
{
    (void)state;
    struct scene scene = {.loop = loop_new(), .stop_at = 1};
    struct loop_timer *never = loop_timer_new(scene.loop, must_not_run, NULL);
    scene.timer = loop_timer_new(scene.loop, count_and_stop, &scene);
    loop_timer_start(never, 1, 0);
    loop_timer_start(never, 1000000, 0);
    loop_timer_start(scene.timer, 1000000, 0);
    loop_timer_start(scene.timer, 20, 0);
    loop_run(scene.loop);
    loop_timer_free(never);
    loop_timer_free(scene.timer);
    loop_free(scene.loop);
}

static void free_timer_and_stop(void *arg)
{
    struct scene *scene = arg;
    loop_timer_free(scene->timer);
    loop_stop(scene->loop);
}

static void a_timer_may_free_itself(void **state)
{
    (void)state;
    struct scene scene = {.loop = loop_new()};
    scene.timer = loop_timer_new(scene.loop, free_timer_and_stop, &scene);
    loop_timer_start(scene.timer, 0, 1);
    loop_run(scene.loop);
    loop_free(scene.loop);
}

/* ----- signals ----- */

static void free_signal_and_stop(void *arg)
{
    struct scene *scene = arg;
    loop_signal_free(scene->signal);
    loop_stop(scene->loop);
}

static void a_signal_arrives_on_the_loop(void **state)
{
    (void)state;
    struct scene scene = {.loop = loop_new()};
    scene.signal = loop_signal_new(scene.loop, SIGUSR1, free_signal_and_stop, &scene);
    struct loop_signal *other = loop_signal_new(scene.loop, SIGUSR2, must_not_run, NULL);
    raise(SIGUSR1);
    loop_run(scene.loop);
    loop_signal_free(other);
    loop_signal_free(NULL);
    loop_free(scene.loop);
}

/* ----- descriptors ----- */

static void read_one(void *arg)
{
    struct scene *scene = arg;
    char byte;
    assert_int_equal(read(scene->fds[0], &byte, 1), 1);
    if (byte == '.') {
        loop_readable_free(scene->readable);
        loop_stop(scene->loop);
    }
    scene->count++;
}

static void readable_is_level_triggered(void **state)
{
    (void)state;
    struct scene scene = {.loop = loop_new()};
    assert_int_equal(pipe(scene.fds), 0);
    scene.readable = loop_readable_new(scene.loop, scene.fds[0], read_one, &scene);
    assert_non_null(scene.readable);
    assert_int_equal(write(scene.fds[1], "abc.", 4), 4);
    loop_run(scene.loop);
    assert_int_equal(scene.count, 4);
    close(scene.fds[0]);
    close(scene.fds[1]);
    loop_free(scene.loop);
}

static void read_end_and_stop(void *arg)
{
    struct scene *scene = arg;
    char byte;
    assert_int_equal(read(scene->fds[0], &byte, 1), 0);
    loop_readable_free(scene->readable);
    loop_stop(scene->loop);
}

static void the_other_end_hanging_up_is_readable(void **state)
{
    (void)state;
    struct scene scene = {.loop = loop_new()};
    assert_int_equal(pipe(scene.fds), 0);
    scene.readable = loop_readable_new(scene.loop, scene.fds[0], read_end_and_stop, &scene);
    close(scene.fds[1]);
    loop_run(scene.loop);
    close(scene.fds[0]);
    loop_free(scene.loop);
}

static void what_cannot_be_polled_is_null(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_null(loop_readable_new(loop, fileno(file), must_not_run, NULL));
    assert_null(loop_readable_new(loop, -1, must_not_run, NULL));
    fclose(file);
    loop_readable_free(NULL);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(posts_of_each_thread_keep_their_order),
        cmocka_unit_test(posting_before_run_is_kept_and_stop_comes_after_it),
        cmocka_unit_test(the_last_post_may_end_the_loop),
        cmocka_unit_test(a_call_may_post_the_next),
        cmocka_unit_test(free_drops_what_is_still_posted),
        cmocka_unit_test(a_timer_repeats_until_it_is_stopped),
        cmocka_unit_test(starting_a_running_timer_moves_it),
        cmocka_unit_test(a_timer_may_free_itself),
        cmocka_unit_test(a_signal_arrives_on_the_loop),
        cmocka_unit_test(readable_is_level_triggered),
        cmocka_unit_test(the_other_end_hanging_up_is_readable),
        cmocka_unit_test(what_cannot_be_polled_is_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
