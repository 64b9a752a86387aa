#include "peer_count.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static void ports_do_not_make_peers(void **state)
{
    (void)state;
    struct peer_counts *counts = peer_counts_new();
    assert_int_equal(peer_counts_enter(counts, "ipv4:10.0.0.1:1000"), 1);
    assert_int_equal(peer_counts_enter(counts, "ipv4:10.0.0.1:2000"), 2);
    assert_int_equal(peer_counts_enter(counts, "ipv4:10.0.0.11:1000"), 1);
    assert_int_equal(peer_counts_enter(counts, "ipv6:%5B::1%5D:1000"), 1);
    assert_int_equal(peer_counts_enter(counts, "ipv6:%5B::1%5D:1001"), 2);
    assert_int_equal(peer_counts_enter(counts, "unix:"), 1);
    assert_int_equal(peer_counts_enter(counts, "unix:"), 2);
    peer_counts_leave(counts, "ipv4:10.0.0.1:1000");
    assert_int_equal(peer_counts_enter(counts, "ipv4:10.0.0.1:3000"), 2);
    peer_counts_leave(counts, "ipv4:10.0.0.1:3000");
    peer_counts_leave(counts, "ipv4:10.0.0.1:2000");
    peer_counts_leave(counts, "ipv4:10.0.0.11:1000");
    peer_counts_leave(counts, "ipv6:%5B::1%5D:1000");
    peer_counts_leave(counts, "ipv6:%5B::1%5D:1001");
    peer_counts_leave(counts, "unix:");
    peer_counts_leave(counts, "unix:");
    peer_counts_free(counts); /* asserts that nobody is left */
}

enum { PEERS = 20000 };

static void many_peers_come_and_go(void **state)
{
    (void)state;
    struct peer_counts *counts = peer_counts_new();
    char peer[64];
    for (int round = 1; round <= 2; round++) {
        for (int i = 0; i < PEERS; i++) {
            (void)snprintf(peer, sizeof(peer), "ipv4:10.%d.%d.1:%d", i / 256, i % 256, round);
            assert_int_equal(peer_counts_enter(counts, peer), round);
        }
    }
    for (int round = 1; round <= 2; round++) {
        for (int i = 0; i < PEERS; i++) {
            (void)snprintf(peer, sizeof(peer), "ipv4:10.%d.%d.1:9", i / 256, i % 256);
            peer_counts_leave(counts, peer);
        }
    }
    peer_counts_free(counts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports_do_not_make_peers),
        cmocka_unit_test(many_peers_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
