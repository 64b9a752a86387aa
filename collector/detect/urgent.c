/*
 * Early on, a cache that fills in a line looks like a leak. Three things stand for the time that is
 * missing: the line is straight in nearly all of the lives' growth; the container would not live to
 * the horizon at the present pace of all in it; and it is new, because no earlier life that knew
 * the class grew so at equal uptime and then went on living. What is new and in a line as good as
 * drawn is told at once. What no life has known may be a cache that came with the code: how much of
 * the room must be used up then depends on how long the rest would last, since who has half a day
 * can wait for more of the line, and who has two hours wants to know even of a cache. An earlier
 * life also tells what load does to the type, so that a morning's rise hides less of a leak.
 *
 * A life that was killed for memory has shown what the others are feared for: it is judged as well,
 * as it was at its end, and those that grow as it did need not use up half of the room again.
 *
 * What grows in a straight line must be a good part of what the process grows by; or, if it is new
 * in this version, be enough to fill the container by itself. A leak comes in pieces, a class and
 * the dicts, lists and strings that it holds, so that is asked of all of them together, and each
 * class is given its part of the built-ins: at the start, when caches fill beside it, each piece is
 * small, and no straight line is seen in what everybody has.
 */
#include "urgent.h"

#include <math.h>
#include <stdlib.h>

#include "attribute.h"
#include "attributes.h"
#include "room.h"
#include "trend.h"
#include "type_kind.h"

static const double ms_per_hour = 3600e3;
static const double near_horizons = 0.8;       /* to the limit, of one that has just begun */
static const double life_horizons = 0.9;       /* to the limit from the start of the life */
static const double nearest_horizons = 0.4;    /* that is near for any */
static const double uptime_min = 1.0 / 30;     /* horizons */
static const double uptime_of_rest = 1.0 / 12; /* of the time that is left */
static const double uptime_max = 0.78;         /* of the living: the other rules take over */
static const double recent_share = 0.4;
static const double straight_r2 = 0.99;
static const double straight_second_half = 0.45;
static const double straight_tail = 0.85;
static const double straight_bend = 0.95;
static const double straight_bend_max = 2; /* of the living: else it began long after they did */
static const double straight_gain = 6;
static const double straight_share_min = 0.25; /* of the growth of the process, all straight ones */
static const double piece_share_min = 0.02;    /* one of them */
static const double usual_share_min = 0.3;     /* of the slope, in an earlier life */
static const double witness_objects_min = 1;   /* that a life must have held to tell of a class */
static const double usual_lives_on = 3;        /* times the uptime */
static const double stopped_share_max = 0.1;   /* of the slope, late in a life that filled up */
static const double killer_share_min = 0.3;    /* of the slope, either way, in a life it killed */
static const double used_min = 0.5;            /* of the room there was, where nothing is known */
static const double used_killed_min = 0.4;     /* by a class in a line as good as drawn, killed */
static const double line_r2 = 0.998;
static const double line_gain = 50;
static const double fresh_uptime = 0.1; /* horizons: so young, it is looked at twice as often */
enum {
    /* Usual passes a horizon, and all passes from one to the next. */
    usual_passes = 90,
    urgent_apart = DETECT_PASSES_PER_HORIZON / usual_passes,
    /* A bit a pass, the newest lowest: those one and two usual passes before, one of which is
     * needed, so that two confirm each other over time, however many there are. */
    urgent_before = 1 << urgent_apart | 1 << 2 * urgent_apart,
    urgent_memory = (1 << (2 * urgent_apart + 1)) - 1,
    STRAIGHT_MAX = 64, /* types of a group */
};

/* Bytes a bin by which the types of a life grow that do: classes, and built-ins. */
struct owners {
    int life; /* DETECT_NONE: not measured yet */
    double classes, built_ins;
};

static double bytes_slope(const struct life *life, uint32_t type, double from)
{
    struct life_curve curve;
    if (!life_trace(life, type, LIFE_BYTES, from, 0, &curve))
        return NAN;
    return trend_slope(curve.values, curve.count) / curve.width;
}

