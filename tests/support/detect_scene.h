/*
 * A service made by hand, fed to a detector bin by bin. The horizon is 360 s, so that a bin is one
 * second; a snapshot in each.
 *
 * Included by one test program each; every function is static.
 */
#ifndef TESTS_SUPPORT_DETECT_SCENE_H
#define TESTS_SUPPORT_DETECT_SCENE_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attributes.h"
#include "detector.h"

enum {
    SCENE_HORIZON_MS = 360 * 1000,
    SCENE_BIN_MS = 1000,
    SCENE_HORIZON = 360,
    SCENE_TYPES = 6,
    SCENE_LIVES = 24,
};
static const int64_t scene_start_ms = 1700000000000;
static const char *const scene_types[SCENE_TYPES] = {"shop.Cart", "dict",    "str",
                                                     "shop.User", "(other)", "collections.deque"};

/* Objects of a type at an uptime in bins. NaN: the snapshot does not list it. */
typedef double scene_model_fn(uint32_t type, const char *version, uint32_t bin);

/* Bins' worth of work up to a bin. */
typedef double scene_work_fn(uint32_t bin);

struct scene_life {
    const char *version;
    uint32_t start, end; /* bins; end 0: it runs on */
    int oom_killed;
    scene_model_fn *model;
    scene_model_fn *bytes;         /* of all objects of a type; NULL: 100 of each */
    struct detect_process process; /* of every snapshot; cpu_ms is the rate a bin */
    uint64_t native_per_bin;
    uint64_t pools_per_bin, malloc_per_bin; /* of that, free in pools or in malloc's blocks */
    scene_work_fn *work;                    /* NULL: as much in each bin */
    uint8_t container;                      /* that it shares with others; 0: its own */
    int is_memory_hidden;                   /* all but the container's */
};

struct scene {
    struct detector *detector;
    struct scene_life lives[SCENE_LIVES];
    uint32_t life_count;
    uint32_t now; /* bins */
};

static inline void scene_begin(struct scene *scene)
{
    static const struct detect_config config = {.horizon_ms = SCENE_HORIZON_MS};
    *scene = (struct scene){.detector = detector_new(&config)};
}

static inline void scene_end(struct scene *scene)
{
    detector_free(scene->detector);
}

static inline struct scene_life *scene_add(struct scene *scene, const char *version, uint32_t start,
                                           uint32_t end, scene_model_fn *model)
{
    struct scene_life *life = &scene->lives[scene->life_count++];
    *life = (struct scene_life){
        .version = version, .start = start, .end = end, .model = model, .process = {.cpu_ms = 200}};
    return life;
}

static inline struct detect_key scene_key(uint32_t life)
{
    struct detect_key key = {{1}};
    memcpy(key.bytes + 1, &life, sizeof(life));
    return key;
}

static inline uint64_t scene_memory(const struct scene *scene, const struct scene_life *life)
{
    int is_there = scene->now >= life->start && (life->end == 0 || scene->now < life->end);
    return is_there ? life->process.rss_bytes + life->native_per_bin * (scene->now - life->start)
                    : 0;
}

/* What all that live in the container take. */
static inline uint64_t scene_usage(const struct scene *scene, const struct scene_life *life)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < scene->life_count; i++)
        if (&scene->lives[i] == life ||
            (life->container != 0 && scene->lives[i].container == life->container))
            sum += scene_memory(scene, &scene->lives[i]);
    return sum;
}

static inline void scene_see(struct scene *scene, uint32_t index)
{
    const struct scene_life *life = &scene->lives[index];
    struct detect_value values[SCENE_TYPES];
    struct detect_process process = life->process;
    struct detect_key key = scene_key(index);
    uint32_t bin = scene->now - life->start;
    int64_t now_ms = scene_start_ms + (int64_t)scene->now * SCENE_BIN_MS;
    double work = life->work != NULL ? life->work(bin + 1) : bin + 1;
    process.cpu_ms = (uint64_t)((double)process.cpu_ms * work);
    process.not_objects_bytes += life->native_per_bin * bin;
    process.rss_bytes += life->native_per_bin * bin;
    process.container_usage_bytes =
        process.container_limit_bytes > 0 ? scene_usage(scene, life) : 0;
    process.container.bytes[0] = life->container;
    if (life->is_memory_hidden)
        process.rss_bytes = 0;
    process.free_pool_bytes += life->pools_per_bin * bin;
    process.free_malloc_bytes += life->malloc_per_bin * bin;
    if (life->end != 0 && scene->now >= life->end) {
        int number = detector_find_life(scene->detector, &key);
        if (number >= 0)
            detector_end(scene->detector, number, now_ms, life->oom_killed);
        return;
    }
    int number = detector_life(scene->detector, &key, life->version, strlen(life->version), now_ms);
    for (uint32_t type = 0; type < SCENE_TYPES; type++) {
        double model = life->model(type, life->version, bin);
        double count = fmax(model, 0);
        const char *name = scene_types[type];
        values[type].type =
            isnan(model) ? DETECT_NONE : detector_type(scene->detector, name, strlen(name));
        values[type].count = (uint64_t)count;
        double bytes = life->bytes != NULL ? life->bytes(type, life->version, bin) : count * 100;
        values[type].bytes = (uint64_t)bytes;
    }
    if (number >= 0)
        detector_snapshot(scene->detector, number, now_ms, &process, values, SCENE_TYPES);
}

/* Up to a bin, which is left for the next call. */
static inline void scene_run(struct scene *scene, uint32_t until)
{
    for (; scene->now < until; scene->now++) {
        (void)detector_advance(scene->detector,
                               scene_start_ms + (int64_t)scene->now * SCENE_BIN_MS);
        for (uint32_t i = 0; i < scene->life_count; i++)
            if (scene->now >= scene->lives[i].start)
                scene_see(scene, i);
    }
}

/* Verdicts of a tier; the first is left in `ret`. */
static inline uint32_t scene_verdicts(struct scene *scene, enum verdict_tier tier,
                                      const struct verdict **ret)
{
    uint32_t count;
    uint32_t found = 0;
    const struct verdict *verdicts = detector_verdicts(scene->detector, &count);
    *ret = NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (verdicts[i].tier != tier)
            continue;
        *ret = *ret == NULL ? &verdicts[i] : *ret;
        found++;
    }
    return found;
}

/* ---- models ---------------------------------------------------------------------------------- */

/* Steps of about `rate` a bin that repeat for the same bin, as one cause has in all its types. */
static inline double scene_leaked(uint32_t bin, double rate)
{
    double sum = 0;
    for (uint32_t i = 0; i < bin; i++)
        sum += rate * (1 + 0.5 * sin((double)(i * i)));
    return floor(sum);
}

static inline double scene_steady(uint32_t type, const char *version, uint32_t bin)
{
    (void)version;
    return 500 + 300.0 * type + (bin + type) % 7;
}

/* Carts, and the dict and strings that each of them has. */
static inline double scene_leaking(uint32_t type, const char *version, uint32_t bin)
{
    static const double drag[SCENE_TYPES] = {1, 1, 3};
    return scene_steady(type, version, bin) + drag[type] * scene_leaked(bin, 2);
}

#endif
