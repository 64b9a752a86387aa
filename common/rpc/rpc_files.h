/*
 * The PEM files of one side of a TLS connection, read anew from time to time: whoever runs a
 * timer compares what is there now with what was there, and hands changes to rpc_server_set_tls or
 * rpc_channel_set_tls.
 */
#ifndef COMMON_RPC_RPC_FILES_H
#define COMMON_RPC_RPC_FILES_H

#include "status.h"
#include "why.h"

struct rpc_tls_paths {
    const char *certificate, *key, *ca; /* NULL: not used */
};

struct rpc_tls_texts {
    char *certificate, *key, *ca; /* NULL: not used */
};

/* Each below 256 KiB. DENIED, NOT_FOUND, INVALID or LIMIT, with the path in `why`. */
enum status rpc_tls_texts_read(const struct rpc_tls_paths *paths, struct rpc_tls_texts *ret,
                               struct why *why) MUST_CHECK;
/* Would a server take them? INVALID, with the one that is wrong. Before or beside servers. */
enum status rpc_tls_texts_try(const struct rpc_tls_texts *texts, struct why *why) MUST_CHECK;
int rpc_tls_texts_equal(const struct rpc_tls_texts *a, const struct rpc_tls_texts *b);
void rpc_tls_texts_done(struct rpc_tls_texts *texts); /* frees; all NULL again */

#endif