/* Of that, what is of more objects: a buffer that swells is nobody's part. */
static double added_slope(const struct life *life, uint32_t type, double from)
{
    struct life_curve count;
    struct life_curve bytes;
    if (!life_trace(life, type, LIFE_COUNT, from, 0, &count) ||
        !life_trace(life, type, LIFE_BYTES, from, 0, &bytes))
        return NAN;
    double each = bytes.values[bytes.count - 1] / fmax(count.values[count.count - 1], 1);
    return trend_slope(count.values, count.count) / count.width * each;
}

static void measure_owners(const struct detector *detector, uint16_t life, double from,
                           struct owners *ret)
{
    if (ret->life == life)
        return;
    *ret = (struct owners){.life = life};
    for (uint32_t type = TYPES_OWN; type < detector->types.count; type++) {
        enum type_kind kind = type_kind_of(detector->types.names[type]);
        double slope = kind == TYPE_NONE ? 0 : added_slope(&detector->lives[life], type, from);
        if (slope > 0)
            *(kind == TYPE_BUILT_IN ? &ret->built_ins : &ret->classes) += slope;
    }
}

/* Of a process of which no more is known. */
static double objects_slope(const struct detector *detector, uint16_t life, double from)
{
    struct owners owners = {.life = DETECT_NONE};
    measure_owners(detector, life, from, &owners);
    return owners.classes + owners.built_ins;
}

/* Until the life's container is full. `bytes_per_hour`: of all its lives, where they do not say. */
static double until_limit_ms(const struct detector *detector, uint32_t life, double bytes_per_hour)
{
    if (detector->lives[life].ended || detector->lives[life].limit_bytes == 0)
        return INFINITY;
    const struct room *room = room_of(detector, life);
    double rate = room->slope > 0 ? room->slope * ms_per_hour / detector->bin_ms : bytes_per_hour;
    return rate > 0 && isfinite(room->left) ? room->left / rate * ms_per_hour : INFINITY;
}

/* How many of the lives that grow share a container with this one, itself included. */
static uint32_t sharing(const struct detector *detector, const struct judge_look *look,
                        uint32_t life)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < look->growing_count; i++)
        count += (uint32_t)room_is_shared(detector, look->growing[i], life);
    return count;
}

int64_t urgent_until_limit_ms(const struct detector *detector, const struct judge_look *look,
                              uint32_t version, double bytes_per_hour)
{
    double shortest = INFINITY;
    for (uint32_t i = 0; i < look->growing_count; i++) {
        uint16_t life = look->growing[i];
        if (detector->lives[life].version == version)
            shortest =
                fmin(shortest, until_limit_ms(detector, life,
                                              bytes_per_hour * sharing(detector, look, life)));
    }
    if (!isfinite(shortest) || shortest >= (double)INT64_MAX / 2)
        return 0;
    return shortest < 1 ? 1 : (int64_t)shortest;
}

/* What will take more than a day in all can wait: it may still be seen to fill up and stop. */
static double near_ms(const struct detector *detector, const struct life *life)
{
    double lived = (double)life_uptime(life) / LIFE_BINS_PER_HORIZON;
    double near = fmin(near_horizons, fmax(nearest_horizons, life_horizons - lived));
    return near * (double)detector->config.horizon_ms;
}

static int is_near(const struct detector *detector, uint32_t index)
{
    const struct life *life = &detector->lives[index];
    if (judge_is_killed(&detector->judge, life))
        return 1; /* of a limit that may not be known */
    return judge_is_living(&detector->judge, life) && life->limit_bytes > 0 &&
           life_uptime(life) < uptime_max * LIFE_BINS_PER_HORIZON &&
           life_uptime(life) >= uptime_min * LIFE_BINS_PER_HORIZON &&
           until_limit_ms(detector, index, 0) <= near_ms(detector, life);
}

int urgent_is_due(const struct detector *detector)
{
    /* by its number: a horizon need not be a multiple of anything */
    int64_t pass =
        detector->last_pass_ms / (detector->config.horizon_ms / DETECT_PASSES_PER_HORIZON);
    double uptime_below =
        pass % urgent_apart == 0 ? INFINITY : fresh_uptime * LIFE_BINS_PER_HORIZON;
    for (uint32_t i = 0; i < detector->life_count; i++)
        if (life_uptime(&detector->lives[i]) < uptime_below && is_near(detector, i))
            return 1;
    return 0;
}

