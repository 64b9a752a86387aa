/*
 * Simulated services for the detector's tests: ten days of floors of a deployment's containers,
 * from a seed and a row of numbers. Nothing sleeps and nothing depends on the machine.
 *
 * A service has a subject (type 0, a user class) that does what the scenario says, the built-ins
 * that hang on it, and types that have nothing to do with it: steady ones, ones that follow the
 * load, and ones that wander. Time is in bins of the detector; a day is 38.4 of them.
 *
 * Included by one test program each; every function is static.
 */
#ifndef TESTS_SUPPORT_FLEET_SIM_H
#define TESTS_SUPPORT_FLEET_SIM_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "detect.h"

enum {
    SIM_HORIZON_MS = 30 * 3600 * 1000,
    SIM_BIN_MS = SIM_HORIZON_MS / DETECT_BINS_PER_HORIZON,
    SIM_BINS = 384, /* ten days */
    SIM_TYPES = 16,
    SIM_LIVES_MAX = 512,
    SIM_VERSIONS_MAX = 16,
};

#define SIM_BINS_PER_HOUR (3600e3 / SIM_BIN_MS)

static const char *const sim_type_names[SIM_TYPES] = {
    "shop.cart.Cart",
    "dict",
    "list",
    "str",
    "int",
    "tuple",
    "shop.user.User",
    "function",
    "float",
    "collections.deque",
    "shop.search.Index",
    "bytes",
    "code",
    "http.client.HTTPMessage",
    "set",
    "shop.stock.Item",
};
static const char *const sim_version_names[SIM_VERSIONS_MAX] = {
    "v1", "v2",  "v3",  "v4",  "v5",  "v6",  "v7",  "v8",
    "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16",
};

/* Objects of each type for each one of the subject. */
static const double sim_drag[SIM_TYPES] = {1, 1, 1, 4, 2, 1};

enum sim_fill { SIM_FILL_NONE, SIM_FILL_EXPONENTIAL, SIM_FILL_LINEAR };

/* A pair is the least and the most of what is drawn for a service. Shares are of the base count. */
struct sim_scenario {
    const char *name;
    int leaks;
    double leak_per_hour[2];
    double leak_step_hours; /* the leak comes in steps this far apart */
    double leak_in[2];      /* containers that leak: all (0) or this many */
    uint32_t leak_from;     /* first version that leaks, from 0 */
    uint32_t leak_until;    /* first version that does not any more; 0: never fixed */
    int leak_by_load;       /* proportional to the load */
    enum sim_fill fill;     /* a cache, in the subject */
    double fill_hours[2];   /* time constant, or the time until it is full */
    double fill_amount[2];
    uint32_t fill_from;  /* first version that has the cache */
    int fill_elsewhere;  /* in shop.search.Index, beside the subject */
    double saw_hours[2]; /* long collections: rises and falls back */
    double saw_amount;
    double day_wave[2]; /* amplitude of the load over a day */
    double week_wave;
    double load_growth_per_day;
    double follow;     /* how much the subject follows the load */
    double step_hours; /* one step up after a change of configuration */
    double step_amount;
    double level_shift;   /* each version this much higher than the one before */
    double restart_hours; /* mean life of a container; 0: until the next deployment */
    double deploy_hours;  /* between versions; 0: one version */
    double deploy_stagger_hours;
    double wander;       /* slow, of every type */
    int heavy_container; /* the first has three times the load */
    int comes_and_goes;  /* versions alternate between v1 and v2 */
};

struct sim_life {
    uint32_t version;
    uint32_t start, length;      /* bins */
    struct detect_floor *floors; /* [SIM_TYPES * length] */
};

struct sim_service {
    const struct sim_scenario *scenario;
    struct sim_life lives[SIM_LIVES_MAX];
    uint32_t life_count;
    uint32_t version_count;
    uint32_t leak_start; /* bin in which the first leaking container starts */
};

/* ---- chance ---------------------------------------------------------------------------------- */

static uint64_t sim_random(uint64_t *state) /* splitmix64 */
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static double sim_uniform(uint64_t *state, double least, double most)
{
    return least + (most - least) * (double)(sim_random(state) >> 11) / 9007199254740992.0;
}

static double sim_draw(uint64_t *state, const double range[2])
{
    return sim_uniform(state, range[0], range[1]);
}

static double sim_gauss(uint64_t *state)
{
    double a = sim_uniform(state, 1e-12, 1);
    double b = sim_uniform(state, 0, 1);
    return sqrt(-2 * log(a)) * cos(6.283185307179586 * b);
}

/* ---- one service ----------------------------------------------------------------------------- */

