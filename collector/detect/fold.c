/*
 * "Follows" means: in the containers where the leak grows, the other type grows too, by about the
 * same number of objects for each leaked one everywhere. Every straight line follows every other,
 * so that where more hangs on it - two classes of the program, a class that gives its name - they
 * must share their unevenness as well: one predicts the other no worse than the clock does.
 */
#include "fold.h"

#include <math.h>

#include "attributes.h"
#include "life_points.h"
#include "trend.h"

enum { points_count = TREND_POINTS_MAX };

static const double ratio_min = 0.02;     /* objects that grow along for each leaked one */
static const double ratio_spread_max = 2; /* between containers */
static const double coupling_slack = 1.5;
static const double companion_z_min = 2;
static const double tight_left_max = 0.05; /* moves as the leak does: needs no trend of its own */
static const double ms_per_hour = 3600e3;

struct fold {
    const struct detect_service *service;
    double bin_ms;
    double *ratios; /* [life_count], working space */
};

/* The most telling name first; between equals, the rarer: an owner has many parts. */
static int compare_telling(const void *left, const void *right)
{
    const struct leak *a = left;
    const struct leak *b = right;
    if (a->kind != b->kind)
        return a->kind < b->kind ? 1 : -1;
    double first = a->finding.count_per_hour;
    double second = b->finding.count_per_hour;
    return (first > second) - (first < second);
}

/* Share of the variance of `y` that a line over `x` leaves. */
static double left_by(const double *x, const double *y, size_t count)
{
    double n = (double)count;
    double mean_x = 0;
    double mean_y = 0;
    for (size_t i = 0; i < count; i++) {
        mean_x += x[i] / n;
        mean_y += y[i] / n;
    }
    double xx = 0;
    double xy = 0;
    double yy = 0;
    for (size_t i = 0; i < count; i++) {
        xx += (x[i] - mean_x) * (x[i] - mean_x);
        xy += (x[i] - mean_x) * (y[i] - mean_y);
        yy += (y[i] - mean_y) * (y[i] - mean_y);
    }
    double scale = xx * yy;
    return scale > 0 && isfinite(scale) ? fmax(1 - xy / scale * xy, 0) : 1;
}

struct follow {
    double ratio;            /* objects for each leaked one, median of the containers */
    double left, left_clock; /* sums: what the leak, and what the clock, leave unexplained */
};

/* 1 if `type` grows with `leak` in its containers. */
static int follows(const struct fold *fold, const struct leak *leak, uint32_t type,
                   struct follow *ret)
{
    double *ratios = fold->ratios;
    const struct judge_evidence *evidence = &leak->evidence;
    double clock[points_count];
    double leaked[points_count];
    double other[points_count];
    *ret = (struct follow){0};
    for (size_t i = 0; i < points_count; i++)
        clock[i] = (double)i;
    for (uint32_t i = 0; i < evidence->life_count; i++) {
        const struct detect_life *life = &fold->service->lives[evidence->lives[i]];
        if (!life_points(life, leak->finding.type, LIFE_COUNT, evidence->settled, evidence->uptime,
                         points_count, leaked) ||
            !life_points(life, type, LIFE_COUNT, evidence->settled, evidence->uptime, points_count,
                         other))
            return 0;
        double slope = trend_slope(other, points_count);
        double leak_slope = trend_slope(leaked, points_count);
        double left = left_by(leaked, other, points_count);
        int grows =
            left <= tight_left_max || trend_z(other, points_count, slope) >= companion_z_min;
        ratios[i] = grows && leak_slope > 0 ? fmax(slope / leak_slope, 0) : 0;
        ret->left += left;
        ret->left_clock += left_by(clock, other, points_count);
    }
    ret->ratio = trend_median(ratios, evidence->life_count);
    uint32_t alike = 0;
    for (uint32_t i = 0; i < evidence->life_count; i++)
        alike += ratios[i] >= ret->ratio / ratio_spread_max &&
                 ratios[i] <= ret->ratio * ratio_spread_max;
    return ret->ratio >= ratio_min && alike * 3 >= evidence->life_count * 2;
}

