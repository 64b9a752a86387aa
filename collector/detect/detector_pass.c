/*
 * A pass: every type in every version that has been seen since the pass before, in the short lives
 * of all of them, and from version to version. What passes a rule three times in a row is
 * confirmed.
 *
 *     major passes, every thirtieth of the horizon:    rules A, A', B, C
 *     minor passes, every ninetieth, or 180th:         rule D, where a limit is near
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attributes.h"
#include "detector_state.h"
#include "fold.h"
#include "judge_ends.h"
#include "room.h"
#include "succession.h"
#include "type_kind.h"
#include "urgent.h"
#include "witness.h"

static const double suspect_horizons = 0.4;
static const double watch_horizons = 0.1;
static const double buffer_growth_min = 0.05;
static const double buffer_bytes_min = 256 * 1024; /* grown, in a life */
static const double native_share_min = 0.3;        /* of the growth of the process */

enum { groups_max = 2 * DETECT_VERSIONS_MAX + 2 };

struct pass {
    struct detector *detector;
    struct version_order order;
    uint32_t group_count;
    struct judge_group *groups; /* the newest version first; the short lives last */
    uint32_t look_count;        /* of these and, behind them, the younger lives of each */
    struct judge_group *middle; /* the short lives of middling length; may be empty */
};

/* ---- what to judge --------------------------------------------------------------------------- */

static const struct detector *sort_context(const void *pointer)
{
    return pointer;
}

static int compare_order(const void *left, const void *right, void *context)
{
    const struct version *versions = sort_context(context)->versions;
    uint32_t a = versions[*(const uint32_t *)left].order;
    uint32_t b = versions[*(const uint32_t *)right].order;
    return (a > b) - (a < b);
}

static int compare_newest(const void *left, const void *right, void *context)
{
    const struct version *versions = sort_context(context)->versions;
    int64_t a = versions[((const struct judge_group *)left)->version].newest_start_ms;
    int64_t b = versions[((const struct judge_group *)right)->version].newest_start_ms;
    return (a < b) - (a > b);
}

static int is_active(const struct detector *detector, uint32_t version, int64_t since_ms)
{
    for (uint32_t i = 0; i < detector->life_count; i++)
        if (detector->lives[i].used && detector->lives[i].version == version &&
            detector->lives[i].last_ms >= since_ms)
            return 1;
    return 0;
}

void versions_in_order(struct detector *detector, struct version_order *ret)
{
    ret->count = 0;
    for (uint32_t i = 0; i < DETECT_VERSIONS_MAX; i++)
        if (detector->versions[i].lives > 0)
            ret->versions[ret->count++] = i;
    qsort_r(ret->versions, ret->count, sizeof(uint32_t), compare_order, detector);
}

static void choose_groups(struct pass *pass, int64_t since_ms)
{
    struct detector *detector = pass->detector;
    versions_in_order(detector, &pass->order);
    for (uint32_t i = 0; i < DETECT_VERSIONS_MAX; i++) {
        if (detector->versions[i].lives == 0 || !is_active(detector, i, since_ms))
            continue;
        struct judge_group *group = &pass->groups[pass->group_count];
        judge_group_version(&detector->judge, i, group);
        pass->group_count += group->count > 0;
    }
    qsort_r(pass->groups, pass->group_count, sizeof(*pass->groups), compare_newest, detector);
    judge_group_short(&detector->judge, &pass->groups[pass->group_count]);
    pass->group_count += pass->groups[pass->group_count].count > 0;
    pass->look_count = pass->group_count;
    for (uint32_t i = 0; i < pass->group_count; i++) {
        struct judge_group *younger = &pass->groups[pass->look_count];
        if (pass->groups[i].rule == VERDICT_RULE_A)
            judge_group_younger(&detector->judge, &pass->groups[i], younger);
        pass->look_count += pass->groups[i].rule == VERDICT_RULE_A && younger->count > 0;
    }
    pass->middle = &pass->groups[groups_max - 1];
    judge_group_middle(&detector->judge, pass->middle);
}

/* ---- one type -------------------------------------------------------------------------------- */

/* Creep that is settled opens a finding as a leak does: one that is said to be suspect. */
static enum verdict_tier tier_of_row(const struct track *track)
{
    if (track->confirmed_row >= PASSES_NEEDED || track->creep_row >= PASSES_NEEDED)
        return VERDICT_CONFIRMED;
    return track->suspect_row >= 2 || track->confirmed_row > 0 ? VERDICT_SUSPECT : VERDICT_WATCH;
}

static int is_level(const struct judge_look *look, enum verdict_tier tier)
{
    switch (tier) {
    case VERDICT_CONFIRMED:
        return look->passes && look->horizons >= 1;
    case VERDICT_SUSPECT:
        return look->passes && look->horizons >= suspect_horizons;
    default:
        return look->grows && look->horizons >= watch_horizons;
    }
}

