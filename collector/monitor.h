/*
 * What machines that watch a collector ask it over HTTP:
 *
 *     /metrics   Prometheus' text
 *     /healthz   200 while the rpc thread turns, else 503: restart me
 *     /readyz    200 while agents may come, else 503: the database is away, or I am leaving
 */
#ifndef COLLECTOR_MONITOR_H
#define COLLECTOR_MONITOR_H

#include "ingest.h"
#include "metrics.h"
#include "status.h"
#include "why.h"

struct monitor;

/* As http_server_start. `metrics` and `ingest` must outlive the monitor. */
enum status monitor_start(const char *listen, const struct metrics *metrics,
                          const struct ingest *ingest, struct monitor **ret,
                          struct why *why) MUST_CHECK;
int monitor_port(const struct monitor *monitor);
void monitor_stop(struct monitor *monitor); /* NULL is fine */

/* What every collector says of itself: its version and its process. */
void monitor_add_metrics(struct metrics *metrics);

#endif