struct sim_plan {
    const struct sim_scenario *scenario;
    double base[SIM_TYPES];
    double follow[SIM_TYPES];
    double leak_per_bin, fill_bins, fill_amount, saw_bins, day_wave, phase;
    uint32_t containers, leaking;
};

static void sim_plan_draw(const struct sim_scenario *scenario, uint64_t *random,
                          struct sim_plan *ret)
{
    *ret = (struct sim_plan){.scenario = scenario};
    for (uint32_t type = 0; type < SIM_TYPES; type++) {
        ret->base[type] = exp(sim_uniform(random, 4.6, 8.5));
        ret->follow[type] = type % 3 == 2 ? sim_uniform(random, 0, 0.3) : 0;
        if (sim_drag[type] > 0 && type > 0)
            ret->base[type] = ret->base[0] * sim_uniform(random, 2, 8);
    }
    ret->containers = (uint32_t)sim_uniform(random, 3, 9);
    ret->leaking =
        scenario->leak_in[1] > 0 ? (uint32_t)sim_draw(random, scenario->leak_in) : ret->containers;
    ret->leak_per_bin = sim_draw(random, scenario->leak_per_hour) / SIM_BINS_PER_HOUR;
    ret->fill_bins = sim_draw(random, scenario->fill_hours) * SIM_BINS_PER_HOUR;
    ret->fill_amount = sim_draw(random, scenario->fill_amount);
    ret->saw_bins = sim_draw(random, scenario->saw_hours) * SIM_BINS_PER_HOUR;
    ret->day_wave = sim_draw(random, scenario->day_wave);
    ret->phase = sim_uniform(random, 0, 1);
}

static double sim_load(const struct sim_plan *plan, double bin)
{
    double day = bin / (24 * SIM_BINS_PER_HOUR);
    return 1 + plan->day_wave * sin(6.283185307179586 * (day + plan->phase)) +
           plan->scenario->week_wave * sin(6.283185307179586 * (day / 7 + plan->phase)) +
           plan->scenario->load_growth_per_day * day;
}

static double sim_fill(const struct sim_plan *plan, double uptime)
{
    if (plan->scenario->fill == SIM_FILL_NONE)
        return 0;
    double part = uptime / plan->fill_bins;
    return plan->fill_amount *
           (plan->scenario->fill == SIM_FILL_LINEAR ? fmin(part, 1) : 1 - exp(-part));
}

/* What the subject holds besides its base, as a share of it. `leaked` so far is carried on. */
static double sim_subject(const struct sim_plan *plan, const struct sim_life *life, uint32_t uptime,
                          double load, double leaked)
{
    const struct sim_scenario *scenario = plan->scenario;
    double share = leaked;
    if (scenario->leak_step_hours > 0) {
        double step = scenario->leak_step_hours * SIM_BINS_PER_HOUR;
        share = plan->leak_per_bin * step * floor(uptime / step);
    }
    if (!scenario->fill_elsewhere && life->version >= scenario->fill_from)
        share += sim_fill(plan, uptime);
    if (plan->saw_bins > 0)
        share += scenario->saw_amount * fmod(uptime, plan->saw_bins) / plan->saw_bins;
    if (scenario->step_hours > 0 && life->start + uptime > scenario->step_hours * SIM_BINS_PER_HOUR)
        share += scenario->step_amount;
    share += scenario->level_shift * life->version;
    return share + scenario->follow * (load - 1);
}

static int sim_version_leaks(const struct sim_scenario *scenario, uint32_t version)
{
    return scenario->leaks && version >= scenario->leak_from &&
           (scenario->leak_until == 0 || version < scenario->leak_until);
}

static void sim_life_fill(const struct sim_plan *plan, struct sim_life *life, uint32_t container,
                          uint64_t *random)
{
    const struct sim_scenario *scenario = plan->scenario;
    double wander[SIM_TYPES] = {0};
    double leaked = 0;
    int leaks = sim_version_leaks(scenario, life->version) && container < plan->leaking;
    double weight = scenario->heavy_container && container == 0 ? 3 : 1;
    life->floors = malloc(SIM_TYPES * life->length * sizeof(*life->floors));
    for (uint32_t bin = 0; bin < life->length; bin++) {
        double load = sim_load(plan, life->start + bin) * weight;
        if (leaks)
            leaked += plan->leak_per_bin * (scenario->leak_by_load ? load : 1) *
                      fmax(1 + 0.3 * sim_gauss(random), 0);
        double subject = sim_subject(plan, life, bin, load, leaked);
        for (uint32_t type = 0; type < SIM_TYPES; type++) {
            wander[type] = wander[type] * 0.97 + scenario->wander * 0.24 * sim_gauss(random);
            double count = plan->base[type] * (1 + wander[type] + plan->follow[type] * (load - 1));
            count += sim_drag[type] * plan->base[0] * subject;
            if (type == 10 && scenario->fill_elsewhere)
                count += plan->base[type] * sim_fill(plan, bin);
            /* in flight: what the floor of a bin still holds of it */
            count += sqrt(plan->base[type] * 0.02) * (1.5 + 0.5 * sim_gauss(random));
            count = floor(fmax(count, 0));
            life->floors[type * life->length + bin] =
                (struct detect_floor){.count = count, .bytes = count * (64 + 16 * type)};
        }
    }
}

