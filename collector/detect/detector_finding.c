/*
 * The life of a confirmed leak. It keeps the name it was given; it is open until the newest version
 * that can be judged grows no more (fixed), or its own has filled up (it stopped). A version that
 * is too young to be judged changes nothing, so that one finding survives every redeployment.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "attributes.h"
#include "detector_state.h"
#include "ending.h"
#include "fold.h"
#include "type_kind.h"
#include "urgent.h"
#include "utf8.h"

enum {
    clean_passes = 6,
    nameless_passes = 6,
    ownerless_passes = 12,
};
static const double judgeable_horizons = 0.4;
static const double trifle_share = 0.05; /* of the bytes of a leak that is told */
static const double ms_per_hour = 3600e3;

/* ---- words ----------------------------------------------------------------------------------- */

static void say_why(const struct candidate *candidate, char *ret, size_t size)
{
    const struct verdict_evidence *e = &candidate->look.evidence;
    switch (candidate->look.rule) {
    case VERDICT_RULE_B:
        if (e->versions_rising > 0) {
            (void)snprintf(ret, size,
                           "%u versions in a row, %u of %u lives, grow in a straight line until "
                           "they end (R2 %.3f), and the one before does not",
                           e->versions_rising, e->lives_growing, e->lives, e->r2);
            break;
        }
        (void)snprintf(ret, size,
                       "%u of %u short lives grow in a straight line until they end (R2 %.3f); a "
                       "cache would bend",
                       e->lives_growing, e->lives, e->r2);
        break;
    case VERDICT_RULE_C:
        (void)snprintf(ret, size,
                       "%u versions in a row start with more than the one before, %.0f %% in all",
                       e->versions_rising, 100 * e->growth);
        break;
    case VERDICT_RULE_D:
        (void)snprintf(ret, size,
                       "%u of %u lives grow in a straight line (R2 %.3f) towards a memory limit "
                       "that is near",
                       e->lives_growing, e->lives, e->r2);
        break;
    default:
        (void)snprintf(ret, size,
                       "%u of %u lives grow by %.0f %% in a straight line (R2 %.3f); a line fits "
                       "better than filling up (dBIC %.0f)",
                       e->lives_growing, e->lives, 100 * e->growth, e->r2, e->line_gain);
    }
}

/* How much of a name has room in a reason. */
static int name_in_reason(const char *name)
{
    return (int)utf8_cut(name, strlen(name), 200);
}

static void copy_name(char *ret, const char *name)
{
    size_t size = strnlen(name, VERSION_NAME_BYTES - 1);
    memmove(ret, name, size);
    ret[size] = '\0';
}

/* ---- opening --------------------------------------------------------------------------------- */

/* No measured probability: a rank that grows with what sets the line apart and with witnesses. */
static double confidence_of(const struct verdict_evidence *evidence)
{
    double doubt = 0.1 * exp(-evidence->line_gain / 20) + 0.1 / fmax(evidence->lives_growing, 1);
    return fmin(fmax(1 - doubt, 0), 0.99);
}

static void describe(const struct detector *detector, const struct candidate *candidate,
                     struct finding *finding)
{
    const struct judge_look *look = &candidate->look;
    finding->rule = look->rule;
    finding->seen_ms = detector->last_pass_ms;
    finding->version = candidate->version;
    finding->count_per_hour = candidate->count_per_hour;
    finding->bytes_per_hour = candidate->bytes_per_hour;
    finding->evidence = look->evidence;
    finding->confidence = look->rule == VERDICT_RULE_C ? 0.7 : confidence_of(&look->evidence);
    finding->until_limit_ms =
        urgent_until_limit_ms(detector, look, candidate->version, candidate->bytes_per_hour);
    finding->share = look->growing_count / fmax(look->evidence.lives, 1);
    finding->slope = look->slope;
    finding->from = look->from;
    finding->to = look->to;
    copy_name(finding->still_in, detector->versions[candidate->version].name);
    for (uint32_t i = 0; i < candidate->companion_count; i++)
        fold_add_companion(finding->companions, &finding->companion_count, finding->type,
                           candidate->companions[i]);
    say_why(candidate, finding->reason, sizeof(finding->reason));
}

enum life_value value_of_kind(enum verdict_kind kind)
{
    return kind == VERDICT_OBJECTS ? LIFE_COUNT : LIFE_BYTES;
}

