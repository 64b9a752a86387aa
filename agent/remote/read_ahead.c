#include "read_ahead.h"

#include "attributes.h"

struct read_ahead *read_ahead_new(const struct present_map *present)
{
    struct read_ahead *ahead = malloc(sizeof(*ahead));
    ASSERT(ahead);
    ahead->present = present;
    ahead->read_bytes = 0;
    read_ahead_clear(ahead);
    return ahead;
}

void read_ahead_free(struct read_ahead *ahead)
{
    free(ahead);
}

void read_ahead_clear(struct read_ahead *ahead)
{
    ahead->count = ahead->fetched = ahead->used = 0;
    memset(ahead->slots, 0, sizeof(ahead->slots));
}

/* The slot of the place that begins at `at`, or the free one where it would be. */
static uint32_t find_slot(const struct read_ahead *ahead, addr_t at)
{
    uint32_t slot = (uint32_t)((at >> 3) * UINT64_C(0x9e3779b97f4a7c15) >> 40);
    for (;; slot++) {
        uint16_t found = ahead->slots[slot % ARRAY_SIZE(ahead->slots)];
        if (!found || ahead->places[found - 1].at == at)
            return slot % ARRAY_SIZE(ahead->slots);
    }
}

void read_ahead_want(struct read_ahead *ahead, addr_t at, uint32_t size, int within_page)
{
    uint32_t in_page = (uint32_t)(REMOTE_PAGE_BYTES - at % REMOTE_PAGE_BYTES);
    if (within_page && size > in_page)
        size = in_page;
    uint32_t slot = find_slot(ahead, at);
    if (ahead->slots[slot] || ahead->count == READ_AHEAD_PLACES ||
        size > READ_AHEAD_BYTES - ahead->used || !present_map_may_read(ahead->present, at, size))
        return;
    ahead->places[ahead->count++] =
        (struct read_ahead_place){.at = at, .size = size, .offset = ahead->used};
    ahead->slots[slot] = (uint16_t)ahead->count;
    ahead->used += size;
}

void read_ahead_fetch(struct read_ahead *ahead)
{
    struct remote_range ranges[READ_AHEAD_PLACES];
    while (ahead->fetched < ahead->count) {
        struct read_ahead_place *first = &ahead->places[ahead->fetched];
        uint32_t count = ahead->count - ahead->fetched, here = 0;
        for (uint32_t i = 0; i < count; i++)
            ranges[i] = (struct remote_range){first[i].at, first[i].at + first[i].size};
        size_t got =
            remote_gather(ahead->present->remote, ranges, count, ahead->bytes + first->offset);
        ahead->read_bytes += got;
        for (; here < count && first[here].offset + first[here].size <= first->offset + got; here++)
            first[here].is_here = 1;
        ahead->fetched += here < count ? here + 1 : here; /* without the one that cannot be read */
    }
}

const uint8_t *read_ahead_find(const struct read_ahead *ahead, addr_t at, size_t size)
{
    uint16_t index = ahead->slots[find_slot(ahead, at)];
    const struct read_ahead_place *place = index ? &ahead->places[index - 1] : NULL;
    return place && place->is_here && size <= place->size ? ahead->bytes + place->offset : NULL;
}

int read_ahead_read(struct read_ahead *ahead, addr_t at, size_t offset, void *to, size_t size)
{
    int may_be_here = offset <= READ_AHEAD_BYTES && size <= READ_AHEAD_BYTES;
    const uint8_t *bytes = may_be_here ? read_ahead_find(ahead, at, offset + size) : NULL;
    if (bytes) {
        memcpy(to, bytes + offset, size);
        return 1;
    }
    if (!present_map_read(ahead->present, at + offset, to, size))
        return 0;
    ahead->read_bytes += size;
    return 1;
}
