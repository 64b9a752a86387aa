/*
 * A census of a heap too large to be read as a whole: some of it is read, and all of it estimated.
 *
 * The heap is cut into units, 256 KiB of address space each, and these into strata of neighbours.
 * Of each stratum SAMPLE_PICKS units are read, and what they hold is taken for the others. How much
 * the units of a stratum differ says how wrong that may be (Cochran, Sampling Techniques, chapter
 * 5):
 *
 *     estimate  = sum over strata of  N / n * (y1 + y2)
 *     variance  = sum over strata of  N^2 (1 - n/N) / n * s^2,  s^2 of y1, y2
 *     error     = t * sqrt(variance), with Student's t for as many degrees as there are strata
 *
 * with N units, of which n were read. About 19 of 20 truths lie within their error. What is rare
 * and large cannot be estimated so: the caller adds it (census.c). Which units are read depends on
 * their addresses alone, so that two censuses of one process read the same ones, and growth is seen
 * sooner than by independent samples.
 */
#ifndef AGENT_CENSUS_SAMPLE_H
#define AGENT_CENSUS_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "attributes.h"
#include "snapshot_codec.h"

enum {
    SAMPLE_UNIT_BYTES = 1 << 18, /* small, so that there are many */
    SAMPLE_PICKS = 2,            /* units of a stratum that are read */
    SAMPLE_UNITS_MAX = 256,      /* of a stratum */
};

/* What is estimated: a count and a size. */
struct sample_line {
    double read[SAMPLE_PICKS][2]; /* of the units of this stratum */
    double total[2], variance[2];
};

struct sample {
    uint64_t seed;
    size_t units; /* of a whole stratum */
    struct sample_line *lines;
    uint32_t count, capacity;
    unsigned picked;
    uint64_t strata; /* that told of a variance */
};

struct sample_estimate {
    uint64_t value[2]; /* count, bytes */
    uint64_t error[2];
};

/* Of `heap_bytes`, read about `wanted_bytes` (less than all, not 0). */
void sample_init(struct sample *sample, uint64_t heap_bytes, uint64_t wanted_bytes, uint64_t seed);
void sample_done(struct sample *sample);

/* The stratum that an address is in: a number that rises with addresses. */
uint64_t sample_stratum(const struct sample *sample, addr_t at) MUST_CHECK;

/* Choose among the units that begin at these addresses: ret[0..n-1] are indices, ascending. Returns
 * n, which is SAMPLE_PICKS, or `count` if that is less. */
unsigned sample_pick(const struct sample *sample, const addr_t *units, size_t count,
                     size_t *ret) MUST_CHECK;

/* One more unit was read: now sample_add what it holds. */
void sample_unit(struct sample *sample);

/* To line `line`, any number that is not too large for an array. */
void sample_add(struct sample *sample, uint32_t line, uint64_t count, uint64_t bytes);

/* The stratum is done: it had `units` in all. */
void sample_end_stratum(struct sample *sample, size_t units);

/* What line `line` comes to. */
struct sample_estimate sample_line(const struct sample *sample, uint32_t line);

#endif
