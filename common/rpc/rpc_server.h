/*
 * The gRPC server: methods in a table, calls as callbacks on one thread.
 *
 * Threads. The server owns one thread. Every callback of every call runs on it, so handlers need no
 * locks; nothing may block in one. `rpc_server_post` brings work of other threads onto it, and is
 * the only function here (beside start and stop) that another thread may call.
 *
 * A call. `opened`, then any number of `message` (one for each rpc_call_read), `half_closed`
 * instead of a message when the peer will send no more, and at last `closed`, exactly once,
 * whatever happened. After rpc_call_finish only `closed` comes. After `closed` returns the call is
 * freed, unless it is held: rpc_call_hold/release count references for work that is under way
 * elsewhere. On a closed call send and finish do nothing.
 *
 * Backpressure. A message arrives only when rpc_call_read asked for it: not asking stops the peer
 * once its flow-control window (64 KiB) is full. Sent messages queue in order, one in flight;
 * `rpc_call_unsent_bytes` tells how much waits, and `sent` that nothing does any more: a peer that
 * does not read stays without it once its own window is full.
 *
 * Before a call is opened its server may ask whether the peer may make it (`admit`). Unregistered
 * methods are answered UNIMPLEMENTED. Messages above the limit end RESOURCE_EXHAUSTED,
 * compressed messages end UNIMPLEMENTED.
 */
#ifndef COMMON_RPC_RPC_SERVER_H
#define COMMON_RPC_RPC_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include "loop.h"
#include "rpc_code.h"
#include "rpc_files.h"
#include "status.h"
#include "why.h"

struct rpc_server;
struct rpc_call;

struct rpc_method {
    const char *path; /* "/heapfleet.v1.Query/ListServices"; outlives the server */
    void *user;       /* rpc_call_user(call) */
    void (*opened)(struct rpc_call *call);
    /* `data` is valid during the callback only. */
    void (*message)(struct rpc_call *call, const uint8_t *data, size_t size);
    void (*half_closed)(struct rpc_call *call); /* may be NULL */
    void (*closed)(struct rpc_call *call);      /* may be NULL */
    /* What was sent last has left our hands, and the call goes on: send the next. May be NULL. */
    void (*sent)(struct rpc_call *call);
};

/* What is asked before a call of a registered method is opened. */
typedef enum rpc_code rpc_admit_fn(void *user, struct rpc_call *call,
                                   const struct rpc_method *method,
                                   const char **ret_message); /* of a refusal */

struct rpc_server_options {
    const char *listen;         /* "127.0.0.1:4777", "[::1]:0", "unix:/run/heapfleet.sock" */
    uint32_t message_bytes_max; /* of one received message; 0: 256 KiB */
    uint32_t streams_max;       /* concurrent calls a connection; 0: 1024 */
    int handshake_ms;           /* for TLS and HTTP/2 to begin; 0: 30 s */
    int keepalive_ms;           /* between two pings of a silent peer; 0: 60 s */
    int keepalive_timeout_ms;   /* for the answer to one; 0: 20 s */
    uint64_t memory_max;        /* that gRPC takes for all connections together; 0: 1 GiB */
    uint32_t connections_max;   /* of the process; 0: what RLIMIT_NOFILE leaves. rpc_accept.h */
    /* PEM texts, zero-terminated; all NULL: plaintext. `tls_client_ca` set: client certificates are
     * verified, and required unless `tls_client_optional`. Copied. */
    const char *tls_certificate, *tls_key, *tls_client_ca;
    int tls_client_optional;
    /* On the server's thread. RPC_OK: the call is opened; another code ends it, and none of the
     * method's callbacks runs. NULL: everybody may do everything. */
    rpc_admit_fn *admit;
    void *admit_user;
};

/*
 * Bind and serve. `methods` (count of them) is copied, the strings and user pointers are not. The
 * first callback may run before this returns.
 * STATUS_INVALID: the address or a PEM text is wrong; STATUS_DENIED or STATUS_CONFLICT: cannot be
 * bound. 0.0.0.0 and [::] both mean every address of both families.
 */
enum status rpc_server_start(const struct rpc_server_options *options,
                             const struct rpc_method *methods, size_t count,
                             struct rpc_server **ret, struct why *why) MUST_CHECK;