void urgent_age(struct detector *detector)
{
    for (uint32_t type = TYPES_OWN; type < detector->types.count; type++)
        detector->tracks[type].urgent_row =
            (uint8_t)(detector->tracks[type].urgent_row << 1 & urgent_memory);
}

/* ---- a group --------------------------------------------------------------------------------- */

struct pressure {
    double slope;    /* of the process, a bin */
    double until_ms; /* median of the lives */
    double used;     /* share of the room there was at its start, median */
    double room;     /* bytes that are left for each of the lives, median */
    int is_killed;   /* they were */
};

static int group_pressure(const struct detector *detector, const struct judge_group *group,
                          struct pressure *ret)
{
    double until[DETECT_LIVES_MAX];
    double used[DETECT_LIVES_MAX];
    double slopes[DETECT_LIVES_MAX];
    double rooms[DETECT_LIVES_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < group->count; i++) {
        const struct life *life = &detector->lives[group->lives[i]];
        double slope = room_process_slope(life);
        int is_killed = judge_is_killed(&detector->judge, life);
        if (!is_near(detector, group->lives[i]))
            continue;
        if (!isfinite(slope) && is_killed)
            slope = objects_slope(detector, group->lives[i], group->from);
        if (!isfinite(slope))
            continue;
        const struct room *room = room_of(detector, group->lives[i]);
        double left =
            isfinite(room->left) ? room->left : 0; /* of a killed one nothing may be known */
        double grown = is_killed ? slope * life_uptime(life) : room->grown;
        slopes[count] = slope;
        until[count] = is_killed ? 0 : until_limit_ms(detector, group->lives[i], 0);
        rooms[count] = left / room->fillers;
        used[count++] = grown / fmax(grown + left, 1);
    }
    if (count * 2 < group->count || count == 0)
        return 0;
    ret->slope = trend_median(slopes, count);
    ret->until_ms = trend_median(until, count);
    ret->used = trend_median(used, count);
    ret->room = trend_median(rooms, count);
    ret->is_killed = judge_is_killed(&detector->judge, &detector->lives[group->lives[0]]);
    double least =
        fmax(uptime_min, uptime_of_rest * ret->until_ms / (double)detector->config.horizon_ms);
    return group->horizons >= least;
}

/* It had long stopped: what its start says in the night, or in the morning, says little of the same
 * code at another time of the day. Nor is what had stopped what killed it. */
static int has_stopped(const struct detector *detector, const struct life *life, uint32_t type,
                       double slope)
{
    double uptime = life_uptime(life);
    double elasticity = judge_elasticity(&detector->judge, type);
    double late = life_slope(life, type, LIFE_COUNT, elasticity, recent_share * uptime, uptime);
    return late <= stopped_share_max * slope;
}

int urgent_is_usual(const struct detector *detector, uint32_t version, uint32_t type,
                    const struct judge_look *look, double slope)
{
    int known = -1;
    for (uint32_t i = 0; i < detector->life_count; i++) {
        const struct life *life = &detector->lives[i];
        double uptime = life_uptime(life);
        if (!life->used || life->late || uptime < usual_lives_on * look->to ||
            (life->version == version && !life->ended))
            continue;
        int must_stop = life->version == version || life->oom_killed;
        if (life_high(life, type) >= look->level &&
            (!must_stop || has_stopped(detector, life, type, slope)))
            return 1;
        if (life->oom_killed)
            continue;
        double early = life_early_slope(life, type, 0, look->from, look->to);
        if (!isfinite(early) || !(life_high(life, type) >= witness_objects_min))
            continue;
        if (early >= usual_share_min * slope)
            return 1;
        known = 0;
    }
    return known;
}

int urgent_is_known(const struct detector *detector, const struct candidate *candidate,
                    uint32_t type)
{
    const struct judge_look *look = &candidate->look;
    return urgent_is_usual(detector, candidate->version, type, look, look->slope) >= 0;
}

/*
 * Was an earlier life killed for memory while the type grew as now, in a line to its very end? What
 * the horizon would tell, whether it stops by itself, that end has told.
 */
