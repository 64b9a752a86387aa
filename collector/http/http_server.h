/*
 * A small HTTP listener for machines that watch: fixed paths, GET and HEAD, texts. No TLS and no
 * authentication, so nothing that is secret belongs here. Only this module includes libmicrohttpd.
 *
 * One thread of its own, which runs the answers; at most 64 connections, 10 s of silence each, 16
 * KiB of request.
 */
#ifndef COLLECTOR_HTTP_HTTP_SERVER_H
#define COLLECTOR_HTTP_HTTP_SERVER_H

#include <stddef.h>

#include "buf.h"
#include "status.h"
#include "why.h"

struct http_server;

struct http_route {
    const char *path; /* "/metrics" */
    const char *content_type;
    /* The HTTP status; the body is appended to `ret`. On the server's thread; must not block. */
    unsigned (*answer)(void *user, struct buf *ret);
    void *user;
};

/*
 * Bind and serve; `routes` must outlive the server. USAGE: not HOST:PORT. CONFLICT, DENIED,
 * INVALID: cannot be bound.
 */
enum status http_server_start(const char *listen, const struct http_route *routes, size_t count,
                              struct http_server **ret, struct why *why) MUST_CHECK;
int http_server_port(const struct http_server *server); /* the one that was bound */
void http_server_stop(struct http_server *server);      /* NULL is fine */

#endif
