#include "sampled_sweep.h"

#include "attributes.h"

#define UNIT_MASK (~(addr_t)(SAMPLE_UNIT_BYTES - 1))

struct sampled_sweep *sampled_sweep_new(struct sweep *sweep, uint64_t heap_bytes,
                                        uint64_t wanted_bytes, uint64_t seed)
{
    struct sampled_sweep *sampled = calloc(1, sizeof(*sampled));
    ASSERT(sampled);
    sampled->sweep = sweep;
    sample_init(&sampled->sample, heap_bytes, wanted_bytes, seed);
    return sampled;
}

void sampled_sweep_free(struct sampled_sweep *sampled)
{
    if (!sampled)
        return;
    sample_done(&sampled->sample);
    free(sampled);
}

void sampled_sweep_restart(struct sampled_sweep *sampled)
{
    sampled->range = 0;
    sampled->at = 0;
}

static int is_static(const struct sampled_sweep *sampled, size_t range)
{
    const struct present_map *present = sampled->sweep->present;
    return (present->regions->items[present->ranges[range].region].flags &
            (REMOTE_FILE | REMOTE_BSS)) != 0;
}

/* Where the next unit begins; 0: the window is done. */
static int find_next(struct sampled_sweep *sampled)
{
    const struct present_map *present = sampled->sweep->present;
    while (sampled->range < present->count && present->ranges[sampled->range].end <= sampled->at)
        sampled->range++;
    if (sampled->range == present->count)
        return 0;
    if (sampled->at < present->ranges[sampled->range].start)
        sampled->at = present->ranges[sampled->range].start;
    return 1;
}

/* The pieces of a unit: ranges from *range on, cut to it. 0: no more. */
static int next_piece(const struct sampled_sweep *sampled, addr_t unit_at, size_t *range,
                      struct remote_range *ret)
{
    const struct present_map *present = sampled->sweep->present;
    addr_t end = (unit_at & UNIT_MASK) + SAMPLE_UNIT_BYTES;
    if (*range == present->count || present->ranges[*range].start >= end ||
        (present->ranges[*range].start > unit_at && is_static(sampled, *range)))
        return 0;
    const struct present_range *from = &present->ranges[(*range)++];
    ret->start = from->start > unit_at ? from->start : unit_at;
    ret->end = from->end < end ? from->end : end;
    return 1;
}

static struct sample_place take_unit(struct sampled_sweep *sampled)
{
    struct sample_place place = {.at = sampled->at, .range = sampled->range};
    struct remote_range piece;
    size_t range = sampled->range;
    while (next_piece(sampled, place.at, &range, &piece)) {
        place.bytes += piece.end - piece.start;
        sampled->at = piece.end;
        if (is_static(sampled, place.range))
            break;
    }
    return place;
}

/* The units of the next stratum, and which of them are read. 0: the window is done. */
static int begin_stratum(struct sampled_sweep *sampled)
{
    addr_t at[SAMPLE_UNITS_MAX];
    if (!find_next(sampled))
        return 0;
    uint64_t stratum = sample_stratum(&sampled->sample, sampled->at);
    int is_whole = is_static(sampled, sampled->range);
    sampled->place_count = 0;
    do {
        at[sampled->place_count] = sampled->at;
        sampled->places[sampled->place_count++] = take_unit(sampled);
    } while (!is_whole && find_next(sampled) && !is_static(sampled, sampled->range) &&
             sample_stratum(&sampled->sample, sampled->at) == stratum &&
             sampled->place_count < SAMPLE_UNITS_MAX);
    sampled->picked = sample_pick(&sampled->sample, at, sampled->place_count, sampled->picks);
    return 1;
}

/* Move what the sweep has counted into the sample. */
static void take_counts(struct sampled_sweep *sampled)
{
    struct sweep *sweep = sampled->sweep;
    struct sample *sample = &sampled->sample;
    uint64_t objects = 0, bytes = sweep->values_bytes;
    for (uint32_t i = 0; i < sweep->types->count; i++) {
        struct type_entry *entry = &sweep->types->entries[i];
        if (!entry->count && !entry->bytes)
            continue;
        sample_add(sample, SAMPLE_LINE_ROWS + entry->row, entry->count, entry->bytes);
        objects += entry->count;
        bytes += entry->bytes;
        entry->count = entry->bytes = 0;
    }
    if (sweep->values_bytes)
        sample_add(sample, SAMPLE_LINE_ROWS + TYPE_ROW_VALUES, 0, sweep->values_bytes);
    sample_add(sample, SAMPLE_LINE_ALL, objects, bytes);
    sample_add(sample, SAMPLE_LINE_POOLS, sweep->pool_bytes, sweep->pool_free_bytes);
    sweep->values_bytes = sweep->pool_bytes = sweep->pool_free_bytes = 0;
}

static void read_unit(struct sampled_sweep *sampled, const struct sample_place *place)
{
    struct remote_range piece;
    size_t range = place->range;
    while (next_piece(sampled, place->at, &range, &piece)) {
        sweep_piece(sampled->sweep, range - 1, piece.start, piece.end);
        if (is_static(sampled, place->range))
            break;
    }
    late_sizes_flush(sampled->sweep->late);
    sampled->read_bytes += place->bytes;
    sample_unit(&sampled->sample);
    take_counts(sampled);
}

int sampled_sweep_step(struct sampled_sweep *sampled)
{
    uint64_t bytes = 0;
    if (remote_state(sampled->sweep->present->remote) != STATUS_OK || !begin_stratum(sampled))
        return 0;
    for (unsigned i = 0; i < sampled->picked; i++)
        read_unit(sampled, &sampled->places[sampled->picks[i]]);
    for (size_t i = 0; i < sampled->place_count; i++)
        bytes += sampled->places[i].bytes;
    sampled->all_bytes += bytes;
    sample_end_stratum(&sampled->sample, sampled->place_count);
    return 1;
}
