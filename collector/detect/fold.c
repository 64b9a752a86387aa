/*
 * "Follows" means: in the containers where the leak grows, the other type grows too, by about the
 * same number of objects for each leaked one everywhere. Every straight line follows every other,
 * so that two classes of the program are one leak only if they share their unevenness as well: one
 * predicts the other no worse than the clock does. For built-ins it is enough that one predicts the
 * other as well as two lines with noise of their own would: they hang on something.
 */
#include "fold.h"

#include <math.h>
#include <stdlib.h>

#include "attributes.h"
#include "kin.h"
#include "trend.h"
#include "type_kind.h"
#include "urgent.h"

enum { points_count = 16, lives_max = 8 };

static const double ratio_min = 0.02;     /* objects that grow along for each leaked one */
static const double ratio_spread_max = 2; /* between containers */
static const double coupling_slack = 1.5;
static const double companion_z_min = 1.5;
static const double life_left_max = 0.5;   /* of one container: more is chance */
static const double name_left_max = 0.25;  /* of the mean of the containers */
static const double alike_left_max = 0.01; /* of the same: nothing bends beside a line */
static const double name_tail_min = 0.1;   /* of its slope, at the end, */
static const double name_jump_max = 0.5;   /* and of its growth: steps may look like a line */
static const double native_explained = 0.5;
static const double native_left_max = 0.002;        /* of a life: both are lines */
static const double begun_share = 0.02;             /* of its growth */
static const double native_an_object_max = 1 << 20; /* a thread's stack, a context of TLS */
static const double entry_bytes_max = 160;          /* of a dict that has just grown */
static const double as_many = 1.2;
static const double weighs_more = 1.1;
static const double ms_per_hour = 3600e3;

/* A leak as the lives show it. */
struct trace {
    const struct detector *detector;
    uint32_t lives[lives_max];
    uint32_t life_count;
    double from, to;
};

static struct trace trace_of(const struct detector *detector, const struct judge_look *look)
{
    struct trace trace = {.detector = detector, .from = look->from, .to = look->to};
    for (uint32_t i = 0; i < look->growing_count && i < lives_max; i++)
        trace.lives[trace.life_count++] = look->growing[i];
    return trace;
}

/* A type as a leak of a kind shows it. */
struct side {
    uint32_t type;
    enum life_value value;
    double elasticity; /* to the load, which is taken out */
};

static struct side side_of(uint32_t type, enum verdict_kind kind)
{
    return (struct side){type, kind == VERDICT_BUFFER ? LIFE_BYTES : LIFE_COUNT, 0};
}

static int read_points(const struct trace *trace, uint32_t life, struct side side, double *ret)
{
    struct life_curve curve;
    const struct life *own = &trace->detector->lives[life];
    if (!judge_trace(own, side.type, side.value, trace->from, side.elasticity, &curve))
        return 0;
    life_resample(&curve, curve.values, trace->from, trace->to, points_count, ret);
    return 1;
}

struct follow {
    double ratio;            /* objects (or bytes) for each leaked one, median of the containers */
    double left, left_clock; /* sums: what the leak, and what the clock, leave unexplained */
    double leak_left_clock;  /* what the clock leaves of the leak */
    double pool_left;        /* as `left`, of the containers' mean */
};

/* Add the points, relative to their mean, to the containers' mean. */
static void pool_points(const double *points, double *pool)
{
    double mean = 0;
    for (size_t i = 0; i < points_count; i++)
        mean += points[i] / points_count;
    for (size_t i = 0; mean > 0 && i < points_count; i++)
        pool[i] += points[i] / mean;
}

