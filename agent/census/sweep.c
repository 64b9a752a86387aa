/*
 *   ... | next prev |  count type ............ | next prev | count type ...
 *         GC head      ^ 16-byte aligned  ^ jump behind it
 */
#include "sweep.h"

#include "attributes.h"
#include "count.h"
#include "data_stack.h"
#include "pool_scan.h"
#include "pymalloc.h"
#include "type_search.h"
#include "words.h"

enum {
    QUICK_COUNTS_BELOW = 1 << 16, /* no mapping begins below */
    STRIDE_HEAP = 16,             /* malloc and pymalloc align to this */
    STRIDE_STATIC = 8,            /* static objects lie inside larger structs */
    SHIFT_BYTES = 128 << 10,      /* less than what malloc gives a mapping of its own */
};

/* Whatever lies at chunk[from..to). Returns where to go on, which may be behind `to`. */
static size_t scan_plain(struct sweep *sweep, size_t from, size_t to, size_t stride)
{
    const uint8_t *chunk = sweep->chunk;
    uint64_t mask = sweep->layout->refcount_mask;
    size_t at = from;
    while (at < to) {
        if ((word_at(chunk + at, OBJECT_REFCOUNT) & mask) - 1 >= COUNT_MAX) {
            at += stride;
            continue;
        }
        struct type_entry *entry = type_search(sweep, at, stride);
        uint64_t extent =
            entry ? count_object(sweep, entry, sweep->chunk_at + at, chunk + at, UINT64_MAX) : 0;
        at += extent ? round_up(extent, stride) : stride;
    }
    return at;
}

/* The interpreter's frames at chunk[at], a page: their size, or 0. */
static size_t stack_at(const struct sweep *sweep, size_t at)
{
    if (sweep->layout->frame_rule != FRAME_INTERPRETER ||
        at + DATA_STACK_HEAD_BYTES > sweep->chunk_size)
        return 0;
    return data_stack_chunk_bytes(sweep->chunk + at);
}

/* Outside of pools: page by page, as frames begin with one. Returns where to go on. */
static size_t scan_pages(struct sweep *sweep, size_t from, size_t to, size_t stride)
{
    size_t at = from;
    while (at < to) {
        size_t in_page = (size_t)((sweep->chunk_at + at) % REMOTE_PAGE_BYTES);
        size_t frames = in_page == 0 ? stack_at(sweep, at) : 0;
        size_t next = at - in_page + REMOTE_PAGE_BYTES;
        at = frames ? at + frames : scan_plain(sweep, at, next < to ? next : to, stride);
    }
    return at;
}

/* Look at chunk[from..to), where an object header may start: pool by pool where there are such,
 * plainly elsewhere. Returns where to go on. */
static size_t scan(struct sweep *sweep, size_t from, size_t to)
{
    size_t pool_bytes = sweep->layout->pool_bytes, at = from;
    size_t stride = sweep->is_static ? STRIDE_STATIC : STRIDE_HEAP;
    if (sweep->is_file || (sweep->without_pools && !sweep->is_stack))
        return scan_plain(sweep, from, to, stride);
    while (at < to) {
        struct pymalloc_pool pool;
        addr_t address = sweep->chunk_at + at;
        size_t next = at + pool_bytes - (size_t)(address % pool_bytes);
        if (address % pool_bytes == 0 && at + POOL_HEAD_BYTES <= sweep->chunk_size &&
            pymalloc_is_pool(sweep->layout, address, sweep->chunk + at, &pool)) {
            type_search_note_pool(sweep, address, 1);
            pool_scan(sweep, at, &pool);
            at = next;
        } else if (sweep->is_stack) { /* an arena may be merged with it, but stale words are no
                                         objects */
            at = next;
        } else {
            at = scan_pages(sweep, at, next < to ? next : to, stride);
        }
    }
    return at;
}

/* What went of an object that was counted already leaves nothing missing. */
static void note_gone(struct sweep *sweep, addr_t start, addr_t end)
{
    if (sweep->behind > start)
        start = sweep->behind;
    if (start < end)
        sweep->gone_bytes += end - start;
}

