/*
 * A ring of slots in order of sequence, so that a reader's place is found by bisection. Each has
 * its own block of bytes, or its place on the disk.
 */
#include "spool.h"

#include <stdlib.h>
#include <string.h>

#include "spool_disk.h"

enum { SLOTS_MIN = 64 };
#define SIZE_MASK 0x7fffffffu

struct slot {
    uint64_t sequence;
    union {
        uint8_t *data;
        struct disk_place place;
    };
    uint32_t size : 31, on_disk : 1;
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

    struct spool_disk *disk; /* NULL: memory alone */
    uint32_t prepared;       /* the segment that the next fact goes to; 0: memory */
    int failing;             /* the last write did */
    void (*changed)(void *user, const char *reason);
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
    if (slot->on_disk) {
        spool_disk_forget(spool->disk, slot->place.segment);
    } else {
        spool->bytes -= cost_of(slot->size);
        free(slot->data);
    }
    spool->first = (spool->first + 1) & (spool->capacity - 1);
    spool->count--;
}

void spool_free(struct spool *spool)
{
    if (spool == NULL)
        return;
    for (size_t i = 0; i < spool->count; i++) {
        if (!slot_at(spool, i)->on_disk)
            free(slot_at(spool, i)->data);
    }
    spool_disk_close(spool->disk);
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

static void push(struct spool *spool, const struct slot *slot)
{
    if (spool->count == spool->capacity)
        grow(spool);
    *slot_at(spool, spool->count) = *slot;
    spool->count++;
    spool->last_sequence = slot->sequence;
}

static struct spool_fact fact_of(const struct slot *slot)
{
    return (struct spool_fact){
        .sequence = slot->sequence,
        .process = slot->process,
        .data = slot->on_disk ? NULL : slot->data,
        .size = slot->size,
    };
}

static void lose_first(struct spool *spool)
{
    struct spool_fact oldest = fact_of(slot_at(spool, 0));
    spool->lost(spool->user, &oldest);
    drop_first(spool);
}

/* ---- what former runs left ------------------------------------------------------------------ */

struct restoring {
    struct spool *spool;
    const struct spool_folder *folder;
    struct spool_restored *restored;
};

static void take_frame(const struct restoring *restoring, const struct segment_header *header,
                       const struct segment_frame *frame, size_t offset)
{
    struct spool *spool = restoring->spool;
    int is_fact = frame->sequence != 0;
    int in_order = !is_fact || frame->sequence > spool->last_sequence;
    int taken = in_order && restoring->folder->restore(spool->user, header->run, frame);
    restoring->restored->refused += is_fact && !taken;
    if (!is_fact || !taken)
        return;
    const struct slot slot = {.sequence = frame->sequence,
                              .place = {header->number, (uint32_t)offset},
                              .size = frame->size & SIZE_MASK,
                              .on_disk = 1,
                              .process = frame->process};
    push(spool, &slot);
    restoring->restored->facts++;
}

/* Frames up to the first that cannot be read. */
static void take_segment(const struct restoring *restoring, const struct segment_header *header,
                         const struct buf *bytes)
{
    size_t offset = SEGMENT_HEADER_BYTES, at = offset;
    struct segment_frame frame;
    while (segment_next(header, bytes->data, bytes->size, &offset, &frame)) {
        take_frame(restoring, header, &frame, at);
        at = offset;
    }
    if (offset == bytes->size)
        return;
    restoring->restored->lost_bytes += bytes->size - offset;
    if (restoring->restored->why.text[0] == '\0')
        why_set(&restoring->restored->why, "%08x.spool is damaged from byte %zu on", header->number,
                offset);
}

/* How many facts of segment i are ours to send; -1: it is not ours. */
static int64_t restore_segment(const struct restoring *restoring, size_t i, struct buf *bytes)
{
    struct spool *spool = restoring->spool;
    size_t before = spool->count;
    struct segment_header header;
    struct why why = {""};
    enum status status = spool_disk_load(spool->disk, i, &header, bytes, &why);
    if (status == STATUS_OK)
        take_segment(restoring, &header, bytes);
    else if (restoring->restored->why.text[0] == '\0' && bytes->size > 0)
        restoring->restored->why = why;
    if (status == STATUS_INVALID)
        restoring->restored->lost_bytes += bytes->size;
    return status == STATUS_OK || status == STATUS_INVALID ? (int64_t)(spool->count - before) : -1;
}

/* The oldest segment goes, and what lies in memory from before it. */
static void lose_segment(struct spool *spool, uint32_t segment)
{
    size_t count = spool->count;
    while (count > 0 && !(slot_at(spool, count - 1)->on_disk &&
                          slot_at(spool, count - 1)->place.segment == segment))
        count--;
    ASSERT(count > 0);
    while (count-- > 0)
        lose_first(spool);
}

static void make_room(struct spool *spool, size_t size)
{
    uint32_t oldest = spool_disk_oldest(spool->disk);
    while (spool_disk_is_full(spool->disk, size) && oldest != 0) {
        lose_segment(spool, oldest);
        oldest = spool_disk_oldest(spool->disk);
    }
}

enum status spool_use_folder(struct spool *spool, const struct spool_folder *folder,
                             struct spool_restored *ret, struct why *why)
{
    ASSERT(spool->count == 0 && spool->disk == NULL);
    *ret = (struct spool_restored){.facts = 0};
    enum status status =
        spool_disk_open(folder->path, folder->limit_bytes, folder->run, &spool->disk, why);
    if (status != STATUS_OK)
        return status;
    spool->changed = folder->changed;
    const struct restoring restoring = {spool, folder, ret};
    struct buf bytes = BUF_INIT;
    for (size_t i = 0; i < spool_disk_segments(spool->disk); i++)
        spool_disk_adopt(spool->disk, i, restore_segment(&restoring, i, &bytes));
    buf_done(&bytes);
    spool_disk_settle(spool->disk);
    make_room(spool, 0);
    return STATUS_OK;
}

/* ---- appending ------------------------------------------------------------------------------ */

uint32_t spool_prepare(struct spool *spool)
{
    spool->prepared = spool->disk == NULL ? 0 : spool_disk_prepare(spool->disk);
    return spool->prepared;
}

void spool_note(struct spool *spool, uint32_t process, const void *data, size_t size)
{
    ASSERT(spool->prepared != 0);
    spool_disk_note(spool->disk, process, data, size);
}

static void tell(struct spool *spool, const char *reason)
{
    int failing = reason != NULL;
    if (failing != spool->failing && spool->changed != NULL)
        spool->changed(spool->user, reason);
    spool->failing = failing;
}

/* 0: it has to lie in memory. */
static int append_to_disk(struct spool *spool, const struct spool_fact *fact)
{
    if (spool->prepared == 0)
        return 0;
    struct slot slot = {.sequence = fact->sequence,
                        .size = (uint32_t)fact->size & SIZE_MASK,
                        .on_disk = 1,
                        .process = fact->process};
    const struct segment_frame frame = {fact->process, fact->sequence, fact->data,
                                        (uint32_t)fact->size};
    struct why why = {""};
    make_room(spool, fact->size);
    enum status status = spool_disk_write(spool->disk, &frame, &slot.place, &why);
    if (status == STATUS_OK)
        push(spool, &slot);
    else
        spool->prepared = 0;
    tell(spool, status == STATUS_OK ? NULL : why.text);
    return status == STATUS_OK;
}

/* Oldest first; what lies on the disk goes by whole segments, and makes room there too. */
static void lose_oldest(struct spool *spool)
{
    const struct slot *oldest = slot_at(spool, 0);
    if (oldest->on_disk)
        lose_segment(spool, oldest->place.segment);
    else
        lose_first(spool);
}

static void append_to_memory(struct spool *spool, const struct spool_fact *fact)
{
    struct slot slot = {.sequence = fact->sequence,
                        .size = (uint32_t)fact->size & SIZE_MASK,
                        .process = fact->process};
    while (spool->bytes > 0 && spool->bytes + cost_of(fact->size) > spool->limit_bytes)
        lose_oldest(spool);
    if (cost_of(fact->size) > spool->limit_bytes) {
        spool_lose_through(spool, UINT64_MAX);
        spool->last_sequence = fact->sequence;
        spool->lost(spool->user, fact);
        return;
    }
    slot.data = malloc(fact->size + 1);
    ASSERT(slot.data != NULL);
    memcpy(slot.data, fact->data, fact->size);
    push(spool, &slot);
    spool->bytes += cost_of(fact->size);
}

void spool_append(struct spool *spool, uint64_t sequence, uint32_t process, const void *data,
                  size_t size)
{
    ASSERT(sequence > spool->last_sequence);
    ASSERT(size <= INT32_MAX);
    const struct spool_fact fact = {sequence, process, data, size};
    if (!append_to_disk(spool, &fact))
        append_to_memory(spool, &fact);
}

/* ---- reading and leaving -------------------------------------------------------------------- */

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

int spool_load(struct spool *spool, struct spool_fact *fact)
{
    if (fact->data != NULL)
        return 1;
    size_t place = place_after(spool, fact->sequence - 1);
    ASSERT(place < spool->count && slot_at(spool, place)->sequence == fact->sequence);
    const struct slot *slot = slot_at(spool, place);
    struct segment_frame frame;
    if (!slot->on_disk || !spool_disk_read(spool->disk, &slot->place, slot->size, &frame) ||
        frame.sequence != slot->sequence || frame.process != slot->process)
        return 0;
    fact->data = frame.data;
    return 1;
}

void spool_drop_through(struct spool *spool, uint64_t sequence)
{
    while (spool->count > 0 && slot_at(spool, 0)->sequence <= sequence)
        drop_first(spool);
}

void spool_lose_through(struct spool *spool, uint64_t sequence)
{
    while (spool->count > 0 && slot_at(spool, 0)->sequence <= sequence)
        lose_first(spool);
}

size_t spool_count(const struct spool *spool)
{
    return spool->count;
}

size_t spool_bytes(const struct spool *spool)
{
    return spool->bytes;
}

uint64_t spool_disk_used(const struct spool *spool)
{
    return spool->disk == NULL ? 0 : spool_disk_bytes(spool->disk);
}

uint64_t spool_last_sequence(const struct spool *spool)
{
    return spool->last_sequence;
}
