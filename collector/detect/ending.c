/*
 * What leaks with the work of some hours of the day rests at night, and for a whole weekend, and no
 * line tells that from an end. But it has been seen to rest, and to go on: of such a leak more is
 * asked for than any weekend has.
 */
#include "ending.h"

#include <math.h>

#include "trend.h"

static const double judgeable_horizons = 0.4;
static const double stopped_horizons = 1.25;
static const double same_leak_min = 0.3;
static const double stopped_share_max = 0.1;
static const double shown_horizons = 2; /* by then any leak has shown */

/* Versions in a row, none of which is told of alone. */
enum { row_versions_min = 3 };
static const double row_horizons = 2; /* of uptime, together */
static const double as_long = 0.85;   /* as what was judged of the leak */

/* A rest: so long, with so little of the slope, and followed by so much of what it had missed; of
 * lives that have grown by so much of it on the whole. */
static const double rest_min = 0.3 * LIFE_BINS_PER_HORIZON;
static const double rest_share_max = 0.1;
static const double goes_on_share_min = 0.5;
static const double growing_share_min = 0.3;
static const double longer_than_rests = 2;
static const double longer_than_weekends = 3.0 * LIFE_BINS_PER_HORIZON;

/* ---- rests ----------------------------------------------------------------------------------- */

static double highest_behind(const struct life_curve *curve, uint32_t point)
{
    double highest = curve->values[point];
    for (uint32_t i = point + 1; i < curve->count; i++)
        highest = fmax(highest, curve->values[i]);
    return highest;
}

/* The longest stretch without growth behind which it went on. NaN: this life does not grow so, or
 * has given back what it held, which nothing does that only rests. */
static double life_rest(const struct life_curve *curve, double slope)
{
    double longest = 0;
    double span = (curve->count - 1) * curve->width;
    if (!(curve->values[curve->count - 1] - curve->values[0] >= growing_share_min * slope * span))
        return NAN;
    for (uint32_t from = 0; from < curve->count; from++) {
        double due = 0;
        for (uint32_t to = from + 1; to < curve->count; to++) {
            double length = (to - from) * curve->width;
            due += rest_share_max * slope * curve->width * fmin(curve->load[to - 1], 1);
            if (length > longest && curve->values[to] - curve->values[from] <= due &&
                highest_behind(curve, to) - curve->values[to] >= goes_on_share_min * slope * length)
                longest = length;
        }
    }
    return longest;
}

/* So many bins of quiet say more than a rest. 0: it never rests. */
static double quiet_bins(const struct detector *detector, const struct finding *finding)
{
    const struct judge *judge = &detector->judge;
    const enum life_value value = value_of_kind(finding->kind);
    const double elasticity =
        finding->type < TYPES_OWN ? 0 : judge_elasticity(judge, finding->type);
    size_t count = 0;
    for (uint32_t i = 0; i < judge->life_count; i++) {
        const struct life *life = &judge->lives[i];
        struct life_curve curve;
        if (!life->used || life->version != finding->version ||
            !judge_trace(life, finding->type, value, judge_settled_bins(life), elasticity, &curve))
            continue;
        double rest = life_rest(&curve, finding->slope);
        if (isfinite(rest))
            judge->space[count++] = rest;
    }
    double rest = count > 0 ? trend_median(judge->space, count) : 0;
    return rest < rest_min ? 0 : fmax(longer_than_weekends, longer_than_rests * rest);
}

/* ---- fixed ----------------------------------------------------------------------------------- */

struct shares {
    double seen, beside; /* of the slope, at equal uptime and load; beside the load */
    int shows;           /* the leak itself does, by then */
};

static struct shares shares_in(const struct detector *detector, const struct finding *finding,
                               const struct judge_group *group)
{
    const struct judge *judge = &detector->judge;
    enum life_value value = value_of_kind(finding->kind);
    struct judge_look look = {.rule = finding->rule, .to = finding->to, .slope = finding->slope};
    look.evidence.lives = 100;
    look.growing_count = (uint32_t)fmax(1, 100 * finding->share);
    return (struct shares){
        .seen = attribute_share_at_load(judge, finding->type, value, group, finding->version,
                                        finding->to, &look),
        .beside = attribute_share_beside_load(judge, finding->type, value, group->version,
                                              finding->version, &look),
        .shows =
            attribute_shows(judge, finding->type, value, group->version, finding->version, &look),
    };
}

