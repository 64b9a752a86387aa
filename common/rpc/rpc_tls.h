/* PEM texts to gRPC's credentials, refused here when they cannot be right. */
#ifndef COMMON_RPC_RPC_TLS_H
#define COMMON_RPC_RPC_TLS_H

#include <grpc/grpc_security.h>

#include "rpc_client.h"
#include "rpc_server.h"

/* Plaintext if no PEM is given. STATUS_INVALID with a sentence that names the wrong one. */
enum status rpc_tls_for_server(const struct rpc_server_options *options,
                               grpc_server_credentials **ret, struct why *why) MUST_CHECK;
enum status rpc_tls_for_channel(const struct rpc_channel_options *options,
                                grpc_channel_credentials **ret, struct why *why) MUST_CHECK;

#endif
