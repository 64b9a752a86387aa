/*
 * One service under watch: snapshots in, verdicts out. State has a fixed size for each (container
 * life, type), however long the life; see life.h.
 *
 * Pure: no database, no clock, no log, no randomness. Time is the snapshots' own. Fed the same
 * snapshots in the same order it says the same, whether they come live, from the database after a
 * restart, or from a file (replay). Judging happens in passes, at the multiples of a 180th of the
 * horizon since 1970: the caller advances to a pass when it has given what was seen before.
 *
 * Every time constant is a multiple of the horizon, so that a demonstration runs the same code.
 *
 * Limits: what comes from outside never makes it grow without bound; lives, versions, types and
 * series beyond the limits below are not looked at. Not thread-safe.
 */
#ifndef COLLECTOR_DETECT_DETECTOR_H
#define COLLECTOR_DETECT_DETECTOR_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "status.h"
#include "verdict.h"
#include "why.h"

struct detect_config {
    int64_t horizon_ms; /* uptime a deployment must have reached to be judged; default 30 h */
};

enum {
    DETECT_HORIZON_DEFAULT_MS = 30 * 3600 * 1000,
    DETECT_HORIZON_MIN_MS = 1000,
    DETECT_LIVES_MAX = 256,
    DETECT_VERSIONS_MAX = 64,
    DETECT_TYPES_MAX = 16384,
    DETECT_SERIES_MAX = 1 << 19, /* (life, type); in chunks, some 400 bytes each */
    DETECT_WATCHES_MAX = 16,     /* verdicts that say watch */
    DETECT_PASSES_PER_HORIZON = 180,
    DETECT_NONE = -1,
};

struct detector;

struct detector *detector_new(const struct detect_config *config);
void detector_free(struct detector *detector); /* NULL is fine */

/* The number of a type's name, for detect_value; DETECT_NONE above DETECT_TYPES_MAX. */
int detector_type(struct detector *detector, const char *name, size_t size);

/* 1 for the names that the detector has made itself, of memory that is no object: no process has
 * such a type, but a verdict may be about it. */
int detector_is_own_name(const char *name);

/* Who a life is: 16 bytes that no other life of the service has. Who a container is, too. */
struct detect_key {
    uint8_t bytes[16];
};

/* Of names that differ, keys that differ; never zero. */
struct detect_key detect_key_of(const char *name, size_t size);

/*
 * The life's number, stable until it has been forgotten; asked again with the same key it is the
 * same. DETECT_NONE: there are too many for now; ask again with a later snapshot. `started_ms`: 0
 * if not known; a life that is first seen long after its start begins where it was first seen.
 */
int detector_life(struct detector *detector, const struct detect_key *key, const char *version,
                  size_t version_size, int64_t started_ms);

/* The number of a life that has not ended, or DETECT_NONE. */
int detector_find_life(const struct detector *detector, const struct detect_key *key);

/* The newest CPU time that a life was seen with; 0: unknown. */
uint64_t detector_cpu_ms(const struct detector *detector, int life);

struct detect_value {
    int type;
    uint64_t count, bytes;
};

/* What a snapshot says beside its types; 0: unknown. */
struct detect_process {
    uint64_t cpu_ms;    /* cumulative */
    uint64_t rss_bytes; /* private anonymous memory */
    uint64_t not_objects_bytes;
    uint64_t free_pool_bytes, free_malloc_bytes; /* of those, in pools and in malloc's blocks */
    uint64_t container_usage_bytes, container_limit_bytes;
    struct detect_key container; /* the same for all that share that limit; zero: the life alone */
};

/* How many bytes of the memory by this name (detector_is_own_name) a process has. */
uint64_t detector_own_bytes(const char *name, const struct detect_process *process);

/*
 * One snapshot. Values beyond 2^60 are damaged numbers and taken for missing; a snapshot whose time
 * lies before the life's newest bin is left out. A type that is not among the values has not been
 * seen, which is not the same as 0; of one that is never among them the life has none, unless it
 * has some "(other)". Returns 1 if it was taken.
 */
int detector_snapshot(struct detector *detector, int life, int64_t time_ms,
                      const struct detect_process *process, const struct detect_value *values,
                      size_t count);

void detector_end(struct detector *detector, int life, int64_t time_ms, int oom_killed);

/* The next pass that is due, when everything before it has been given; INT64_MAX before the first
 * snapshot. */
int64_t detector_next_pass(const struct detector *detector);

/* What detector_advance did; 0: no pass was due. */
enum {
    DETECT_PASSED = 1,
    DETECT_CHANGED =
        2, /* a verdict was settled: a leak was confirmed or resolved, or creep found */
};

/* Judge, if a pass is due at or before `now_ms`. Over a silence of more than a
 * horizon it leaps. */
int detector_advance(struct detector *detector, int64_t now_ms);

/*
 * Everything there is to say, strongest first, resolved ones last: `*ret_count` verdicts that live
 * until the next call of any function but detector_type. A resolved one is said until it has been
 * forgotten, a horizon later. A suspect or a watch that does not grow any more is said for a fifth
 * of the horizon longer; a type that is resolved is not watched.
 */
const struct verdict *detector_verdicts(struct detector *detector, uint32_t *ret_count);

/* What it costs: series held, and bytes of all of it. */
struct detect_size {
    uint64_t series, bytes;
};
struct detect_size detector_size(const struct detector *detector);

/*
 * All of the state as bytes, and back. INVALID: of another program version or damaged; then the
 * state is built anew from the snapshots.
 */
void detector_save(const struct detector *detector, struct buf *ret);
enum status detector_load(const struct detect_config *config, const uint8_t *data, size_t size,
                          struct detector **ret, struct why *why) MUST_CHECK;

/* What tells a damaged state from the one that was saved; not who may write it from who may not. */
uint64_t detector_state_sum(const uint8_t *data, size_t size);

#endif
