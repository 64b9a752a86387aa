/*
 * The probe. A connection that the kernel has made is not yet one that the server took, so what
 * counts is whether the process has taken or turned away anything since the probe began. Three in a
 * row that found nothing are a dead listener, which is replaced. It speaks no word, so it works
 * with TLS as without.
 */
#include "standing.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "attributes.h"
#include "health.h"
#include "log.h"
#include "reflection.h"
#include "rpc_accept.h"
#include "rpc_address.h"

enum { LOOK_MS = 500, PROBE_EVERY = 10 /* looks */, PROBES_LOST_MAX = 3, CURES_MAX = 3 };

static const char *const services[] = {"", "heapfleet.v1.Ingest", "heapfleet.v1.Query",
                                       "heapfleet.v1.Admin"};

struct standing {
    const struct ingest *ingest;
    int has_reflection;
    struct health *health;
    struct rpc_server *server; /* NULL before standing_attach */
    struct loop_timer *timer;
    atomic_int is_serving; /* as last seen; read on the server's thread */

    struct sockaddr_in6 probe_address; /* family 0: no probe */
    socklen_t probe_size;
    int probe_fd; /* -1: none under way */
    uint64_t met_before;
    int looks, probes_lost, cures; /* cures since a probe was answered */
    call_fn *lost;
    void *lost_arg;
};

/* ---- health --------------------------------------------------------------------------------- */

/* On the server's thread. */
static void tell_health(void *arg)
{
    struct standing *standing = arg;
    for (size_t i = 0; i < ARRAY_SIZE(services); i++)
        health_set(standing->health, services[i], atomic_load(&standing->is_serving));
}

static void drain_health(void *arg)
{
    struct standing *standing = arg;
    health_drain(standing->health);
}

static void look_at_health(struct standing *standing)
{
    struct why why = {""};
    int is_serving = ingest_is_ready(standing->ingest, &why);
    if (atomic_exchange(&standing->is_serving, is_serving) != is_serving)
        rpc_server_post(standing->server, tell_health, standing);
}

/* ---- the probe ------------------------------------------------------------------------------ */

/* Where the listener can be reached from here: loopback, if it listens on all addresses. */
static void find_probe_address(struct standing *standing, const char *listen)
{
    struct rpc_address address;
    struct why why = {""};
    if (rpc_address_parse(listen, &address, &why) != STATUS_OK || address.is_unix)
        return;
    standing->probe_size =
        rpc_address_loopback(&address, rpc_server_port(standing->server), &standing->probe_address);
}

/* On the server's thread. */
static void listen_again(void *arg)
{
    struct standing *standing = arg;
    struct why why = {""};
    if (rpc_server_listen_again(standing->server, &why) == STATUS_OK)
        log_event(LOG_WARN, "listener.back", NULL);
    else
        log_event(LOG_ERROR, "listener.dead", "reason=\"%s\"", why.text);
}

/* Connections that were taken, or turned away because there were enough: somebody is there. */
static uint64_t met(void)
{
    struct rpc_accept_counts counts = rpc_accept_counts();
    return counts.accepted + counts.refused + counts.exhausted;
}

static void lose_probe(struct standing *standing)
{
    if (++standing->probes_lost % PROBES_LOST_MAX != 0)
        return;
    log_event(LOG_ERROR, "listener.dead", "reason=\"connections are no longer taken\"");
    if (standing->cures++ < CURES_MAX)
        rpc_server_post(standing->server, listen_again, standing);
    else if (standing->cures == CURES_MAX + 1)
        standing->lost(standing->lost_arg);
}

static void end_probe(struct standing *standing)
{
    if (standing->probe_fd < 0)
        return;
    close(standing->probe_fd);
    standing->probe_fd = -1;
    if (met() == standing->met_before) {
        lose_probe(standing);
        return;
    }
    standing->probes_lost = 0;
    standing->cures = 0;
}

static void start_probe(struct standing *standing)
{
    if (standing->probe_size == 0)
        return;
    int fd =
        socket(standing->probe_address.sin6_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return; /* no descriptor: that is not the listener's fault */
    standing->met_before = met();
    if (connect(fd, (struct sockaddr *)&standing->probe_address, standing->probe_size) != 0 &&
        errno != EINPROGRESS) {
        int error = errno;
        close(fd);
        if (error == ECONNREFUSED) /* nobody listens at all */
            lose_probe(standing);
        return;
    }
    standing->probe_fd = fd;
}

static void look(void *arg)
{
    struct standing *standing = arg;
    look_at_health(standing);
    int phase = standing->looks++ % PROBE_EVERY;
    if (phase == 0)
        start_probe(standing);
    else if (phase == PROBE_EVERY / 2)
        end_probe(standing);
}

/* --------------------------------------------------------------------------------------------- */

struct standing *standing_new(struct loop *loop, const struct ingest *ingest, int has_reflection)
{
    struct standing *standing = calloc(1, sizeof(*standing));
    ASSERT(standing != NULL);
    standing->ingest = ingest;
    standing->has_reflection = has_reflection;
    standing->health = health_new(services, ARRAY_SIZE(services));
    standing->timer = loop_timer_new(loop, look, standing);
    standing->probe_fd = -1;
    return standing;
}

void standing_free(struct standing *standing)
{
    if (standing == NULL)
        return;
    if (standing->probe_fd >= 0)
        close(standing->probe_fd);
    loop_timer_free(standing->timer);
    health_free(standing->health);
    free(standing);
}

size_t standing_methods(struct standing *standing, struct rpc_method ret[STANDING_METHODS_MAX])
{
    health_methods(standing->health, ret);
    if (!standing->has_reflection)
        return HEALTH_METHODS;
    reflection_methods(ret + HEALTH_METHODS);
    return HEALTH_METHODS + REFLECTION_METHODS;
}

void standing_attach(struct standing *standing, struct rpc_server *server, const char *listen,
                     call_fn *lost, void *arg)
{
    standing->server = server;
    standing->lost = lost;
    standing->lost_arg = arg;
    find_probe_address(standing, listen);
    look_at_health(standing);
    loop_timer_start(standing->timer, LOOK_MS, LOOK_MS);
}

void standing_drain(struct standing *standing)
{
    loop_timer_stop(standing->timer);
    rpc_server_post(standing->server, drain_health, standing);
}
