/*
 * What is said of types that grow and are no leak, or none yet. A judgement may waver from pass to
 * pass; what people are told must not:
 *
 *     suspect    is said until six major passes in a row have not found it so
 *     watch      is said from the second pass on, and for six passes after the last
 *
 * Creep is watched until it is settled, and then a finding.
 *
 * A warm-up lets hundreds of types grow, so only some are said: who is, stays; a free place goes to
 * what grows by the most bytes. Judging knows nothing of this: it sees every candidate.
 */
#include <stdlib.h>
#include <string.h>

#include "attributes.h"
#include "detector_state.h"

enum { HOLD_PASSES = 6 };

/* So much longer than it is found a type is said. */
static int64_t hold_ms(const struct detector *detector)
{
    return detector->config.horizon_ms / MAJOR_PASSES_PER_HORIZON * HOLD_PASSES;
}

/* It was suspect less than `holds` of these times ago. */
static int was_suspect(const struct detector *detector, const struct candidate *candidate,
                       int64_t holds)
{
    int64_t suspected_ms = detector->tracks[candidate->type].suspected_ms;
    return suspected_ms != 0 && candidate->seen_ms - suspected_ms < holds * hold_ms(detector);
}

static int is_suspect(const struct candidate *candidate)
{
    return candidate->tier != VERDICT_WATCH && candidate->look.rule != VERDICT_RULE_C;
}

enum verdict_tier watch_tier(const struct detector *detector, const struct candidate *candidate)
{
    return is_suspect(candidate) || was_suspect(detector, candidate, 1) ? VERDICT_SUSPECT
                                                                        : VERDICT_WATCH;
}

int watch_is_said(const struct detector *detector, const struct candidate *candidate)
{
    return candidate->is_told || watch_tier(detector, candidate) == VERDICT_SUSPECT;
}

/* ---- who is held ----------------------------------------------------------------------------- */

struct watch_memory watch_remember(const struct detector *detector, int with_candidates)
{
    uint32_t candidates = with_candidates ? detector->candidate_count : 0;
    struct watch_memory memory = {.count = candidates + detector->held_count};
    memory.list = malloc((memory.count + 1) * sizeof(*memory.list));
    ASSERT(memory.list != NULL);
    memcpy(memory.list, detector->candidates, candidates * sizeof(*memory.list));
    memcpy(memory.list + candidates, detector->held, detector->held_count * sizeof(*memory.list));
    return memory;
}

static int has(const uint32_t *types, uint32_t count, uint32_t type)
{
    for (uint32_t i = 0; i < count; i++)
        if (types[i] == type)
            return 1;
    return 0;
}

/* It is said already: itself, or as a part of a leak. What is taken for a part of a watch in one
 * pass often is none in the next. */
static int is_said_otherwise(const struct detector *detector, uint32_t type)
{
    for (uint32_t i = 0; i < detector->finding_count; i++) {
        const struct finding *finding = &detector->findings[i];
        if (finding->type == type || (finding->tier != VERDICT_RESOLVED &&
                                      has(finding->companions, finding->companion_count, type)))
            return 1;
    }
    for (uint32_t i = 0; i < detector->candidate_count; i++) {
        const struct candidate *candidate = &detector->candidates[i];
        if (candidate->type == type ||
            (candidate->tier != VERDICT_WATCH &&
             has(candidate->companions, candidate->companion_count, type)))
            return 1;
    }
    for (uint32_t i = 0; i < detector->held_count; i++)
        if (detector->held[i].type == type)
            return 1;
    return 0;
}

static void hold(struct detector *detector, const struct watch_memory *memory)
{
    detector->held_count = 0;
    for (uint32_t i = 0; i < memory->count && detector->held_count < CANDIDATES_MAX; i++) {
        const struct candidate *candidate = &memory->list[i];
        if (watch_is_said(detector, candidate) &&
            detector->last_pass_ms - candidate->seen_ms < hold_ms(detector) &&
            !is_said_otherwise(detector, candidate->type))
            detector->held[detector->held_count++] = *candidate;
    }
}

/* ---- who is watched -------------------------------------------------------------------------- */

static int is_resolved(const struct detector *detector, uint32_t type)
{
    for (uint32_t i = 0; i < detector->finding_count; i++)
        if (detector->findings[i].tier == VERDICT_RESOLVED && detector->findings[i].type == type)
            return 1;
    return 0;
}

static int may_be_watched(const struct detector *detector, const struct candidate *candidate)
{
    return watch_tier(detector, candidate) == VERDICT_WATCH &&
           !is_resolved(detector, candidate->type);
}

/* Those that have a place keep it. Returns how many there are. */
static uint32_t keep_places(struct detector *detector, struct candidate *list, uint32_t count,
                            uint32_t taken)
{
    for (uint32_t i = 0; i < count; i++) {
        int had =
            detector->tracks[list[i].type].watched_ms != 0 || was_suspect(detector, &list[i], 2);
        list[i].is_told = had && taken < DETECT_WATCHES_MAX && may_be_watched(detector, &list[i]);
        taken += (uint32_t)list[i].is_told;
    }
    return taken;
}

/* The candidate that is worth the next place, or NULL. */
static struct candidate *next_watch(struct detector *detector)
{
    struct candidate *best = NULL;
    for (uint32_t i = 0; i < detector->candidate_count; i++) {
        struct candidate *candidate = &detector->candidates[i];
        int64_t since_ms = detector->tracks[candidate->type].watch_ms;
        if (!candidate->is_told && since_ms != 0 && since_ms < candidate->seen_ms &&
            may_be_watched(detector, candidate) &&
            (best == NULL || candidate->bytes_per_hour > best->bytes_per_hour))
            best = candidate;
    }
    return best;
}

/* Who is watched, and since when. */
static void note_places(struct detector *detector, const struct candidate *list, uint32_t count,
                        int64_t *since_ms)
{
    for (uint32_t i = 0; i < count; i++)
        if (list[i].is_told) {
            int64_t before_ms = detector->tracks[list[i].type].watched_ms;
            since_ms[list[i].type] = before_ms != 0 ? before_ms : detector->last_pass_ms;
        }
}

static void choose(struct detector *detector)
{
    uint32_t taken = keep_places(detector, detector->candidates, detector->candidate_count, 0);
    taken = keep_places(detector, detector->held, detector->held_count, taken);
    for (; taken < DETECT_WATCHES_MAX; taken++) {
        struct candidate *next = next_watch(detector);
        if (next == NULL)
            break;
        next->is_told = 1;
    }
    int64_t *since_ms = calloc(detector->types.count, sizeof(*since_ms));
    ASSERT(since_ms != NULL);
    note_places(detector, detector->candidates, detector->candidate_count, since_ms);
    note_places(detector, detector->held, detector->held_count, since_ms);
    for (uint32_t type = 0; type < detector->types.count; type++)
        detector->tracks[type].watched_ms = since_ms[type];
    free(since_ms);
}

void watch_update(struct detector *detector, struct watch_memory *memory)
{
    for (uint32_t i = 0; i < detector->candidate_count; i++)
        if (is_suspect(&detector->candidates[i]))
            detector->tracks[detector->candidates[i].type].suspected_ms =
                detector->candidates[i].seen_ms;
    hold(detector, memory);
    choose(detector);
    free(memory->list);
    *memory = (struct watch_memory){0};
}