/* 1 if `other` grows with `leaked`. */
static int follows(const struct trace *trace, struct side leaked, struct side other,
                   struct follow *ret)
{
    double ratios[lives_max];
    double copy[lives_max];
    double clock[points_count];
    double pool_x[points_count] = {0};
    double pool_y[points_count] = {0};
    *ret = (struct follow){0};
    for (size_t i = 0; i < points_count; i++)
        clock[i] = (double)i;
    for (uint32_t i = 0; i < trace->life_count; i++) {
        double x[points_count];
        double y[points_count];
        if (!read_points(trace, trace->lives[i], leaked, x) ||
            !read_points(trace, trace->lives[i], other, y))
            return 0;
        double slope = trend_slope(y, points_count);
        double leak_slope = trend_slope(x, points_count);
        double left = trend_left_by(x, y, points_count);
        int grows = left <= life_left_max || trend_z(y, points_count, slope) >= companion_z_min;
        copy[i] = ratios[i] = grows && leak_slope > 0 ? fmax(slope / leak_slope, 0) : 0;
        ret->left += left;
        ret->left_clock += trend_left_by(clock, y, points_count);
        ret->leak_left_clock += trend_left_by(clock, x, points_count);
        pool_points(x, pool_x);
        pool_points(y, pool_y);
    }
    if (trace->life_count == 0)
        return 0;
    ret->pool_left = trend_left_by(pool_x, pool_y, points_count);
    ret->ratio = trend_median(copy, trace->life_count);
    uint32_t alike = 0;
    for (uint32_t i = 0; i < trace->life_count; i++)
        alike += ratios[i] >= ret->ratio / ratio_spread_max &&
                 ratios[i] <= ret->ratio * ratio_spread_max;
    return ret->ratio >= ratio_min && alike * 3 >= trace->life_count * 2;
}

static enum type_rank rank_of(const struct detector *detector, uint32_t type)
{
    return type_rank_of(detector->types.names[type]);
}

/* A list of what is kept grows with it, by so many bytes an object; a buffer of bytes does not. */
static int may_hold(const struct detector *detector, enum verdict_kind root_kind,
                    const struct candidate *other, const struct follow *follow)
{
    return other->kind != VERDICT_BUFFER || root_kind == VERDICT_BUFFER ||
           (follow->ratio <= entry_bytes_max && !type_is_leaf(detector->types.names[other->type]));
}

/* What came before the first of it did is its code, or another's: up to the middle, that is left
 * out. */
static void begin_with(struct trace *trace, struct side side)
{
    double points[points_count];
    double width = (trace->to - trace->from) / points_count;
    size_t begin = 0;
    for (uint32_t i = 0; i < trace->life_count; i++) {
        size_t rising = 1;
        if (!read_points(trace, trace->lives[i], side, points))
            return;
        double little = points[0] + begun_share * (points[points_count - 1] - points[0]);
        while (rising < points_count && points[rising] <= little)
            rising++;
        begin = rising - 1 > begin ? rising - 1 : begin;
    }
    if (begin <= points_count / 2)
        trace->from += (double)begin * width;
}

/*
 * Classes of C libraries keep most of what they need outside Python's objects: a thread its stack,
 * a cursor its statement. Such memory is theirs if their number predicts it no worse than the
 * clock. Short lives, and those that are about to be killed, are no witnesses of that: a cache that
 * fills in them follows anything.
 */
static int keeps_native(const struct detector *detector, uint32_t root,
                        enum verdict_kind root_verdict, const struct candidate *native)
{
    if (root < TYPES_OWN || root_verdict != VERDICT_OBJECTS || native->type != TYPE_NATIVE_MEMORY ||
        native->look.rule != VERDICT_RULE_A || rank_of(detector, root) < TYPE_RANK_LIBRARY)
        return 0;
    struct trace trace = trace_of(detector, &native->look);
    struct follow follow;
    begin_with(&trace, side_of(root, root_verdict));
    return follows(&trace, side_of(root, root_verdict), side_of(native->type, VERDICT_BUFFER),
                   &follow) &&
           follow.ratio <= native_an_object_max &&
           follow.left <=
               fmax(coupling_slack * follow.left_clock, native_left_max * trace.life_count);
}

int fold_is_apart(const struct detector *detector, uint32_t root, enum verdict_kind root_verdict,
                  const struct candidate *other)
{
    const struct kin_side sides[] = {{root, value_of_kind(root_verdict)},
                                     {other->type, value_of_kind(other->kind)}};
    return kin_is_apart(detector, sides[0], sides[1], &other->look) ||
           (rank_of(detector, root) == TYPE_RANK_USER &&
            rank_of(detector, other->type) == TYPE_RANK_USER &&
            kin_differs_in_axis(detector, sides[0], sides[1], &other->look));
}

