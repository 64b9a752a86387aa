/*
 * The collectors that an agent may deliver to, in the order in which they are tried: a channel
 * each, all on one thread. The loop's thread, but where rpc_client.h says otherwise.
 */
#ifndef AGENT_UPLINK_COLLECTORS_H
#define AGENT_UPLINK_COLLECTORS_H

#include <stddef.h>

#include "rpc_client.h"
#include "status.h"
#include "why.h"

enum { COLLECTORS_MAX = 16, COLLECTOR_BYTES_MAX = 300 };

struct collectors {
    struct rpc_channel *channels[COLLECTORS_MAX];
    char *targets[COLLECTORS_MAX];
    size_t count, present;
};

/* Is `options->target` a list of addresses, "HOST:PORT,HOST:PORT ...", and may each be connected to
 * (rpc_channel_check)? USAGE, INVALID or LIMIT. */
enum status collectors_check(const struct rpc_channel_options *options, struct why *why) MUST_CHECK;

/* `options->target` is such a list. USAGE or INVALID as rpc_channel_new, and `ret` is empty then.
 */
enum status collectors_open(const struct rpc_channel_options *options, struct collectors *ret,
                            struct why *why) MUST_CHECK;
void collectors_close(struct collectors *collectors);

/* As rpc_channel_set_tls and rpc_channel_set_token, for all of them. */
enum status collectors_set_tls(struct collectors *collectors, const struct rpc_tls_texts *texts,
                               struct why *why) MUST_CHECK;
enum status collectors_set_token(struct collectors *collectors, const char *token,
                                 struct why *why) MUST_CHECK;

struct rpc_channel *collectors_channel(const struct collectors *collectors);
const char *collectors_target(const struct collectors *collectors);
/* The present one is of no use for now: the next one's turn, and after the last the first's. */
void collectors_turn(struct collectors *collectors);

#endif
