/*
 * Counters, gauges and histograms of a program, in the text format of Prometheus (version 0.0.4,
 * https://prometheus.io/docs/instrumenting/exposition_formats/).
 *
 * A metric is made once, at the start, by one thread; each series of a name has labels that are
 * spelled out then, so that no peer can make more of them. Afterwards any thread may change any
 * metric and any thread may render: values are atomic, one by one. Changing a NULL metric does
 * nothing, for modules whose owner counts nothing.
 *
 * Names end as Prometheus wants them: _total for counters, units in the name (_seconds, _bytes).
 */
#ifndef COMMON_METRICS_METRICS_H
#define COMMON_METRICS_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"

struct metrics;
struct metric; /* one series; lives as long as its metrics */

struct metrics *metrics_new(void);
void metrics_free(struct metrics *metrics);

/*
 * Name, help and labels must outlive the metrics. `labels`: `result="ok"`, several with commas
 * between, or NULL. Series of one name are made one after the other (asserted), with one help.
 */
struct metric *metrics_counter(struct metrics *metrics, const char *name, const char *labels,
                               const char *help);
struct metric *metrics_gauge(struct metrics *metrics, const char *name, const char *labels,
                             const char *help);

enum { METRICS_BOUNDS_MAX = 16 };

/* `bounds`: ascending upper ends of its buckets, [count], at most METRICS_BOUNDS_MAX; +Inf is
 * added. */
struct metric *metrics_histogram(struct metrics *metrics, const char *name, const char *labels,
                                 const char *help, const double *bounds, size_t count);

/* Asked for its value when it is rendered, on that thread. `is_counter`: it never falls. */
typedef double metric_read_fn(void *arg);
void metrics_computed(struct metrics *metrics, int is_counter, const char *name, const char *labels,
                      const char *help, metric_read_fn *read, void *arg);

void metric_add(struct metric *metric, int64_t amount); /* a counter's is not negative */
void metric_set(struct metric *metric, int64_t value);  /* gauges only */
void metric_observe(struct metric *metric, double value);
int64_t metric_value(const struct metric *metric); /* of a histogram: how many were observed */

/* All of them, in the order in which they were made. */
void metrics_render(const struct metrics *metrics, struct buf *ret);

/* Those that every program has, by Prometheus' names: process_cpu_seconds_total,
 * process_resident_memory_bytes, process_open_fds, process_max_fds, process_start_time_seconds,
 * process_threads. */
void metrics_add_process(struct metrics *metrics);

#endif
