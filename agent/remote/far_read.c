#include "far_read.h"

#include "attributes.h"

enum {
    GAP_BYTES = 2048, /* copying this much costs less than one more range */
    RANGE_BYTES_MAX = 32768,
};

static int by_address(const void *left, const void *right)
{
    addr_t a = ((const struct far_place *)left)->at, b = ((const struct far_place *)right)->at;
    return a < b ? -1 : a > b;
}

static size_t drop_absent(const struct far_reader *reader, struct far_place *places, size_t count)
{
    size_t kept = 0, hint = 0;
    for (size_t i = 0; i < count; i++) {
        if (present_map_has_near(reader->present, places[i].at, places[i].size, &hint))
            places[kept++] = places[i];
    }
    return kept;
}

/* The places that lie in ranges[0..count-1], of which the first `got` bytes were read. Returns the
 * number of ranges that are done with; `place` goes on. */
static size_t tell(const struct far_reader *reader, const struct remote_range *ranges, size_t count,
                   size_t got, const struct far_place **place, const struct far_place *end,
                   far_fn *fn, void *user)
{
    size_t offset = 0;
    for (size_t i = 0; i < count; i++) {
        size_t size = (size_t)(ranges[i].end - ranges[i].start);
        int whole = offset + size <= got;
        for (; *place < end && (*place)->at < ranges[i].end; (*place)++) {
            if (whole)
                fn(user, *place, reader->bytes + offset + ((*place)->at - ranges[i].start));
        }
        if (!whole)
            return i + 1;
        offset += size;
    }
    return count;
}

/* As many places as fit into one call; returns those behind them. */
static const struct far_place *plan(const struct far_place *place, const struct far_place *end,
                                    struct remote_range *ranges, size_t *ret_count)
{
    size_t count = 0, bytes = 0;
    for (; place < end; place++) {
        addr_t place_end = place->at + place->size;
        struct remote_range *last = count ? &ranges[count - 1] : NULL;
        if (last && place->at <= last->end + GAP_BYTES &&
            place->at - last->start < RANGE_BYTES_MAX) {
            bytes += place_end > last->end ? (size_t)(place_end - last->end) : 0;
            last->end = place_end > last->end ? place_end : last->end;
            continue;
        }
        if (count == REMOTE_GATHER_MAX || bytes + RANGE_BYTES_MAX + FAR_PLACE_BYTES_MAX > FAR_BYTES)
            break;
        ranges[count++] = (struct remote_range){place->at, place_end};
        bytes += place->size;
    }
    *ret_count = count;
    return place;
}

void far_read(struct far_reader *reader, struct far_place *places, size_t count, far_fn *fn,
              void *user)
{
    struct remote_range ranges[REMOTE_GATHER_MAX];
    count = drop_absent(reader, places, count);
    qsort(places, count, sizeof(places[0]), by_address);
    const struct far_place *place = places, *end = places + count;
    while (place < end) {
        size_t range_count, done = 0;
        const struct far_place *next = plan(place, end, ranges, &range_count);
        while (done < range_count) {
            size_t got = remote_gather(reader->present->remote, ranges + done, range_count - done,
                                       reader->bytes);
            reader->read_bytes += got;
            done += tell(reader, ranges + done, range_count - done, got, &place, next, fn, user);
        }
        place = next;
    }
}
