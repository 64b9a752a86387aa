/*
 * The agent's certificates, looked at again every ten seconds: whoever renews them, a mounted
 * secret say, need not tell us. New ones are used from the next connection on; wrong ones are said,
 * once, and the old ones stay in force. On the loop.
 */
#ifndef AGENT_TLS_FILES_H
#define AGENT_TLS_FILES_H

#include "loop.h"
#include "rpc_files.h"
#include "uplink.h"

enum { TLS_FILES_EVERY_MS = 10 * 1000 };

struct tls_files;

/* The paths outlive it, and so does the uplink, which has what they hold by now. */
struct tls_files *tls_files_new(struct loop *loop, const struct rpc_tls_paths *paths,
                                struct uplink *uplink);
void tls_files_look(struct tls_files *files); /* now */
void tls_files_free(struct tls_files *files); /* NULL is fine */

#endif
