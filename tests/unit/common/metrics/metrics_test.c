#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "metrics.h"

static void a_text_for_each_kind(void **state)
{
    (void)state;
    static const double bounds[] = {0.01, 0.5, 10};
    struct metrics *metrics = metrics_new();
    struct metric *taken = metrics_counter(metrics, "t_taken_total", "result=\"ok\"", "Taken.");
    struct metric *not_taken =
        metrics_counter(metrics, "t_taken_total", "result=\"failed\"", "Taken.");
    struct metric *open = metrics_gauge(metrics, "t_open", NULL, "Open now.");
    struct metric *seconds =
        metrics_histogram(metrics, "t_seconds", "kind=\"x\"", "How long.", bounds, 3);
    metric_add(taken, 3);
    metric_add(taken, 1);
    metric_add(not_taken, 1);
    metric_set(open, 7);
    metric_add(open, -9);
    metric_observe(seconds, 0.01);
    metric_observe(seconds, 0.25);
    metric_observe(seconds, 11);
    struct buf text = BUF_INIT;
    metrics_render(metrics, &text);
    assert_string_equal(buf_text(&text), "# HELP t_taken_total Taken.\n"
                                         "# TYPE t_taken_total counter\n"
                                         "t_taken_total{result=\"ok\"} 4\n"
                                         "t_taken_total{result=\"failed\"} 1\n"
                                         "# HELP t_open Open now.\n"
                                         "# TYPE t_open gauge\n"
                                         "t_open -2\n"
                                         "# HELP t_seconds How long.\n"
                                         "# TYPE t_seconds histogram\n"
                                         "t_seconds_bucket{kind=\"x\",le=\"0.01\"} 1\n"
                                         "t_seconds_bucket{kind=\"x\",le=\"0.5\"} 2\n"
                                         "t_seconds_bucket{kind=\"x\",le=\"10\"} 2\n"
                                         "t_seconds_bucket{kind=\"x\",le=\"+Inf\"} 3\n"
                                         "t_seconds_sum{kind=\"x\"} 11.26\n"
                                         "t_seconds_count{kind=\"x\"} 3\n");
    assert_int_equal(metric_value(taken), 4);
    assert_int_equal(metric_value(seconds), 3);
    buf_done(&text);
    metrics_free(metrics);
}

static double half(void *arg)
{
    return *(const int *)arg / 2.0;
}

static void computed_when_rendered(void **state)
{
    (void)state;
    int value = 3;
    struct metrics *metrics = metrics_new();
    metrics_computed(metrics, 0, "t_half", NULL, "Half.", half, &value);
    struct buf text = BUF_INIT;
    metrics_render(metrics, &text);
    assert_non_null(strstr(buf_text(&text), "\nt_half 1.5\n"));
    value = 8;
    buf_clear(&text);
    metrics_render(metrics, &text);
    assert_non_null(strstr(buf_text(&text), "\nt_half 4\n"));
    buf_done(&text);
    metrics_free(metrics);
}

static void nobody_need_count(void **state)
{
    (void)state;
    metric_add(NULL, 1);
    metric_set(NULL, 1);
    metric_observe(NULL, 1);
    assert_int_equal(metric_value(NULL), 0);
    metrics_free(NULL);
}

enum { THREADS = 4, TIMES = 20000 };

static void *count_often(void *arg)
{
    struct metric **pair = arg;
    for (int i = 0; i < TIMES; i++) {
        metric_add(pair[0], 1);
        metric_observe(pair[1], i % 2);
    }
    return NULL;
}

static void threads_lose_no_count(void **state)
{
    (void)state;
    const double bound = 0.5;
    struct metrics *metrics = metrics_new();
    struct metric *pair[] = {metrics_counter(metrics, "t_total", NULL, "All."),
                             metrics_histogram(metrics, "t_seconds", NULL, "How long.", &bound, 1)};
    pthread_t threads[THREADS];
    struct buf text = BUF_INIT;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_often, pair), 0);
    metrics_render(metrics, &text);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(metric_value(pair[0]), THREADS * TIMES);
    assert_int_equal(metric_value(pair[1]), THREADS * TIMES);
    buf_clear(&text);
    metrics_render(metrics, &text);
    assert_non_null(strstr(buf_text(&text), "t_seconds_bucket{le=\"0.5\"} 40000\n"));
    assert_non_null(strstr(buf_text(&text), "t_seconds_sum 40000\n"));
    buf_done(&text);
    metrics_free(metrics);
}

static double value_of(const char *text, const char *name)
{
    char start[64];
    (void)snprintf(start, sizeof(start), "\n%s ", name);
    const char *at = strstr(text, start);
    assert_non_null(at);
    return strtod(at + strlen(start), NULL);
}

static void a_process_knows_itself(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    metrics_add_process(metrics);
    struct buf buf = BUF_INIT;
    metrics_render(metrics, &buf);
    const char *text = buf_text(&buf);
    assert_true(value_of(text, "process_resident_memory_bytes") > 500 * 1000);
    assert_true(value_of(text, "process_open_fds") >= 3);
    assert_true(value_of(text, "process_open_fds") < value_of(text, "process_max_fds"));
    assert_true(value_of(text, "process_threads") >= 1);
    assert_true(value_of(text, "process_cpu_seconds_total") > 0);
    assert_true(value_of(text, "process_start_time_seconds") > 1.7e9);
    buf_done(&buf);
    metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_for_each_kind),   cmocka_unit_test(computed_when_rendered),
        cmocka_unit_test(nobody_need_count),      cmocka_unit_test(threads_lose_no_count),
        cmocka_unit_test(a_process_knows_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