/* As far as their lines go. */
static int moves_with(const struct detector *detector, uint32_t root,
                      enum verdict_kind root_verdict, double root_bytes_per_hour,
                      const struct candidate *other)
{
    if (other->type < TYPES_OWN)
        return root_bytes_per_hour >= native_explained * other->bytes_per_hour ||
               keeps_native(detector, root, root_verdict, other);
    if (root < TYPES_OWN)
        return 0;
    enum type_rank root_rank = rank_of(detector, root);
    enum type_rank rank = rank_of(detector, other->type);
    if (other->look.rule == VERDICT_RULE_C)
        return root_rank > rank;
    struct trace trace = trace_of(detector, &other->look);
    struct follow follow;
    if (!follows(&trace, side_of(root, root_verdict), side_of(other->type, other->kind), &follow) ||
        !may_hold(detector, root_verdict, other, &follow))
        return 0;
    if (root_rank > rank)
        return 1;
    double allowed = follow.left_clock + (rank == TYPE_RANK_USER ? 0 : follow.leak_left_clock);
    return follow.left <= allowed * coupling_slack;
}

int fold_explains(const struct detector *detector, uint32_t root, enum verdict_kind root_verdict,
                  double root_bytes_per_hour, const struct candidate *other)
{
    return root == other->type ||
           (moves_with(detector, root, root_verdict, root_bytes_per_hour, other) &&
            !fold_is_apart(detector, root, root_verdict, other));
}

void fold_add_companion(uint32_t *companions, uint32_t *count, uint32_t root, uint32_t type)
{
    for (uint32_t i = 0; i < *count; i++)
        if (companions[i] == type)
            return;
    if (type != root && *count < VERDICT_COMPANIONS_MAX)
        companions[(*count)++] = type;
}

static int is_urgent(const struct candidate *candidate)
{
    return candidate->look.rule == VERDICT_RULE_D;
}

/* What filled up in earlier lives as well (1) is not what leaks now, however well it follows; what
 * did not (0) may; -1: none is known that held it. */
static int usual_of(const struct detector *detector, const struct candidate *candidate,
                    uint32_t type)
{
    const struct judge_look *look = &candidate->look;
    double slopes[DETECT_LIVES_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < look->growing_count; i++) {
        struct life_curve curve;
        if (life_trace(&detector->lives[look->growing[i]], type, LIFE_COUNT, look->from, 0, &curve))
            slopes[count++] = trend_slope(curve.values, curve.count) / curve.width;
    }
    return count == 0 ? -1
                      : urgent_is_usual(detector, candidate->version, type, look,
                                        trend_median(slopes, count));
}

/*
 * May the leak have this class's name? A cache beside it follows its pieces well enough, but bends;
 * the leak does not, or leaves hardly anything of them unexplained; nor is it code that was
 * imported once. With the load taken out, which may bend anything, it has to grow at that. One that
 * cannot wait is named after what did not grow so in earlier lives; where none is known, after a
 * line or not at all.
 */
static int may_name(const struct detector *detector, const struct candidate *candidate,
                    struct side side, double left)
{
    const struct judge_look *look = &candidate->look;
    struct judge_group group;
    struct judge_look own = {0};
    if (fold_is_apart(detector, side.type, VERDICT_OBJECTS, candidate))
        return 0;
    int usual = is_urgent(candidate) ? usual_of(detector, candidate, side.type) : -1;
    if (usual >= 0)
        return usual == 0;
    judge_group_lives(&detector->judge, look->growing, look->growing_count, &group);
    judge_look_at(&detector->judge, &group, side.type, LIFE_COUNT, side.elasticity, &own);
    if (is_urgent(candidate))
        return own.passes || own.passes_early;
    if (own.bends && !(left <= alike_left_max))
        return 0;
    return own.evidence.tail >= name_tail_min && own.evidence.jump <= name_jump_max &&
           (own.grows || !(side.elasticity > 0));
}

/* A class that the leak may be named after. */
struct name {
    uint32_t type;
    enum type_rank rank;
    double left;  /* of the piece's growth */
    double ratio; /* objects for each piece */
};

