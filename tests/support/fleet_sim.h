/*
 * Simulated services for the detector: ten days of a deployment's containers from a seed and a row
 * of numbers, bin by bin in the order of time. Nothing sleeps; nothing depends on the machine.
 *
 * A service has a subject (type 0, a class of the program) that does what the scenario says, the
 * built-ins that hang on it, and types that have nothing to do with it: steady ones, ones that
 * follow the load, ones that wander, small caches of their own. A snapshot here is what a bin of
 * five minutes keeps of five of them (the second-lowest), so that a service takes milliseconds.
 *
 * Included by one program each; every function is static.
 */
#ifndef TESTS_SUPPORT_FLEET_SIM_H
#define TESTS_SUPPORT_FLEET_SIM_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attributes.h"

enum {
    SIM_BIN_MS = 5 * 60 * 1000,
    SIM_BINS_PER_HOUR = 12,
    SIM_BINS = 10 * 24 * SIM_BINS_PER_HOUR,
    SIM_TYPES_MAX = 300,
    SIM_CONTAINERS_MAX = 12,
    SIM_VERSIONS_MAX = 24,
    SIM_DRAGGED = 5, /* types 1 to 5: dict, list, str, int, tuple */
    SIM_NORMALS = 4096,
};
static const int64_t sim_start_ms = 1760000000000;

enum sim_fill { SIM_FILL_NONE, SIM_FILL_EXPONENTIAL, SIM_FILL_LINEAR, SIM_FILL_TTL };

enum sim_class { SIM_HEALTHY, SIM_LEAK, SIM_APART };

/* A pair is the least and the most of what is drawn for a service. Amounts are shares of the base
 * count of the subject, times are hours. */
struct sim_scenario {
    const char *name;
    enum sim_class class;
    uint32_t types;       /* 0: 40 */
    double containers[2]; /* {0, 0}: 2 to 10 */

    double leak_per_hour[2];
    double leak_step_hours[2]; /* it comes in steps so far apart */
    double leak_in_share;      /* of the containers; 0: all */
    uint32_t leak_from;        /* first version that leaks, from 0 */
    uint32_t leak_until;       /* first version that does not any more; 0: never fixed */
    int leak_by_load, leak_by_mix;
    double killed_hours[2]; /* out of memory after about so long of leaking */
    uint32_t processes;     /* that share a container and its limit; 0: each has its own */
    double creep[2];        /* each version starts so much higher */

    enum sim_fill fill; /* a cache, in the subject */
    double fill_hours[2], fill_amount[2];
    uint32_t fill_from; /* first version that has it */
    int fill_elsewhere; /* in type 6, beside the subject */
    int fill_by_work;   /* over the requests, not over time */
    int warm;           /* redeployed containers begin with it half full */

    double saw_hours[2], saw_amount[2]; /* long collections */
    double day_wave[2], week_wave[2], load_growth_per_day[2];
    double batch_hours[2]; /* load in bursts */
    double follow[2];      /* how much the subject follows the load */
    double step_hours[2], step_amount[2];
    double ramp_hours[2], ramp_amount[2]; /* a feature flag: begins somewhen, takes so long */
    double level_shift[2];                /* each version so much higher, once (v2) */
    double jitter;                        /* between versions */
    double restart_hours[2];              /* life of a container; 0: until the next deployment */
    double deploy_hours[2];               /* between versions; 0: one version */
    double stagger_hours;                 /* of a rolling deployment, between containers */
    double canary_hours;                  /* the first container is so much earlier */
    double wander[2];                     /* slow, of every type */
    double wander_subject;                /* times so much in the subject */
    int heavy_container;                  /* the first has two to four times the load */

    int load_useless; /* stress: CPU says nothing about the load */
    int damage;       /* stress: snapshots are lost and torn */
};

struct sim_life {
    int used;
    uint32_t number; /* of the service's lives, from 0 */
    uint32_t version, container;
    uint32_t start, uptime; /* bins */
    uint32_t stop;          /* bin in which it ends */
    double leaked, work, cpu_ms, saw_phase;
    double warm;
    float wander[SIM_TYPES_MAX];
};

