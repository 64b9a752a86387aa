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

/* Counted; each enter is paired with one leave, made when its gRPC objects are gone. Any thread. */
void rpc_runtime_enter(void);
void rpc_runtime_leave(void);

void rpc_signals_block(sigset_t *ret_before); /* all of them, in the calling thread */
void rpc_signals_restore(const sigset_t *before);

/* A channel argument: a number under one of gRPC's keys. */
grpc_arg rpc_arg_number(const char *key, int value);

#endif