/* As a list or a dict has grown, so have the objects that it got entries for. */
static int goes_with(const struct candidate *candidate, const struct trace *trace, struct side side,
                     struct follow *ret)
{
    struct side own = side_of(candidate->type, candidate->kind);
    if (candidate->kind == VERDICT_OBJECTS)
        return follows(trace, own, side, ret);
    if (!follows(trace, side, own, ret) || ret->ratio > entry_bytes_max)
        return 0;
    ret->ratio = 1 / ret->ratio;
    return 1;
}

/* Of lives that have not seen a day, a cache that fills goes with the load as well: what does so
 * has to fall with it. */
static double elasticity_of(const struct detector *detector, const struct candidate *candidate,
                            uint32_t type)
{
    return is_urgent(candidate) ? judge_elasticity(&detector->judge, type)
                                : judge_elasticity_likely(&detector->judge, type);
}

static void try_name(const struct detector *detector, const struct candidate *candidate,
                     const struct trace *trace, struct side side, struct name *best)
{
    enum type_rank rank = rank_of(detector, side.type);
    struct follow follow;
    if (goes_with(candidate, trace, side, &follow) && follow.pool_left <= name_left_max &&
        (rank > best->rank || follow.pool_left < best->left) &&
        may_name(detector, candidate, side, follow.pool_left))
        *best = (struct name){side.type, rank, follow.pool_left, follow.ratio};
}

/* It is not the name that a person looks for: a piece of something, or the table of what it has. */
static int wants_name(const struct detector *detector, const struct candidate *candidate)
{
    if (candidate->type < TYPES_OWN || candidate->look.growing_count == 0)
        return 0;
    enum type_rank rank = rank_of(detector, candidate->type);
    if (candidate->kind == VERDICT_OBJECTS)
        return rank < TYPE_RANK_USER;
    return rank == TYPE_RANK_BUILT_IN && !type_is_leaf(detector->types.names[candidate->type]);
}

void fold_name(const struct detector *detector, struct candidate *candidate)
{
    if (!wants_name(detector, candidate))
        return;
    const struct trace trace = trace_of(detector, &candidate->look);
    const int is_piece = candidate->kind == VERDICT_OBJECTS;
    const enum type_rank least = rank_of(detector, candidate->type) + (is_piece ? 1 : 0);
    struct name best = {candidate->type, least, INFINITY, 1};
    for (uint32_t type = TYPES_OWN; type < detector->types.count; type++) {
        struct side side = side_of(type, VERDICT_OBJECTS);
        if (rank_of(detector, type) < best.rank)
            continue;
        try_name(detector, candidate, &trace, side, &best);
        side.elasticity = elasticity_of(detector, candidate, type);
        if (side.elasticity > 0)
            try_name(detector, candidate, &trace, side, &best);
    }
    if (best.type == candidate->type)
        return;
    fold_add_companion(candidate->companions, &candidate->companion_count, best.type,
                       candidate->type);
    candidate->type = best.type;
    candidate->kind = VERDICT_OBJECTS;
    candidate->look.slope *= best.ratio;
}

void fold_add_quiet(const struct detector *detector, struct candidate *candidate)
{
    const struct trace trace = trace_of(detector, &candidate->look);
    if (candidate->type < TYPES_OWN || trace.life_count == 0)
        return;
    for (uint32_t type = TYPES_OWN; type < detector->types.count; type++) {
        struct follow follow;
        enum type_rank rank = rank_of(detector, type);
        if (rank == TYPE_RANK_NONE || rank >= rank_of(detector, candidate->type) ||
            candidate->companion_count == VERDICT_COMPANIONS_MAX)
            continue;
        if (follows(&trace, side_of(candidate->type, candidate->kind),
                    side_of(type, VERDICT_OBJECTS), &follow))
            fold_add_companion(candidate->companions, &candidate->companion_count, candidate->type,
                               type);
    }
}

/* ---- rates ----------------------------------------------------------------------------------- */

static double mean_per_hour(const struct detector *detector, const struct candidate *candidate,
                            enum life_value value)
{
    const struct judge_look *look = &candidate->look;
    double sum = 0;
    for (uint32_t i = 0; i < look->growing_count; i++) {
        struct life_curve curve;
        if (life_trace(&detector->lives[look->growing[i]], candidate->type, value, look->from, 0,
                       &curve))
            sum += trend_slope(curve.values, curve.count) / curve.width;
    }
    return look->growing_count == 0 ? 0
                                    : sum / look->growing_count * ms_per_hour / detector->bin_ms;
}