struct sim_service {
    struct sim_scenario scenario;
    uint64_t random;
    uint32_t types, containers, leaking, version_count, life_count;
    double base[SIM_TYPES_MAX], follow[SIM_TYPES_MAX], rough[SIM_TYPES_MAX];
    double own_fill_hours[SIM_TYPES_MAX], own_fill[SIM_TYPES_MAX];
    double heavy, leak_per_bin, leak_step, killed_at, creep, fill_bins, fill_amount;
    double saw_bins, saw_amount, day_wave, week_wave, load_growth, phase, week_phase;
    double batch_bins, step_bin, step_amount, ramp_bin, ramp_bins, ramp_amount, level_shift;
    double deploy_bins, wander, mix;
    double jitter[SIM_VERSIONS_MAX];
    double work[SIM_BINS + 1]; /* of a usual container, up to a bin */
    double load[SIM_BINS];
    uint32_t version[SIM_CONTAINERS_MAX]; /* running */
    struct sim_life lives[SIM_CONTAINERS_MAX];
    uint32_t leak_start; /* bin in which the first leaking container starts */
    double normals[SIM_NORMALS];
    char names[SIM_TYPES_MAX][48];
};

/* One life in one bin. */
struct sim_sight {
    const struct sim_life *life;
    int64_t time_ms;
    uint64_t cpu_ms;
    const uint64_t *counts; /* [types] */
};