void date_candidate(const struct detector *detector, const struct version_order *order,
                    const struct candidate *candidate, struct attribution *ret)
{
    struct creep creep;
    if (candidate->look.rule != VERDICT_RULE_C) {
        attribute_origin(&detector->judge, order, candidate->type, value_of_kind(candidate->kind),
                         candidate->version, &candidate->look, ret);
        return;
    }
    *ret = (struct attribution){.version = candidate->version};
    if (attribute_creep(&detector->judge, order, candidate->type, &creep))
        *ret = (struct attribution){.is_known = 1, .version = creep.since};
}

static void date(const struct detector *detector, const struct version_order *order,
                 const struct candidate *candidate, struct finding *finding)
{
    struct attribution attribution;
    date_candidate(detector, order, candidate, &attribution);
    finding->introduced_known = attribution.is_known;
    finding->evidence.slope_earlier = attribution.before * ms_per_hour / detector->bin_ms;
    copy_name(finding->introduced_in, detector->versions[attribution.version].name);
}

static struct finding *new_finding(struct detector *detector)
{
    struct finding *oldest = NULL;
    if (detector->finding_count < FINDINGS_MAX)
        return &detector->findings[detector->finding_count++];
    for (uint32_t i = 0; i < FINDINGS_MAX; i++) {
        struct finding *finding = &detector->findings[i];
        if (finding->tier == VERDICT_RESOLVED &&
            (oldest == NULL || finding->resolved_ms < oldest->resolved_ms))
            oldest = finding;
    }
    return oldest;
}

static void resolve(struct detector *detector, struct finding *finding)
{
    finding->tier = VERDICT_RESOLVED;
    finding->since_ms = finding->resolved_ms = detector->last_pass_ms;
}

/* What was taken for a leak of its own before its owner was seen. */
static void absorb(struct detector *detector, const struct candidate *candidate,
                   struct finding *owner)
{
    for (uint32_t i = 0; i < detector->finding_count; i++) {
        struct finding *finding = &detector->findings[i];
        struct candidate other = {.type = finding->type,
                                  .kind = finding->kind,
                                  .look = candidate->look,
                                  .bytes_per_hour = finding->bytes_per_hour};
        if (finding == owner || finding->tier == VERDICT_RESOLVED ||
            !fold_explains(detector, candidate->type, candidate->kind, candidate->bytes_per_hour,
                           &other))
            continue;
        const char *name = detector->types.names[candidate->type];
        (void)snprintf(finding->reason, sizeof(finding->reason), "it is a part of the leak of %.*s",
                       name_in_reason(name), name);
        resolve(detector, finding);
        fold_add_companion(owner->companions, &owner->companion_count, owner->type, finding->type);
    }
}

static int open_finding(struct detector *detector, const struct version_order *order,
                        const struct candidate *candidate)
{
    struct finding *finding = new_finding(detector);
    if (finding == NULL)
        return 0;
    int64_t suspect_ms = detector->tracks[candidate->type].suspect_ms;
    *finding = (struct finding){
        .type = candidate->type,
        .tier = VERDICT_CONFIRMED,
        .kind = candidate->kind,
        .since_ms = detector->last_pass_ms,
        .first_ms = suspect_ms > 0 ? suspect_ms : detector->last_pass_ms,
    };
    describe(detector, candidate, finding);
    date(detector, order, candidate, finding);
    absorb(detector, candidate, finding);
    return 1;
}

/* ---- candidates against findings ------------------------------------------------------------- */

static int is_companion(const struct finding *finding, uint32_t type)
{
    for (uint32_t i = 0; i < finding->companion_count; i++)
        if (finding->companions[i] == type)
            return 1;
    return 0;
}

/* The finding had to be called after a piece: it ends for the class that has come up since. */
static int gives_name(const struct detector *detector, const struct candidate *candidate,
                      const struct finding *finding)
{
    if (candidate->tier != VERDICT_CONFIRMED || candidate->type < TYPES_OWN ||
        candidate->kind != VERDICT_OBJECTS || finding->type < TYPES_OWN)
        return 0;
    const char *const *names = detector->types.names;
    return type_kind_of(names[candidate->type]) == TYPE_USER &&
           type_kind_of(names[finding->type]) != TYPE_USER;
}

/* The open finding of this type, or NULL. */
static struct finding *finding_of(struct detector *detector, uint32_t type)
{
    for (uint32_t i = 0; i < detector->finding_count; i++) {
        struct finding *finding = &detector->findings[i];
        if (finding->tier != VERDICT_RESOLVED && finding->type == type)
            return finding;
    }
    return NULL;
}

