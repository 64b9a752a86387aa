/*
 * The processes that a collector has heard of, or will: what it must be told of each before a
 * snapshot makes sense, and what has been told on the present stream.
 *
 * Two states of the heap are kept for each:
 *
 *     floor                                                   latest
 *       |  first spooled   ...   sent     ...   last spooled    |
 *       '--- delta --------- delta -------- delta --------------'
 *
 * `latest` is what the next snapshot is encoded against. `floor` is the state before the first
 * spooled snapshot; from it any spooled one can be made whole again, so that the first snapshot of
 * a process on every stream is a keyframe, whatever the spool or the collector has lost.
 */
#ifndef AGENT_UPLINK_SUBJECTS_H
#define AGENT_UPLINK_SUBJECTS_H

#include <stddef.h>
#include <stdint.h>

#include "attributes.h"
#include "buf.h"
#include "snapshot_codec.h"
#include "snapshot_numbers.h"

enum { SUBJECTS_MAX = 4096, SUBJECT_ID_BYTES = 16 };

/* How many names, from the first on, somebody has been told. */
struct names_told {
    uint32_t types;
    size_t bytes; /* of `names` */
};

struct subject {
    uint32_t process;
    uint8_t instance_id[SUBJECT_ID_BYTES];
    int ended;               /* its ProcessEnded has been appended */
    uint32_t spooled;        /* its facts in the spool */
    struct buf announcement; /* packed ProcessStarted */
    struct buf names;        /* of its types, a zero behind each */
    uint32_t types;
    struct heap_values latest;
    uint64_t latest_sequence; /* of the snapshot that `latest` is; 0: none */
    uint32_t deltas;          /* since the last keyframe that was encoded */
    struct heap_values floor;
    uint64_t floor_sequence; /* of the snapshot that `floor` is; 0: none, or it cannot be known */
    uint32_t dropped;        /* snapshots lost since the last that was acknowledged */

    /* Of the part of the spool that is written to. */
    uint32_t segment;
    struct names_told noted;
    uint32_t dropped_noted; /* `dropped` as it stands there */

    /* Of the present stream. */
    struct snapshot_numbers sent_numbers; /* of the last snapshot; sequence 0: a keyframe next */
    struct names_told sent;
    uint64_t dropped_sequence; /* the snapshot that told of ... */
    uint32_t dropped_told;     /* ... so many lost ones; 0: none under way */
};

/* All of them, in order of their numbers. */
struct subjects {
    struct subject **items;
    size_t count, capacity;
};

#define SUBJECTS_INIT ((struct subjects){0})

void subjects_done(struct subjects *subjects);

/* A new one; `process` is not 0 and not there (asserted). NULL when there are SUBJECTS_MAX. */
struct subject *subjects_add(struct subjects *subjects, uint32_t process);
struct subject *subjects_find(const struct subjects *subjects, uint32_t process);
/* The first whose number is above `process`, or NULL. */
struct subject *subjects_after(const struct subjects *subjects, uint32_t process);
void subjects_remove(struct subjects *subjects, uint32_t process);

/* A new stream: nothing has been told yet. */
void subjects_forget_stream(struct subjects *subjects);

/* Names that have not been told: at most `bytes_max` of them (at least one name). Returns how many,
 * and their place in `subject->names`; moves `told` on. */
uint32_t subject_take_names(const struct subject *subject, struct names_told *told,
                            size_t bytes_max, uint32_t *ret_first_index, const char **ret_names);

#endif