/* A page could not be read: is it still there, or did it vanish meanwhile? */
static void note_lost(struct sweep *sweep, addr_t start, addr_t end)
{
    struct remote_range found[16];
    addr_t next = start;
    uint64_t there = 0;
    while (next < end && remote_state(sweep->present->remote) == STATUS_OK) {
        size_t count =
            remote_present(sweep->present->remote, next, end, found, ARRAY_SIZE(found), &next);
        for (size_t i = 0; i < count; i++)
            there += found[i].end - found[i].start;
    }
    sweep->lost_bytes += there;
    if (there == 0)
        note_gone(sweep, start, end);
}

/* Scan the chunk; headers near its end wait for the next one unless it is the last. Returns how
 * many bytes at its end are not yet done with. */
static size_t scan_chunk(struct sweep *sweep, int is_last)
{
    size_t to = sweep->chunk_size - SWEEP_AHEAD_BYTES, kept = SWEEP_AHEAD_BYTES;
    if (is_last) {
        memset(sweep->chunk + sweep->chunk_size, 0, SWEEP_AHEAD_BYTES);
        to = sweep->chunk_size - OBJECT_BYTES + 1;
        kept = 0;
    }
    size_t from = sweep->behind > sweep->chunk_at ? (size_t)(sweep->behind - sweep->chunk_at) : 0;
    sweep->behind = sweep->chunk_at + scan(sweep, from, to);
    return kept;
}

/* Bytes at..end into the chunk behind `kept` bytes that are there already; what vanished in the
 * middle cuts it short. */
static size_t read_chunk(struct sweep *sweep, addr_t at, addr_t end, size_t kept)
{
    struct remote_range piece = {at, end};
    size_t got = remote_gather(sweep->present->remote, &piece, 1, sweep->chunk + kept);
    got &= ~(size_t)(REMOTE_PAGE_BYTES - 1);
    sweep->read_bytes += got;
    sweep->types->asks_left += got >> TYPE_ASKS_SHIFT;
    sweep->chunk_at = at - kept;
    sweep->chunk_size = kept + got;
    sweep->asked_to = 0;
    return got;
}

static void enter_region(struct sweep *sweep, const struct present_range *range)
{
    const struct remote_region *region = &sweep->present->regions->items[range->region];
    sweep->is_static = (region->flags & (REMOTE_FILE | REMOTE_BSS)) != 0;
    sweep->is_file = (region->flags & REMOTE_FILE) != 0;
    sweep->has_odd_counts = sweep->is_file || sweep->low_count > 0;
    int is_low = region->start <= COUNT_MAX;
    sweep->quick_below = sweep->is_file || is_low ? 0
                         : sweep->low_count > 0   ? QUICK_COUNTS_BELOW
                                                  : (uint64_t)COUNT_MAX + 1;
    sweep->is_stack = (region->flags & REMOTE_STACK) != 0;
    sweep->kept = 0;
    memset(sweep->lead, 0, SWEEP_LEAD_BYTES);
}

/*
 * What of at..*end is present now, if the map is so old that it may not tell: the first stretch.
 * Returns its begin, and its end in *end; the begin is *end when nothing is left.
 */
static addr_t look_again(const struct sweep *sweep, const struct present_range *range, addr_t at,
                         addr_t *end)
{
    struct remote_range found;
    if (!sweep->is_map_old)
        return at;
    if (!present_map_now(sweep->present, range->region, at, *end, &found))
        return *end;
    *end = found.end;
    return found.start;
}

/* What the `size` bytes at `at`, at the end of the chunk, say of free blocks of malloc. */
static void walk_malloc(struct sweep *sweep, const struct present_range *range, addr_t at,
                        size_t size)
{
    const struct remote_region *region = &sweep->present->regions->items[range->region];
    const uint8_t *bytes = sweep->chunk + sweep->chunk_size - size;
    if (sweep->region != range->region && at == region->start)
        malloc_walk_begin(&sweep->malloc, region, bytes, size);
    else if (sweep->region != range->region)
        sweep->malloc.next = 0;
    sweep->region = range->region;
    malloc_walk_feed(&sweep->malloc, at, bytes, size);
}

