#include "metrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "attributes.h"

enum kind { COUNTER, GAUGE, HISTOGRAM };

static const char *const kind_names[] = {"counter", "gauge", "histogram"};

struct metric {
    struct metric *next;
    enum kind kind;
    const char *name, *labels, *help;
    metric_read_fn *read; /* NULL: `value` is it */
    void *arg;
    atomic_int_least64_t value; /* of a histogram: the sum, in millionths */
    size_t bounds;
    double bound[METRICS_BOUNDS_MAX];
    atomic_int_least64_t counts[METRICS_BOUNDS_MAX + 1]; /* the last: above all bounds */
};

struct metrics {
    struct metric *first, **end;
};

struct metrics *metrics_new(void)
{
    struct metrics *metrics = calloc(1, sizeof(*metrics));
    ASSERT(metrics != NULL);
    metrics->end = &metrics->first;
    return metrics;
}

void metrics_free(struct metrics *metrics)
{
    if (metrics == NULL)
        return;
    while (metrics->first != NULL) {
        struct metric *metric = metrics->first;
        metrics->first = metric->next;
        free(metric);
    }
    free(metrics);
}

/* ---- making --------------------------------------------------------------------------------- */

/* The series of a name stand together, and none is there twice. */
static void assert_in_place(const struct metrics *metrics, const struct metric *added)
{
    int is_over = 0;
    for (const struct metric *metric = metrics->first; metric != NULL; metric = metric->next) {
        int is_same = strcmp(metric->name, added->name) == 0;
        ASSERT(!is_same || strcmp(metric->labels, added->labels) != 0);
        ASSERT(!is_same || metric->kind == added->kind);
        is_over = is_over || is_same;
        ASSERT(!is_over || is_same);
    }
}

static struct metric *make(struct metrics *metrics, enum kind kind, const char *name,
                           const char *labels, const char *help)
{
    struct metric *metric = calloc(1, sizeof(*metric));
    ASSERT(metric != NULL);
    metric->kind = kind;
    metric->name = name;
    metric->labels = labels != NULL ? labels : "";
    metric->help = help;
    assert_in_place(metrics, metric);
    *metrics->end = metric;
    metrics->end = &metric->next;
    return metric;
}

struct metric *metrics_counter(struct metrics *metrics, const char *name, const char *labels,
                               const char *help)
{
    return make(metrics, COUNTER, name, labels, help);
}

struct metric *metrics_gauge(struct metrics *metrics, const char *name, const char *labels,
                             const char *help)
{
    return make(metrics, GAUGE, name, labels, help);
}

struct metric *metrics_histogram(struct metrics *metrics, const char *name, const char *labels,
                                 const char *help, const double *bounds, size_t count)
{
    ASSERT(count <= METRICS_BOUNDS_MAX);
    struct metric *metric = make(metrics, HISTOGRAM, name, labels, help);
    metric->bounds = count;
    memcpy(metric->bound, bounds, count * sizeof(*bounds));
    return metric;
}

void metrics_computed(struct metrics *metrics, int is_counter, const char *name, const char *labels,
                      const char *help, metric_read_fn *read, void *arg)
{
    struct metric *metric = make(metrics, is_counter ? COUNTER : GAUGE, name, labels, help);
    metric->read = read;
    metric->arg = arg;
}

/* ---- changing ------------------------------------------------------------------------------- */

void metric_add(struct metric *metric, int64_t amount)
{
    if (metric != NULL)
        atomic_fetch_add_explicit(&metric->value, amount, memory_order_relaxed);
}

void metric_set(struct metric *metric, int64_t value)
{
    if (metric != NULL)
        atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

void metric_observe(struct metric *metric, double value)
{
    if (metric == NULL)
        return;
    size_t bucket = 0;
    while (bucket < metric->bounds && value > metric->bound[bucket])
        bucket++;
    atomic_fetch_add_explicit(&metric->counts[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&metric->value, (int64_t)llround(value * 1e6), memory_order_relaxed);
}

static int64_t load(const atomic_int_least64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

int64_t metric_value(const struct metric *metric)
{
    if (metric == NULL)
        return 0;
    if (metric->kind != HISTOGRAM)
        return load(&metric->value);
    int64_t total = 0;
    for (size_t i = 0; i <= metric->bounds; i++)
        total += load(&metric->counts[i]);
    return total;
}

/* ---- rendering ------------------------------------------------------------------------------ */

static void render_labels(const struct metric *metric, struct buf *ret)
{
    if (metric->labels[0] != '\0')
        buf_printf(ret, "{%s}", metric->labels);
}

static void render_bucket(const struct metric *metric, const char *bound, int64_t count,
                          struct buf *ret)
{
    const char *comma = metric->labels[0] != '\0' ? "," : "";
    buf_printf(ret, "%s_bucket{%s%sle=\"%s\"} %" PRId64 "\n", metric->name, metric->labels, comma,
               bound, count);
}

static void render_histogram(const struct metric *metric, struct buf *ret)
{
    int64_t total = 0;
    for (size_t i = 0; i < metric->bounds; i++) {
        char bound[32];
        (void)snprintf(bound, sizeof(bound), "%g", metric->bound[i]);
        total += load(&metric->counts[i]);
        render_bucket(metric, bound, total, ret);
    }
    total += load(&metric->counts[metric->bounds]);
    render_bucket(metric, "+Inf", total, ret);
    buf_printf(ret, "%s_sum", metric->name);
    render_labels(metric, ret);
    buf_printf(ret, " %g\n%s_count", (double)load(&metric->value) / 1e6, metric->name);
    render_labels(metric, ret);
    buf_printf(ret, " %" PRId64 "\n", total);
}

static void render_series(const struct metric *metric, struct buf *ret)
{
    if (metric->kind == HISTOGRAM) {
        render_histogram(metric, ret);
        return;
    }
    buf_append_text(ret, metric->name);
    render_labels(metric, ret);
    if (metric->read != NULL)
        buf_printf(ret, " %.17g\n", metric->read(metric->arg));
    else
        buf_printf(ret, " %" PRId64 "\n", load(&metric->value));
}

void metrics_render(const struct metrics *metrics, struct buf *ret)
{
    const char *name = "";
    for (const struct metric *metric = metrics->first; metric != NULL; metric = metric->next) {
        if (strcmp(metric->name, name) != 0)
            buf_printf(ret, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help,
                       metric->name, kind_names[metric->kind]);
        name = metric->name;
        render_series(metric, ret);
    }
}