static int has_killed(const struct detector *detector, uint32_t type, double slope)
{
    struct judge_group group;
    struct judge_look look;
    for (uint32_t i = 0; i < detector->life_count; i++) {
        const struct life *life = &detector->lives[i];
        if (!life->used || !life->oom_killed)
            continue;
        judge_group_life(&detector->judge, (uint16_t)i, &group);
        judge_look_at(&detector->judge, &group, type, LIFE_COUNT, 0, &look);
        if ((look.passes || look.passes_early) && look.course.tail >= straight_tail &&
            look.slope >= killer_share_min * slope && look.slope * killer_share_min <= slope)
            return 1;
    }
    return 0;
}

/* ---- its types ------------------------------------------------------------------------------- */

static void put_candidate(struct detector *detector, const struct candidate *candidate)
{
    for (uint32_t i = 0; i < detector->candidate_count; i++)
        if (detector->candidates[i].type == candidate->type) {
            detector->candidates[i] = *candidate;
            return;
        }
    if (detector->candidate_count < CANDIDATES_MAX)
        detector->candidates[detector->candidate_count++] = *candidate;
}

static int is_straight(const struct judge_look *look, int is_killed)
{
    const struct curve_course *course = &look->course;
    double bend = course->tail + 2 * (course->second_half - 0.5);
    return look->evidence.r2 >= straight_r2 && course->second_half >= straight_second_half &&
           (is_killed || course->bend <= straight_bend_max) && course->tail >= straight_tail &&
           bend >= straight_bend && look->evidence.line_gain >= straight_gain;
}

/* A type that grows in a line. */
struct straight {
    uint32_t type;
    double slope; /* bytes a bin, of a life, with its part of the built-ins */
    int usual;    /* as is_usual says; where nothing is known, 0 for what has killed before */
    int is_new;   /* no version before this one grew so */
    struct judge_look look;
};

static int is_built_in(const struct detector *detector, uint32_t type)
{
    return type_kind_of(detector->types.names[type]) == TYPE_BUILT_IN;
}

/*
 * An object is the least part of what it holds: its dict, lists and strings are counted with those
 * of everybody else, among which their growth cannot be seen to be straight. Each class is given
 * its part of the built-ins' growth.
 */
static double with_built_ins(const struct owners *owners, const char *name, double slope)
{
    if (type_kind_of(name) == TYPE_BUILT_IN || !(owners->classes > 0))
        return slope;
    return slope * (1 + owners->built_ins / owners->classes);
}

static int look_if_straight(const struct detector *detector, const struct judge_group *group,
                            uint32_t type, struct owners *owners, struct straight *ret)
{
    int is_killed = judge_is_killed(&detector->judge, &detector->lives[group->lives[0]]);
    if (type_kind_of(detector->types.names[type]) == TYPE_NONE)
        return 0;
    judge_look_at(&detector->judge, group, type, LIFE_COUNT, 0, &ret->look);
    if (!(ret->look.passes || ret->look.passes_early) || ret->look.growing_count == 0 ||
        !is_straight(&ret->look, is_killed))
        return 0;
    ret->usual = urgent_is_usual(detector, group->version, type, &ret->look, ret->look.slope);
    if (ret->usual < 0 && !is_killed && has_killed(detector, type, ret->look.slope))
        ret->usual = 0;
    if (!ret->look.passes && ret->usual != 0 && !(ret->usual < 0 && is_killed))
        return 0;
    uint16_t life = ret->look.growing[0];
    double slope = bytes_slope(&detector->lives[life], type, ret->look.from);
    if (!isfinite(slope))
        return 0;
    measure_owners(detector, life, ret->look.from, owners);
    ret->type = type;
    ret->slope = with_built_ins(owners, detector->types.names[type], slope);
    return 1;
}

/* Everybody's dicts and strings grow in lines that caches have drawn together: those do not count.
 */
static int is_drawn(const struct detector *detector, const struct straight *one)
{
    const struct verdict_evidence *evidence = &one->look.evidence;
    return evidence->r2 >= line_r2 && evidence->line_gain >= line_gain &&
           !is_built_in(detector, one->type);
}

/* How much of the room must be used up where no life tells whether this is usual: as much as what
 * is left would last, of a day. */
static double used_enough(const struct detector *detector, const struct pressure *pressure,
                          const struct straight *one)
{
    double day_ms = near_horizons * (double)detector->config.horizon_ms;
    if (!is_drawn(detector, one))
        return used_min;
    return pressure->is_killed ? used_killed_min : fmin(pressure->until_ms / day_ms, used_min);
}