/* One chunk of a stretch of present memory, from sweep->at on. */
static void sweep_chunk(struct sweep *sweep, const struct present_range *range)
{
    addr_t unit_end = (sweep->at & ~(addr_t)(SWEEP_CHUNK_BYTES - 1)) + SWEEP_CHUNK_BYTES;
    unit_end = unit_end < range->end ? unit_end : range->end;
    addr_t end = unit_end, at = look_again(sweep, range, sweep->at, &end);
    if (at != sweep->at) { /* what was there has gone */
        note_gone(sweep, sweep->at, at);
        enter_region(sweep, range);
        sweep->at = at;
        return;
    }
    size_t got = read_chunk(sweep, at, end, sweep->kept), kept = 0;
    walk_malloc(sweep, range, at, got);
    int is_last = at + got < unit_end || end == range->end;
    if (sweep->chunk_size)
        kept = scan_chunk(sweep, is_last);
    if (at + got < end) {
        note_lost(sweep, at + got, at + got + REMOTE_PAGE_BYTES);
        enter_region(sweep, range);
        sweep->at = at + got + REMOTE_PAGE_BYTES; /* behind the page that cannot be read */
        return;
    }
    sweep->at = end;
    memmove(sweep->lead, sweep->chunk + sweep->chunk_size - kept - SWEEP_LEAD_BYTES,
            SWEEP_LEAD_BYTES + kept);
    sweep->kept = kept;
}

/* Where the mapping of `at` begins that a program writes to now; `otherwise` if there is none. */
static addr_t region_begin_now(struct sweep *sweep, addr_t at, addr_t otherwise)
{
    struct remote_regions now = {0};
    const struct remote_region *found = NULL;
    if (sweep->maps_asks++ < SWEEP_MAPS_ASKS &&
        remote_regions(sweep->present->remote, &now, NULL) == STATUS_OK)
        found = remote_regions_find(&now, at);
    addr_t begin = found ? found->start : otherwise;
    remote_regions_done(&now);
    return begin;
}

/*
 * Where to begin with a range. What is larger than what it replaces may lie in the same hole from a
 * few pages below on: its header is where nothing was when the map was made.
 */
static addr_t find_begin(struct sweep *sweep, const struct present_range *range)
{
    const struct remote_regions *regions = sweep->present->regions;
    const struct remote_region *region = &regions->items[range->region];
    addr_t low = region->start > SHIFT_BYTES ? region->start - SHIFT_BYTES : 0, next = low;
    struct remote_range found[16];
    if (!sweep->is_map_old || range->start != region->start || (region->flags & REMOTE_FILE))
        return range->start;
    if (range->region > 0 && regions->items[range->region - 1].end > low)
        next = regions->items[range->region - 1].end;
    addr_t begin = range->start;
    while (next < range->start) {
        size_t count = remote_present(sweep->present->remote, next, range->start, found,
                                      ARRAY_SIZE(found), &next);
        if (count > 0 && found[count - 1].end == range->start)
            begin = found[count - 1].start;
    }
    if (begin == range->start)
        return begin;
    addr_t least = region_begin_now(sweep, range->start - 1, range->start);
    begin = begin > least ? begin : least;
    if (begin < range->start)
        sweep->lower[sweep->lower_count++] = (struct sweep_lower){range->region, begin};
    return begin;
}

/* To the first range that is not done with. */
static const struct present_range *find_range(struct sweep *sweep)
{
    const struct present_map *present = sweep->present;
    for (; sweep->range < present->count; sweep->range++, sweep->at = 0) {
        const struct present_range *range = &present->ranges[sweep->range];
        if (sweep->behind >= range->end || sweep->at >= range->end)
            continue;
        if (sweep->at == 0) {
            sweep->at = find_begin(sweep, range);
            enter_region(sweep, range);
        }
        return range;
    }
    return NULL;
}