/* The open finding that the candidate belongs to, or NULL. */
static struct finding *owner_of(struct detector *detector, const struct candidate *candidate)
{
    struct finding *same = finding_of(detector, candidate->type);
    if (same != NULL)
        return same;
    for (uint32_t i = 0; i < detector->finding_count; i++) {
        struct finding *finding = &detector->findings[i];
        if (finding->tier == VERDICT_RESOLVED || gives_name(detector, candidate, finding))
            continue;
        if ((is_companion(finding, candidate->type) &&
             !fold_is_apart(detector, finding->type, finding->kind, candidate)) ||
            fold_explains(detector, finding->type, finding->kind, finding->bytes_per_hour,
                          candidate))
            return finding;
    }
    return NULL;
}

/* 1 if the finding says something else now: what crept leaks. */
static int refresh(struct detector *detector, const struct version_order *order,
                   const struct candidate *candidate, struct finding *finding)
{
    if (finding->type != candidate->type) {
        if (candidate->tier == VERDICT_CONFIRMED)
            fold_add_companion(finding->companions, &finding->companion_count, finding->type,
                               candidate->type);
        return 0;
    }
    if (candidate->look.rule == VERDICT_RULE_C && finding->rule != VERDICT_RULE_C)
        return 0;
    int is_leak = finding->rule == VERDICT_RULE_C && candidate->look.rule != VERDICT_RULE_C &&
                  candidate->tier == VERDICT_CONFIRMED;
    if (candidate->tier == VERDICT_CONFIRMED || candidate->look.horizons >= judgeable_horizons)
        finding->clean_row = 0;
    if (candidate->tier == VERDICT_CONFIRMED)
        describe(detector, candidate, finding);
    else if (candidate->look.growing_count > 0) /* less sure, but as much is left as is left */
        finding->until_limit_ms = urgent_until_limit_ms(
            detector, &candidate->look, candidate->version, candidate->bytes_per_hour);
    if (is_leak) {
        finding->since_ms = detector->last_pass_ms;
        date(detector, order, candidate, finding);
        absorb(detector, candidate, finding);
    }
    return is_leak;
}

/* Candidates that belong to an open finding leave the list. */
static int claim_candidates(struct detector *detector, const struct version_order *order)
{
    int changed = 0;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < detector->candidate_count; i++) {
        struct candidate *candidate = &detector->candidates[i];
        fold_measure_rates(detector, candidate);
        struct finding *owner = owner_of(detector, candidate);
        if (owner != NULL)
            changed |= refresh(detector, order, candidate, owner);
        else
            detector->candidates[kept++] = *candidate;
    }
    detector->candidate_count = kept;
    return changed;
}

/* A piece of a leak whose class is not seen yet: its name would help nobody. */
static int is_nameless(const struct detector *detector, const struct candidate *candidate)
{
    const char *name = detector->types.names[candidate->type];
    return candidate->tier == VERDICT_CONFIRMED && candidate->type >= TYPES_OWN &&
           (candidate->kind == VERDICT_OBJECTS || !type_is_leaf(name)) &&
           type_kind_of(name) != TYPE_USER;
}

/* Its class has had its time; or there is none, and lives before tell that it is no cache. */
static int is_late(const struct detector *detector, const struct candidate *candidate)
{
    return detector->tracks[candidate->type].confirmed_row >= nameless_passes ||
           (candidate->look.rule == VERDICT_RULE_D &&
            urgent_is_known(detector, candidate, candidate->type));
}

/* That lives before had dicts and lists, too, says nothing of a class that none of them had. */
static int is_hearsay(const struct detector *detector, const struct candidate *candidate,
                      uint32_t seen)
{
    return candidate->look.rule == VERDICT_RULE_D && candidate->type != seen &&
           urgent_is_known(detector, candidate, seen) &&
           !urgent_is_known(detector, candidate, candidate->type);
}

/* Beside a leak that is told, so little of what everybody has is no news, and mostly its shadow. */
static int is_trifle(const struct detector *detector, const struct candidate *candidate)
{
    for (uint32_t i = 0; i < detector->finding_count; i++) {
        const struct finding *finding = &detector->findings[i];
        if (finding->tier != VERDICT_RESOLVED && finding->type >= TYPES_OWN &&
            finding->version == candidate->version &&
            candidate->bytes_per_hour < trifle_share * finding->bytes_per_hour)
            return 1;
    }
    return 0;
}

/* Memory that is not Python's, and a class that may turn out to keep it: one leak, by its name. */
static int may_get_owner(const struct detector *detector, const struct candidate *native)
{
    if (native->tier != VERDICT_CONFIRMED || native->type != TYPE_NATIVE_MEMORY ||
        detector->tracks[native->type].confirmed_row >= ownerless_passes)
        return 0;
    for (uint32_t i = 0; i < detector->candidate_count; i++) {
        const struct candidate *other = &detector->candidates[i];
        if (other->tier == VERDICT_SUSPECT &&
            fold_explains(detector, other->type, other->kind, other->bytes_per_hour, native))
            return 1;
    }
    return 0;
}