static void sim_add_life(struct sim_service *service, const struct sim_plan *plan, uint32_t version,
                         uint32_t container, uint32_t start, uint32_t end, uint64_t *random)
{
    if (service->life_count == SIM_LIVES_MAX || start + 4 >= end)
        return;
    struct sim_life *life = &service->lives[service->life_count++];
    *life = (struct sim_life){.version = version, .start = start, .length = end - start};
    sim_life_fill(plan, life, container, random);
    if (sim_version_leaks(plan->scenario, version) && container < plan->leaking &&
        start < service->leak_start)
        service->leak_start = start;
}

/* The lives of one container while its version is deployed. */
static void sim_container(struct sim_service *service, const struct sim_plan *plan,
                          uint32_t version, uint32_t container, uint32_t start, uint32_t end,
                          uint64_t *random)
{
    double mean = plan->scenario->restart_hours * SIM_BINS_PER_HOUR;
    while (start < end) {
        uint32_t stop = end;
        if (mean > 0)
            stop = start + 1 + (uint32_t)(mean * sim_uniform(random, 0.6, 1.4));
        stop = stop < end ? stop : end;
        sim_add_life(service, plan, version, container, start, stop, random);
        start = stop + 1;
    }
}

static struct sim_service *sim_service_new(const struct sim_scenario *scenario, uint64_t seed)
{
    uint64_t random = seed * 0x2545f4914f6cdd1du + 1;
    struct sim_plan plan;
    struct sim_service *service = calloc(1, sizeof(*service));
    service->scenario = scenario;
    service->leak_start = SIM_BINS;
    sim_plan_draw(scenario, &random, &plan);
    uint32_t step = scenario->deploy_hours > 0
                        ? (uint32_t)(scenario->deploy_hours * SIM_BINS_PER_HOUR)
                        : SIM_BINS;
    uint32_t stagger = (uint32_t)(scenario->deploy_stagger_hours * SIM_BINS_PER_HOUR);
    for (uint32_t round = 0; round * step < SIM_BINS && round < SIM_VERSIONS_MAX; round++) {
        uint32_t version = scenario->comes_and_goes ? round % 2 : round;
        service->version_count =
            version + 1 > service->version_count ? version + 1 : service->version_count;
        for (uint32_t container = 0; container < plan.containers; container++) {
            uint32_t start = round * step + (round > 0 ? container * stagger : 0);
            uint32_t end = (round + 1) * step + container * stagger;
            sim_container(service, &plan, version, container, start,
                          end < SIM_BINS ? end : SIM_BINS, &random);
        }
    }
    return service;
}

static void sim_service_free(struct sim_service *service)
{
    for (uint32_t i = 0; i < service->life_count; i++)
        free(service->lives[i].floors);
    free(service);
}

/* ---- as the detector sees it ------------------------------------------------------------------
 */

/* Everything up to bin `now`, in the arena. */
static struct detect_service sim_service_at(const struct sim_service *service, uint32_t now,
                                            struct arena *arena)
{
    uint32_t versions = 0;
    uint32_t count = 0;
    struct detect_life *lives = arena_must(arena, service->life_count * sizeof(*lives) + 1);
    for (uint32_t i = 0; i < service->life_count; i++) {
        const struct sim_life *life = &service->lives[i];
        if (life->start >= now)
            continue;
        uint32_t bins = now - life->start < life->length ? now - life->start : life->length;
        struct detect_floor *floors = arena_must(arena, SIM_TYPES * bins * sizeof(*floors));
        for (uint32_t type = 0; type < SIM_TYPES; type++)
            memcpy(floors + type * bins, life->floors + type * life->length,
                   bins * sizeof(*floors));
        lives[count++] = (struct detect_life){
            .version = life->version,
            .started_ms = (int64_t)life->start * SIM_BIN_MS,
            .bins = bins,
            .ended = bins == life->length && life->start + bins < now,
            .floors = floors,
        };
        versions = life->version + 1 > versions ? life->version + 1 : versions;
    }
    return (struct detect_service){sim_type_names, SIM_TYPES, sim_version_names,
                                   versions,       lives,     count};
}

#endif
