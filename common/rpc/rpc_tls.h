/* Inside server and client: PEM texts to gRPC's credentials, refused here when they cannot be
 * right. */
#ifndef COMMON_RPC_RPC_TLS_H
#define COMMON_RPC_RPC_TLS_H

#include <grpc/grpc_security.h>

#include "rpc_client.h"
#include "rpc_server.h"

/*
 * What a server shows to new connections. It may be replaced at any time, from any thread: gRPC
 * asks before each handshake whether there is something new.
 */
struct rpc_tls;

/* Plaintext if no PEM is given. STATUS_INVALID with a sentence that names the wrong one. */
enum status rpc_tls_new(const struct rpc_server_options *options, struct rpc_tls **ret,
                        struct why *why) MUST_CHECK;
void rpc_tls_free(
    struct rpc_tls *tls); /* after the server that has its credentials; NULL is fine */

/* For one port; several ports want one each. Release them. */
grpc_server_credentials *rpc_tls_credentials(struct rpc_tls *tls);

/* STATUS_INVALID: unusable, and the old ones stay. */
enum status rpc_tls_set(struct rpc_tls *tls, const struct rpc_tls_texts *texts,
                        struct why *why) MUST_CHECK;

/* Plaintext if no PEM is given. STATUS_INVALID with a sentence that names the wrong one. */
enum status rpc_tls_for_channel(const struct rpc_tls_texts *texts, grpc_channel_credentials **ret,
                                struct why *why) MUST_CHECK;

#endif
