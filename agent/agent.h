/*
 * The agent: finds CPython processes, counts their heaps on a schedule, and sends what it counted.
 * The only file that knows all the stages.
 *
 *     loop thread                                network thread
 *       schedule: what is due?  -- one job -->     scout: scan /proc, or count one process
 *       uplink: encode, spool, send  <-- done --
 *
 * There is one job under way at most, and while there is, that thread owns every target; otherwise
 * the loop does. That is the whole locking.
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include <stdint.h>

#include "loop.h"
#include "rpc_client.h"
#include "rpc_files.h"
#include "scout.h"
#include "status.h"
#include "why.h"

struct agent;

struct agent_options {
    struct rpc_channel_options channel; /* texts outlive agent_new */
    struct rpc_tls_paths tls;           /* where its PEM texts came from; outlive the agent */
    struct scout_options scout;
    int64_t interval_ms;   /* between two snapshots of a process */
    uint64_t spool_bytes;  /* in memory */
    const char *spool_dir; /* NULL: none; outlives agent_new */
    uint64_t spool_disk_bytes;
    double cpu_share; /* of one core, on average */
};

/* FAILED or USAGE. Starts nothing yet. */
enum status agent_new(struct loop *loop, const struct agent_options *options, struct agent **ret,
                      struct why *why) MUST_CHECK;
void agent_start(struct agent *agent);

/* From now on with this interval, CPU budget and token, and with what the certificates' files hold
 * now; the other options are ignored. INVALID: the token is wrong, and nothing was changed. */
enum status agent_reload(struct agent *agent, const struct agent_options *options,
                         struct why *why) MUST_CHECK;

/*
 * Look once more for processes that have ended, deliver for at most `limit_ms` in all, then
 * fn(arg) on the loop. Then, and not before, agent_free may be called, unless the agent is busy: a
 * census that outlasted the time cannot be stopped, and only the end of the program is left.
 */
void agent_stop(struct agent *agent, int64_t limit_ms, call_fn *fn, void *arg);
int agent_is_busy(const struct agent *agent);
void agent_free(struct agent *agent);

#endif
