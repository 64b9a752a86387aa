#include "http_server.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rpc_accept.h"
#include "rpc_address.h"

enum { CONNECTIONS_MAX = 64, SILENCE_S = 10, MEMORY_BYTES = 16 * 1024, BACKLOG = 64 };

struct http_server {
    struct MHD_Daemon *daemon;
    const struct http_route *routes;
    size_t count;
    int port;
};

/* ---- answers -------------------------------------------------------------------------------- */

static const struct http_route *find_route(const struct http_server *server, const char *path)
{
    for (size_t i = 0; i < server->count; i++) {
        if (strcmp(server->routes[i].path, path) == 0)
            return &server->routes[i];
    }
    return NULL;
}

/* The storage of `body` becomes the response's. */
static enum MHD_Result respond(struct MHD_Connection *connection, unsigned code,
                               const char *content_type, const char *allow, struct buf *body)
{
    size_t size = 0;
    uint8_t *data = buf_detach(body, &size);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(size, data, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(data);
        return MHD_NO;
    }
    (void)MHD_add_response_header(response, "Content-Type", content_type);
    (void)MHD_add_response_header(response, "Cache-Control", "no-store");
    if (allow != NULL)
        (void)MHD_add_response_header(response, "Allow", allow);
    enum MHD_Result result = MHD_queue_response(connection, code, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **state)
{
    static const char text[] = "text/plain; charset=utf-8";
    const struct http_server *server = user;
    struct buf body = BUF_INIT;
    (void)version;
    (void)upload;
    (void)upload_size;
    (void)state;
    const struct http_route *route = find_route(server, url);
    if (route == NULL) {
        buf_append_text(&body, "there is nothing here\n");
        return respond(connection, MHD_HTTP_NOT_FOUND, text, NULL, &body);
    }
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        buf_append_text(&body, "only GET and HEAD\n");
        return respond(connection, MHD_HTTP_METHOD_NOT_ALLOWED, text, "GET, HEAD", &body);
    }
    unsigned code = route->answer(route->user, &body);
    return respond(connection, code, route->content_type, NULL, &body);
}

/* ---- binding -------------------------------------------------------------------------------- */

static enum status bind_failed(const char *listen, struct why *why)
{
    enum status status = errno == EADDRINUSE ? STATUS_CONFLICT
                         : errno == EACCES   ? STATUS_DENIED
                                             : STATUS_INVALID;
    return why_fail(why, status, "cannot listen on %s: %s", listen, strerror(errno));
}

static int listen_on(const struct addrinfo *address)
{
    const int on = 1;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int reason = errno;
    (void)close(fd);
    errno = reason;
    return -1;
}

static enum status open_socket(const char *listen, int *ret_fd, struct why *why)
{
    struct rpc_address address;
    if (rpc_address_parse(listen, &address, why) != STATUS_OK)
        return STATUS_USAGE;
    if (address.is_unix)
        return why_fail(why, STATUS_USAGE, "%s is not HOST:PORT", listen);
    char port[16];
    (void)snprintf(port, sizeof(port), "%d", address.port);
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    int result = getaddrinfo(address.host, port, &hints, &found);
    if (result != 0)
        return why_fail(why, STATUS_INVALID, "cannot listen on %s: %s", listen,
                        gai_strerror(result));
    int fd = listen_on(found);
    freeaddrinfo(found);
    if (fd < 0)
        return bind_failed(listen, why);
    *ret_fd = fd;
    return STATUS_OK;
}

static int bound_port(int fd)
{
    struct sockaddr_storage bound;
    socklen_t size = sizeof(bound);
    char port[16];
    unsigned long number = 0;
    if (getsockname(fd, (struct sockaddr *)&bound, &size) == 0 &&
        getnameinfo((struct sockaddr *)&bound, size, NULL, 0, port, sizeof(port), NI_NUMERICSERV) ==
            0)
        number = strtoul(port, NULL, 10);
    return (int)number;
}

/* ---- life ----------------------------------------------------------------------------------- */

enum status http_server_start(const char *listen, const struct http_route *routes, size_t count,
                              struct http_server **ret, struct why *why)
{
    int fd = -1;
    enum status status = open_socket(listen, &fd, why);
    if (status != STATUS_OK)
        return status;
    struct http_server *server = calloc(1, sizeof(*server));
    ASSERT(server != NULL);
    server->routes = routes;
    server->count = count;
    server->port = bound_port(fd);
    rpc_accept_set_apart(fd); /* a crowd of agents is no reason to be silent about it */
    sigset_t all, before;
    sigfillset(&all);
    ASSERT(pthread_sigmask(SIG_SETMASK, &all, &before) == 0); /* its thread takes no signals */
    server->daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL, 0, NULL, NULL, on_request, server,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SILENCE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)MEMORY_BYTES, MHD_OPTION_END);
    ASSERT(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    if (server->daemon == NULL) {
        (void)close(fd);
        free(server);
        return why_fail(why, STATUS_FAILED, "cannot serve HTTP on %s", listen);
    }
    *ret = server;
    return STATUS_OK;
}

int http_server_port(const struct http_server *server)
{
    return server->port;
}

void http_server_stop(struct http_server *server)
{
    if (server == NULL)
        return;
    MHD_stop_daemon(server->daemon); /* closes the socket too */
    rpc_accept_set_apart(-1);
    free(server);
}
