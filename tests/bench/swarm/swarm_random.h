/* Random numbers that a seed decides (splitmix64): the same run can be had again. */
#ifndef TESTS_BENCH_SWARM_RANDOM_H
#define TESTS_BENCH_SWARM_RANDOM_H

#include <stdint.h>

struct swarm_random {
    uint64_t state;
};

static inline uint64_t swarm_random_next(struct swarm_random *random)
{
    random->state += 0x9e3779b97f4a7c15u;
    uint64_t mixed = random->state;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
    return mixed ^ mixed >> 31;
}

/* 0 .. below - 1; nearly uniform for small numbers. */
static inline uint64_t swarm_random_below(struct swarm_random *random, uint64_t below)
{
    return swarm_random_next(random) % below;
}

/* A number of its own for each pair. */
static inline uint64_t swarm_random_mix(uint64_t seed, uint64_t number)
{
    struct swarm_random random = {seed ^ number * 0xd6e8feb86659fd93u};
    return swarm_random_next(&random);
}

#endif
