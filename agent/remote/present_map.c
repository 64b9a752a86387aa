#include "present_map.h"

#include "attributes.h"

enum { BATCH = 256, DATA_BYTES_MAX = 64 << 20 };

void present_map_init(struct present_map *map, struct remote *remote,
                      const struct remote_regions *regions)
{
    *map = (struct present_map){.remote = remote, .regions = regions};
}

void present_map_done(struct present_map *map)
{
    free(map->ranges);
    map->ranges = NULL;
}

static void append(struct present_map *map, struct remote_range range, size_t region)
{
    if (map->count == map->capacity) {
        map->capacity = map->capacity ? map->capacity * 2 : BATCH;
        map->ranges = realloc(map->ranges, map->capacity * sizeof(map->ranges[0]));
        ASSERT(map->ranges);
    }
    map->ranges[map->count++] = (struct present_range){range.start, range.end, (uint32_t)region};
}

/* A large mapping of a file is no program's data but somebody's array. */
static int is_data(const struct remote_region *region)
{
    return (region->flags & REMOTE_FILE) && region->end - region->start <= DATA_BYTES_MAX;
}

/* All of at..end, which is of one region; returns where it stopped for lack of room, or `end`. */
static addr_t fill_region(struct present_map *map, size_t index, addr_t at, addr_t end)
{
    struct remote_range found[BATCH];
    size_t (*present)(struct remote *, addr_t, addr_t, struct remote_range *, size_t, addr_t *) =
        is_data(&map->regions->items[index]) ? remote_present_data : remote_present;
    while (at < end && map->count + BATCH <= PRESENT_RANGES_MAX) {
        size_t count = present(map->remote, at, end, found, BATCH, &at);
        for (size_t i = 0; i < count; i++)
            append(map, found[i], index);
    }
    return at;
}

int present_map_fill(struct present_map *map, addr_t from)
{
    map->count = 0;
    map->from = map->to = from;
    for (size_t i = remote_regions_index(map->regions, from); i < map->regions->count; i++) {
        const struct remote_region *region = &map->regions->items[i];
        map->to = fill_region(map, i, from > region->start ? from : region->start, region->end);
        if (map->to < region->end)
            return 1;
    }
    map->to = UINT64_MAX;
    return map->count > 0;
}

int present_map_fill_parts(struct present_map *map, const struct remote_regions *parts)
{
    map->count = 0;
    map->from = map->to = UINT64_MAX;
    for (size_t i = 0; i < parts->count; i++) {
        const struct remote_region *part = &parts->items[i];
        size_t index = remote_regions_index(map->regions, part->start);
        (void)fill_region(map, index, part->start, part->end);
    }
    return map->count > 0;
}

static int ask(const struct present_map *map, addr_t at, size_t size)
{
    struct remote_range found;
    addr_t next;
    size_t region = remote_regions_index(map->regions, at);
    if (region == map->regions->count || map->regions->items[region].start > at)
        return 0;
    return remote_present(map->remote, at, at + size, &found, 1, &next) == 1 && found.start <= at &&
           found.end >= at + size;
}

/* Index of the first range that ends behind `at`. */
static size_t find_range(const struct present_map *map, addr_t at)
{
    size_t low = 0, high = map->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (map->ranges[middle].end <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint64_t present_map_bytes(const struct present_map *map, addr_t start, addr_t end)
{
    uint64_t bytes = 0;
    for (size_t i = find_range(map, start); i < map->count && map->ranges[i].start < end; i++) {
        addr_t from = map->ranges[i].start > start ? map->ranges[i].start : start;
        addr_t to = map->ranges[i].end < end ? map->ranges[i].end : end;
        bytes += to - from;
    }
    return bytes;
}

int present_map_has_near(const struct present_map *map, addr_t at, size_t size, size_t *hint)
{
    if (*hint < map->count && at >= map->ranges[*hint].start && at + size >= at &&
        at + size <= map->ranges[*hint].end)
        return 1;
    *hint = find_range(map, at);
    return present_map_has(map, at, size);
}

int present_map_has(const struct present_map *map, addr_t at, size_t size)
{
    if (at + size < at)
        return 0;
    if (at < map->from || at + size > map->to)
        return ask(map, at, size);
    size_t low = find_range(map, at);
    if (low == map->count || map->ranges[low].start > at)
        return 0;
    addr_t end = map->ranges[low].end;
    while (end < at + size && ++low < map->count && map->ranges[low].start == end)
        end = map->ranges[low].end;
    return end >= at + size;
}

static int touches_region(const struct present_map *map, addr_t at, size_t size)
{
    size_t region = remote_regions_index(map->regions, at);
    return region < map->regions->count && map->regions->items[region].start < at + size;
}

int present_map_may_read(const struct present_map *map, addr_t at, size_t size)
{
    struct remote_range found;
    addr_t next;
    if (at + size < at)
        return 0;
    if (touches_region(map, at, size))
        return present_map_has(map, at, size);
    return remote_present_data(map->remote, at, at + size, &found, 1, &next) == 1 &&
           found.start <= at && found.end >= at + size;
}

int present_map_read(const struct present_map *map, addr_t at, void *to, size_t size)
{
    if (at + size < at)
        return 0;
    if (!touches_region(map, at, size))
        return remote_read_quietly(map->remote, at, to, size) == STATUS_OK;
    return present_map_has(map, at, size) && remote_read(map->remote, at, to, size) == STATUS_OK;
}

int present_map_now(const struct present_map *map, uint32_t region, addr_t start, addr_t end,
                    struct remote_range *ret)
{
    addr_t next;
    return is_data(&map->regions->items[region])
               ? remote_present_data(map->remote, start, end, ret, 1, &next) == 1
               : remote_present(map->remote, start, end, ret, 1, &next) == 1;
}
