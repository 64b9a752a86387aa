/*
 * gRPC as a whole: its start and end, and what it would do to the process if it were left alone.
 *
 * It starts threads of its own, from grpc_init and from many other calls. They must not take the
 * signals that are meant for the loop, so every call into gRPC from a thread that does take signals
 * is made between rpc_signals_block and rpc_signals_restore.
 */
#ifndef COMMON_RPC_RPC_RUNTIME_H
#define COMMON_RPC_RPC_RUNTIME_H

#include <grpc/grpc.h>
#include <signal.h>
#include <stdint.h>

/* Counted; each enter is paired with one leave, made when its gRPC objects are gone. Any thread. */
void rpc_runtime_enter(void);
void rpc_runtime_leave(void);

void rpc_signals_block(sigset_t *ret_before); /* all of them, in the calling thread */
void rpc_signals_restore(const sigset_t *before);

/* What gRPC does to peers by itself and tells nobody but its log. Counts are of the process. */
enum rpc_notice {
    RPC_NOTICE_MUTE,    /* sent a peer away whose TLS or HTTP/2 did not begin, or not in time */
    RPC_NOTICE_SILENT,  /* closed a connection: a ping was not answered */
    RPC_NOTICE_PINGING, /* sent a peer away that pings too often */
    RPC_NOTICE_MEMORY,  /* ended a call or a connection, for want of memory in the quota */
    RPC_NOTICE_BROKEN,  /* ended a call: its peer broke HTTP/2, as by more calls than it may open */
    RPC_NOTICE_LARGE,   /* ended a call that sent too large a message */
    RPC_NOTICES
};

/* Before a server: its log is silent of the last three otherwise. */
void rpc_runtime_notice_all(void);

uint64_t rpc_runtime_count(enum rpc_notice notice); /* any thread */

/* A channel argument: a number under one of gRPC's keys. */
grpc_arg rpc_arg_number(const char *key, int value);

#endif
