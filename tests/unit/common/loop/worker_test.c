#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop.h"

enum { CALLS = 5000 };

struct scene {
    struct loop *loop;
    struct worker *worker;
    pthread_t thread;
    int count;   /* on the worker */
    int answers; /* on the loop */
    int known_thread;
    char name[16];
    sigset_t mask;
};

static void count_on_one_thread(void *arg)
{
    struct scene *scene = arg;
    if (!scene->known_thread) {
        scene->thread = pthread_self();
        scene->known_thread = 1;
    }
    assert_true(pthread_equal(scene->thread, pthread_self()));
    scene->count++;
}

static void everything_posted_runs_before_the_end(void **state)
{
    (void)state;
    struct scene scene = {.worker = worker_new("counter")};
    for (int i = 0; i < CALLS; i++)
        worker_post(scene.worker, count_on_one_thread, &scene);
    worker_free(scene.worker);
    assert_int_equal(scene.count, CALLS);
    assert_false(pthread_equal(scene.thread, pthread_self()));
}

static void look_at_thread(void *arg)
{
    struct scene *scene = arg;
    assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &scene->mask), 0);
    assert_int_equal(pthread_getname_np(pthread_self(), scene->name, sizeof(scene->name)), 0);
}

static void the_thread_has_a_name_and_takes_no_signals(void **state)
{
    (void)state;
    struct scene scene = {.worker = worker_new("a name longer than the kernel's limit")};
    worker_post(scene.worker, look_at_thread, &scene);
    worker_free(scene.worker);
    assert_string_equal(scene.name, "a name longer t");
    assert_true(sigismember(&scene.mask, SIGTERM));
    assert_true(sigismember(&scene.mask, SIGCHLD));

    sigset_t own;
    assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &own), 0);
    assert_false(sigismember(&own, SIGTERM));
}

static void answer(void *arg)
{
    struct scene *scene = arg;
    if (++scene->answers == CALLS)
        loop_stop(scene->loop);
}

static void ask(void *arg)
{
    struct scene *scene = arg;
    count_on_one_thread(scene);
    loop_post(scene->loop, answer, scene);
}

static void a_worker_and_a_loop_talk(void **state)
{
    (void)state;
    struct scene scene = {.loop = loop_new(), .worker = worker_new("asked")};
    for (int i = 0; i < CALLS; i++)
        worker_post(scene.worker, ask, &scene);
    loop_run(scene.loop);
    worker_free(scene.worker);
    loop_free(scene.loop);
    assert_int_equal(scene.count, CALLS);
    assert_int_equal(scene.answers, CALLS);
}

static void null_is_fine(void **state)
{
    (void)state;
    worker_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_posted_runs_before_the_end),
        cmocka_unit_test(the_thread_has_a_name_and_takes_no_signals),
        cmocka_unit_test(a_worker_and_a_loop_talk),
        cmocka_unit_test(null_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
