#include "snapshot_numbers.h"

#include <stddef.h>
#include <string.h>

#include "attributes.h"

/* The fields of struct Snapshot behind each number: 4 or 8 bytes, unsigned but for the time. */
#define FIELD(name)                                                                                \
    {                                                                                              \
        offsetof(Heapfleet__V1__Snapshot, name), sizeof(((Heapfleet__V1__Snapshot *)0)->name)      \
    }

static const struct field {
    size_t offset, size;
} fields[] = {
    FIELD(time_ms),         FIELD(rss_anon_bytes),    FIELD(container_usage_bytes),
    FIELD(cpu_ms),          FIELD(not_objects_bytes), FIELD(pool_bytes),
    FIELD(pool_free_bytes), FIELD(malloc_free_bytes), FIELD(pss_bytes),
    FIELD(census_cpu_us),   FIELD(swap_bytes),        FIELD(container_limit_bytes),
    FIELD(coverage),        FIELD(objects_error),     FIELD(bytes_error),
};

static uint64_t get(const Heapfleet__V1__Snapshot *snapshot, const struct field *field)
{
    const char *at = (const char *)snapshot + field->offset;
    uint32_t narrow = 0;
    uint64_t wide = 0;
    if (field->size == sizeof(wide)) {
        memcpy(&wide, at, sizeof(wide));
        return wide;
    }
    memcpy(&narrow, at, sizeof(narrow));
    return narrow;
}

static void set(Heapfleet__V1__Snapshot *snapshot, const struct field *field, uint64_t value)
{
    char *at = (char *)snapshot + field->offset;
    uint32_t narrow = (uint32_t)value;
    if (field->size == sizeof(value))
        memcpy(at, &value, sizeof(value));
    else
        memcpy(at, &narrow, sizeof(narrow));
}

struct snapshot_numbers snapshot_numbers(uint64_t sequence, const Heapfleet__V1__Snapshot *snapshot)
{
    struct snapshot_numbers ret = {.sequence = sequence};
    _Static_assert(ARRAY_SIZE(fields) == SNAPSHOT_NUMBERS, "as many as the header says");
    for (size_t i = 0; i < SNAPSHOT_NUMBERS; i++)
        ret.of[i] = get(snapshot, &fields[i]);
    return ret;
}

void snapshot_shorten(uint64_t sequence, const struct snapshot_numbers *base,
                      Heapfleet__V1__Snapshot *snapshot, int64_t scratch[SNAPSHOT_NUMBERS])
{
    if (snapshot->base_sequence == 0 || snapshot->base_sequence != base->sequence)
        return;
    for (size_t i = 0; i < SNAPSHOT_NUMBERS; i++) {
        scratch[i] = (int64_t)(get(snapshot, &fields[i]) - base->of[i]);
        set(snapshot, &fields[i], 0);
        if (scratch[i] != 0)
            snapshot->n_changes = i + 1;
    }
    snapshot->changes = scratch;
    snapshot->base_distance = sequence - snapshot->base_sequence;
    snapshot->base_sequence = 0;
}

/* A number said beside the changes, or more changes than there are numbers. */
static int says_twice(const Heapfleet__V1__Snapshot *snapshot)
{
    int twice = snapshot->base_sequence != 0 || snapshot->n_changes > SNAPSHOT_NUMBERS;
    for (size_t i = 0; i < SNAPSHOT_NUMBERS; i++)
        twice |= get(snapshot, &fields[i]) != 0;
    return twice;
}

enum status snapshot_restore(uint64_t sequence, const struct snapshot_numbers *base,
                             Heapfleet__V1__Snapshot *snapshot, struct why *why)
{
    if (snapshot->base_distance == 0 && snapshot->n_changes == 0)
        return STATUS_OK;
    if (snapshot->base_distance == 0 || snapshot->base_distance >= sequence || says_twice(snapshot))
        return why_fail(why, STATUS_INVALID,
                        "it mixes changes of numbers with numbers, or has no base");
    uint64_t base_sequence = sequence - snapshot->base_distance;
    if (base_sequence != base->sequence)
        return why_fail(why, STATUS_GONE,
                        "it changes snapshot %llu, which this stream did not carry last",
                        (unsigned long long)base_sequence);
    struct snapshot_numbers now = *base;
    for (size_t i = 0; i < SNAPSHOT_NUMBERS; i++) {
        if (i < snapshot->n_changes)
            now.of[i] += (uint64_t)snapshot->changes[i];
        if (fields[i].size < sizeof(now.of[i]) && now.of[i] > UINT32_MAX)
            return why_fail(why, STATUS_INVALID, "one of its numbers is above 2^32");
    }
    for (size_t i = 0; i < SNAPSHOT_NUMBERS; i++)
        set(snapshot, &fields[i], now.of[i]);
    snapshot->base_sequence = base_sequence;
    snapshot->base_distance = 0;
    snapshot->n_changes = 0;
    snapshot->changes = NULL;
    return STATUS_OK;
}

void snapshot_follow(uint64_t sequence, const Heapfleet__V1__Snapshot *snapshot,
                     struct snapshot_numbers *numbers)
{
    Heapfleet__V1__Snapshot whole = *snapshot;
    if (snapshot_restore(sequence, numbers, &whole, NULL) == STATUS_OK)
        *numbers = snapshot_numbers(sequence, &whole);
}
