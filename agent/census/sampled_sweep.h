/*
 * A sweep over a sample (sample.h) of what is present: stratum by stratum instead of chunk by
 * chunk. The static data of modules is small, holds much that is single, and is read as a whole.
 */
#ifndef AGENT_CENSUS_SAMPLED_SWEEP_H
#define AGENT_CENSUS_SAMPLED_SWEEP_H

#include "sample.h"
#include "sweep.h"

/* The present bytes of a unit. */
struct sample_place {
    addr_t at;
    size_t range; /* index into the present map of the first of them */
    uint64_t bytes;
};

struct sampled_sweep {
    struct sweep *sweep; /* the caller's */
    struct sample sample;
    size_t range; /* of the present map: where the next stratum begins .. */
    addr_t at;    /* .. in it */
    struct sample_place places[SAMPLE_UNITS_MAX];
    size_t place_count;         /* of the stratum at hand */
    size_t picks[SAMPLE_PICKS]; /* indices into `places` */
    unsigned picked;
    uint64_t read_bytes, all_bytes;
};

/* Lines of the sample. Rows of types follow. */
enum { SAMPLE_LINE_ALL, SAMPLE_LINE_POOLS, SAMPLE_LINE_ROWS };

struct sampled_sweep *sampled_sweep_new(struct sweep *sweep, uint64_t heap_bytes,
                                        uint64_t wanted_bytes, uint64_t seed);
void sampled_sweep_free(struct sampled_sweep *sampled);

/* A new window of the present map. */
void sampled_sweep_restart(struct sampled_sweep *sampled);

/* One stratum. 0: the window is done. */
int sampled_sweep_step(struct sampled_sweep *sampled) MUST_CHECK;

#endif
