#include "rpc_accept.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attributes.h"

static atomic_int highest = -1; /* the largest number that a connection may have; -1: any */
static atomic_int spare = -1; /* a descriptor that is given up to take a connection and close it */
static atomic_ullong accepted, refused, exhausted;

static int open_spare(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void rpc_accept_limit(uint32_t connections)
{
    struct rlimit limit = {.rlim_cur = 1024};
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    int last = limit.rlim_cur > INT32_MAX ? INT32_MAX : (int)limit.rlim_cur - 1;
    int most = last - RPC_ACCEPT_SPARE > 0 ? last - RPC_ACCEPT_SPARE : 0;
    int old = atomic_exchange(&spare, -1);
    if (old >= 0)
        close(old);
    int first = open_spare(); /* the lowest number that is free now */
    atomic_store(&spare, first);
    if (connections > 0 && first >= 0 && (int64_t)first + connections < most)
        most = first + (int)connections;
    atomic_store(&highest, most);
}

struct rpc_accept_counts rpc_accept_counts(void)
{
    return (struct rpc_accept_counts){.accepted = atomic_load(&accepted),
                                      .refused = atomic_load(&refused),
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
    int most = atomic_load(&highest);
    if (most >= 0 && fd > most) {
        close((int)fd);
        atomic_fetch_add(&refused, 1);
        errno = EINTR;
        return -1;
    }
    atomic_fetch_add(&accepted, 1);
    return (int)fd;
}
