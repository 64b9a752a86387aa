/*
 * Bins and blocks belong to the life and not to the type: all types of a snapshot have its time. So
 * the end of a bin is one walk over the series, and a doubling another.
 */
#include "life.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attributes.h"

enum {
    torn_from = 4,     /* snapshots in a bin, from which on the lowest is not believed */
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

/* NaN: nothing that says something. */
static float load_change(float before, float now)
{
    return fabsf(now - before) >= move_min * (now + before) / 2 ? now - before : NAN;
}

static void series_move(struct life_series *series, float moved)
{
    float change = series->slot_low - series->slot_before;
    if (isfinite(moved) && isfinite(change)) {
        struct life_moves *moves = moved > 0 ? &series->rising : &series->falling;
        moves->x += moved;
        moves->y += change;
        moves->xx += moved * moved;
        moves->xy += moved * change;
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

static void finish_load(struct life *life)
{
    uint32_t block = life->bin / life->block_bins;
    float load = life->load_wall_ms > 0 ? life->load_cpu / life->load_wall_ms : NAN;
    life->lows[block] = fminf(life->lows[block], load); /* of NaN and a number, the number */
    life->slot_load_low = fminf(life->slot_load_low, load);
    life->load_cpu = life->load_wall_ms = 0;
}

/* `next`: the slot that begins. */
static void finish_slot(struct life *life, uint32_t next)
{
    uint32_t slot = life->bin / LIFE_SLOT_BINS;
    float load = life->slot_ms > 0 ? life->slot_cpu / life->slot_ms : NAN;
    float low = life->slot_load_low;
    float change = slot >= slots_settled ? load_change(life->slot_load_before, low) : NAN;
    for (uint32_t i = 0; i < life->chunk_count; i++)
        for (size_t k = 0; life->chunks[i] != NULL && k < LIFE_CHUNK; k++) {
            struct life_series *series = &life->chunks[i]->series[k];
            series_move(series, change);
            if (next != slot + 1)
                series->slot_before = NAN;
        }
    if (slot < LIFE_SLOTS) {
        life->slot_loads[slot] = load;
        life->slot_lows[slot] = low;
    }
    life->slot_load_before = next == slot + 1 ? low : NAN;
    life->slot_load_low = NAN;
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
        life->lows[i] = !kept ? NAN
                        : life->block_bins < LIFE_LOAD_BINS
                            ? life->load[i] / life->load_ms[i]
                            : fminf(life->lows[2 * i], life->lows[2 * i + 1]);
    }
    life->block_bins *= 2;
}

static void begin_bin(struct life *life, uint32_t bin)
{
    finish_bin(life);
    if (bin / LIFE_LOAD_BINS != life->bin / LIFE_LOAD_BINS)
        finish_load(life);
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
    life->slot_load_low = life->slot_load_before = NAN;
    life->slot_cpu = life->slot_ms = life->load_cpu = life->load_wall_ms = 0;
    life->cpu_ms = 0;
    for (size_t i = 0; i < LIFE_SLOTS; i++)
        life->slot_loads[i] = life->slot_lows[i] = NAN;
    for (size_t i = 0; i < LIFE_BLOCKS; i++) {
        life->seen[i] = 0;
        life->lows[i] = NAN;
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
        life->load_cpu += cpu;
        life->load_wall_ms += wall;
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
