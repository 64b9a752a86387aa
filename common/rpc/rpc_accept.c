#include "rpc_accept.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attributes.h"

static atomic_int highest = -1; /* the largest number that a connection may have; -1: any */
static atomic_int spare = -1; /* a descriptor that is given up to take a connection and close it */
static atomic_int apart = -1; /* a listener that neither limit nor counts are about */
static atomic_int last = -1;  /* the largest number that a connection has had */
static atomic_ullong accepted, refused, cut, exhausted;

static int open_spare(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void rpc_accept_limit(uint32_t connections)
{
    struct rlimit limit = {.rlim_cur = 1024};
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    int end = limit.rlim_cur > INT32_MAX ? INT32_MAX : (int)limit.rlim_cur - 1;
    int most = end - RPC_ACCEPT_SPARE > 0 ? end - RPC_ACCEPT_SPARE : 0;
    int old = atomic_exchange(&spare, -1);
    if (old >= 0)
        close(old);
    int first = open_spare(); /* the lowest number that is free now */
    atomic_store(&spare, first);
    if (connections > 0 && first >= 0 && (int64_t)first + connections < most)
        most = first + (int)connections;
    atomic_store(&highest, most);
}

void rpc_accept_set_apart(int listener)
{
    atomic_store(&apart, listener);
}

struct rpc_accept_counts rpc_accept_counts(void)
{
    return (struct rpc_accept_counts){.accepted = atomic_load(&accepted),
                                      .refused = atomic_load(&refused),
                                      .cut = atomic_load(&cut),
                                      .exhausted = atomic_load(&exhausted)};
}

/* No descriptor is free: take the connection with the spare one, so that its peer is not left to
 * wait. 0: nobody could be turned away. */
static int turn_one_away(int listener)
{
    atomic_fetch_add(&exhausted, 1);
    int reserve = atomic_exchange(&spare, -1);
    if (reserve < 0)
        return 0;
    close(reserve);
    long fd = syscall(SYS_accept4, listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        close((int)fd);
    atomic_store(&spare, open_spare());
    return fd >= 0;
}

/* What gRPC makes of an error: EINTR, the next one at once; EAGAIN, wait for the next to come. */
static int fail_softly(int listener, int error)
{
    switch (error) {
    case EMFILE:
    case ENFILE:
        errno = turn_one_away(listener) ? EINTR : EAGAIN;
        return -1;
    case ENOMEM:
    case ENOBUFS:
        errno = EAGAIN;
        return -1;
    case ECONNABORTED: /* this one is gone; accept(2) tells of these others */
    case EPROTO:
    case EPERM:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENOPROTOOPT:
    case ENONET:
    case EOPNOTSUPP:
        errno = EINTR;
        return -1;
    default:
        errno = error;
        return -1;
    }
}

int accept4(int listener, struct sockaddr *address, socklen_t *size, int flags)
{
    long fd = syscall(SYS_accept4, listener, address, size, flags);
    if (fd < 0)
        return fail_softly(listener, errno);
    if (listener == atomic_load(&apart))
        return (int)fd;
    int most = atomic_load(&highest);
    if (most >= 0 && fd > most) {
        close((int)fd);
        atomic_fetch_add(&refused, 1);
        errno = EINTR;
        return -1;
    }
    if (fd >
        atomic_load(&last)) /* only the accepting threads write it; a lost race costs one cut */
        atomic_store(&last, (int)fd);
    atomic_fetch_add(&accepted, 1);
    return (int)fd;
}

/* The peer of the connection in gRPC's two ways to write it, with brackets as they are or escaped.
 */
static int is_peer(int fd, const char *peer)
{
    struct sockaddr_in6 six = {0};
    struct sockaddr_in four;
    socklen_t size = sizeof(six);
    char host[INET6_ADDRSTRLEN] = "", text[96], escaped[96];
    if (getpeername(fd, (struct sockaddr *)&six, &size) != 0)
        return 0;
    if (six.sin6_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&six.sin6_addr)) {
        (void)inet_ntop(AF_INET6, &six.sin6_addr, host, sizeof(host));
        (void)snprintf(text, sizeof(text), "ipv6:[%s]:%d", host, ntohs(six.sin6_port));
        (void)snprintf(escaped, sizeof(escaped), "ipv6:%%5B%s%%5D:%d", host, ntohs(six.sin6_port));
        return strcmp(text, peer) == 0 || strcmp(escaped, peer) == 0;
    }
    memcpy(&four, &six, sizeof(four));
    if (six.sin6_family == AF_INET6)
        memcpy(&four.sin_addr, &six.sin6_addr.s6_addr[12], sizeof(four.sin_addr));
    else if (six.sin6_family != AF_INET)
        return 0;
    (void)inet_ntop(AF_INET, &four.sin_addr, host, sizeof(host));
    (void)snprintf(text, sizeof(text), "ipv4:%s:%d", host, ntohs(four.sin_port));
    return strcmp(text, peer) == 0;
}

/* gRPC finds the connection broken, and closes it: at once for the peer too, which would otherwise
 * wait for us to take what it still sends. What has come already nobody shall read. */
static void cut_off(int fd)
{
    const struct linger at_once = {.l_onoff = 1};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    (void)shutdown(fd, SHUT_RDWR);
    while (recv(fd, NULL, INT32_MAX, MSG_TRUNC | MSG_DONTWAIT) > 0)
        ;
}

void rpc_accept_cut(const char *peer)
{
    for (int fd = atomic_load(&last); fd > STDERR_FILENO; fd--) {
        if (!is_peer(fd, peer))
            continue;
        atomic_fetch_add(&cut, 1);
        cut_off(fd);
        return;
    }
}
