/*
 * The door of the collector: may this peer make this call, may this agent write that service. On
 * the rpc server's thread, but for access_new and access_free.
 *
 * Without a policy, peers on loopback and UNIX sockets may everything and others nothing, unless
 * the door is open. With one, its rules count and nothing else.
 */
#ifndef COLLECTOR_ACCESS_ACCESS_H
#define COLLECTOR_ACCESS_ACCESS_H

#include <stdint.h>

#include "access_policy.h"
#include "rpc_server.h"

struct access;

/* `policy` is taken over; NULL: none. `is_open`: everybody may everything while there is none. */
struct access *access_new(struct access_policy *policy, int is_open);
void access_free(struct access *access); /* after the server; NULL is fine */

/* Replace the policy, which is taken over. Streams that are open are for the caller to review. */
void access_set_policy(struct access *access, struct access_policy *policy);

/*
 * For rpc_server_options.admit, with the access as its user. UNAUTHENTICATED: nobody that the
 * policy knows; PERMISSION_DENIED: somebody who may not. Logs a denial, once a peer and method for
 * ten minutes, and at most DENIALS_LOGGED_A_MINUTE of all peers.
 */
rpc_admit_fn access_admit;

enum { ACCESS_DENIALS_LOGGED_A_MINUTE = 60 };

/* May the peer of an admitted stream write the service? DENIED with a reason for its operator. */
enum status access_may_write(void *access, struct rpc_call *call, const char *service,
                             struct why *why) MUST_CHECK;

struct access_counts {
    uint64_t admitted, unauthenticated, denied, services_denied;
};

struct access_counts access_counts(const struct access *access); /* any thread */

#endif