/* By how much `look` says more than nothing: 0, or one more than its tier. */
static int level_of(const struct judge_look *look)
{
    for (int tier = VERDICT_CONFIRMED; tier >= VERDICT_WATCH; tier--)
        if (is_level(look, (enum verdict_tier)tier))
            return tier + 1;
    return 0;
}

static uint32_t newest_version(const struct detector *detector, const struct judge_look *look)
{
    uint32_t newest = detector->lives[look->growing[0]].version;
    for (uint32_t i = 1; i < look->growing_count; i++) {
        uint32_t version = detector->lives[look->growing[i]].version;
        if (detector->versions[version].order > detector->versions[newest].order)
            newest = version;
    }
    return newest;
}

static void look_at_group(const struct pass *pass, const struct judge_group *group, uint32_t type,
                          enum life_value value, double elasticity, struct judge_look *ret)
{
    const struct judge *judge = &pass->detector->judge;
    if (group->rule == VERDICT_RULE_B)
        witness_judge_short(judge, group, pass->middle, type, value, elasticity, ret);
    else
        judge_look_at(judge, group, type, value, elasticity, ret);
    if (ret->horizons < 1)
        (void)succession_judge(judge, &pass->order, group, type, value, elasticity, ret);
    if (!ret->passes || ret->horizons < 1)
        return;
    if ((value == LIFE_COUNT && witness_came_to_rest(judge, type, ret)) ||
        (group->rule == VERDICT_RULE_A && judge_goes_by_the_clock(judge, type, value, ret)))
        ret->horizons = judge_almost(ret->horizons);
}

/* Look at all groups; the best is left in `ret`. Returns its level. */
static int look_everywhere(const struct pass *pass, uint32_t type, enum life_value value,
                           struct candidate *ret)
{
    const struct judge *judge = &pass->detector->judge;
    double elasticity = type < TYPES_OWN ? 0 : judge_elasticity(judge, type);
    int best = 0;
    for (uint32_t i = 0; i < pass->look_count; i++) {
        struct judge_look look = {0};
        look_at_group(pass, &pass->groups[i], type, value, elasticity, &look);
        int level = level_of(&look);
        if (level <= best || look.growing_count == 0)
            continue;
        best = level;
        ret->look = look;
        ret->version = newest_version(pass->detector, &look);
    }
    return best;
}

/* Cheap: has any life come to hold more bytes an object? */
static int any_object_grows(const struct pass *pass, uint32_t type)
{
    for (uint32_t i = 0; i < pass->look_count; i++)
        for (uint32_t k = 0; k < pass->groups[i].count; k++)
            if (life_object_growth(&pass->detector->lives[pass->groups[i].lives[k]], type) >=
                buffer_growth_min)
                return 1;
    return 0;
}

static int look_for_buffer(const struct pass *pass, uint32_t type, struct candidate *ret)
{
    if (!any_object_grows(pass, type))
        return 0;
    int level = look_everywhere(pass, type, LIFE_BYTES, ret);
    if (level == 0 || ret->look.evidence.growth < buffer_growth_min)
        return 0;
    double grown = ret->look.slope * (ret->look.to - ret->look.from);
    ret->kind = VERDICT_BUFFER;
    return grown >= buffer_bytes_min ? level : 0;
}

static int look_for_creep(const struct pass *pass, uint32_t type, struct candidate *ret)
{
    struct creep creep;
    if (!attribute_creep(&pass->detector->judge, &pass->order, type, &creep))
        return 0;
    ret->version = creep.newest;
    ret->look = (struct judge_look){
        .rule = VERDICT_RULE_C,
        .horizons = 1,
        .evidence = {.growth = creep.growth,
                     .versions_rising = creep.versions,
                     .lives = pass->detector->versions[creep.newest].lives},
    };
    return VERDICT_CONFIRMED + 1;
}

/* ---- own types ------------------------------------------------------------------------------- */

/* Memory that is not Python's counts only if it is a good part of what the process grows by. */
static int look_for_memory(const struct pass *pass, uint32_t type, struct candidate *ret)
{
    if (type == TYPE_PROCESS_MEMORY)
        return 0;
    int level = look_everywhere(pass, type, LIFE_BYTES, ret);
    double grown = ret->look.slope * (ret->look.to - ret->look.from);
    if (level == 0 || grown < buffer_bytes_min)
        return 0;
    double process = 0;
    for (uint32_t i = 0; i < ret->look.growing_count; i++) {
        const struct life *life = &pass->detector->lives[ret->look.growing[i]];
        double slope =
            life_slope(life, TYPE_PROCESS_MEMORY, LIFE_BYTES, 0, ret->look.from, life_uptime(life));
        process += isfinite(slope) ? slope / ret->look.growing_count : 0;
    }
    ret->kind = type == TYPE_FREE_HEAP ? VERDICT_FRAGMENTATION : VERDICT_NATIVE;
    return ret->look.slope >= native_share_min * process && process > 0 ? level : 0;
}

