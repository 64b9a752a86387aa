/* USES detect common */ /* RUNS 100 */
/*
 * The verdict over any service: its shape in four bytes, a byte of each life, then six bytes a type
 * and life: where it begins, how it grows, its noise and its gaps. Findings are about what there
 * is, and their numbers are numbers.
 */
#include <math.h>

#include "detect.h"
#include "fuzz.h"

enum { TYPES_MAX = 6, VERSIONS_MAX = 4, LIVES_MAX = 8, BINS_MAX = 120, ARENA_BYTES = 64 << 20 };

static uint32_t take_half(struct fuzz_input *input)
{
    uint32_t low = fuzz_take_byte(input);
    return low | (uint32_t)fuzz_take_byte(input) << 8;
}

/* Counts up to 2^48, bytes up to 2^56. */
static void fill(struct fuzz_input *input, struct detect_floor *floors, uint32_t bins)
{
    uint32_t base = take_half(input);
    int slope = (int16_t)(uint16_t)take_half(input);
    uint32_t noise = fuzz_take_byte(input);
    uint32_t gaps = fuzz_take_byte(input);
    double scale = ldexp(1, (int)(noise % 32));
    for (uint32_t i = 0; i < bins; i++) {
        double value = fmax(0, base + (double)slope * i + i * (noise + 1) % (noise + 3)) * scale;
        value = fmin(value, ldexp(1, 48));
        floors[i] = (struct detect_floor){value, value * (gaps % 200 + 16)};
        if (gaps != 0 && (i + 1) % gaps == 0)
            floors[i] = (struct detect_floor){NAN, NAN};
    }
}

/* Its floors are put into `ret_floors`, to be freed. */
static struct detect_life take_life(struct fuzz_input *input, const struct detect_service *service,
                                    uint32_t index, struct detect_floor **ret_floors)
{
    uint32_t types = service->type_count;
    uint32_t choice = fuzz_take_byte(input);
    struct detect_life life = {.version = choice % service->version_count,
                               .started_ms = (int64_t)index * 100000 * (choice >> 4),
                               .first_bin = choice % 5 == 0 ? choice % 7 : 0,
                               .ended = choice % 3 == 0,
                               .oom_killed = choice % 9 == 0};
    life.bins = take_half(input) % BINS_MAX;
    struct detect_floor *floors = calloc((size_t)types * life.bins + 1, sizeof(*floors));
    ASSERT(floors != NULL);
    for (uint32_t type = 0; type < types; type++)
        fill(input, floors + (size_t)type * life.bins, life.bins);
    life.floors = *ret_floors = floors;
    return life;
}

static void check(const struct detect_service *service, const struct detect_findings *findings)
{
    ASSERT(findings->count <= service->type_count);
    for (uint32_t i = 0; i < findings->count; i++) {
        const struct detect_finding *finding = &findings->items[i];
        ASSERT(finding->type < service->type_count && finding->version < service->version_count);
        ASSERT(!finding->has_introduced || finding->introduced_in < service->version_count);
        ASSERT(isfinite(finding->count_per_hour) && isfinite(finding->bytes_per_hour));
        ASSERT(finding->confidence >= 0 && finding->confidence <= 1);
        ASSERT(finding->lives > 0 && finding->lives <= service->life_count);
        ASSERT(finding->companion_count <= ARRAY_SIZE(finding->companions));
        for (uint32_t k = 0; k < finding->companion_count; k++)
            ASSERT(finding->companions[k] < service->type_count);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[TYPES_MAX] = {"dict", "list",  "shop.Cart",
                                                 "str",  "tuple", "shop.Line"};
    static const char *const versions[VERSIONS_MAX] = {"v1", "v2", "v3", "v4"};
    struct fuzz_input input = {data, size};
    struct detect_life lives[LIVES_MAX];
    struct detect_floor *floors[LIVES_MAX];
    struct detect_config config = {.horizon_ms = (int64_t)(1 + fuzz_take_byte(&input)) * 480000};
    struct detect_service service = {.types = types,
                                     .type_count = 1 + fuzz_take_byte(&input) % TYPES_MAX,
                                     .versions = versions,
                                     .version_count = 1 + fuzz_take_byte(&input) % VERSIONS_MAX,
                                     .lives = lives,
                                     .life_count = fuzz_take_byte(&input) % (LIVES_MAX + 1)};
    for (uint32_t i = 0; i < service.life_count; i++)
        lives[i] = take_life(&input, &service, i, &floors[i]);

    struct arena arena;
    struct detect_findings findings = {0};
    arena_init(&arena, ARENA_BYTES);
    detect_service_leaks(&config, &service, &arena, &findings);
    check(&service, &findings);
    arena_done(&arena);
    for (uint32_t i = 0; i < service.life_count; i++)
        free(floors[i]);
    return 0;
}