static int is_later(const struct detector *detector, const struct finding *finding,
                    uint32_t version)
{
    const struct version *versions = detector->versions;
    return version != finding->version &&
           versions[version].newest_start_ms > versions[finding->version].newest_start_ms;
}

/* A later version, long enough up, that has little of the slope at equal uptime and load: by when
 * the leak had shown, since one that comes at night is not fixed in the evening. */
static int is_fixed_in(const struct detector *detector, const struct finding *finding,
                       const struct judge_group *group, double quiet)
{
    if (group->rule != VERDICT_RULE_A || !is_later(detector, finding, group->version) ||
        group->horizons < judgeable_horizons || group->uptime < quiet)
        return 0;
    struct shares shares = shares_in(detector, finding, group);
    return shares.seen < same_leak_min && shares.beside < same_leak_min &&
           (group->horizons >= shown_horizons || shares.shows);
}

/* The next version that came after a time, or -1. */
static int version_after(const struct detector *detector, int64_t start_ms)
{
    const struct version *versions = detector->versions;
    int next = -1;
    for (int i = 0; i < DETECT_VERSIONS_MAX; i++)
        if (versions[i].lives > 0 && versions[i].newest_start_ms > start_ms &&
            (next < 0 || versions[i].newest_start_ms < versions[next].newest_start_ms))
            next = i;
    return next;
}

struct row {
    uint32_t count, first;
    double horizons;
};

/*
 * The versions, up to `last_ms`, that have the leak no more, without one that has it between them.
 * In such a row nobody has to know what the load hides: they see the hours that the leaking ones
 * saw. What is too young breaks no row.
 */
static struct row row_until(const struct detector *detector, const struct finding *finding,
                            int64_t last_ms)
{
    struct row row = {0};
    int64_t at_ms = detector->versions[finding->version].newest_start_ms;
    double long_enough =
        fmin(judgeable_horizons, as_long * finding->to / (double)LIFE_BINS_PER_HORIZON);
    int version;
    while ((version = version_after(detector, at_ms)) >= 0) {
        struct judge_group group;
        at_ms = detector->versions[version].newest_start_ms;
        if (at_ms > last_ms)
            break;
        judge_group_version(&detector->judge, (uint32_t)version, &group);
        if (group.count == 0 || group.horizons < long_enough)
            continue;
        struct shares shares = shares_in(detector, finding, &group);
        if (!isfinite(shares.seen) || !shares.shows)
            continue;
        if (shares.seen >= same_leak_min || shares.beside >= same_leak_min) {
            row = (struct row){0};
            continue;
        }
        row.first = row.count++ == 0 ? (uint32_t)version : row.first;
        row.horizons += group.horizons;
    }
    return row;
}

static int is_fixed_in_a_row(const struct detector *detector, const struct finding *finding,
                             double quiet, uint32_t *ret_first)
{
    struct row row = row_until(detector, finding, INT64_MAX);
    *ret_first = row.first;
    return row.count >= row_versions_min &&
           row.horizons >= fmax(row_horizons, quiet / LIFE_BINS_PER_HORIZON);
}

/* ---- stopped --------------------------------------------------------------------------------- */

/*
 * No life of the version grows any more: over a horizon, which has all hours of a day in it, by a
 * small part of what it did, or of what so little load would have made of that.
 */
static int has_stopped(const struct detector *detector, const struct finding *finding,
                       const struct judge_group *group, double quiet)
{
    if (group->rule != VERDICT_RULE_A || group->version != finding->version ||
        group->horizons < stopped_horizons)
        return 0;
    double share =
        attribute_recent_share(&detector->judge, finding->type, value_of_kind(finding->kind),
                               group->version, finding->slope, quiet);
    return isfinite(share) && share < stopped_share_max;
}

enum ending_kind ending_of(const struct detector *detector, const struct finding *finding,
                           const struct judge_group *groups, uint32_t group_count,
                           uint32_t *ret_version)
{
    double quiet = quiet_bins(detector, finding);
    for (uint32_t i = 0; i < group_count; i++) {
        *ret_version = groups[i].version;
        if (is_fixed_in(detector, finding, &groups[i], quiet)) {
            struct row row =
                row_until(detector, finding, detector->versions[*ret_version].newest_start_ms);
            *ret_version = row.count > 0 ? row.first : *ret_version;
            return ENDING_FIXED;
        }
        if (has_stopped(detector, finding, &groups[i], quiet))
            return ENDING_STOPPED;
    }
    return is_fixed_in_a_row(detector, finding, quiet, ret_version) ? ENDING_FIXED : ENDING_NONE;
}