/* ---- candidates ------------------------------------------------------------------------------ */

static int compare_worth(const struct candidate *a, const struct candidate *b)
{
    if (a->tier != b->tier)
        return (a->tier > b->tier) - (a->tier < b->tier);
    return (a->look.slope > b->look.slope) - (a->look.slope < b->look.slope);
}

static void add_candidate(struct detector *detector, const struct candidate *candidate)
{
    struct candidate *least = &detector->candidates[0];
    if (detector->candidate_count < CANDIDATES_MAX) {
        detector->candidates[detector->candidate_count++] = *candidate;
        return;
    }
    for (uint32_t i = 1; i < CANDIDATES_MAX; i++)
        if (compare_worth(&detector->candidates[i], least) < 0)
            least = &detector->candidates[i];
    if (compare_worth(candidate, least) > 0)
        *least = *candidate;
}

static uint8_t one_more(uint8_t row)
{
    return row < UINT8_MAX ? (uint8_t)(row + 1) : row;
}

static void follow(struct detector *detector, struct track *track, int level,
                   struct candidate *candidate)
{
    int creeps = candidate->look.rule == VERDICT_RULE_C;
    int leaks = level > VERDICT_CONFIRMED && !creeps;
    track->confirmed_row = leaks ? one_more(track->confirmed_row) : 0;
    track->creep_row = creeps ? one_more(track->creep_row) : 0;
    track->suspect_row = level > VERDICT_SUSPECT ? one_more(track->suspect_row) : 0;
    if (level == 0)
        track->watch_ms = 0;
    else if (track->watch_ms == 0)
        track->watch_ms = detector->last_pass_ms;
    if (track->suspect_row == 0)
        track->suspect_ms = 0;
    else if (track->suspect_ms == 0)
        track->suspect_ms = detector->last_pass_ms;
    if (level == 0)
        return;
    candidate->tier = tier_of_row(track);
    add_candidate(detector, candidate);
}

static void judge_one(const struct pass *pass, uint32_t type)
{
    struct detector *detector = pass->detector;
    struct candidate candidate = {.seen_ms = detector->last_pass_ms, .type = type};
    int level = 0;
    if (type < TYPES_OWN) {
        level = look_for_memory(pass, type, &candidate);
    } else if (type_kind_of(detector->types.names[type]) != TYPE_NONE) {
        level = look_everywhere(pass, type, LIFE_COUNT, &candidate);
        if (level == 0)
            level = look_for_buffer(pass, type, &candidate);
        if (level <= VERDICT_CONFIRMED && look_for_creep(pass, type, &candidate))
            level = VERDICT_CONFIRMED + 1;
    }
    follow(detector, &detector->tracks[type], level, &candidate);
}

/* ---- the pass -------------------------------------------------------------------------------- */

static int is_major(const struct detector *detector, int64_t before_ms)
{
    int64_t step = detector->config.horizon_ms / MAJOR_PASSES_PER_HORIZON;
    return before_ms / step != detector->last_pass_ms / step;
}

static void begin(struct detector *detector, struct pass *pass, int64_t since_ms)
{
    *pass = (struct pass){.detector = detector};
    pass->groups = malloc(groups_max * sizeof(*pass->groups));
    ASSERT(pass->groups != NULL);
    choose_groups(pass, since_ms);
}

void judge_prepare(struct detector *detector)
{
    static const char rest[] = "(other)";
    struct judge *judge = &detector->judge;
    judge->lives = detector->lives;
    judge->life_count = detector->life_count;
    judge->now_ms = detector->last_pass_ms;
    judge->listed_from = TYPES_OWN;
    judge->rest_type = name_table_find(&detector->types, rest, sizeof(rest) - 1);
    judge->has_room = detector->series_room >= LIFE_CHUNK;
}

int detector_pass(struct detector *detector, int64_t before_ms)
{
    struct pass pass;
    int major = is_major(detector, before_ms);
    judge_prepare(detector);
    rooms_forget(detector);
    urgent_age(detector);
    if (!major && !urgent_is_due(detector))
        return 0;
    begin(detector, &pass,
          detector->last_pass_ms - detector->config.horizon_ms / MAJOR_PASSES_PER_HORIZON);
    int is_anew = major && pass.group_count > 0;
    struct watch_memory memory = watch_remember(detector, is_anew);
    if (is_anew) {
        detector->candidate_count = 0;
        for (uint32_t type = 0; type < detector->types.count; type++)
            judge_one(&pass, type);
    }
    urgent_judge(detector, &pass.order, pass.groups, pass.group_count);
    int changed = findings_update(detector, &pass.order, pass.groups, pass.group_count, major);
    watch_update(detector, &memory);
    free(pass.groups);
    return changed;
}
