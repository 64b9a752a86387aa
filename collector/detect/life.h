/*
 * One container life, as a sketch of fixed size for each of its types: fed snapshot by snapshot,
 * it can be asked for the shape of its whole growth at any time.
 *
 *     snapshots      bins of a 360th of the horizon        blocks of 1, 2, 4, 8 ... bins
 *     . . . . .  ->  the second-lowest of each bin    ->   the lowest of each block, 32 of them
 *
 * The floor of a bin survives one torn snapshot; fewer than four in a bin: the lowest. When the 32
 * blocks are full, neighbours are merged by minimum and the block is twice as long from then on, so
 * that after the first doubling the life is always seen in 17 to 32 pieces. The first LIFE_SLOTS
 * thirtieths of a horizon are kept in slots that are never merged: versions are compared at equal,
 * early uptime. The first of them begins behind the start-up: its floor would be that of an empty
 * program, and all that a program builds when it starts would look like growth.
 *
 * The load is CPU time a wall time; its blocks are means, and the load of the idlest part, which
 * is what a floor goes with. How a type's floor moves with it from slot to slot is summed for
 * rising and falling load apart. What a life holds is taken to be
 *
 *     base (1 + elasticity (load / mean load - 1)) + what it has gathered since
 *
 * so that only the base follows the load: what leaks is kept, whatever the load is.
 *
 * Pure; not thread-safe.
 */
#ifndef COLLECTOR_DETECT_LIFE_H
#define COLLECTOR_DETECT_LIFE_H

#include <stddef.h>
#include <stdint.h>

#include "detector.h"

enum {
    LIFE_BLOCKS = 32,
    LIFE_SLOTS = 16,
    LIFE_SLOT_BINS = 12,
    LIFE_START_UP_BINS = 4, /* 20 minutes of 30 hours: what is built then says nothing */
    LIFE_LOAD_BINS = 4,     /* of which the load is a mean: one of a bin alone is noise */
    LIFE_BINS_PER_HORIZON = 360,
    LIFE_CHUNK = 32, /* series are allocated this many at a time */
};

enum life_value { LIFE_COUNT, LIFE_BYTES, LIFE_VALUES };

NO_PADDING_BEGIN
/* Sums for a line: y, change of the count, over x, change of the load. */
struct life_moves {
    float x, y, xx, xy, yy, count;
};

struct life_series {
    float blocks[LIFE_VALUES][LIFE_BLOCKS]; /* NaN: not seen */
    float slots[LIFE_SLOTS];                /* of the count; NaN: not seen */
    float slot_low, slot_before;            /* of the slot under way, and the one before it */
    float high;                             /* highest floor of a bin; NaN: not seen */
    struct life_moves falling, rising;      /* with the load */
};

/* The bin under way. */
struct life_lows {
    float low[LIFE_VALUES], second[LIFE_VALUES];
    uint32_t samples;
};

struct life_chunk {
    struct life_lows lows[LIFE_CHUNK];
    struct life_series series[LIFE_CHUNK];
};

struct life {
    struct detect_key key, container; /* who lives there, too; zero: nobody */
    uint32_t version;
    int used;          /* the slot is not free */
    int64_t origin_ms; /* uptime counts from here; 0: no snapshot yet */
    int64_t started_ms;
    int64_t last_ms; /* newest snapshot */
    int64_t ended_ms;
    uint64_t usage_bytes, limit_bytes; /* of the container, newest */
    uint64_t cpu_ms;                   /* newest; 0: unknown */
    int64_t cpu_at_ms;
    int late, ended, oom_killed;                    /* late: first seen long after its start */
    int is_memory_shared;                           /* the process's is not known apart */
    uint32_t bin;                                   /* under way */
    uint32_t block_bins;                            /* length of a block */
    uint32_t samples;                               /* in the bin */
    uint32_t seen[LIFE_BLOCKS];                     /* bins with a snapshot in each block */
    float load[LIFE_BLOCKS], load_ms[LIFE_BLOCKS];  /* CPU and wall milliseconds */
    float slot_cpu, slot_ms;                        /* of the slot under way */
    float slot_loads[LIFE_SLOTS];                   /* NaN: unknown */
    float load_cpu, load_wall_ms;                   /* of the LIFE_LOAD_BINS under way */
    float lows[LIFE_BLOCKS], slot_lows[LIFE_SLOTS]; /* of the idlest LIFE_LOAD_BINS; NaN: unknown */
    float slot_load_low, slot_load_before;          /* of the slot under way, and before it */
    uint32_t chunk_count;
    struct life_chunk **chunks; /* [chunk_count], NULL where no type has been seen */
};
NO_PADDING_END