static int is_urgent(const struct detector *detector, const struct pressure *pressure,
                     const struct straight *one)
{
    if (!(one->slope >= piece_share_min * pressure->slope))
        return 0;
    if (one->usual < 0) /* then a cache that fills beside the leak must not lend it its name */
        return pressure->used >= used_enough(detector, pressure, one) &&
               one->slope >= straight_share_min * pressure->slope;
    return one->usual == 0;
}

static void put_urgent(struct detector *detector, const struct judge_group *group,
                       const struct pressure *pressure, const struct straight *one)
{
    struct track *track = &detector->tracks[one->type];
    struct candidate candidate = {.seen_ms = detector->last_pass_ms,
                                  .type = one->type,
                                  .version = group->version,
                                  .look = one->look};
    track->urgent_row |= 1;
    candidate.look.rule = VERDICT_RULE_D;
    candidate.until_limit_ms = (int64_t)pressure->until_ms;
    int is_sure =
        (track->urgent_row & urgent_before) != 0 || (one->is_new && is_drawn(detector, one));
    candidate.tier = is_sure ? VERDICT_CONFIRMED : VERDICT_SUSPECT;
    if (track->suspect_ms == 0)
        track->suspect_ms = detector->last_pass_ms;
    put_candidate(detector, &candidate);
}

/* No version before this one grew so. */
static int is_new(const struct detector *detector, const struct version_order *order,
                  const struct judge_group *group, const struct straight *one)
{
    struct judge_look look = one->look;
    struct attribution attribution;
    if (one->usual != 0)
        return 0;
    look.rule = VERDICT_RULE_D;
    attribute_leak(&detector->judge, order, one->type, LIFE_COUNT, group->version, &look,
                   &attribution);
    return attribution.is_known && attribution.version == group->version;
}

static uint32_t find_straight(const struct detector *detector, const struct version_order *order,
                              const struct judge_group *group, struct straight *ret)
{
    uint32_t count = 0;
    struct owners owners = {.life = DETECT_NONE};
    for (uint32_t type = TYPES_OWN; type < detector->types.count && count < STRAIGHT_MAX; type++) {
        struct straight *one = &ret[count];
        if (!look_if_straight(detector, group, type, &owners, one))
            continue;
        one->is_new = is_new(detector, order, group, one);
        count++;
    }
    return count;
}

static void put_those_urgent(struct detector *detector, const struct judge_group *group,
                             const struct pressure *pressure, const struct straight *list,
                             uint32_t count)
{
    double all = 0;
    double unusual = 0;
    for (uint32_t i = 0; i < count; i++) {
        double slope = fmax(list[i].slope, 0);
        all += slope;
        unusual += list[i].usual == 0 ? slope : 0;
    }
    int is_large = all >= straight_share_min * pressure->slope;
    int is_deadly = unusual > 0 && pressure->room / unusual * detector->bin_ms <=
                                       near_horizons * (double)detector->config.horizon_ms;
    for (uint32_t i = 0; i < count; i++)
        if ((is_large || (is_deadly && list[i].is_new)) && is_urgent(detector, pressure, &list[i]))
            put_urgent(detector, group, pressure, &list[i]);
}

static void judge_group(struct detector *detector, const struct version_order *order,
                        const struct judge_group *group, const struct pressure *pressure)
{
    struct straight *found = calloc(STRAIGHT_MAX, sizeof(*found));
    ASSERT(found != NULL);
    uint32_t count = find_straight(detector, order, group, found);
    put_those_urgent(detector, group, pressure, found, count);
    free(found);
}

void urgent_judge(struct detector *detector, const struct version_order *order,
                  const struct judge_group *groups, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct judge_group living;
        struct judge_group killed;
        struct pressure pressure;
        if (groups[i].rule != VERDICT_RULE_A)
            continue;
        judge_group_living(&detector->judge, groups[i].version, &living);
        if (living.count > 0 && group_pressure(detector, &living, &pressure))
            judge_group(detector, order, &living, &pressure);
        judge_group_killed(&detector->judge, groups[i].version, &killed);
        if (killed.count > 0 && group_pressure(detector, &killed, &pressure))
            judge_group(detector, order, &killed, &pressure);
    }
}
