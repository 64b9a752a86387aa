#include "sample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void sample_init(struct sample *sample, uint64_t heap_bytes, uint64_t wanted_bytes, uint64_t seed)
{
    ASSERT(wanted_bytes > 0);
    *sample = (struct sample){.seed = seed, .units = SAMPLE_UNITS_MAX};
    if (heap_bytes / wanted_bytes < SAMPLE_UNITS_MAX / SAMPLE_PICKS)
        sample->units = (size_t)(heap_bytes * SAMPLE_PICKS / wanted_bytes) + 1;
    if (sample->units <= SAMPLE_PICKS)
        sample->units = SAMPLE_PICKS + 1;
}

void sample_done(struct sample *sample)
{
    free(sample->lines);
    sample->lines = NULL;
    sample->count = sample->capacity = 0;
}

uint64_t sample_stratum(const struct sample *sample, addr_t at)
{
    return at / SAMPLE_UNIT_BYTES / sample->units;
}

/* Of an address, as good as drawn by lot (splitmix64). */
static uint64_t lot(const struct sample *sample, addr_t at)
{
    uint64_t value = (at / SAMPLE_UNIT_BYTES + 1) * UINT64_C(0x9e3779b97f4a7c15) + sample->seed;
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

/* The units with the lowest lots. */
unsigned sample_pick(const struct sample *sample, const addr_t *units, size_t count, size_t *ret)
{
    uint64_t lots[SAMPLE_PICKS + 1];
    unsigned picked = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t mine = lot(sample, units[i]);
        unsigned at = picked < SAMPLE_PICKS ? picked : SAMPLE_PICKS - 1;
        if (picked == SAMPLE_PICKS && mine >= lots[at])
            continue;
        for (; at > 0 && lots[at - 1] > mine; at--) {
            lots[at] = lots[at - 1];
            ret[at] = ret[at - 1];
        }
        lots[at] = mine;
        ret[at] = i;
        picked += picked < SAMPLE_PICKS;
    }
    if (picked == SAMPLE_PICKS && ret[0] > ret[1]) {
        size_t swap = ret[0];
        ret[0] = ret[1];
        ret[1] = swap;
    }
    return picked;
}

void sample_unit(struct sample *sample)
{
    ASSERT(sample->picked < SAMPLE_PICKS);
    sample->picked++;
}

static struct sample_line *line_at(struct sample *sample, uint32_t line)
{
    if (line >= sample->capacity) {
        uint32_t capacity = sample->capacity ? sample->capacity : 512;
        while (capacity <= line)
            capacity *= 2;
        sample->lines = realloc(sample->lines, capacity * sizeof(sample->lines[0]));
        ASSERT(sample->lines);
        memset(sample->lines + sample->capacity, 0,
               (capacity - sample->capacity) * sizeof(sample->lines[0]));
        sample->capacity = capacity;
    }
    if (line >= sample->count)
        sample->count = line + 1;
    return &sample->lines[line];
}

void sample_add(struct sample *sample, uint32_t line, uint64_t count, uint64_t bytes)
{
    ASSERT(sample->picked > 0);
    double *read = line_at(sample, line)->read[sample->picked - 1];
    read[0] += (double)count;
    read[1] += (double)bytes;
}

/* Add a stratum to the total and the variance of number k. */
static void end_number(struct sample_line *line, unsigned k, unsigned picked, double units)
{
    double n = picked, sum = 0, squares = 0;
    for (unsigned i = 0; i < picked; i++)
        sum += line->read[i][k];
    line->total[k] += units / n * sum;
    if (picked < 2 || units <= n)
        return;
    for (unsigned i = 0; i < picked; i++)
        squares += (line->read[i][k] - sum / n) * (line->read[i][k] - sum / n);
    line->variance[k] += units * units * (1 - n / units) / n * squares / (n - 1);
}

void sample_end_stratum(struct sample *sample, size_t units)
{
    for (uint32_t i = 0; sample->picked > 0 && i < sample->count; i++) {
        struct sample_line *line = &sample->lines[i];
        for (unsigned k = 0; k < 2; k++)
            end_number(line, k, sample->picked, (double)units);
        memset(line->read, 0, sizeof(line->read));
    }
    sample->strata += sample->picked > 1 && units > sample->picked;
    sample->picked = 0;
}

/* Student's t that 19 of 20 lie below, on both sides, within 1 % from three degrees on. */
static double student(uint64_t degrees)
{
    double d = degrees ? (double)degrees : 1;
    return 1.96 + 2.4 / d + 3.2 / (d * d) + 5.1 / (d * d * d);
}

struct sample_estimate sample_line(const struct sample *sample, uint32_t line)
{
    struct sample_estimate ret = {0};
    if (line >= sample->count)
        return ret;
    const struct sample_line *from = &sample->lines[line];
    for (unsigned k = 0; k < 2; k++) {
        ret.value[k] = (uint64_t)llround(from->total[k]);
        ret.error[k] = (uint64_t)ceil(student(sample->strata) * sqrt(from->variance[k]));
    }
    return ret;
}