int sweep_step(struct sweep *sweep)
{
    const struct present_range *range = find_range(sweep);
    if (!range || remote_state(sweep->present->remote) != STATUS_OK)
        return 0;
    if (sweep->behind >= sweep->at + SWEEP_CHUNK_BYTES) { /* inside of a large object */
        enter_region(sweep, range);
        sweep->at = sweep->behind & ~(addr_t)(REMOTE_PAGE_BYTES - 1);
    }
    sweep_chunk(sweep, range);
    return 1;
}

void sweep_restart(struct sweep *sweep)
{
    sweep->range = 0;
    sweep->at = 0;
}

/* Memory that went meanwhile counts for the limit still: what lies in it was measured by it. */
static void learn_regions(struct sweep *sweep)
{
    const struct remote_regions *regions = sweep->present->regions;
    uint64_t bytes = 0;
    sweep->low_count = 0;
    for (size_t i = 0; i < regions->count; i++) {
        const struct remote_region *region = &regions->items[i];
        bytes += region->end - region->start;
        if (region->start <= COUNT_MAX && sweep->low_count < SWEEP_LOW_RANGES)
            sweep->low[sweep->low_count++] = (struct remote_range){region->start, region->end};
    }
    sweep->limit_bytes = bytes > sweep->limit_bytes ? bytes : sweep->limit_bytes;
    sweep->late->limit_bytes = sweep->limit_bytes;
    sweep->region = UINT32_MAX;
}

void sweep_extend_regions(const struct sweep *sweep, struct remote_regions *regions)
{
    for (uint32_t i = 0; i < sweep->lower_count; i++)
        regions->items[sweep->lower[i].region].start = sweep->lower[i].begin;
}

void sweep_restart_elsewhere(struct sweep *sweep)
{
    learn_regions(sweep);
    sweep_restart(sweep);
    sweep->behind = 0;
}

/* Up to a page more is read, so that what begins before `to` can be measured. */
void sweep_piece(struct sweep *sweep, size_t range_index, addr_t from, addr_t to)
{
    const struct present_range *range = &sweep->present->ranges[range_index];
    addr_t end = range->end - to < REMOTE_PAGE_BYTES ? range->end : to + REMOTE_PAGE_BYTES;
    enter_region(sweep, range);
    sweep->behind = from;
    for (addr_t at = from; at < to && remote_state(sweep->present->remote) == STATUS_OK;) {
        addr_t stop = end, start = look_again(sweep, range, at, &stop);
        size_t got = start < to ? read_chunk(sweep, start, stop, 0) : 0;
        size_t limit = start < to ? (size_t)(to - start) : 0,
               most = got ? got - OBJECT_BYTES + 1 : 0;
        memset(sweep->chunk + sweep->chunk_size, 0, SWEEP_AHEAD_BYTES);
        (void)scan(sweep, 0, limit < most ? limit : most);
        at = start + got;
        if (at < stop && at < to) {
            note_lost(sweep, at, at + REMOTE_PAGE_BYTES);
            at += REMOTE_PAGE_BYTES;
        }
    }
}

void sweep_init(struct sweep *sweep, struct type_table *types, const struct present_map *present,
                struct late_sizes *late)
{
    *sweep =
        (struct sweep){.types = types, .present = present, .late = late, .layout = types->layout};
    size_t size = SWEEP_LEAD_BYTES + SWEEP_AHEAD_BYTES + SWEEP_CHUNK_BYTES + REMOTE_PAGE_BYTES +
                  SWEEP_AHEAD_BYTES;
    sweep->lead = malloc(size);
    sweep->asked = calloc(1, sizeof(*sweep->asked));
    ASSERT(sweep->lead && sweep->asked);
    sweep->asked->present = present;
    sweep->chunk = sweep->lead + SWEEP_LEAD_BYTES;
    sweep->pool_shift = (unsigned)__builtin_ctz(sweep->layout->pool_bytes);
    sweep->malloc.present = present;
    learn_regions(sweep);
}

void sweep_done(struct sweep *sweep)
{
    free(sweep->asked);
    free(sweep->lead);
    sweep->asked = NULL;
    sweep->lead = NULL;
}
