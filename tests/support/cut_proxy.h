/*
 * A wire between a client and a server on a UNIX socket that can be cut after any byte, go silent,
 * or hold the client's n-th piece back until it is let go. One connection at a time; a thread of
 * its own.
 */
#ifndef TESTS_SUPPORT_CUT_PROXY_H
#define TESTS_SUPPORT_CUT_PROXY_H

#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CUT_NEVER = INT_MAX, CUT_TO_SERVER = 0, CUT_TO_CLIENT = 1 };

struct cut_proxy {
    char path[PATH_MAX];   /* where the client connects */
    char server[PATH_MAX]; /* where the server listens */
    int listening;
    pthread_t thread;
    atomic_int left[2]; /* bytes until the cut, to the server and to the client */
    atomic_int cuts;    /* how often it was cut */
    atomic_int silent;  /* 1: bytes are swallowed */
    atomic_int pieces;  /* to the server, until one is held back */
    atomic_int held;    /* 1: one is; 0 lets it go */
    atomic_int ended;
};

static inline void cut_proxy_address(const char *path, struct sockaddr_un *ret)
{
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    if ((size_t)snprintf(ret->sun_path, sizeof(ret->sun_path), "%s", path) >= sizeof(ret->sun_path))
        abort();
}

static inline void cut_proxy_hold(struct cut_proxy *proxy)
{
    if (atomic_load(&proxy->pieces) == CUT_NEVER || atomic_fetch_sub(&proxy->pieces, 1) != 0)
        return;
    atomic_store(&proxy->pieces, CUT_NEVER);
    atomic_store(&proxy->held, 1);
    while (atomic_load(&proxy->held) && !atomic_load(&proxy->ended))
        usleep(1000);
}

/* 0 while the wire holds. */
static inline int cut_proxy_forward(struct cut_proxy *proxy, int from, int to, int direction)
{
    char bytes[4096];
    ssize_t got = read(from, bytes, sizeof(bytes));
    if (got <= 0)
        return -1;
    if (atomic_load(&proxy->silent))
        return 0;
    if (direction == CUT_TO_SERVER)
        cut_proxy_hold(proxy);
    int left = atomic_load(&proxy->left[direction]);
    ssize_t pass = left < got ? left : got;
    for (ssize_t done = 0; done < pass;) {
        ssize_t put = send(to, bytes + done, (size_t)(pass - done), MSG_NOSIGNAL);
        if (put <= 0)
            return -1;
        done += put;
    }
    if (left == CUT_NEVER)
        return 0;
    atomic_fetch_sub(&proxy->left[direction], (int)pass);
    if (left > got)
        return 0;
    atomic_fetch_add(&proxy->cuts, 1);
    return -1;
}

static inline void cut_proxy_connect(struct cut_proxy *proxy, int client)
{
    struct sockaddr_un address;
    cut_proxy_address(proxy->server, &address);
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int holds = connect(server, (const struct sockaddr *)&address, sizeof(address)) == 0;
    while (holds && !atomic_load(&proxy->ended)) {
        struct pollfd ends[2] = {{.fd = client, .events = POLLIN},
                                 {.fd = server, .events = POLLIN}};
        if (poll(ends, 2, 50) <= 0)
            continue;
        if (ends[0].revents != 0)
            holds = cut_proxy_forward(proxy, client, server, CUT_TO_SERVER) == 0;
        if (holds && ends[1].revents != 0)
            holds = cut_proxy_forward(proxy, server, client, CUT_TO_CLIENT) == 0;
    }
    close(client);
    close(server);
}

static inline void *cut_proxy_run(void *arg)
{
    struct cut_proxy *proxy = arg;
    while (!atomic_load(&proxy->ended)) {
        struct pollfd ready = {.fd = proxy->listening, .events = POLLIN};
        if (poll(&ready, 1, 50) <= 0)
            continue;
        int client = accept(proxy->listening, NULL, NULL);
        if (client >= 0)
            cut_proxy_connect(proxy, client);
    }
    return NULL;
}

static inline void cut_proxy_mend(struct cut_proxy *proxy)
{
    atomic_store(&proxy->left[CUT_TO_SERVER], CUT_NEVER);
    atomic_store(&proxy->left[CUT_TO_CLIENT], CUT_NEVER);
    atomic_store(&proxy->silent, 0);
    atomic_store(&proxy->pieces, CUT_NEVER);
    atomic_store(&proxy->held, 0);
}

static inline void cut_proxy_start(struct cut_proxy *proxy, const char *path, const char *server)
{
    struct sockaddr_un address;
    cut_proxy_address(path, &address);
    (void)snprintf(proxy->path, sizeof(proxy->path), "%s", path);
    (void)snprintf(proxy->server, sizeof(proxy->server), "%s", server);
    cut_proxy_mend(proxy);
    proxy->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(proxy->listening, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(proxy->listening, 16) != 0 ||
        pthread_create(&proxy->thread, NULL, cut_proxy_run, proxy) != 0)
        abort();
}

static inline void cut_proxy_stop(struct cut_proxy *proxy)
{
    atomic_store(&proxy->ended, 1);
    pthread_join(proxy->thread, NULL);
    close(proxy->listening);
    unlink(proxy->path);
}

#endif
