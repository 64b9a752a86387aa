/*
 * How a server's process takes connections: how many, and what happens when descriptors run out.
 *
 * gRPC 1.51 stops to listen for good when accept4 fails once for want of descriptors
 * (CVE-2023-4785). A program's own symbols come before those of libc, so this one's accept4 never
 * tells it: the connection is closed with a descriptor that is kept for that, or waits. Counters
 * are of the whole process.
 */
#ifndef COMMON_RPC_RPC_ACCEPT_H
#define COMMON_RPC_RPC_ACCEPT_H

#include <stdint.h>

/*
 * Close connections beyond `connections` at once; 0: as many as RLIMIT_NOFILE leaves room for,
 * RPC_ACCEPT_SPARE aside. To be called when most of the other descriptors are open: the kernel
 * gives the lowest free number, so a number that is too high tells that there are too many. Any
 * thread.
 */
void rpc_accept_limit(uint32_t connections);

enum { RPC_ACCEPT_SPARE = 128 };

/* What this descriptor takes is somebody else's: not limited here, and not counted. One; -1: none
 * any more. */
void rpc_accept_set_apart(int listener);

struct rpc_accept_counts {
    uint64_t accepted;
    uint64_t refused;   /* there were enough */
    uint64_t cut;       /* it misbehaved: rpc_accept_cut */
    uint64_t exhausted; /* the process or the machine had no descriptor left */
};

struct rpc_accept_counts rpc_accept_counts(void); /* any thread */

/*
 * Reset the connection of `peer`, as gRPC writes it ("ipv4:127.0.0.1:51234"), which has no call for
 * that; what it has sent already is thrown away. Looks at every descriptor: for the rare case.
 * Nothing happens to UNIX sockets. Any thread.
 */
void rpc_accept_cut(const char *peer);

#endif
