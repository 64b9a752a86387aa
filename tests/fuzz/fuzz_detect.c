/* USES detect common */ /* RUNS 100 */
/*
 * The detector over any service: after a byte for the horizon, orders of a few bytes each: a
 * stretch of snapshots of a life that grows as it likes, its end, a pass, saving and loading.
 * Verdicts are about what there is, and their numbers are numbers.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "detector.h"
#include "fuzz.h"

enum { TYPES = 6, ORDERS_MAX = 400 };

static uint32_t take_half(struct fuzz_input *input)
{
    uint32_t low = fuzz_take_byte(input);
    return low | (uint32_t)fuzz_take_byte(input) << 8;
}

struct world {
    struct detect_config config;
    struct detector *detector;
    int types[TYPES];
    int64_t now_ms;
};

static void learn_types(struct world *world)
{
    static const char *const names[TYPES] = {"dict", "list",   "shop.Cart",
                                             "str",  "(none)", "shop.Line"};
    for (size_t i = 0; i < TYPES; i++)
        world->types[i] = detector_type(world->detector, names[i], strlen(names[i]));
}

/* A life, a number of snapshots, their distance, and for each type where it begins and its slope.
 */
static void see(struct world *world, struct fuzz_input *input)
{
    static const char *const versions[] = {"v1", "v2", "v3", ""};
    struct detect_key key = {{1, fuzz_take_byte(input)}};
    uint32_t choice = fuzz_take_byte(input);
    uint32_t count = fuzz_take_byte(input);
    int64_t step_ms =
        (int64_t)take_half(input) * (choice % 7 == 0 ? 1000 : 10) - (choice % 11 == 0 ? 5000 : 0);
    struct detect_value values[TYPES];
    int64_t slopes[TYPES];
    for (size_t i = 0; i < TYPES; i++) {
        values[i] = (struct detect_value){
            world->types[i], (uint64_t)take_half(input) << (choice % 50), take_half(input)};
        slopes[i] = (int16_t)(uint16_t)take_half(input);
    }
    const char *version = versions[choice % 4];
    for (uint32_t k = 0; k < count; k++) {
        int life =
            detector_life(world->detector, &key, version, strlen(version), world->now_ms - choice);
        const struct detect_process process = {.cpu_ms = (uint64_t)k * choice,
                                               .rss_bytes = (uint64_t)choice << 20,
                                               .not_objects_bytes = (uint64_t)k << 16,
                                               .container_usage_bytes = (uint64_t)k << 20,
                                               .container_limit_bytes = (uint64_t)choice << 22,
                                               .container = {{(uint8_t)(choice % 3)}}};
        world->now_ms += step_ms;
        for (size_t i = 0; i < TYPES; i++) {
            values[i].count += (uint64_t)slopes[i];
            values[i].bytes += (uint64_t)slopes[i] * 64;
        }
        if (life >= 0)
            detector_snapshot(world->detector, life, world->now_ms, &process, values,
                              choice % 5 == 0 ? k % TYPES : TYPES);
        (void)detector_advance(world->detector, world->now_ms);
    }
}

static void end(struct world *world, struct fuzz_input *input)
{
    struct detect_key key = {{1, fuzz_take_byte(input)}};
    int life = detector_find_life(world->detector, &key);
    if (life >= 0)
        detector_end(world->detector, life, world->now_ms, fuzz_take_byte(input) & 1);
}

static void save_and_load(struct world *world)
{
    struct buf saved = BUF_INIT;
    struct why why;
    struct detector *loaded = NULL;
    detector_save(world->detector, &saved);
    enum status status = detector_load(&world->config, saved.data, saved.size, &loaded, &why);
    ASSERT(status == STATUS_OK);
    buf_done(&saved);
    detector_free(world->detector);
    world->detector = loaded;
    learn_types(world);
}

static void check(struct world *world)
{
    uint32_t count;
    const struct verdict *verdicts = detector_verdicts(world->detector, &count);
    for (uint32_t i = 0; i < count; i++) {
        const struct verdict *verdict = &verdicts[i];
        ASSERT(strlen(verdict->type) > 0 && strlen(verdict->reason) > 0);
        ASSERT(isfinite(verdict->count_per_hour) && isfinite(verdict->bytes_per_hour));
        ASSERT(verdict->confidence >= 0 && verdict->confidence <= 1);
        ASSERT(verdict->companion_count <= VERDICT_COMPANIONS_MAX);
        ASSERT(verdict->curve_count <= VERDICT_CURVES_MAX && verdict->until_limit_ms >= 0);
        for (uint32_t k = 0; k < verdict->companion_count; k++)
            ASSERT(strcmp(verdict->companions[k], verdict->type) != 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct world world = {.config = {.horizon_ms = 1000 + fuzz_take_byte(&input) * (int64_t)3000},
                          .now_ms = 1700000000000};
    world.detector = detector_new(&world.config);
    learn_types(&world);
    for (int i = 0; i < ORDERS_MAX && input.size > 0; i++) {
        uint8_t order = fuzz_take_byte(&input);
        if (order % 8 == 0)
            end(&world, &input);
        else if (order == 1)
            save_and_load(&world);
        else
            see(&world, &input);
        check(&world);
    }
    detector_free(world.detector);
    return 0;
}