/* The bound TCP port (of use when 0 was asked for); 0 for a UNIX socket. */
int rpc_server_port(const struct rpc_server *server);

/*
 * New connections are shown these PEM texts; those that are open stay. Any thread.
 * STATUS_INVALID: they cannot be used, or are for another kind of server (with TLS or without,
 * clients verified or not); what was there stays in force.
 */
enum status rpc_server_set_tls(struct rpc_server *server, const struct rpc_tls_texts *texts,
                               struct why *why) MUST_CHECK;

/*
 * Give the listener up, which has died, and bind its address anew; calls that are open go on, their
 * connections get no further ones. On the server's thread. Errors as for rpc_server_start; then
 * nobody listens, and this may be tried again.
 */
enum status rpc_server_listen_again(struct rpc_server *server, struct why *why) MUST_CHECK;

/* What its limits did, of all servers of the process; see also rpc_accept.h. */
struct rpc_server_counts {
    uint64_t used;      /* connections that have opened a call */
    uint64_t full;      /* times that a connection had `streams_max` calls: its others wait */
    uint64_t too_many;  /* calls that were refused because they did not wait */
    uint64_t broken;    /* calls that were ended because their peer broke HTTP/2 */
    uint64_t too_fast;  /* calls that were refused because there were too many within a second */
    uint64_t too_long;  /* calls that were refused for their headers, of more than 16 KiB */
    uint64_t too_large; /* calls that were ended for a message above `message_bytes_max` */
    uint64_t mute;      /* connections whose TLS or HTTP/2 did not begin, or not in time */
    uint64_t silent;    /* connections that were closed because a ping was not answered */
    uint64_t pinging;   /* connections that were sent away because they ping too often */
    uint64_t memory;    /* calls and connections that were sent away for `memory_max` */
};

struct rpc_server_counts rpc_server_counts(void); /* any thread */

/* On the server's thread: ask `admit` again about every open call; those it refuses are ended. */
void rpc_server_review(struct rpc_server *server);

/* Run fn(arg) on the server's thread. Any thread; after rpc_server_stop began it still runs. */
void rpc_server_post(struct rpc_server *server, call_fn *fn, void *arg);

/*
 * Orderly end: no new calls or connections, wait up to `grace_ms` for the open ones (their owner
 * finishes them), cancel the rest, join the thread, free the server. NULL is fine.
 *
 * Blocks; not on the server's thread. Held calls are waited for without a limit, so the threads
 * that lead to their release must still run: stop the server before the workers that it feeds.
 */
void rpc_server_stop(struct rpc_server *server, int grace_ms);

void *rpc_call_user(const struct rpc_call *call); /* of the method */
void rpc_call_set_data(struct rpc_call *call, void *data);
void *rpc_call_data(const struct rpc_call *call);
const char *rpc_call_peer(const struct rpc_call *call); /* "ipv4:127.0.0.1:51234"; never NULL */

int rpc_call_peer_is_local(const struct rpc_call *call); /* loopback or a UNIX socket */

/*
 * The names in the peer's verified certificate, one after the other: `*index` starts at 0. What it
 * is: "spiffe" (the whole URI), "san" or "cn". NULL: there are no more. Valid until `closed`
 * returned.
 */
const char *rpc_call_peer_name(struct rpc_call *call, size_t *index, const char **ret_kind);

/* Value of a request header (lower-case key), or NULL. Valid until `closed` returned. */
const char *rpc_call_header(const struct rpc_call *call, const char *key);

void rpc_call_read(struct rpc_call *call); /* ask for one more message; idempotent while asked */
void rpc_call_send(struct rpc_call *call, const uint8_t *data, size_t size); /* copies */
size_t rpc_call_unsent_bytes(const struct rpc_call *call);
/* After what was sent; further sends are ignored. `message` is copied; NULL for none. */
void rpc_call_finish(struct rpc_call *call, enum rpc_code code, const char *message);
/* End it now, whatever is unsent: for a peer that does not read. */
void rpc_call_abort(struct rpc_call *call, enum rpc_code code, const char *message);

void rpc_call_hold(struct rpc_call *call);
void rpc_call_release(struct rpc_call *call);
int rpc_call_is_closed(const struct rpc_call *call);

#endif
