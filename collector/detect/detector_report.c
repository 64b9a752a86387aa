/* State as verdicts, with the curves that a person wants to see. */
#include <math.h>
#include <stdlib.h>

#include "attributes.h"
#include "detector_state.h"

static const double ms_per_hour = 3600e3;

static const char maybe_fills[] = "it grows; whether it goes on or fills up is not known yet";
static const char straight[] = "it grows in a straight line, but not for long enough yet";
static const char straight_lately[] = "it grows, and grew in a straight line until lately";
static const char creeps[] = "each version starts with more than the one before, so far";
static const char no_more[] = "it has just stopped growing, or grows too unevenly to be sure";

/* Mean growth at uptime of a version's lives that are nearly as old as its oldest. */
static int read_curve(const struct detector *detector, uint32_t version, uint32_t type,
                      enum life_value value, struct verdict_curve *ret)
{
    struct judge_group group;
    judge_group_version(&detector->judge, version, &group);
    *ret = (struct verdict_curve){.version = detector->versions[version].name};
    for (uint32_t i = 0; i < group.count; i++) {
        struct life_curve curve;
        double points[VERDICT_CURVE_POINTS];
        if (!life_trace(&detector->lives[group.lives[i]], type, value, 0, 0, &curve))
            continue;
        life_resample(&curve, curve.values, 0, group.to, VERDICT_CURVE_POINTS, points);
        ret->lives++;
        for (uint32_t k = 0; k < VERDICT_CURVE_POINTS; k++)
            ret->values[k] += points[k];
    }
    for (uint32_t k = 0; ret->lives > 0 && k < VERDICT_CURVE_POINTS; k++)
        ret->values[k] /= ret->lives;
    double width = group.to / VERDICT_CURVE_POINTS * detector->bin_ms;
    ret->from_ms = (int64_t)(width / 2);
    ret->to_ms = (int64_t)(group.to * detector->bin_ms - width / 2);
    return ret->lives > 0;
}

static int compare_newest(const void *left, const void *right, void *context)
{
    const struct version *versions = ((const struct detector *)context)->versions;
    int64_t a = versions[*(const uint32_t *)left].newest_start_ms;
    int64_t b = versions[*(const uint32_t *)right].newest_start_ms;
    return (a < b) - (a > b);
}

static void add_curves(struct detector *detector, uint32_t type, struct verdict *verdict)
{
    uint32_t versions[DETECT_VERSIONS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < DETECT_VERSIONS_MAX; i++)
        if (detector->versions[i].lives > 0)
            versions[count++] = i;
    qsort_r(versions, count, sizeof(*versions), compare_newest, detector);
    enum life_value value = value_of_kind(verdict->kind);
    for (uint32_t i = 0; i < count && verdict->curve_count < VERDICT_CURVES_MAX; i++)
        verdict->curve_count += (uint32_t)read_curve(detector, versions[i], type, value,
                                                     &verdict->curves[verdict->curve_count]);
}

static void add_companions(const struct detector *detector, const uint32_t *types, uint32_t count,
                           struct verdict *verdict)
{
    verdict->companion_count = count;
    for (uint32_t i = 0; i < count; i++)
        verdict->companions[i] = detector->types.names[types[i]];
}

/* Creep names no leak, only a type that somebody should look at. */
static enum verdict_tier finding_tier(const struct finding *finding)
{
    return finding->tier == VERDICT_CONFIRMED && finding->rule == VERDICT_RULE_C ? VERDICT_SUSPECT
                                                                                 : finding->tier;
}

static void write_finding(struct detector *detector, const struct finding *finding,
                          struct verdict *ret)
{
    *ret = (struct verdict){
        .type = detector->types.names[finding->type],
        .tier = finding_tier(finding),
        .kind = finding->kind,
        .rule = finding->rule,
        .since_ms = finding->since_ms,
        .first_ms = finding->first_ms,
        .introduced_in = finding->introduced_known ? finding->introduced_in : "",
        .oldest_in = finding->introduced_in,
        .still_in = finding->still_in,
        .fixed_in = finding->fixed_in,
        .count_per_hour = finding->count_per_hour,
        .bytes_per_hour = finding->bytes_per_hour,
        .confidence = finding->confidence,
        .until_limit_ms = finding->until_limit_ms,
        .reason = finding->reason,
        .evidence = finding->evidence,
    };
    add_companions(detector, finding->companions, finding->companion_count, ret);
    add_curves(detector, finding->type, ret);
}

