/*
 * Bins and blocks belong to the life and not to the type: all types of a snapshot have its time. So
 * the end of a bin is one walk over the series, and a doubling another.
 */
#include "life.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attributes.h"
#include "trend.h"

enum {
    torn_from = 4,     /* snapshots in a bin, from which on the lowest is not believed */
    points_min = 8,    /* of a curve */
    slots_settled = 3, /* start-up, in which load and count rise together for no reason */
    late_bins = 24,    /* first seen so long after its start: its start-up was not seen */
    gap_bins_max = 4 * LIFE_BINS_PER_HORIZON,
};

/* More than any memory holds: a damaged number, as good as none. */
static const double plausible_max = 0x1p60;
/* Far beyond any clock that is right, and far from where sums overflow. */
static const int64_t time_max_ms = (int64_t)1 << 50;
static const float move_min = 0.02F; /* a smaller change of load says nothing */

void life_init(struct life *life, const struct detect_key *key, uint32_t version,
               int64_t started_ms)
{
    *life = (struct life){
        .key = *key, .version = version, .started_ms = started_ms, .used = 1, .block_bins = 1};
}

void life_free(struct life *life)
{
    for (uint32_t i = 0; i < life->chunk_count; i++)
        free(life->chunks[i]);
    free(life->chunks);
    life->chunks = NULL;
    life->chunk_count = 0;
}

uint64_t life_series_count(const struct life *life)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < life->chunk_count; i++)
        count += life->chunks[i] != NULL ? LIFE_CHUNK : 0;
    return count;
}

uint32_t life_uptime(const struct life *life)
{
    return life->origin_ms == 0 ? 0 : life->bin;
}

const struct life_series *life_find(const struct life *life, uint32_t type)
{
    uint32_t chunk = type / LIFE_CHUNK;
    if (chunk >= life->chunk_count || life->chunks[chunk] == NULL)
        return NULL;
    return &life->chunks[chunk]->series[type % LIFE_CHUNK];
}

/* ---- series ---------------------------------------------------------------------------------- */

static void lows_clear(struct life_lows *lows)
{
    for (int value = 0; value < LIFE_VALUES; value++)
        lows->low[value] = lows->second[value] = INFINITY;
    lows->samples = 0;
}

static void series_clear(struct life_series *series)
{
    float *numbers = &series->blocks[0][0];
    for (size_t i = 0; i < (size_t)LIFE_VALUES * LIFE_BLOCKS; i++)
        numbers[i] = NAN;
    for (size_t i = 0; i < LIFE_SLOTS; i++)
        series->slots[i] = NAN;
    series->slot_low = series->slot_before = series->high = NAN;
    series->falling = series->rising = (struct life_moves){0};
}

static void chunk_clear(struct life_chunk *chunk)
{
    for (size_t i = 0; i < LIFE_CHUNK; i++) {
        lows_clear(&chunk->lows[i]);
        series_clear(&chunk->series[i]);
    }
}

/* NULL when there is no room for more. */
static struct life_chunk *chunk_of(struct life *life, uint32_t type, uint64_t *room)
{
    uint32_t place = type / LIFE_CHUNK;
    if (place < life->chunk_count && life->chunks[place] != NULL)
        return life->chunks[place];
    if (*room < LIFE_CHUNK)
        return NULL;
    if (place >= life->chunk_count) {
        struct life_chunk **chunks = realloc(life->chunks, (place + 1) * sizeof(void *));
        ASSERT(chunks != NULL);
        for (uint32_t i = life->chunk_count; i <= place; i++)
            chunks[i] = NULL;
        life->chunks = chunks;
        life->chunk_count = place + 1;
    }
    struct life_chunk *chunk = malloc(sizeof(*chunk));
    ASSERT(chunk != NULL);
    chunk_clear(chunk);
    life->chunks[place] = chunk;
    *room -= LIFE_CHUNK;
    return chunk;
}

static void lows_add(struct life_lows *lows, const float values[LIFE_VALUES])
{
    for (int i = 0; i < LIFE_VALUES; i++) {
        float rest = values[i];
        if (rest < lows->low[i]) {
            rest = lows->low[i];
            lows->low[i] = values[i];
        }
        if (rest < lows->second[i])
            lows->second[i] = rest;
    }
    lows->samples++;
}

