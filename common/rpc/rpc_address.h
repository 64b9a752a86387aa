/* "HOST:PORT", "[IPV6]:PORT" and "unix:PATH": what servers listen on and clients connect to. */
#ifndef COMMON_RPC_RPC_ADDRESS_H
#define COMMON_RPC_RPC_ADDRESS_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "status.h"
#include "why.h"

enum { RPC_HOST_BYTES = 256 }; /* a DNS name has at most 253; a socket's path at most 107 */

struct rpc_address {
    int is_unix;
    char host[RPC_HOST_BYTES]; /* without brackets; the path if is_unix */
    int port;                  /* 0..65535; 0 if is_unix */
};

/* STATUS_INVALID with a sentence that says what is wrong with `text` and what would be right. */
enum status rpc_address_parse(const char *text, struct rpc_address *ret,
                              struct why *why) MUST_CHECK;

/* 1 if what is sent there stays on this machine: loopback, "localhost", a UNIX socket. */
int rpc_address_is_local(const struct rpc_address *address);

/*
 * Where a listener at a number address is reached from its own machine: the address with `port`,
 * loopback for 0.0.0.0 and [::]. Returns its size; 0 for names and UNIX sockets.
 */
socklen_t rpc_address_loopback(const struct rpc_address *address, int port,
                               struct sockaddr_in6 *ret);

#endif
