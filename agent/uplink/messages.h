/*
 * The agent's messages as bytes: proto/heapfleet/v1/ingest.proto in the agent's own words. Texts
 * given here must be UTF-8 within the protocol's limits; their makers see to it.
 */
#ifndef AGENT_UPLINK_MESSAGES_H
#define AGENT_UPLINK_MESSAGES_H

#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "buf.h"
#include "identity.h"
#include "ingest.pb-c.h"
#include "snapshot_codec.h"
#include "snapshot_numbers.h"
#include "status.h"
#include "why.h"

enum {
    MESSAGE_BYTES_MAX = 256 * 1024, /* the protocol's */
    MESSAGE_ARENA_BYTES = 1024 * 1024,
    AGENT_ID_BYTES = 16,
};

enum end_reason { END_UNKNOWN, END_EXITED, END_OOM_KILLED, END_REPLACED };

struct uplink_process {
    uint32_t process; /* the agent's number for it: rising, never reused, not 0 */
    uint8_t instance_id[INSTANCE_ID_BYTES];
    const struct identity *identity;
    uint32_t pid;
    const char *runtime_version;
    int64_t started_ms;
};

struct uplink_snapshot {
    uint32_t process;
    int64_t time_ms;
    const struct heap_values *values;
    uint64_t rss_anon_bytes, swap_bytes, pss_bytes;
    uint64_t container_usage_bytes, container_limit_bytes;
    uint64_t not_objects_bytes, pool_bytes, pool_free_bytes, malloc_free_bytes;
    uint64_t objects_error, bytes_error; /* of a sample */
    uint64_t cpu_ms;
    uint32_t census_cpu_us;
    uint32_t coverage; /* in 1/10000 */
};

/* Each appends one packed AgentMessage to `ret`. */
void message_hello(const uint8_t agent_id[AGENT_ID_BYTES], const char *host, int64_t now_ms,
                   struct buf *ret);
void message_process_started(const struct uplink_process *process, struct buf *ret);
/* `names` holds `count` texts with a zero behind each. */
void message_type_definitions(uint32_t process, uint32_t first_index, const char *names,
                              uint32_t count, struct buf *ret);
void message_snapshot(uint64_t sequence, const struct uplink_snapshot *snapshot,
                      uint64_t base_sequence, const struct buf *body, struct buf *ret);
void message_process_ended(uint64_t sequence, uint32_t process, int64_t time_ms,
                           enum end_reason reason, struct buf *ret);

/* A message of our own, read back: its snapshot, in the arena; NULL when it is not one. */
Heapfleet__V1__Snapshot *message_own_snapshot(const uint8_t *data, size_t size,
                                              struct arena *arena);
void message_repack_snapshot(uint64_t sequence, Heapfleet__V1__Snapshot *snapshot, struct buf *ret);

/* As it goes over a stream: shortened, if it changes the snapshot that said `sent`, the last one of
 * this process on the stream. `sent` becomes this one's. */
void message_stream_snapshot(uint64_t sequence, Heapfleet__V1__Snapshot *snapshot,
                             struct snapshot_numbers *sent, struct buf *ret);

/* What a collector sent, in the arena. STATUS_INVALID or STATUS_LIMIT. */
enum status message_from_collector(const uint8_t *data, size_t size, struct arena *arena,
                                   Heapfleet__V1__CollectorMessage **ret,
                                   struct why *why) MUST_CHECK;

#endif