void fold_measure_rates(const struct detector *detector, struct candidate *candidate)
{
    candidate->count_per_hour = mean_per_hour(detector, candidate, LIFE_COUNT);
    candidate->bytes_per_hour = mean_per_hour(detector, candidate, LIFE_BYTES);
    if (candidate->type < TYPES_OWN)
        candidate->count_per_hour = 0;
}

/* ---- many ------------------------------------------------------------------------------------ */

/* The surest first, then the most telling name; between equals the rarer: an owner has many parts.
 */
static int compare_telling(const void *left, const void *right, void *context)
{
    const struct detector *detector = *(const struct detector *const *)context;
    const struct candidate *a = left;
    const struct candidate *b = right;
    if (a->tier != b->tier)
        return a->tier < b->tier ? 1 : -1;
    enum type_rank first_rank = rank_of(detector, a->type);
    enum type_rank second_rank = rank_of(detector, b->type);
    if (first_rank != second_rank)
        return first_rank < second_rank ? 1 : -1;
    int is_first_watched = detector->tracks[a->type].watched_ms != 0;
    int is_second_watched = detector->tracks[b->type].watched_ms != 0;
    if (a->tier == VERDICT_WATCH && is_first_watched != is_second_watched)
        return is_first_watched ? -1 : 1; /* a watch keeps its name */
    if (a->kind != b->kind)
        return a->kind > b->kind ? 1 : -1;      /* objects, then the list that has them */
    if (a->count_per_hour != b->count_per_hour) // NOLINT: an order needs equality
        return a->count_per_hour > b->count_per_hour ? 1 : -1;
    return (a->type > b->type) - (a->type < b->type);
}

/*
 * Of as many of each, the one to name: what is more than plain data; else the one that weighs more.
 * A task has a context, a generator a str. Of plain containers it is the heavier one in any number:
 * what a document consists of is mostly dicts, and not the one list in it.
 */
static int is_better_name(const struct detector *detector, const struct candidate *other,
                          const struct candidate *root)
{
    const char *const *names = detector->types.names;
    if (other->tier != root->tier || other->tier < VERDICT_SUSPECT || other->type < TYPES_OWN ||
        root->type < TYPES_OWN || other->kind != VERDICT_OBJECTS || root->kind != VERDICT_OBJECTS ||
        rank_of(detector, other->type) != rank_of(detector, root->type))
        return 0;
    if (type_is_container(names[other->type]) && type_is_container(names[root->type]))
        return other->bytes_per_hour > weighs_more * root->bytes_per_hour;
    if (!(other->count_per_hour < as_many * root->count_per_hour) ||
        !(root->count_per_hour < as_many * other->count_per_hour))
        return 0;
    int is_plain = type_is_plain(names[other->type]);
    if (is_plain != type_is_plain(names[root->type]))
        return !is_plain;
    return other->bytes_per_hour > weighs_more * root->bytes_per_hour;
}

static void swap_candidates(struct candidate *left, struct candidate *right)
{
    struct candidate kept = *left;
    *left = *right;
    *right = kept;
}

void fold_candidates(const struct detector *detector, struct candidate *candidates, uint32_t count)
{
    qsort_r(candidates, count, sizeof(*candidates), compare_telling, &detector);
    for (uint32_t i = 0; i < count; i++) {
        struct candidate *root = &candidates[i];
        if (root->is_folded)
            continue;
        for (uint32_t k = i + 1; k < count; k++) {
            struct candidate *other = &candidates[k];
            if (other->is_folded ||
                !fold_explains(detector, root->type, root->kind, root->bytes_per_hour, other))
                continue;
            if (is_better_name(detector, other, root))
                swap_candidates(root, other);
            other->is_folded = 1;
            fold_add_companion(root->companions, &root->companion_count, root->type, other->type);
            for (uint32_t c = 0; c < other->companion_count; c++)
                fold_add_companion(root->companions, &root->companion_count, root->type,
                                   other->companions[c]);
        }
    }
}