static void series_add(struct life_series *series, struct life_lows *lows, uint32_t block,
                       uint32_t slot)
{
    float floors[LIFE_VALUES];
    for (int i = 0; i < LIFE_VALUES; i++) {
        floors[i] = lows->samples >= torn_from ? lows->second[i] : lows->low[i];
        series->blocks[i][block] = fminf(series->blocks[i][block], floors[i]);
    }
    if (slot < LIFE_SLOTS)
        series->slots[slot] = fminf(series->slots[slot], floors[LIFE_COUNT]);
    series->high = fmaxf(series->high, floors[LIFE_COUNT]);
    series->slot_low = fminf(series->slot_low, floors[LIFE_COUNT]);
    lows_clear(lows);
}

static void series_merge(struct life_series *series)
{
    for (int value = 0; value < LIFE_VALUES; value++) {
        float *blocks = series->blocks[value];
        for (size_t i = 0; i < LIFE_BLOCKS / 2; i++)
            blocks[i] = fminf(blocks[2 * i], blocks[2 * i + 1]);
        for (size_t i = LIFE_BLOCKS / 2; i < LIFE_BLOCKS; i++)
            blocks[i] = NAN;
    }
}

/* Twice the difference over the sum: the same whichever of both came first. */
static float difference(float before, float now)
{
    return now + before > 0 ? 2 * (now - before) / (now + before) : 0;
}

static void series_move(struct life_series *series, float load_change)
{
    float change = difference(series->slot_before, series->slot_low);
    if (isfinite(load_change) && fabsf(load_change) >= move_min && isfinite(change)) {
        struct life_moves *moves = load_change > 0 ? &series->rising : &series->falling;
        moves->xx += load_change * load_change;
        moves->xy += load_change * change;
        moves->yy += change * change;
        moves->count++;
    }
    series->slot_before = series->slot_low;
    series->slot_low = NAN;
}

/* ---- bins ------------------------------------------------------------------------------------ */

static void finish_bin(struct life *life)
{
    uint32_t block = life->bin / life->block_bins;
    uint32_t slot =
        life->bin < LIFE_START_UP_BINS ? (uint32_t)LIFE_SLOTS : life->bin / LIFE_SLOT_BINS;
    if (life->samples == 0)
        return;
    life->seen[block]++;
    life->samples = 0;
    for (uint32_t i = 0; i < life->chunk_count; i++) {
        struct life_chunk *chunk = life->chunks[i];
        for (size_t k = 0; chunk != NULL && k < LIFE_CHUNK; k++)
            if (chunk->lows[k].samples > 0)
                series_add(&chunk->series[k], &chunk->lows[k], block, slot);
    }
}

/* `next`: the slot that begins. */
static void finish_slot(struct life *life, uint32_t next)
{
    uint32_t slot = life->bin / LIFE_SLOT_BINS;
    float load = life->slot_ms > 0 ? life->slot_cpu / life->slot_ms : NAN;
    float change = slot >= slots_settled ? difference(life->slot_load_before, load) : NAN;
    for (uint32_t i = 0; i < life->chunk_count; i++)
        for (size_t k = 0; life->chunks[i] != NULL && k < LIFE_CHUNK; k++) {
            struct life_series *series = &life->chunks[i]->series[k];
            series_move(series, change);
            if (next != slot + 1)
                series->slot_before = NAN;
        }
    if (slot < LIFE_SLOTS)
        life->slot_loads[slot] = load;
    life->slot_load_before = next == slot + 1 ? load : NAN;
    life->slot_cpu = life->slot_ms = 0;
}

static void double_blocks(struct life *life)
{
    for (uint32_t i = 0; i < life->chunk_count; i++)
        for (size_t k = 0; life->chunks[i] != NULL && k < LIFE_CHUNK; k++)
            series_merge(&life->chunks[i]->series[k]);
    for (size_t i = 0; i < LIFE_BLOCKS; i++) {
        int kept = i < LIFE_BLOCKS / 2;
        life->seen[i] = kept ? life->seen[2 * i] + life->seen[2 * i + 1] : 0;
        life->load[i] = kept ? life->load[2 * i] + life->load[2 * i + 1] : 0;
        life->load_ms[i] = kept ? life->load_ms[2 * i] + life->load_ms[2 * i + 1] : 0;
    }
    life->block_bins *= 2;
}

static void begin_bin(struct life *life, uint32_t bin)
{
    finish_bin(life);
    if (bin / LIFE_SLOT_BINS != life->bin / LIFE_SLOT_BINS)
        finish_slot(life, bin / LIFE_SLOT_BINS);
    while (bin / life->block_bins >= LIFE_BLOCKS)
        double_blocks(life);
    life->bin = bin;
}

