/*
 * What the collector's door is made of, from files that are read again: the certificates that it
 * shows and trusts, and the policy of who may do what. A file that has become wrong changes
 * nothing but the log.
 *
 * On the main thread; what must happen on the rpc server's is posted there.
 */
#ifndef COLLECTOR_GATE_H
#define COLLECTOR_GATE_H

#include "access.h"
#include "metrics.h"
#include "rpc_server.h"
#include "status.h"
#include "why.h"

enum { GATE_RELOAD_MS = 10 * 1000 };

struct gate_options {
    struct rpc_tls_paths tls; /* all NULL: plaintext */
    const char *access;       /* path of the policy; NULL: none */
    int is_open;              /* everybody may everything where there is no policy */
    int client_optional;      /* a certificate of the peer is verified, not required */
};

struct gate;

/* Read everything once. The paths are copied. `why` names the file. */
enum status gate_new(const struct gate_options *options, struct gate **ret,
                     struct why *why) MUST_CHECK;
void gate_free(struct gate *gate); /* after the server; NULL is fine */

/* What the server needs of it. Then start the server, and attach it. */
void gate_fill(const struct gate *gate, struct rpc_server_options *ret);
void gate_attach(struct gate *gate, struct rpc_server *server);
struct access *gate_access(const struct gate *gate);

/* Other paths from now on (they may be the same), then gate_reload. Only what is there already can
 * be replaced: INVALID if TLS or the policy came or went, and nothing is changed. */
enum status gate_set_paths(struct gate *gate, const struct gate_options *options,
                           struct why *why) MUST_CHECK;

/* Read the files; what differs is put to use, or complained of once. Cheap when nothing differs. */
void gate_reload(struct gate *gate);

/* What it counts: connections and denials. The gate outlives the metrics. */
void gate_add_metrics(struct gate *gate, struct metrics *metrics);

#endif
