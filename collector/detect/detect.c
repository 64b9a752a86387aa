/*
 * From the newest version back: the first one that can be judged decides about a type. One that is
 * clean closes the matter (fixed), one that is too young leaves it as the version before it had it.
 */
#include "detect.h"

#include <math.h>

#include "attribute.h"
#include "attributes.h"
#include "fold.h"
#include "judge.h"
#include "life_points.h"
#include "type_kind.h"

static const double objects_min = 10;

struct version_start {
    uint32_t version;
    int64_t newest_start_ms;
    uint32_t lives;
};

/* A version that came back is the current one, so the order is that of the newest start. */
static int compare_newest_first(const void *left, const void *right)
{
    const struct version_start *a = left;
    const struct version_start *b = right;
    if (a->newest_start_ms != b->newest_start_ms)
        return a->newest_start_ms < b->newest_start_ms ? 1 : -1;
    return (a->version < b->version) - (a->version > b->version);
}

static struct version_start *newest_versions(const struct detect_service *service,
                                             struct arena *arena, uint32_t *ret_count)
{
    uint32_t count = 0;
    struct version_start *starts = arena_must(arena, service->version_count * sizeof(*starts));
    for (uint32_t version = 0; version < service->version_count; version++)
        starts[version] = (struct version_start){version, INT64_MIN, 0};
    for (uint32_t i = 0; i < service->life_count; i++) {
        const struct detect_life *life = &service->lives[i];
        ASSERT(life->version < service->version_count);
        struct version_start *start = &starts[life->version];
        start->lives++;
        if (life->started_ms > start->newest_start_ms)
            start->newest_start_ms = life->started_ms;
    }
    for (uint32_t version = 0; version < service->version_count; version++)
        if (starts[version].lives > 0)
            starts[count++] = starts[version];
    if (count > 1)
        qsort(starts, count, sizeof(*starts), compare_newest_first);
    *ret_count = count;
    return starts;
}

/* Most types are a handful of objects: do not even look at those. */
static int is_worth_judging(const struct detect_service *service, uint32_t type)
{
    if (type_kind_of(service->types[type]) == TYPE_NONE)
        return 0;
    for (uint32_t i = 0; i < service->life_count; i++) {
        const struct detect_life *life = &service->lives[i];
        const struct detect_floor *floors = life->floors + (size_t)type * life->bins;
        for (uint32_t bin = 0; bin < life->bins; bin++)
            if (floors[bin].count >= objects_min)
                return 1;
    }
    return 0;
}

/* No measured probability: a rank that grows with what sets the line apart and with witnesses. */
static double confidence_of(const struct judge_evidence *evidence)
{
    double doubt = 0.1 * exp(-evidence->line_gain / 20) + 0.1 / evidence->life_count;
    return fmin(fmax(1 - doubt, 0), 0.99);
}

static void describe(const struct judge *judge, uint32_t type, uint32_t version,
                     const struct judge_evidence *evidence, struct arena *arena, struct leak *ret)
{
    const struct detect_service *service = judge->service;
    *ret = (struct leak){
        .evidence = *evidence,
        .kind = type_kind_of(service->types[type]),
        .finding = {.type = type,
                    .version = version,
                    .confidence = confidence_of(evidence),
                    .lives = evidence->life_count},
    };
    ret->finding.has_introduced =
        attribute_leak(service, type, version, evidence, arena, &ret->finding.introduced_in);
}

static int judge_newest(const struct judge *judge, const struct version_start *starts,
                        uint32_t start_count, uint32_t type, struct arena *arena, struct leak *ret)
{
    for (uint32_t i = 0; i < start_count; i++) {
        struct judge_evidence evidence;
        enum judgement judgement = judge_type(judge, type, starts[i].version, arena, &evidence);
        if (judgement == JUDGED_CLEAN)
            return 0;
        if (judgement == JUDGED_LEAK) {
            describe(judge, type, starts[i].version, &evidence, arena, ret);
            return 1;
        }
    }
    return 0;
}

static int compare_strongest_first(const void *left, const void *right)
{
    const struct detect_finding *a = left;
    const struct detect_finding *b = right;
    if (a->bytes_per_hour != b->bytes_per_hour) // NOLINT: an order needs equality
        return a->bytes_per_hour < b->bytes_per_hour ? 1 : -1;
    return (a->type > b->type) - (a->type < b->type);
}

static void report(const struct leak *leaks, uint32_t count, struct arena *arena,
                   struct detect_findings *ret)
{
    ret->items = arena_must(arena, count * sizeof(*ret->items));
    ret->count = 0;
    for (uint32_t i = 0; i < count; i++)
        if (!leaks[i].folded)
            ret->items[ret->count++] = leaks[i].finding;
    if (ret->count > 1)
        qsort(ret->items, ret->count, sizeof(*ret->items), compare_strongest_first);
}

void detect_service_leaks(const struct detect_config *config, const struct detect_service *service,
                          struct arena *arena, struct detect_findings *ret)
{
    ASSERT(config->horizon_ms > 0);
    struct judge judge;
    uint32_t start_count;
    uint32_t leak_count = 0;
    double bin_ms = (double)config->horizon_ms / DETECT_BINS_PER_HORIZON;
    judge_init(&judge, service, bin_ms, arena);
    struct version_start *starts = newest_versions(service, arena, &start_count);
    struct leak *leaks = arena_must(arena, service->type_count * sizeof(*leaks));
    for (uint32_t type = 0; type < service->type_count; type++)
        if (is_worth_judging(service, type))
            leak_count += (uint32_t)judge_newest(&judge, starts, start_count, type, arena,
                                                 &leaks[leak_count]);
    fold_leaks(service, bin_ms, leaks, leak_count, arena);
    report(leaks, leak_count, arena, ret);
}