struct sim_visitor {
    void *user;
    void (*see)(void *user, const struct sim_service *service, const struct sim_sight *sight);
    void (*end)(void *user, const struct sim_life *life, int64_t time_ms, int oom_killed);
    void (*tick)(void *user, int64_t time_ms); /* the end of a bin; NULL: none */
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

static double sim_draw(struct sim_service *service, const double range[2])
{
    return sim_uniform(&service->random, range[0], range[1]);
}

/* Evenly between the logarithms. */
static double sim_draw_scale(struct sim_service *service, const double range[2])
{
    if (!(range[0] > 0))
        return sim_draw(service, range);
    return exp(sim_uniform(&service->random, log(range[0]), log(range[1])));
}

static double sim_normal(struct sim_service *service)
{
    return service->normals[sim_random(&service->random) % SIM_NORMALS];
}

static void sim_fill_normals(struct sim_service *service)
{
    for (size_t i = 0; i < SIM_NORMALS; i++) {
        double a = sim_uniform(&service->random, 1e-12, 1);
        double b = sim_uniform(&service->random, 0, 1);
        service->normals[i] = sqrt(-2 * log(a)) * cos(6.283185307179586 * b);
    }
}

/* ---- a service's plan ------------------------------------------------------------------------ */

static void sim_name_types(struct sim_service *service)
{
    static const char *const names[] = {"shop.cart.Cart",
                                        "dict",
                                        "list",
                                        "str",
                                        "int",
                                        "tuple",
                                        "shop.search.Index",
                                        "shop.user.User",
                                        "function",
                                        "collections.deque",
                                        "http.client.HTTPMessage",
                                        "set"};
    for (uint32_t i = 0; i < service->types; i++) {
        if (i < ARRAY_SIZE(names))
            (void)snprintf(service->names[i], sizeof(service->names[i]), "%s", names[i]);
        else
            (void)snprintf(service->names[i], sizeof(service->names[i]), "shop.part%u.Class%u",
                           i % 17, i);
    }
}

static void sim_plan_types(struct sim_service *service)
{
    for (uint32_t i = 0; i < service->types; i++) {
        uint64_t *random = &service->random;
        service->base[i] = exp(sim_uniform(random, i == 0 ? 5.3 : 2.5, 9));
        service->rough[i] = exp(sim_uniform(random, log(0.05), log(0.6)));
        int follows = i > SIM_DRAGGED && i % 3 == 2;
        service->follow[i] = follows ? sim_uniform(random, 0, 0.7) : 0;
        int fills = i > 6 && i % 7 == 0;
        service->own_fill[i] = fills ? sim_uniform(random, 0.1, 1.5) : 0;
        service->own_fill_hours[i] = sim_uniform(random, 0.2, 2.5);
    }
    for (uint32_t i = 1; i <= SIM_DRAGGED; i++)
        service->base[i] = service->base[0] * sim_uniform(&service->random, 2, 8);
}

static void sim_plan_load(struct sim_service *service)
{
    const double day = 24 * SIM_BINS_PER_HOUR;
    double noise = 0;
    for (uint32_t bin = 0; bin < SIM_BINS; bin++) {
        double t = bin / day;
        noise = noise * 0.9 + 0.02 * sim_normal(service);
        double load = 1 + noise + service->day_wave * sin(6.283185307179586 * (t + service->phase));
        load += service->week_wave * sin(6.283185307179586 * (t + service->week_phase) / 7);
        load *= 1 + service->load_growth * t;
        if (service->batch_bins > 0 && fmod(bin, service->batch_bins) < service->batch_bins / 5)
            load += 2;
        service->load[bin] = fmax(load, 0.05);
        service->work[bin + 1] = service->work[bin] + service->load[bin];
    }
}

static void sim_plan(struct sim_service *service)
{
    static const double usual_containers[2] = {2, 11};
    const struct sim_scenario *s = &service->scenario;
    const double hour = SIM_BINS_PER_HOUR;
    service->types = s->types > 0 ? s->types : 40;
    service->containers =
        (uint32_t)sim_draw(service, s->containers[1] > 0 ? s->containers : usual_containers);
    service->leaking = s->leak_in_share > 0
                           ? (uint32_t)fmax(1, round(s->leak_in_share * service->containers))
                           : service->containers;
    service->leak_per_bin = sim_draw_scale(service, s->leak_per_hour) / hour;
    service->leak_step = sim_draw(service, s->leak_step_hours) * hour;
    service->killed_at = sim_draw(service, s->killed_hours) * hour * service->leak_per_bin;
    service->creep = sim_draw(service, s->creep);
    service->fill_bins = sim_draw_scale(service, s->fill_hours) * hour;
    service->fill_amount = sim_draw(service, s->fill_amount);
    service->saw_bins = sim_draw(service, s->saw_hours) * hour;
    service->saw_amount = sim_draw(service, s->saw_amount);
    service->day_wave = sim_draw(service, s->day_wave);
    service->week_wave = sim_draw(service, s->week_wave);
    service->load_growth = sim_draw(service, s->load_growth_per_day);
    service->phase = sim_uniform(&service->random, 0, 1);
    service->week_phase = sim_uniform(&service->random, 0, 7);
    service->batch_bins = sim_draw(service, s->batch_hours) * hour;
    service->step_bin = sim_draw(service, s->step_hours) * hour;
    service->step_amount = sim_draw(service, s->step_amount);
    service->ramp_bin = sim_uniform(&service->random, 10, 150) * hour;
    service->ramp_bins = sim_draw(service, s->ramp_hours) * hour;
    service->ramp_amount = sim_draw(service, s->ramp_amount);
    service->level_shift = sim_draw(service, s->level_shift);
    service->deploy_bins = sim_draw(service, s->deploy_hours) * hour;
    service->wander = sim_draw(service, s->wander);
    service->heavy = s->heavy_container ? sim_uniform(&service->random, 2, 4) : 1;
    sim_plan_types(service);
    service->follow[0] = sim_draw(service, s->follow);
    for (size_t i = 0; i < SIM_VERSIONS_MAX; i++)
        service->jitter[i] = s->jitter * sim_normal(service);
    sim_plan_load(service);
    sim_name_types(service);
}

/* ---- a life ---------------------------------------------------------------------------------- */

static int sim_version_leaks(const struct sim_scenario *scenario, uint32_t version)
{
    return scenario->leak_per_hour[1] > 0 && version >= scenario->leak_from &&
           (scenario->leak_until == 0 || version < scenario->leak_until);
}

static double sim_fill_of(const struct sim_service *service, const struct sim_life *life,
                          uint32_t bin)
{
    const struct sim_scenario *s = &service->scenario;
    double time = s->fill_by_work ? life->work : life->uptime;
    double part = time / service->fill_bins + life->warm;
    if (s->fill == SIM_FILL_NONE || life->version < s->fill_from)
        return 0;
    if (s->fill == SIM_FILL_EXPONENTIAL)
        return service->fill_amount * (1 - exp(-part));
    if (s->fill == SIM_FILL_LINEAR)
        return service->fill_amount * fmin(part, 1);
    /* everything that came in during the time to live */
    uint32_t kept = (uint32_t)service->fill_bins;
    uint32_t since = bin > life->start + kept ? bin - kept : life->start;
    return service->fill_amount * (service->work[bin] - service->work[since]) / service->fill_bins;
}

static void sim_leak(struct sim_service *service, struct sim_life *life, double load)
{
    const struct sim_scenario *s = &service->scenario;
    if (!sim_version_leaks(s, life->version) || life->container >= service->leaking)
        return;
    double rate = service->leak_per_bin * fmax(1 + 0.4 * sim_normal(service), 0);
    rate *= s->leak_by_load ? load : 1;
    rate *= s->leak_by_mix ? fmax(1 + service->mix, 0.1) : 1;
    life->leaked += rate;
}

/* What the subject holds besides its base, as a share of it. */
static double sim_subject(const struct sim_service *service, const struct sim_life *life,
                          uint32_t bin)
{
    const struct sim_scenario *s = &service->scenario;
    double share = life->leaked;
    if (service->leak_step > 0)
        share = floor(share / (service->leak_per_bin * service->leak_step)) *
                service->leak_per_bin * service->leak_step;
    if (!s->fill_elsewhere)
        share += sim_fill_of(service, life, bin);
    if (service->saw_bins > 0)
        share += service->saw_amount *
                 fmod(life->uptime + life->saw_phase * service->saw_bins, service->saw_bins) /
                 service->saw_bins;
    if (service->step_bin > 0 && bin > service->step_bin)
        share += service->step_amount;
    if (service->ramp_bins > 0)
        share +=
            service->ramp_amount * fmin(fmax((bin - service->ramp_bin) / service->ramp_bins, 0), 1);
    if (life->version > 0)
        share += service->level_shift;
    share += pow(1 + service->creep, life->version) - 1;
    return share + service->jitter[life->version % SIM_VERSIONS_MAX];
}

static void sim_count(struct sim_service *service, struct sim_life *life, uint32_t bin, double load,
                      uint64_t *counts)
{
    static const double drag[SIM_DRAGGED + 1] = {1, 1, 1, 4, 2, 1};
    double subject = sim_subject(service, life, bin);
    double hours = (double)life->uptime / SIM_BINS_PER_HOUR;
    for (uint32_t i = 0; i < service->types; i++) {
        double strength =
            service->wander * (i == 0 ? fmax(service->scenario.wander_subject, 1) : 1);
        /* time constant of about ten hours */
        life->wander[i] +=
            (float)(0.13 * strength * sim_normal(service)) - life->wander[i] * 0.0083F;
        double count = service->base[i] * (1 + life->wander[i] + service->follow[i] * (load - 1));
        if (i <= SIM_DRAGGED)
            count += drag[i] * service->base[0] * subject;
        if (service->own_fill[i] > 0)
            count += service->base[i] * service->own_fill[i] *
                     (1 - exp(-hours / service->own_fill_hours[i]));
        if (i == 6 && service->scenario.fill_elsewhere)
            count += service->base[i] * sim_fill_of(service, life, bin);
        /* in flight: what the floor of a bin still holds of it */
        count += service->rough[i] * sqrt(service->base[i]) * (1.5 * load + sim_normal(service));
        counts[i] = (uint64_t)fmax(count, 0);
    }
}

/* What loss and tearing leave of the second-lowest of five: nothing, or a part. */
static int sim_damage(struct sim_service *service, uint64_t *counts)
{
    double lost = sim_uniform(&service->random, 0, 1);
    double torn = sim_uniform(&service->random, 0, 1);
    if (lost < 1e-3)
        return 0;
    if (torn < 1e-3 * 0.05) /* two torn ones in a bin: rare, and visible */
        for (uint32_t i = 0; i < service->types; i++)
            counts[i] = counts[i] * 6 / 10;
    return 1;
}

/* ---- memory ------------------------------------------------------------------------------------
 */

/* Those that share its container are neighbours. */
static uint32_t sim_first_process(const struct sim_service *service, uint32_t container)
{
    uint32_t processes = service->scenario.processes;
    return processes > 1 ? container / processes * processes : container;
}

static uint32_t sim_end_process(const struct sim_service *service, uint32_t container)
{
    uint32_t processes = service->scenario.processes;
    uint32_t end = sim_first_process(service, container) + (processes > 1 ? processes : 1);
    return end < service->containers ? end : service->containers;
}

/* When all of a container hold too much, the kernel takes the one that holds most. */
static int sim_is_killed(const struct sim_service *service, const struct sim_life *life)
{
    double together = 0;
    uint32_t first = sim_first_process(service, life->container);
    uint32_t end = sim_end_process(service, life->container);
    if (!life->used || !(service->killed_at > 0))
        return 0;
    for (uint32_t i = first; i < end; i++) {
        const struct sim_life *other = &service->lives[i];
        together += other->used ? other->leaked : 0;
        if (other->used && other->leaked > life->leaked)
            return 0;
    }
    return together >= service->killed_at * (end - first);
}

/* ---- the fleet ------------------------------------------------------------------------------- */

static uint32_t sim_version_at(const struct sim_service *service, uint32_t container, uint32_t bin)
{
    const struct sim_scenario *s = &service->scenario;
    if (!(service->deploy_bins > 0))
        return 0;
    double late = container * s->stagger_hours * SIM_BINS_PER_HOUR;
    if (container == 0)
        late -= s->canary_hours * SIM_BINS_PER_HOUR;
    double round = floor((bin - late) / service->deploy_bins);
    return (uint32_t)fmin(fmax(round, 0), SIM_VERSIONS_MAX - 1);
}

static void sim_life_begin(struct sim_service *service, uint32_t container, uint32_t version,
                           uint32_t bin)
{
    struct sim_life *life = &service->lives[container];
    const struct sim_scenario *s = &service->scenario;
    memset(life, 0, sizeof(*life));
    life->used = 1;
    life->number = service->life_count++;
    life->version = version;
    life->container = container;
    life->start = bin;
    life->stop = SIM_BINS;
    life->saw_phase = sim_uniform(&service->random, 0, 1);
    life->warm = s->warm && bin > 0 ? sim_uniform(&service->random, 0.3, 0.9) : 0;
    life->cpu_ms = 1000;
    if (s->restart_hours[1] > 0)
        life->stop = bin + 2 + (uint32_t)(sim_draw(service, s->restart_hours) * SIM_BINS_PER_HOUR);
    for (uint32_t i = 0; i < service->types; i++)
        life->wander[i] = (float)(service->wander * sim_normal(service));
    if (version + 1 > service->version_count)
        service->version_count = version + 1;
    if (sim_version_leaks(s, version) && container < service->leaking && bin < service->leak_start)
        service->leak_start = bin;
}

static void sim_container(struct sim_service *service, uint32_t container, uint32_t bin,
                          const struct sim_visitor *visitor, uint64_t *counts)
{
    struct sim_life *life = &service->lives[container];
    uint32_t version = sim_version_at(service, container, bin);
    int64_t now_ms = sim_start_ms + (int64_t)bin * SIM_BIN_MS;
    int killed = sim_is_killed(service, life);
    if (life->used && (killed || life->version != version || bin >= life->stop)) {
        visitor->end(visitor->user, life, now_ms, killed);
        life->used = 0;
        return; /* it takes a bin to come back */
    }
    if (!life->used)
        sim_life_begin(service, container, version, bin);
    double load = service->load[bin] * (container == 0 ? service->heavy : 1);
    life->work += load;
    sim_leak(service, life, load);
    sim_count(service, life, bin, load, counts);
    double used = service->scenario.load_useless ? 1 + 0.3 * sim_normal(service) : load;
    life->cpu_ms += fmax(used, 0) * 0.2 * SIM_BIN_MS * (1 + 0.03 * sim_normal(service));
    life->uptime++;
    if (service->scenario.damage && !sim_damage(service, counts))
        return;
    const struct sim_sight sight = {life, now_ms, (uint64_t)life->cpu_ms, counts};
    visitor->see(visitor->user, service, &sight);
}

static struct sim_service *sim_service_new(const struct sim_scenario *scenario, uint64_t seed)
{
    struct sim_service *service = calloc(1, sizeof(*service));
    ASSERT(service != NULL);
    service->scenario = *scenario;
    service->random = seed * 0x2545f4914f6cdd1du + 1;
    service->leak_start = SIM_BINS;
    sim_fill_normals(service);
    sim_plan(service);
    return service;
}

/* The first `bins` of it. */
static void sim_service_run(struct sim_service *service, uint32_t bins,
                            const struct sim_visitor *visitor)
{
    uint64_t counts[SIM_TYPES_MAX];
    for (uint32_t bin = 0; bin < bins && bin < SIM_BINS; bin++) {
        service->mix += 0.02 * sim_normal(service) - service->mix * 0.004;
        for (uint32_t container = 0; container < service->containers; container++)
            sim_container(service, container, bin, visitor, counts);
        if (visitor->tick != NULL)
            visitor->tick(visitor->user, sim_start_ms + (int64_t)(bin + 1) * SIM_BIN_MS);
    }
}

#endif