/* The first snapshot, or the first after so long a silence that what was before says nothing. */
static void begin_life(struct life *life, double bin_ms, int64_t time_ms)
{
    double unseen = (double)time_ms - (double)life->started_ms;
    int again = life->origin_ms != 0;
    life->late = again || life->started_ms <= 0 || unseen < 0 || unseen > late_bins * bin_ms;
    life->origin_ms = life->late ? time_ms : life->started_ms;
    if (life->started_ms <= 0) {
        life->started_ms = time_ms;
        life->late = 0; /* nothing is known against it */
    }
    life->bin = life->samples = 0;
    life->block_bins = 1;
    life->slot_load_before = NAN;
    life->slot_cpu = life->slot_ms = 0;
    life->cpu_ms = 0;
    for (size_t i = 0; i < LIFE_SLOTS; i++)
        life->slot_loads[i] = NAN;
    for (size_t i = 0; i < LIFE_BLOCKS; i++) {
        life->seen[i] = 0;
        life->load[i] = life->load_ms[i] = 0;
    }
    for (uint32_t i = 0; i < life->chunk_count; i++)
        if (life->chunks[i] != NULL)
            chunk_clear(life->chunks[i]);
}

static void add_load(struct life *life, int64_t time_ms, uint64_t cpu_ms)
{
    if (life->cpu_ms > 0 && cpu_ms >= life->cpu_ms && time_ms > life->cpu_at_ms) {
        float cpu = (float)(cpu_ms - life->cpu_ms);
        float wall = (float)(time_ms - life->cpu_at_ms);
        uint32_t block = life->bin / life->block_bins;
        life->load[block] += cpu;
        life->load_ms[block] += wall;
        life->slot_cpu += cpu;
        life->slot_ms += wall;
    }
    life->cpu_ms = cpu_ms;
    life->cpu_at_ms = time_ms;
}

int life_snapshot(struct life *life, double bin_ms, int64_t time_ms,
                  const struct detect_process *process)
{
    if (time_ms <= 0 || time_ms > time_max_ms)
        return 0;
    if (life->origin_ms == 0)
        begin_life(life, bin_ms, time_ms);
    double place = floor(((double)time_ms - (double)life->origin_ms) / bin_ms);
    if (!(place >= life->bin))
        return 0;
    if (place > (double)life->bin + gap_bins_max) {
        begin_life(life, bin_ms, time_ms);
        place = floor(((double)time_ms - (double)life->origin_ms) / bin_ms);
    }
    if (place > life->bin)
        begin_bin(life, (uint32_t)place);
    life->last_ms = time_ms;
    life->samples++;
    if (process->container_usage_bytes > 0) {
        life->container = process->container;
        life->usage_bytes = process->container_usage_bytes;
        life->limit_bytes = process->container_limit_bytes;
        life->is_memory_shared = process->rss_bytes == 0;
    }
    if (process->cpu_ms > 0)
        add_load(life, time_ms, process->cpu_ms);
    return 1;
}

void life_values(struct life *life, const struct detect_value *values, size_t count, uint64_t *room)
{
    struct life_chunk *chunk = NULL;
    uint32_t place = UINT32_MAX;
    for (size_t i = 0; i < count; i++) {
        if (values[i].type < 0)
            continue;
        uint32_t type = (uint32_t)values[i].type;
        if (type / LIFE_CHUNK != place) {
            place = type / LIFE_CHUNK;
            chunk = chunk_of(life, type, room);
        }
        const float numbers[LIFE_VALUES] = {(float)values[i].count, (float)values[i].bytes};
        if (chunk != NULL && numbers[LIFE_COUNT] <= plausible_max &&
            numbers[LIFE_BYTES] <= plausible_max)
            lows_add(&chunk->lows[type % LIFE_CHUNK], numbers);
    }
}

/* ---- curves ---------------------------------------------------------------------------------- */

/* Draw lines over the gaps; level ones at the ends. At least one point is known. */
static void fill_gaps(double *points, size_t count)
{
    size_t known = count;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(points[i]))
            continue;
        for (size_t gap = known == count ? 0 : known + 1; gap < i; gap++) {
            double share = known == count ? 1 : (double)(gap - known) / (double)(i - known);
            double left = known == count ? points[i] : points[known];
            points[gap] = left + (points[i] - left) * share;
        }
        known = i;
    }
    for (size_t gap = known + 1; gap < count; gap++)
        points[gap] = points[known];
}

/* Blocks that are complete, and one more if it is half complete. */
static uint32_t blocks_done(const struct life *life)
{
    uint32_t whole = life->bin / life->block_bins;
    uint32_t rest = life->bin % life->block_bins;
    return whole + (rest * 2 >= life->block_bins && rest > 0 ? 1 : 0);
}