/* An empty life; life_free frees what it has come to hold. */
void life_init(struct life *life, const struct detect_key *key, uint32_t version,
               int64_t started_ms);
void life_free(struct life *life);

/* A snapshot begins: 1 if its time is taken, and its values may follow. */
int life_snapshot(struct life *life, double bin_ms, int64_t time_ms,
                  const struct detect_process *process);

/* Values of that snapshot; `room`: series that may still be allocated, lowered by what is. */
void life_values(struct life *life, const struct detect_value *values, size_t count,
                 uint64_t *room);

/* Series allocated. */
uint64_t life_series_count(const struct life *life);

/* Whole bins of uptime that have been seen. 0: none. */
uint32_t life_uptime(const struct life *life);

/* The series, or NULL if the type has not been seen. */
const struct life_series *life_find(const struct life *life, uint32_t type);

/* The growth of one type: blocks behind the start-up, without the gaps. */
struct life_curve {
    uint32_t count;     /* of points */
    double from, width; /* bins: point i is the block [from + i width, + width) */
    double values[LIFE_BLOCKS];
    double load[LIFE_BLOCKS]; /* relative to its mean; 1 where it is not known */
    int has_load;
};

/* Mean load of the whole life, CPU time a wall time. NaN: not known. */
double life_mean_load(const struct life *life);

/* The count, at the life's mean load, before anything had time to gather. NaN: not known. */
double life_base(const struct life *life, uint32_t type, double elasticity);

/*
 * Blocks [settled bins .. uptime), finite; what `elasticity` times the load makes of the base is
 * taken out of the values.
 * A gap takes the line between its neighbours; 0 if that is more than a quarter of them, if there
 * are fewer than eight points, or if nothing was ever there.
 */
int life_trace(const struct life *life, uint32_t type, enum life_value value, double settled,
               double elasticity, struct life_curve *ret);

/* `count` values evenly spaced over the bins [from, to], read off a curve. */
void life_resample(const struct life_curve *curve, const double *values, double from, double to,
                   size_t count, double *ret);

/*
 * Slope, a bin, of the type over the uptime [from, to) in bins, from the slots where they reach,
 * else from the blocks; with the load taken out, as in all that follow. NaN: not known.
 */
double life_slope(const struct life *life, uint32_t type, enum life_value value, double elasticity,
                  double from, double to);

/* As life_slope of the count, from the slots alone, so that a long life can be asked for a short
 * stretch of its beginning. NaN where they do not reach, or fewer than four of them are behind
 * `from`: then from behind the first. */
double life_early_slope(const struct life *life, uint32_t type, double elasticity, double from,
                        double to);

/* The highest count of a bin that it has ever had. NaN: not seen. */
double life_high(const struct life *life, uint32_t type);

/* By how much the bytes an object have grown, relative, from the first blocks to the newest. */
double life_object_growth(const struct life *life, uint32_t type);

/* The largest fall from one block, or slot, to two later ones in a row, with the load taken out; 0:
 * it only rose. Of the count, the last hour or two are known before their block is done. */
double life_largest_fall(const struct life *life, uint32_t type, enum life_value value,
                         double elasticity);

/* The newest floor: of two blocks the higher one, since a torn snapshot may be one. NaN: not seen.
 */
double life_newest(const struct life *life, uint32_t type, enum life_value value);

/* Slope, a bin, from so many bins ago until now, end to end. NaN: not that old, or not seen. */
double life_recent_slope(const struct life *life, uint32_t type, enum life_value value,
                         double elasticity, double bins);

/* Mean load of so many newest bins over that of the whole life. NaN: not known. */
double life_recent_load(const struct life *life, double bins);

/* Lowest count in the slots [from, to). NaN: not seen. */
double life_slot_floor(const struct life *life, uint32_t type, uint32_t from, uint32_t to);

/* Load of the idlest part of the slots [from, to), which is what their floor goes with; their mean
 * load. CPU time a wall time; NaN: not known. */
double life_slot_idlest(const struct life *life, uint32_t from, uint32_t to);
double life_slot_load(const struct life *life, uint32_t from, uint32_t to);

#endif
