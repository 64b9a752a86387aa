/*
 * What a snapshot says of its process beside the heap: times, memory, CPU. On a stream, a snapshot
 * that changes the one before may say these as changes too (proto/heapfleet/v1/ingest.proto,
 * Snapshot.changes): about a third of the bytes.
 */
#ifndef COMMON_WIRE_SNAPSHOT_NUMBERS_H
#define COMMON_WIRE_SNAPSHOT_NUMBERS_H

#include <stdint.h>

#include "ingest.pb-c.h"
#include "status.h"
#include "why.h"

enum { SNAPSHOT_NUMBERS = 15 };

/* Each as it is in the message, in the order of Snapshot.changes. */
struct snapshot_numbers {
    uint64_t sequence; /* of the snapshot that says them; 0: none */
    uint64_t of[SNAPSHOT_NUMBERS];
};

struct snapshot_numbers snapshot_numbers(uint64_t sequence,
                                         const Heapfleet__V1__Snapshot *snapshot);

/*
 * Shorten a snapshot whose base is the one that said `base`; another one stays as it is. `scratch`
 * must live as long as the snapshot is used.
 */
void snapshot_shorten(uint64_t sequence, const struct snapshot_numbers *base,
                      Heapfleet__V1__Snapshot *snapshot, int64_t scratch[SNAPSHOT_NUMBERS]);

/*
 * The inverse, for a snapshot from outside; one that is not shortened stays as it is. GONE: `base`
 * is not what it changes. INVALID: it says things twice, or a number does not fit its field. On
 * failure it is as it was.
 */
enum status snapshot_restore(uint64_t sequence, const struct snapshot_numbers *base,
                             Heapfleet__V1__Snapshot *snapshot, struct why *why) MUST_CHECK;

/* `numbers` become those of this snapshot, if it can be restored with them. */
void snapshot_follow(uint64_t sequence, const Heapfleet__V1__Snapshot *snapshot,
                     struct snapshot_numbers *numbers);

#endif
