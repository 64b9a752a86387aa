/*
 * What compaction asks about processes, and says of them, for many in one statement: where each
 * stands when its rows begin, and its newest snapshot when they end.
 */
#ifndef COLLECTOR_STORE_COMPACT_PROCESS_H
#define COLLECTOR_STORE_COMPACT_PROCESS_H

#include "db.h"

/* Some processes of one service. All zero: none. */
struct known_processes {
    struct pg_rows rows; /* ascending */
    int is_read, at;
};

struct known_process {
    int64_t deployment_id;
    int32_t *type_ids; /* [type_count], in the arena */
    size_t type_count;
    uint64_t last_sequence;   /* of instance_last; 0: none */
    const uint8_t *last_body; /* valid until the next read */
    size_t last_size;
};

/* `instance_ids` ascend. */
enum status known_processes_read(struct known_processes *known, struct db *db, int64_t service_id,
                                 const int64_t *instance_ids, size_t count,
                                 struct why *why) MUST_CHECK;
/* One that was read; to be asked in ascending order. NOT_FOUND: somebody removed it. */
enum status known_processes_find(struct known_processes *known, int64_t instance_id,
                                 struct arena *arena, struct known_process *ret,
                                 struct why *why) MUST_CHECK;
void known_processes_done(struct known_processes *known);

/* Newest snapshots that are not written yet. All zero: none. */
struct last_snapshots {
    struct buf rows; /* struct last_row */
    struct buf bytes;
};

/* Replaces what is older in instance_last, once it is flushed. */
void last_snapshots_add(struct last_snapshots *last, int64_t instance_id, uint64_t sequence,
                        int64_t time_ms, int64_t interval_ms, const struct buf *process,
                        const struct buf *body);
size_t last_snapshots_bytes(const struct last_snapshots *last);
enum status last_snapshots_flush(struct last_snapshots *last, struct db *db, int64_t service_id,
                                 struct why *why) MUST_CHECK;
void last_snapshots_done(struct last_snapshots *last);

#endif
