#include "monitor.h"

#include <stdlib.h>

#include "http_server.h"
#include "version.h"

enum { OK = 200, UNAVAILABLE = 503, ROUTES = 3 };

struct monitor {
    const struct metrics *metrics;
    const struct ingest *ingest;
    struct http_route routes[ROUTES];
    struct http_server *server;
};

static unsigned answer_metrics(void *user, struct buf *ret)
{
    const struct monitor *monitor = user;
    metrics_render(monitor->metrics, ret);
    return OK;
}

static unsigned answer_with(int is_well, const struct why *why, struct buf *ret)
{
    buf_printf(ret, "%s\n", is_well ? "ok" : why->text);
    return is_well ? OK : UNAVAILABLE;
}

static unsigned answer_health(void *user, struct buf *ret)
{
    const struct monitor *monitor = user;
    struct why why = {""};
    return answer_with(ingest_is_alive(monitor->ingest, &why), &why, ret);
}

static unsigned answer_readiness(void *user, struct buf *ret)
{
    const struct monitor *monitor = user;
    struct why why = {""};
    return answer_with(ingest_is_ready(monitor->ingest, &why), &why, ret);
}

enum status monitor_start(const char *listen, const struct metrics *metrics,
                          const struct ingest *ingest, struct monitor **ret, struct why *why)
{
    static const char text[] = "text/plain; charset=utf-8";
    struct monitor *monitor = calloc(1, sizeof(*monitor));
    ASSERT(monitor != NULL);
    monitor->metrics = metrics;
    monitor->ingest = ingest;
    const struct http_route routes[ROUTES] = {
        {"/metrics", "text/plain; version=0.0.4; charset=utf-8", answer_metrics, monitor},
        {"/healthz", text, answer_health, monitor},
        {"/readyz", text, answer_readiness, monitor},
    };
    for (int i = 0; i < ROUTES; i++)
        monitor->routes[i] = routes[i];
    enum status status = http_server_start(listen, monitor->routes, ROUTES, &monitor->server, why);
    if (status != STATUS_OK) {
        free(monitor);
        return status;
    }
    *ret = monitor;
    return STATUS_OK;
}

int monitor_port(const struct monitor *monitor)
{
    return http_server_port(monitor->server);
}

void monitor_stop(struct monitor *monitor)
{
    if (monitor == NULL)
        return;
    http_server_stop(monitor->server);
    free(monitor);
}

void monitor_add_metrics(struct metrics *metrics)
{
    struct metric *build =
        metrics_gauge(metrics, "heapfleet_collector_build_info",
                      "version=\"" HEAPFLEET_VERSION "\",commit=\"" HEAPFLEET_COMMIT "\"",
                      "Always 1: the version that runs.");
    metric_set(build, 1);
    metrics_add_process(metrics);
}
