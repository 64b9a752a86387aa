/*
 * The way from the agent to its collector: facts are taken at any time, kept in the spool, and
 * delivered at least once, in order, over one stream that is opened again as often as it breaks.
 *
 *     IDLE --start--> GREETING --Welcome--> STREAMING --all delivered, or time is up--> LEAVING
 *                       ^  |                    |                                          |
 *                timer  |  | closed             | closed                            closed |
 *                       |  v                    |                                          v
 *                      PAUSING <----------------'   --time is up-->                       DONE
 *
 * What a former run of the agent left in the spool's folder comes first, each run over a stream of
 * its own under its own id and numbers: STREAMING --delivered--> TURNING --closed--> GREETING. Then
 * the present run. A former run that a collector will not have is given up.
 *
 * Of several collectors the next one has its turn after each failure; one that works is kept.
 *
 * PAUSING lasts a random time below a bound that doubles from RETRY_MS_MIN to RETRY_MS_MAX and
 * falls back once a collector has acknowledged something. What has been sent and not acknowledged
 * is sent again on the next stream, under the same numbers.
 *
 * All calls and callbacks on the loop's thread.
 */
#ifndef AGENT_UPLINK_UPLINK_H
#define AGENT_UPLINK_UPLINK_H

#include <stddef.h>
#include <stdint.h>

#include "loop.h"
#include "messages.h"
#include "rpc_client.h"
#include "spool.h"
#include "status.h"
#include "why.h"

enum {
    UPLINK_RETRY_MS_MIN = 1000,
    UPLINK_RETRY_MS_MAX = 30 * 1000,
    /* For a connection, and for a Welcome: long, because who gives up while thousands wait with him
     * makes the queue longer. */
    UPLINK_GREETING_MS = 30 * 1000,
    UPLINK_WINDOW_FACTS = 256, /* sent and not acknowledged */
    UPLINK_UNSENT_BYTES = 256 * 1024,
    UPLINK_KEYFRAME_EVERY = 64, /* snapshots of a process */
    UPLINK_REJECTIONS_MAX = 3,  /* streams in a row that a former run ends as a wrong one */
};

struct uplink;

struct uplink_options {
    struct rpc_channel_options channel; /* its target may be a list (collectors.h) */
    const char *host;                   /* of this machine; copied */
    size_t spool_bytes;                 /* what may wait in memory */
    const char *spool_dir;              /* where more of it waits, and outlives us; NULL: nowhere */
    uint64_t spool_disk_bytes;          /* how much */
    int64_t now_ms;   /* wall clock: where the sequence numbers of this run start */
    int64_t retry_ms; /* the first pause is at most this; 0: UPLINK_RETRY_MS_MIN */
};

/* What the wiring may want to log or to follow. Each may be NULL. */
struct uplink_events {
    void (*connected)(void *user, const char *collector_version);
    /* `retry_ms`: until the next attempt; -1: there will be none */
    void (*disconnected)(void *user, const char *reason, int64_t retry_ms);
    void (*refused)(void *user, uint64_t sequence, uint32_t process, const char *reason);
    void (*configured)(void *user, uint32_t interval_ms);
    /* The spool's bound was reached: one more snapshot of this process is lost. */
    void (*lost)(void *user, uint32_t process);
    /* The spool's folder cannot be used, and why; what waits is kept in memory. NULL: it can again.
     * Also from within uplink_new, as the next. */
    void (*spool_changed)(void *user, const char *reason);
    void (*spool_restored)(void *user, const struct spool_restored *restored, size_t runs);
    /* A collector will not have what a former run left: so many facts were given up. */
    void (*given_up)(void *user, size_t facts, const char *reason);
};

/* STATUS_USAGE: the target is not an address. `options` and `events` are copied. */
enum status uplink_new(struct loop *loop, const struct uplink_options *options,
                       const struct uplink_events *events, void *user, struct uplink **ret,
                       struct why *why) MUST_CHECK;
/* IDLE or DONE only (asserted); NULL is fine. */
void uplink_free(struct uplink *uplink);

void uplink_start(struct uplink *uplink);

/* The highest number of a process in former runs, 0: none. Those of this run are above it. */
uint32_t uplink_last_process(const struct uplink *uplink);

/* What the next connection uses, as rpc_channel_set_tls and rpc_channel_set_token. It comes at once
 * if there is none. */
enum status uplink_set_tls(struct uplink *uplink, const struct rpc_tls_texts *texts,
                           struct why *why) MUST_CHECK;
enum status uplink_set_token(struct uplink *uplink, const char *token, struct why *why) MUST_CHECK;

/* A process came under watch. LIMIT: there are too many (4,096). */
enum status uplink_process_started(struct uplink *uplink,
                                   const struct uplink_process *process) MUST_CHECK;
/* The name of its next type. UTF-8, at most SNAPSHOT_NAME_BYTES_MAX bytes. */
void uplink_define_type(struct uplink *uplink, uint32_t process, const char *name);
uint32_t uplink_types_defined(const struct uplink *uplink, uint32_t process);
/* As many values as types have been defined, at most. */
void uplink_snapshot(struct uplink *uplink, const struct uplink_snapshot *snapshot);
void uplink_process_ended(struct uplink *uplink, uint32_t process, int64_t time_ms,
                          enum end_reason reason);

/* Run fn(arg) on the thread that otherwise waits for the network; deliveries stand still meanwhile.
 */
void uplink_lend_thread(struct uplink *uplink, call_fn *fn, void *arg);

/* The collector whose turn it is. */
const char *uplink_collector(const struct uplink *uplink);

/* Facts that wait for their acknowledgement. */
size_t uplink_pending(const struct uplink *uplink);

/* Deliver what is there, for at most `limit_ms`, then be DONE: fn(arg) on the loop, once. */
void uplink_stop(struct uplink *uplink, int64_t limit_ms, call_fn *fn, void *arg);

#endif