static const char *reason_of(const struct candidate *candidate, int suspect, int is_held)
{
    if (is_held)
        return no_more;
    if (candidate->look.rule == VERDICT_RULE_C)
        return creeps;
    if (!suspect)
        return maybe_fills;
    return candidate->tier == VERDICT_SUSPECT ? straight : straight_lately;
}

/* A suspect has a slope to be looked for in the versions before; a watch has none yet. */
static void date_suspect(struct detector *detector, const struct candidate *candidate,
                         struct verdict *ret)
{
    struct version_order order;
    struct attribution attribution;
    versions_in_order(detector, &order);
    date_candidate(detector, &order, candidate, &attribution);
    ret->oldest_in = detector->versions[attribution.version].name;
    if (!attribution.is_known)
        return;
    ret->introduced_in = ret->oldest_in;
    ret->evidence.slope_earlier = attribution.before * ms_per_hour / detector->bin_ms;
}

static void write_candidate(struct detector *detector, const struct candidate *candidate,
                            int is_held, struct verdict *ret)
{
    const struct track *track = &detector->tracks[candidate->type];
    int suspect = watch_tier(detector, candidate) == VERDICT_SUSPECT;
    *ret = (struct verdict){
        .type = detector->types.names[candidate->type],
        .tier = suspect ? VERDICT_SUSPECT : VERDICT_WATCH,
        .kind = candidate->kind,
        .rule = suspect && candidate->look.rule != VERDICT_RULE_C ? candidate->look.rule
                                                                  : VERDICT_RULE_NONE,
        .since_ms = suspect ? track->suspect_ms : track->watched_ms,
        .first_ms = track->suspect_ms,
        .introduced_in = "",
        .oldest_in = "",
        .still_in = detector->versions[candidate->version].name,
        .fixed_in = "",
        .count_per_hour = candidate->count_per_hour,
        .bytes_per_hour = candidate->bytes_per_hour,
        .confidence = suspect ? 0.5 : 0.1,
        .until_limit_ms = candidate->until_limit_ms,
        .reason = reason_of(candidate, suspect, is_held),
        .evidence = candidate->look.evidence,
    };
    if (suspect)
        date_suspect(detector, candidate, ret);
    add_companions(detector, candidate->companions, candidate->companion_count, ret);
    add_curves(detector, candidate->type, ret);
}

static int compare_strongest(const void *left, const void *right)
{
    static const int ranks[] = {[VERDICT_CONFIRMED] = 0,
                                [VERDICT_SUSPECT] = 1,
                                [VERDICT_WATCH] = 2,
                                [VERDICT_RESOLVED] = 3};
    const struct verdict *a = left;
    const struct verdict *b = right;
    if (a->tier != b->tier)
        return ranks[a->tier] - ranks[b->tier];
    return (a->bytes_per_hour < b->bytes_per_hour) - (a->bytes_per_hour > b->bytes_per_hour);
}

const struct verdict *detector_verdicts(struct detector *detector, uint32_t *ret_count)
{
    uint32_t count = 0;
    judge_prepare(detector);
    for (uint32_t i = 0; i < detector->finding_count; i++)
        write_finding(detector, &detector->findings[i], &detector->verdicts[count++]);
    for (uint32_t i = 0; i < detector->candidate_count; i++)
        if (watch_is_said(detector, &detector->candidates[i]))
            write_candidate(detector, &detector->candidates[i], 0, &detector->verdicts[count++]);
    for (uint32_t i = 0; i < detector->held_count; i++)
        if (watch_is_said(detector, &detector->held[i]))
            write_candidate(detector, &detector->held[i], 1, &detector->verdicts[count++]);
    qsort(detector->verdicts, count, sizeof(*detector->verdicts), compare_strongest);
    *ret_count = count;
    return detector->verdicts;
}
