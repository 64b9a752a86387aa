/*
 * One process of one agent's stream: its types, and the heap at the end of its chain of snapshots.
 *
 * Pure: what is to be stored goes into a write batch.
 */
#ifndef COLLECTOR_INGEST_TRACKED_PROCESS_H
#define COLLECTOR_INGEST_TRACKED_PROCESS_H

#include <stdint.h>

#include "snapshot_numbers.h"
#include "store.h"
#include "type_numbering.h"

struct tracked_process {
    uint32_t number; /* the agent's */
    char *rejected;  /* why nothing of it is taken; NULL: it is */
    uint8_t uuid[ID_BYTES];
    int64_t service_id, instance_id;
    uint64_t last_sequence; /* newest snapshot that the database had when this stream opened it */
    uint64_t agent_from;    /* those above, up to it, came from this agent run */
    struct type_numbering types;
    /* The heap in the agent's numbering. */
    struct heap_values heap;
    uint64_t heap_sequence; /* the snapshot that it is; 0: none, a keyframe must come */
    /* The heap in the stored numbering, while that is another one; and before the first snapshot.
     */
    struct heap_values stored;
    uint64_t stored_sequence;
    struct snapshot_numbers numbers; /* of the newest snapshot that this stream carried */
    uint32_t since_keyframe;         /* changes stored behind the newest keyframe */
    int keyframe_asked;              /* since then */
};

struct tracked_process *tracked_process_new(uint32_t number, const uint8_t uuid[ID_BYTES]);
void tracked_process_free(struct tracked_process *process);

/* From now on nothing of it is taken. */
void tracked_process_reject(struct tracked_process *process, const char *reason);

/* What it sent last is not stored: a keyframe must come. */
void tracked_process_lose(struct tracked_process *process);

/* Where it stands in the database. `state` is emptied. */
void tracked_process_place(struct tracked_process *process, struct instance_state *state);

/* As type_numbering_define, on `types`. */
enum status tracked_process_define(struct tracked_process *process, uint32_t first_index,
                                   const char *const *names, uint32_t count,
                                   struct why *why) MUST_CHECK;

/*
 * Add a snapshot: `row` is complete but for ids, types, totals and body, which are filled in from
 * `body`. GONE: it builds on a snapshot that is not the end of the chain. INVALID: what it says is
 * wrong. In both cases a keyframe is needed next, and nothing was stored.
 */
enum status tracked_process_snapshot(struct tracked_process *process, struct snapshot_row *row,
                                     struct write_batch *batch, struct why *why) MUST_CHECK;

#endif