/* A part of `leak`, or another leak beside it? */
static int explains(const struct fold *fold, const struct leak *leak, const struct leak *other)
{
    struct follow follow;
    if (leak->finding.type == other->finding.type)
        return 1;
    if (leak->finding.version != other->finding.version ||
        !follows(fold, leak, other->finding.type, &follow))
        return 0;
    return leak->kind > other->kind || follow.left <= follow.left_clock * coupling_slack;
}

static int is_companion(const struct detect_finding *finding, uint32_t type)
{
    for (uint32_t i = 0; i < finding->companion_count; i++)
        if (finding->companions[i] == type)
            return 1;
    return 0;
}

static void add_companion(struct detect_finding *finding, uint32_t type)
{
    if (finding->companion_count < ARRAY_SIZE(finding->companions) && finding->type != type &&
        !is_companion(finding, type))
        finding->companions[finding->companion_count++] = type;
}

/*
 * The pieces of a class are often seen to leak before the class is: give the leak the name of the
 * most telling type that moves as it does.
 */
static void name_leak(const struct fold *fold, struct leak *leak)
{
    const enum type_kind own_kind = leak->kind;
    uint32_t best = leak->finding.type;
    double best_left = INFINITY;
    for (uint32_t type = 0; type < fold->service->type_count; type++) {
        enum type_kind kind = type_kind_of(fold->service->types[type]);
        struct follow follow;
        if (kind <= own_kind || kind < leak->kind || !follows(fold, leak, type, &follow) ||
            follow.left > follow.left_clock * coupling_slack ||
            follow.left > tight_left_max * leak->evidence.life_count ||
            (kind == leak->kind && follow.left >= best_left))
            continue;
        leak->kind = kind;
        best = type;
        best_left = follow.left;
    }
    if (best == leak->finding.type)
        return;
    add_companion(&leak->finding, leak->finding.type);
    leak->finding.type = best;
}

/* Types that grow along without standing out themselves: a dict more among a million. */
static void add_quiet_companions(const struct fold *fold, struct leak *leak)
{
    for (uint32_t type = 0; type < fold->service->type_count; type++) {
        enum type_kind kind = type_kind_of(fold->service->types[type]);
        struct follow follow;
        if (kind == TYPE_NONE || kind >= leak->kind ||
            leak->finding.companion_count == ARRAY_SIZE(leak->finding.companions))
            continue;
        if (follows(fold, leak, type, &follow))
            add_companion(&leak->finding, type);
    }
}

static double mean_per_hour(const struct fold *fold, const struct leak *leak, enum life_value value)
{
    const struct judge_evidence *evidence = &leak->evidence;
    double sum = 0;
    for (uint32_t i = 0; i < evidence->life_count; i++) {
        const struct detect_life *life = &fold->service->lives[evidence->lives[i]];
        double slope = life_slope(life, leak->finding.type, value, evidence->settled,
                                  evidence->uptime, points_count);
        sum += isfinite(slope) ? slope : 0;
    }
    return sum / evidence->life_count * ms_per_hour / fold->bin_ms;
}

static void measure_rates(const struct fold *fold, struct leak *leak)
{
    leak->finding.count_per_hour = mean_per_hour(fold, leak, LIFE_COUNT);
    leak->finding.bytes_per_hour = mean_per_hour(fold, leak, LIFE_BYTES);
}

static void fold_into(const struct fold *fold, struct leak *leak, struct leak *others,
                      uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct leak *other = &others[i];
        if (other->folded || !explains(fold, leak, other))
            continue;
        other->folded = 1;
        add_companion(&leak->finding, other->finding.type);
        for (uint32_t k = 0; k < other->finding.companion_count; k++)
            add_companion(&leak->finding, other->finding.companions[k]);
    }
}

void fold_leaks(const struct detect_service *service, double bin_ms, struct leak *leaks,
                uint32_t count, struct arena *arena)
{
    struct fold fold = {service, bin_ms, arena_must(arena, service->life_count * sizeof(double))};
    for (uint32_t i = 0; i < count; i++) {
        name_leak(&fold, &leaks[i]);
        measure_rates(&fold, &leaks[i]);
    }
    if (count > 1)
        qsort(leaks, count, sizeof(*leaks), compare_telling);
    for (uint32_t i = 0; i < count; i++) {
        if (leaks[i].folded)
            continue;
        fold_into(&fold, &leaks[i], leaks + i + 1, count - i - 1);
        add_quiet_companions(&fold, &leaks[i]);
    }
}
