#include "type_search.h"

#include "attributes.h"
#include "pymalloc.h"

enum {
    ASK_MAX = 1024,      /* addresses that are asked about at once .. */
    ASK_BYTES = 1 << 16, /* .. and where they are looked for */
    ASK_SEEN = 512,
};

/* 0 or 1: whether a pool is at `at`; else that is not known. */
static addr_t is_pool(const struct sweep *sweep, addr_t at)
{
    return sweep->pools[(at >> sweep->pool_shift) % SWEEP_POOLS] - at;
}

static addr_t pool_of(const struct sweep *sweep, addr_t at)
{
    return at & ~(addr_t)(sweep->layout->pool_bytes - 1);
}

/* Could a type be there? What is at hand decides at once; 1 when the process must be asked. */
static int may_be_type(struct sweep *sweep, addr_t at)
{
    addr_t offset = at - sweep->chunk_at;
    if (at % 8 || at < REMOTE_PAGE_BYTES || at >> 47 || type_table_is_miss(sweep->types, at))
        return 0;
    if (offset < sweep->chunk_size && sweep->chunk_size - offset >= TYPE_FRONT_BYTES)
        return type_table_may_be_type(sweep->chunk + offset);
    return is_pool(sweep, pool_of(sweep, at)) != 1;
}

static void note_pool(void *user, const struct far_place *place, const uint8_t *bytes)
{
    struct sweep *sweep = user;
    struct pymalloc_pool found;
    type_search_note_pool(sweep, place->at,
                          pymalloc_is_pool(sweep->layout, place->at, bytes, &found));
}

static void note_front(void *user, const struct far_place *place, const uint8_t *bytes)
{
    struct sweep *sweep = user;
    if (!type_table_may_be_type(bytes))
        type_table_miss(sweep->types, place->at);
}

/* The types of chunk[from..to) that are not known, at most ASK_MAX, most of them once. *ret_next:
 * how far it looked. */
static size_t find_unknown(struct sweep *sweep, size_t from, size_t to, size_t stride,
                           struct far_place *ret, size_t *ret_next)
{
    uint64_t mask = sweep->layout->refcount_mask;
    addr_t seen[ASK_SEEN] = {0};
    size_t count = 0, at = from;
    for (; at < to && count < ASK_MAX; at += stride) {
        addr_t type = word_at(sweep->chunk + at, OBJECT_TYPE);
        addr_t *place = &seen[type_table_hash(sweep->types, type) % ASK_SEEN];
        if ((word_at(sweep->chunk + at, OBJECT_REFCOUNT) & mask) - 1 >= COUNT_MAX || *place == type)
            continue;
        *place = type;
        if (!type_table_find(sweep->types, type) && may_be_type(sweep, type))
            ret[count++] = (struct far_place){.at = type, .size = TYPE_FLAGS + 8};
    }
    *ret_next = at;
    return count;
}

/* Learn whether they lie in pools. Returns how many do not. */
static size_t ask_pools(struct sweep *sweep, struct far_place *places, size_t count)
{
    struct far_place heads[ASK_MAX];
    size_t head_count = 0, kept = 0;
    for (size_t i = 0; i < count; i++) {
        addr_t at = pool_of(sweep, places[i].at);
        if (is_pool(sweep, at) <= 1)
            continue;
        type_search_note_pool(sweep, at, 0);
        heads[head_count++] = (struct far_place){.at = at, .size = POOL_HEAD_BYTES};
    }
    if (head_count && type_table_may_ask(sweep->types, head_count))
        far_read(sweep->asked, heads, head_count, note_pool, sweep);
    for (size_t i = 0; i < count; i++) {
        if (may_be_type(sweep, places[i].at))
            places[kept++] = places[i];
    }
    return kept;
}

/*
 * A type that is not known is asked for, and most often there is none: a large dict with int keys
 * is full of pairs (hash, pointer) that look like (count, type). So the process is asked at once
 * about all that follow: first where the pools of small objects are, then what lies elsewhere, then
 * about what may be types. Returns how far it looked.
 */
static size_t ask_ahead(struct sweep *sweep, size_t from, size_t stride)
{
    struct far_place places[ASK_MAX];
    addr_t types[ASK_MAX];
    size_t next, kept = 0, to = sweep->chunk_size - OBJECT_BYTES + 1;
    if (to - from > ASK_BYTES)
        to = from + ASK_BYTES;
    size_t count = find_unknown(sweep, from, to, stride, places, &next);
    count = ask_pools(sweep, places, count);
    if (count > 1 && type_table_may_ask(sweep->types, count))
        far_read(sweep->asked, places, count, note_front, sweep);
    for (size_t i = 0; i < count; i++) {
        if (may_be_type(sweep, places[i].at))
            types[kept++] = places[i].at;
    }
    type_table_probe_all(sweep->types, types, kept);
    return next;
}

struct type_entry *type_search_further(struct sweep *sweep, size_t at, size_t stride)
{
    addr_t type = word_at(sweep->chunk + at, OBJECT_TYPE);
    if (!may_be_type(sweep, type))
        return NULL;
    if (at >= sweep->asked_to) {
        sweep->asked_to = ask_ahead(sweep, at, stride);
        struct type_entry *entry = type_table_find(sweep->types, type);
        if (entry)
            return entry;
    }
    return may_be_type(sweep, type) ? type_table_probe(sweep->types, type) : NULL;
}
