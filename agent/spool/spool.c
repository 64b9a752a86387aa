/*
 * A ring of slots, each with its own block of bytes. The slots are in order of sequence, so that a
 * reader's place is found by bisection.
 */
#include "spool.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS_MIN = 64 };

struct slot {
    uint64_t sequence;
    uint8_t *data;
    uint32_t size;
    uint32_t process;
};

struct spool {
    struct slot *slots;
    size_t capacity; /* a power of two */
    size_t first;    /* index of the oldest */
    size_t count;
    size_t bytes;
    size_t limit_bytes;
    uint64_t last_sequence; /* of all times */
    spool_lost_fn *lost;
    void *user;
};

static struct slot *slot_at(const struct spool *spool, size_t place)
{
    return &spool->slots[(spool->first + place) & (spool->capacity - 1)];
}

static size_t cost_of(size_t size)
{
    return size + sizeof(struct slot) + 2 * sizeof(void *); /* malloc's share included */
}

struct spool *spool_new(size_t limit_bytes, spool_lost_fn *lost, void *user)
{
    struct spool *spool = calloc(1, sizeof(*spool));
    ASSERT(spool != NULL);
    spool->capacity = SLOTS_MIN;
    spool->slots = calloc(spool->capacity, sizeof(*spool->slots));
    ASSERT(spool->slots != NULL);
    spool->limit_bytes = limit_bytes;
    spool->lost = lost;
    spool->user = user;
    return spool;
}

static void drop_first(struct spool *spool)
{
    struct slot *slot = slot_at(spool, 0);
    spool->bytes -= cost_of(slot->size);
    free(slot->data);
    spool->first = (spool->first + 1) & (spool->capacity - 1);
    spool->count--;
}

void spool_free(struct spool *spool)
{
    if (spool == NULL)
        return;
    while (spool->count > 0)
        drop_first(spool);
    free(spool->slots);
    free(spool);
}

static void grow(struct spool *spool)
{
    size_t capacity = spool->capacity * 2;
    ASSERT(capacity >= SLOTS_MIN);
    struct slot *slots = calloc(capacity, sizeof(*slots));
    ASSERT(slots != NULL);
    for (size_t i = 0; i < spool->count; i++)
        slots[i] = *slot_at(spool, i);
    free(spool->slots);
    spool->slots = slots;
    spool->capacity = capacity;
    spool->first = 0;
}

static struct spool_fact fact_of(const struct slot *slot)
{
    return (struct spool_fact){
        .sequence = slot->sequence,
        .process = slot->process,
        .data = slot->data,
        .size = slot->size,
    };
}

void spool_append(struct spool *spool, uint64_t sequence, uint32_t process, const void *data,
                  size_t size)
{
    ASSERT(sequence > spool->last_sequence);
    ASSERT(size <= UINT32_MAX);
    spool->last_sequence = sequence;
    while (spool->count > 0 && spool->bytes + cost_of(size) > spool->limit_bytes) {
        struct spool_fact oldest = fact_of(slot_at(spool, 0));
        spool->lost(spool->user, &oldest);
        drop_first(spool);
    }
    if (cost_of(size) > spool->limit_bytes) {
        struct spool_fact fact = {sequence, process, data, size};
        spool->lost(spool->user, &fact);
        return;
    }
    if (spool->count == spool->capacity)
        grow(spool);
    struct slot slot = {.sequence = sequence, .process = process, .size = (uint32_t)size};
    slot.data = malloc(size + 1);
    ASSERT(slot.data != NULL);
    memcpy(slot.data, data, size);
    *slot_at(spool, spool->count) = slot;
    spool->count++;
    spool->bytes += cost_of(size);
}

/* Place of the first slot with a sequence above `after`; count if there is none. */
static size_t place_after(const struct spool *spool, uint64_t after)
{
    size_t low = 0;
    size_t high = spool->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (slot_at(spool, middle)->sequence > after)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

int spool_next(const struct spool *spool, uint64_t after, struct spool_fact *ret)
{
    size_t place = place_after(spool, after);
    if (place == spool->count)
        return 0;
    *ret = fact_of(slot_at(spool, place));
    return 1;
}

void spool_drop_through(struct spool *spool, uint64_t sequence)
{
    while (spool->count > 0 && slot_at(spool, 0)->sequence <= sequence)
        drop_first(spool);
}

size_t spool_count(const struct spool *spool)
{
    return spool->count;
}

size_t spool_bytes(const struct spool *spool)
{
    return spool->bytes;
}