static void read_load(const struct life *life, uint32_t first, struct life_curve *curve)
{
    double mean = 0;
    uint32_t known = 0;
    for (uint32_t i = 0; i < curve->count; i++) {
        double ms = life->load_ms[first + i];
        curve->load[i] = ms > 0 ? life->load[first + i] / ms : NAN;
        if (ms > 0) {
            mean += curve->load[i];
            known++;
        }
    }
    mean /= known > 0 ? known : 1;
    curve->has_load = known * 4 >= curve->count * 3 && mean > 0;
    if (curve->has_load)
        fill_gaps(curve->load, curve->count);
    for (uint32_t i = 0; i < curve->count; i++)
        curve->load[i] = curve->has_load ? curve->load[i] / mean : 1;
}

int life_trace(const struct life *life, uint32_t type, enum life_value value, double settled,
               double elasticity, struct life_curve *ret)
{
    const struct life_series *series = life_find(life, type);
    if (series == NULL) /* nor has a life that was forgotten any block */
        return 0;
    uint32_t first = (uint32_t)ceil(settled / life->block_bins);
    uint32_t end = blocks_done(life);
    while (first < end && life->seen[first] == 0)
        first++;
    if (first + points_min > end)
        return 0;
    uint32_t empty = 0;
    int before = 1; /* no object of it yet: there are none */
    *ret = (struct life_curve){
        .count = end - first, .from = (double)first * life->block_bins, .width = life->block_bins};
    for (uint32_t i = 0; i < ret->count; i++) {
        double floor = series->blocks[value][first + i];
        before = before && !isfinite(floor);
        ret->values[i] = before && life->seen[first + i] > 0 ? 0 : floor;
        empty += (uint32_t)!isfinite(ret->values[i]);
    }
    if (before || empty * 4 > ret->count)
        return 0;
    fill_gaps(ret->values, ret->count);
    read_load(life, first, ret);
    for (uint32_t i = 0; ret->has_load && elasticity > 0 && i < ret->count; i++)
        ret->values[i] /= fmax(0.2, 1 + elasticity * (ret->load[i] - 1));
    return 1;
}

void life_resample(const struct life_curve *curve, const double *values, double from, double to,
                   size_t count, double *ret)
{
    double last = curve->count - 1;
    for (size_t i = 0; i < count; i++) {
        double bin = from + (to - from) * ((double)i + 0.5) / (double)count;
        double place = fmin(fmax((bin - curve->from) / curve->width - 0.5, 0), last);
        uint32_t left = (uint32_t)place;
        uint32_t right = left + 1 < curve->count ? left + 1 : left;
        ret[i] = values[left] + (values[right] - values[left]) * (place - left);
    }
}

static double points_slope(double *points, size_t count, double width)
{
    size_t known = 0;
    for (size_t i = 0; i < count; i++)
        known += (size_t)isfinite(points[i]);
    if (count < 4 || known * 4 < count * 3)
        return NAN;
    fill_gaps(points, count);
    return trend_slope(points, count) / width;
}

double life_slope(const struct life *life, uint32_t type, enum life_value value, double from,
                  double to)
{
    const struct life_series *series = life_find(life, type);
    int use_slots = value == LIFE_COUNT && to <= LIFE_SLOTS * LIFE_SLOT_BINS;
    double width = use_slots ? LIFE_SLOT_BINS : life->block_bins;
    const float *floors = series == NULL ? NULL : use_slots ? series->slots : series->blocks[value];
    uint32_t first = (uint32_t)ceil(from / width);
    uint32_t end = (uint32_t)(to / width);
    double points[LIFE_BLOCKS] = {0};
    if (floors == NULL || to > life->bin || end > LIFE_BLOCKS || end <= first || life->late)
        return NAN;
    for (uint32_t i = first; i < end; i++)
        points[i - first] = floors[i];
    return points_slope(points, end - first, width);
}

/* With so few points, the ends say as much as all pairs would. */
double life_early_slope(const struct life *life, uint32_t type, double from, double to)
{
    const struct life_series *series = life_find(life, type);
    uint32_t first = (uint32_t)(from / LIFE_SLOT_BINS);
    uint32_t last = (uint32_t)(to / LIFE_SLOT_BINS);
    last = last < first + 2 ? first + 2 : last;
    if (series == NULL || life->late || last >= LIFE_SLOTS ||
        life->bin < (last + 1) * LIFE_SLOT_BINS)
        return NAN;
    double rise = (double)series->slots[last] - (double)series->slots[first];
    return rise / ((double)(last - first) * LIFE_SLOT_BINS);
}

