#include "rpc_accept.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* A listener of ours and its address: accept4 is the program's own. */
struct scene {
    int listener;
    struct sockaddr_in address;
};

static struct scene listening(void)
{
    struct scene scene = {
        .address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(scene.address);
    scene.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(scene.listener >= 0);
    assert_int_equal(bind(scene.listener, (struct sockaddr *)&scene.address, size), 0);
    assert_int_equal(listen(scene.listener, 16), 0);
    assert_int_equal(getsockname(scene.listener, (struct sockaddr *)&scene.address, &size), 0);
    return scene;
}

static int join(const struct scene *scene)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&scene->address, sizeof(scene->address)),
                     0);
    return fd;
}

static int take(const struct scene *scene)
{
    return accept4(scene->listener, NULL, NULL, SOCK_CLOEXEC);
}

static int is_closed(int peer)
{
    char byte;
    return read(peer, &byte, 1) == 0;
}

static void too_many_are_closed_at_once(void **state)
{
    (void)state;
    struct scene scene = listening();
    int first = join(&scene), second = join(&scene);
    rpc_accept_limit(2); /* the descriptors that are free from now on: one is kept, two are left */
    struct rpc_accept_counts before = rpc_accept_counts();
    int taken = take(&scene);
    assert_true(taken >= 0);
    int other = join(&scene); /* takes a number too */
    assert_int_equal(take(&scene), -1);
    assert_int_equal(errno, EINTR); /* and the next, please */
    assert_true(is_closed(second));
    struct rpc_accept_counts after = rpc_accept_counts();
    assert_int_equal(after.accepted - before.accepted, 1);
    assert_int_equal(after.refused - before.refused, 1);
    const int all[] = {first, second, other, taken, scene.listener};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        close(all[i]);
}

static void an_empty_table_turns_peers_away(void **state)
{
    (void)state;
    struct scene scene = listening();
    rpc_accept_limit(0);
    int peer = join(&scene), next = join(&scene);
    struct rpc_accept_counts before = rpc_accept_counts();
    struct rlimit limit, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = (rlim_t)next + 1; /* every number below is taken */
    int filler[64], fillers = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    while (fillers < 64 && (filler[fillers] = dup(peer)) >= 0)
        fillers++;
    assert_int_equal(take(&scene), -1);
    assert_int_equal(errno, EINTR);
    assert_int_equal(rpc_accept_counts().exhausted - before.exhausted, 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(is_closed(peer));
    rpc_accept_limit(0);
    int taken = take(&scene);
    assert_true(taken >= 0); /* the listener lives */
    while (fillers > 0)
        close(filler[--fillers]);
    const int all[] = {peer, next, taken, scene.listener};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        close(all[i]);
}

static void a_connection_can_be_cut(void **state)
{
    (void)state;
    struct scene scene = listening();
    rpc_accept_limit(0);
    int peer = join(&scene), other = join(&scene);
    int taken = take(&scene), spared = take(&scene);
    struct sockaddr_in own;
    socklen_t size = sizeof(own);
    char name[64];
    assert_int_equal(getsockname(peer, (struct sockaddr *)&own, &size), 0);
    (void)snprintf(name, sizeof(name), "ipv4:127.0.0.1:%d", ntohs(own.sin_port));
    uint64_t before = rpc_accept_counts().cut;
    rpc_accept_cut("ipv4:127.0.0.1:1");
    rpc_accept_cut("unix:");
    assert_int_equal(rpc_accept_counts().cut, before);
    rpc_accept_cut(name);
    assert_int_equal(rpc_accept_counts().cut, before + 1);
    assert_true(is_closed(peer));
    assert_int_equal(send(other, "x", 1, 0), 1);
    char byte = 0;
    assert_int_equal(recv(spared, &byte, 1, 0), 1);
    const int all[] = {peer, other, taken, spared, scene.listener};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        close(all[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(too_many_are_closed_at_once),
        cmocka_unit_test(an_empty_table_turns_peers_away),
        cmocka_unit_test(a_connection_can_be_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