/* A piece got the name of a leak that is told already, or of another candidate: it is a part of it,
 * and no second leak. */
static int join_named(struct detector *detector, uint32_t before, const struct candidate *candidate)
{
    struct finding *owner = finding_of(detector, candidate->type);
    for (uint32_t i = 0; owner != NULL && i < candidate->companion_count; i++)
        fold_add_companion(owner->companions, &owner->companion_count, owner->type,
                           candidate->companions[i]);
    for (uint32_t i = 0; i < before && owner == NULL; i++)
        if (detector->candidates[i].type == candidate->type)
            return 1;
    return owner != NULL;
}

static int open_confirmed(struct detector *detector, const struct version_order *order)
{
    int opened = 0;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < detector->candidate_count; i++) {
        struct candidate *candidate = &detector->candidates[i];
        if (candidate->tier < VERDICT_SUSPECT)
            continue;
        int waited = is_late(detector, candidate);
        uint32_t seen = candidate->type;
        fold_name(detector, candidate);
        if (is_hearsay(detector, candidate, seen))
            candidate->tier = VERDICT_SUSPECT;
        fold_measure_rates(detector, candidate);
        if (is_nameless(detector, candidate) && (!waited || is_trifle(detector, candidate)))
            candidate->tier = VERDICT_SUSPECT;
    }
    for (uint32_t i = 0; i < detector->candidate_count; i++)
        if (may_get_owner(detector, &detector->candidates[i]))
            detector->candidates[i].tier = VERDICT_SUSPECT;
    fold_candidates(detector, detector->candidates, detector->candidate_count);
    for (uint32_t i = 0; i < detector->candidate_count; i++) {
        struct candidate *candidate = &detector->candidates[i];
        if (candidate->is_folded || join_named(detector, kept, candidate))
            continue;
        if (candidate->tier != VERDICT_CONFIRMED) {
            detector->candidates[kept++] = *candidate;
            continue;
        }
        fold_add_quiet(detector, candidate);
        opened |= open_finding(detector, order, candidate);
    }
    detector->candidate_count = kept;
    return opened;
}

/* ---- closing --------------------------------------------------------------------------------- */

static int check_one(struct detector *detector, struct finding *finding,
                     const struct judge_group *groups, uint32_t group_count)
{
    uint32_t number = 0;
    enum ending_kind ending = ending_of(detector, finding, groups, group_count, &number);
    finding->clean_row = ending == ENDING_NONE ? 0 : finding->clean_row + 1;
    if (finding->clean_row < clean_passes)
        return 0;
    const char *version = detector->versions[number].name;
    if (ending == ENDING_FIXED)
        copy_name(finding->fixed_in, version);
    char reason[sizeof(finding->reason)] = ""; /* all of it: it is saved */
    (void)snprintf(reason, sizeof(reason), "%s%.*s",
                   ending == ENDING_FIXED ? "fixed: it does not grow any more in "
                                          : "it stopped growing in ",
                   name_in_reason(version), version);
    memcpy(finding->reason, reason, sizeof(reason));
    resolve(detector, finding);
    return 1;
}

static int close_findings(struct detector *detector, const struct judge_group *groups,
                          uint32_t group_count)
{
    int closed = 0;
    for (uint32_t i = 0; i < detector->finding_count; i++) {
        struct finding *finding = &detector->findings[i];
        if (finding->tier == VERDICT_RESOLVED || finding->seen_ms == detector->last_pass_ms ||
            finding->rule == VERDICT_RULE_C)
            continue;
        closed |= check_one(detector, finding, groups, group_count);
    }
    return closed;
}

static void forget_resolved(struct detector *detector)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < detector->finding_count; i++) {
        const struct finding *finding = &detector->findings[i];
        if (finding->tier != VERDICT_RESOLVED ||
            detector->last_pass_ms - finding->resolved_ms <= detector->config.horizon_ms)
            detector->findings[kept++] = *finding;
    }
    detector->finding_count = kept;
}

int findings_update(struct detector *detector, const struct version_order *order,
                    const struct judge_group *groups, uint32_t group_count, int is_major)
{
    forget_resolved(detector);
    int changed = claim_candidates(detector, order);
    changed |= open_confirmed(detector, order);
    if (is_major)
        changed |= close_findings(detector, groups, group_count);
    return changed;
}