double life_high(const struct life *life, uint32_t type)
{
    const struct life_series *series = life_find(life, type);
    return series == NULL ? NAN : (double)series->high;
}

/* Two, since a torn snapshot may be the floor of a bin. */
static double largest_fall(const float *floors, uint32_t count)
{
    double highest = 0;
    double largest = 0;
    for (uint32_t i = 0; i + 1 < count; i++) {
        double low = fmaxf(floors[i], floors[i + 1]); /* of a gap and a number, the number */
        largest = fmax(largest, highest - low);
        highest = fmax(highest, floors[i]);
    }
    return largest;
}

double life_largest_fall(const struct life *life, uint32_t type, enum life_value value)
{
    const struct life_series *series = life_find(life, type);
    if (series == NULL)
        return 0;
    double fall = largest_fall(series->blocks[value], blocks_done(life));
    if (value != LIFE_COUNT)
        return fall;
    uint32_t slots = life->bin / LIFE_SLOT_BINS;
    fall = fmax(fall, largest_fall(series->slots, slots < LIFE_SLOTS ? slots : LIFE_SLOTS));
    if (!isfinite(series->slot_low) || !isfinite(series->slot_before))
        return fall;
    /* blocks may be hours long: against the last two slots, those before them */
    double now = fmaxf(series->slot_low, series->slot_before);
    for (uint32_t i = 0; (i + 1) * life->block_bins + LIFE_SLOT_BINS <= slots * LIFE_SLOT_BINS; i++)
        fall = fmax(fall, series->blocks[value][i] - now);
    return fall;
}

double life_newest(const struct life *life, uint32_t type, enum life_value value)
{
    const struct life_series *series = life_find(life, type);
    uint32_t end = blocks_done(life);
    return series == NULL || end < 2
               ? NAN
               : fmaxf(series->blocks[value][end - 1], series->blocks[value][end - 2]);
}

double life_recent_slope(const struct life *life, uint32_t type, enum life_value value, double bins)
{
    const struct life_series *series = life_find(life, type);
    uint32_t end = blocks_done(life);
    uint32_t back = (uint32_t)ceil(bins / life->block_bins);
    if (series == NULL || end < back + 2)
        return NAN;
    const float *floors = series->blocks[value];
    double before = fmaxf(floors[end - 1 - back], floors[end - 2 - back]);
    return (life_newest(life, type, value) - before) / ((double)back * life->block_bins);
}

double life_recent_load(const struct life *life, double bins)
{
    uint32_t end = blocks_done(life);
    uint32_t back = (uint32_t)ceil(bins / life->block_bins);
    double recent = 0;
    double recent_ms = 0;
    double all = 0;
    double all_ms = 0;
    for (uint32_t i = 0; i < end; i++) {
        all += life->load[i];
        all_ms += life->load_ms[i];
        recent += i + back >= end ? life->load[i] : 0;
        recent_ms += i + back >= end ? life->load_ms[i] : 0;
    }
    return recent_ms > 0 && all > 0 ? recent / recent_ms / (all / all_ms) : NAN;
}

double life_slot_floor(const struct life *life, uint32_t type, uint32_t from, uint32_t to)
{
    const struct life_series *series = life_find(life, type);
    float low = NAN;
    if (series == NULL || life->bin < to * LIFE_SLOT_BINS || to > LIFE_SLOTS || life->late)
        return NAN;
    for (uint32_t i = from; i < to; i++)
        low = fminf(low, series->slots[i]);
    return low;
}

double life_slot_load(const struct life *life, uint32_t from, uint32_t to)
{
    double sum = 0;
    if (life->bin < to * LIFE_SLOT_BINS || to > LIFE_SLOTS || life->late)
        return NAN;
    for (uint32_t i = from; i < to; i++)
        sum += life->slot_loads[i] / (double)(to - from);
    return sum;
}

double life_object_growth(const struct life *life, uint32_t type)
{
    const struct life_series *series = life_find(life, type);
    uint32_t end = series == NULL ? 0 : blocks_done(life);
    if (end < points_min)
        return 0;
    const float *count = series->blocks[LIFE_COUNT];
    const float *bytes = series->blocks[LIFE_BYTES];
    uint32_t first = end / 4;
    uint32_t last = end - 1;
    if (!(count[first] > 0) || !(bytes[first] > 0) || !(count[last] > 0))
        return 0;
    double growth = (double)bytes[last] / count[last] / ((double)bytes[first] / count[first]) - 1;
    return isfinite(growth) ? growth : 0;
}
