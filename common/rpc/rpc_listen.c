/*
 * gRPC says only that a port could not be bound. So host names are resolved here, each address is
 * bound by itself, and when gRPC refuses one, the same is tried with plain sockets to learn why.
 */
#include "rpc_listen.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "attributes.h"
#include "rpc_address.h"

/* The errno of binding `address`, or 0 if that works. */
static int bind_error(const struct sockaddr *address, socklen_t size)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    int error = 0;
    if (bind(fd, address, size) != 0 || listen(fd, 1) != 0)
        error = errno;
    close(fd);
    return error;
}

static const struct bind_reason {
    int error;
    enum status status;
    const char *text;
} bind_reasons[] = {
    {EADDRINUSE, STATUS_CONFLICT, "another program, or another collector, listens there"},
    {EACCES, STATUS_DENIED,
     "permission denied; ports below 1024 and other people's directories "
     "need privileges"},
    {EPERM, STATUS_DENIED, "not permitted"},
    {EADDRNOTAVAIL, STATUS_INVALID, "this machine does not have the address"},
    {EAFNOSUPPORT, STATUS_INVALID, "this machine does not have the address"},
    {ENOENT, STATUS_INVALID, "the directory does not exist"},
    {ENOTSOCK, STATUS_INVALID, "a file that is not a socket is in the way"},
};

static enum status explain_bind(const char *listen, int error, struct why *why)
{
    for (size_t i = 0; i < ARRAY_SIZE(bind_reasons); i++)
        if (bind_reasons[i].error == error)
            return why_fail(why, bind_reasons[i].status, "cannot listen on %s: %s", listen,
                            bind_reasons[i].text);
    return why_fail(why, STATUS_FAILED, "cannot listen on %s: %s", listen, strerror(error));
}

/* Sockets work, and the certificates were tried. */
static enum status explain_refusal(const char *listen, struct why *why)
{
    return why_fail(why, STATUS_FAILED, "cannot listen on %s: gRPC refuses it", listen);
}

/* The bound port, 1 for a UNIX socket; 0: refused. */
static int add_port(grpc_server *server, const struct rpc_door *door, const char *address)
{
    grpc_server_credentials *credentials = rpc_tls_credentials(door->tls);
    rpc_connections_watch(door->connections, credentials);
    int port = grpc_server_add_http2_port(server, address, credentials);
    grpc_server_credentials_release(credentials);
    return port;
}

/* ----- UNIX sockets ----- */

static struct sockaddr_un unix_address(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(path) + 1;
    ASSERT(size <= sizeof(address.sun_path)); /* rpc_address.c */
    memcpy(address.sun_path, path, size);
    return address;
}

/* gRPC replaces a socket file that is there, even that of a living server. 0: it may do so. */
static int in_the_way(const struct sockaddr_un *address)
{
    struct stat file;
    if (lstat(address->sun_path, &file) != 0)
        return 0;
    if (!S_ISSOCK(file.st_mode))
        return ENOTSOCK;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    int answered = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;
    close(fd);
    return answered ? EADDRINUSE : 0;
}

static enum status bind_unix(grpc_server *server, const struct rpc_door *door,
                             const struct rpc_server_options *options, const char *path,
                             struct why *why)
{
    struct sockaddr_un address = unix_address(path);
    int error = in_the_way(&address);
    if (error != 0)
        return explain_bind(options->listen, error, why);
    if (add_port(server, door, options->listen) != 0)
        return STATUS_OK;
    error = bind_error((const struct sockaddr *)&address, sizeof(address));
    if (error != 0)
        return explain_bind(options->listen, error, why);
    unlink(path);
    return explain_refusal(options->listen, why);
}

/* ----- TCP ----- */

static void print_address(const struct sockaddr *address, socklen_t size, int port, char *ret,
                          size_t capacity)
{
    char host[RPC_HOST_BYTES] = "";
    getnameinfo(address, size, host, sizeof(host), NULL, 0, NI_NUMERICHOST);
    snprintf(ret, capacity, address->sa_family == AF_INET6 ? "[%s]:%d" : "%s:%d", host, port);
}

/* Port 0 is chosen with the first address; the others get the same. */
static enum status bind_each(grpc_server *server, const struct rpc_door *door,
                             const struct rpc_server_options *options, const struct addrinfo *list,
                             int port, int *ret_port, struct why *why)
{
    int bound = 0, error = 0;
    for (const struct addrinfo *at = list; at != NULL; at = at->ai_next) {
        char text[RPC_HOST_BYTES + 16];
        print_address(at->ai_addr, at->ai_addrlen, bound != 0 ? bound : port, text, sizeof(text));
        int result = add_port(server, door, text);
        if (result != 0) {
            bound = result;
            continue;
        }
        error = bind_error(at->ai_addr, at->ai_addrlen);
        /* "localhost" often has an IPv6 address even where IPv6 is switched off. */
        if (error != EADDRNOTAVAIL && error != EAFNOSUPPORT)
            return error != 0 ? explain_bind(options->listen, error, why)
                              : explain_refusal(options->listen, why);
    }
    if (bound == 0)
        return explain_bind(options->listen, error, why);
    *ret_port = bound;
    return STATUS_OK;
}

static enum status bind_tcp(grpc_server *server, const struct rpc_door *door,
                            const struct rpc_server_options *options,
                            const struct rpc_address *address, int *ret_port, struct why *why)
{
    char service[8];
    snprintf(service, sizeof(service), "%d", address->port);
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    int result = getaddrinfo(address->host, service, &hints, &list);
    if (result != 0)
        return why_fail(why, STATUS_INVALID, "cannot listen on %s: %s", options->listen,
                        gai_strerror(result));
    enum status status = bind_each(server, door, options, list, address->port, ret_port, why);
    freeaddrinfo(list);
    return status;
}

enum status rpc_listen_bind(grpc_server *server, const struct rpc_server_options *options,
                            const struct rpc_door *door, int *port, struct why *why)
{
    struct rpc_address address;
    enum status status = rpc_address_parse(options->listen, &address, why);
    if (status != STATUS_OK)
        return status;
    if (address.port == 0)
        address.port = *port;
    int bound = 0;
    status = address.is_unix ? bind_unix(server, door, options, address.host, why)
                             : bind_tcp(server, door, options, &address, &bound, why);
    if (status == STATUS_OK)
        *port = bound;
    return status;
}
