/*
 * Reading turns stretches by type back into snapshots by time: all types stand at one snapshot, and
 * each knows that of its next change.
 */
#include "chunk_codec.h"

#include <stdlib.h>
#include <string.h>

#include "chunk_stretch.h"
#include "varint.h"

static enum status not_a_chunk(struct why *why, const char *reason)
{
    return why_fail(why, STATUS_INVALID, "a chunk of history cannot be decoded: %s", reason);
}

static int is_in_range(struct type_value value)
{
    return value.count <= SNAPSHOT_COUNT_MAX && value.bytes <= SNAPSHOT_BYTES_MAX;
}

/* The stretch that stands at `at`, its size before it; NULL: it is cut off. */
static const uint8_t *read_sized(const uint8_t *at, const uint8_t *end, size_t *ret_size)
{
    uint64_t size = 0;
    at = varint_read(at, end, &size);
    if (at == NULL || size > (size_t)(end - at))
        return NULL;
    *ret_size = (size_t)size;
    return at;
}

/* ---- one stretch ---------------------------------------------------------------------------- */

static enum status read_on(struct stretch *stretch, struct type_value value, uint32_t snapshots,
                           struct type_value *ret, struct why *why)
{
    uint32_t next = 0;
    if (!stretch_look(stretch, 0, &next))
        return not_a_chunk(why, "a change is cut off or not a varint");
    for (uint32_t i = 0; i < snapshots; i++) {
        if (next == i && (!stretch_apply(stretch, &value) || !stretch_look(stretch, i, &next)))
            return not_a_chunk(why, "a change is cut off or not a varint");
        ret[i] = value;
    }
    return next == UINT32_MAX ? STATUS_OK : not_a_chunk(why, "changes follow the last snapshot");
}

static enum status read_stretch(const uint8_t *data, size_t size, uint32_t snapshots,
                                struct type_value *ret, struct why *why)
{
    struct stretch stretch;
    struct type_value first;
    if (!stretch_open(&stretch, data, size, &first))
        return not_a_chunk(why, "a stretch has no beginning");
    return read_on(&stretch, first, snapshots, ret, why);
}

static enum status check_range(const struct type_value *values, uint32_t snapshots, struct why *why)
{
    for (uint32_t i = 0; i < snapshots; i++) {
        if (!is_in_range(values[i]))
            return not_a_chunk(why, "a value is out of range");
    }
    return STATUS_OK;
}

enum status chunk_read_changes(struct type_value first, const uint8_t *changes, size_t size,
                               uint32_t snapshots, struct type_value *ret, struct why *why)
{
    struct stretch stretch;
    stretch_open_loose(&stretch, changes, size);
    enum status status = read_on(&stretch, first, snapshots, ret, why);
    return status == STATUS_OK ? check_range(ret, snapshots, why) : status;
}

enum status chunk_read_type(const uint8_t *group, size_t size, uint32_t place, uint32_t snapshots,
                            struct type_value *ret, struct why *why)
{
    const uint8_t *at = group, *end = group + size;
    size_t stretch_size = 0; /* a type that is not there is nothing throughout */
    for (uint32_t i = 0; i <= place; i++) {
        at += stretch_size;
        stretch_size = 0;
        if (at == end)
            break;
        at = read_sized(at, end, &stretch_size);
        if (at == NULL)
            return not_a_chunk(why, "a stretch is cut off");
    }
    enum status status = read_stretch(at, stretch_size, snapshots, ret, why);
    return status == STATUS_OK ? check_range(ret, snapshots, why) : status;
}

enum status chunk_read_times(const uint8_t *times, size_t size, struct type_value **ret,
                             uint32_t *ret_snapshots, struct why *why)
{
    uint64_t snapshots = 0;
    const uint8_t *at = varint_read(times, times + size, &snapshots);
    if (at == NULL || snapshots < 1 || snapshots > CHUNK_SNAPSHOTS_MAX)
        return not_a_chunk(why, "its number of snapshots is out of range");
    struct type_value *values = calloc((size_t)snapshots + 1, sizeof(*values));
    ASSERT(values != NULL);
    enum status status =
        read_stretch(at, size - (size_t)(at - times), (uint32_t)snapshots, values, why);
    for (uint64_t i = 0; i < snapshots && status == STATUS_OK; i++) {
        if (values[i].bytes >= CHUNK_SLOT_MS)
            status = not_a_chunk(why, "a time is outside of the four hours");
    }
    if (status != STATUS_OK) {
        free(values);
        return status;
    }
    *ret = values;
    *ret_snapshots = (uint32_t)snapshots;
    return STATUS_OK;
}

/* ---- the heads of all snapshots ------------------------------------------------------------- */

struct chunk_reader {
    struct chunk chunk;
    uint32_t snapshots, types;
    uint32_t at; /* snapshots shown */
    struct heap_values values;
    uint64_t *type_counts;           /* [snapshots] */
    struct chunk_snapshot *snapshot; /* [snapshots] */
    struct stretch *stretches;       /* [types] */
    uint32_t *next; /* [types] the snapshot of the change that was looked at; UINT32_MAX: none */
};

static void set_number(struct chunk_reader *reader, uint32_t number, uint32_t i, uint64_t value)
{
    if (number < PROCESS_NUMBERS)
        reader->snapshot[i].process.of[number] = value;
    else if (number == CHUNK_TYPES)
        reader->type_counts[i] = value;
}

static void make_heads(struct chunk_reader *reader, uint32_t snapshots)
{
    reader->snapshots = snapshots;
    reader->snapshot = calloc((size_t)snapshots + 1, sizeof(*reader->snapshot));
    reader->type_counts = calloc((size_t)snapshots + 1, sizeof(*reader->type_counts));
    ASSERT(reader->snapshot != NULL && reader->type_counts != NULL);
}

static enum status read_pairs(struct chunk_reader *reader, struct type_value *scratch,
                              struct why *why)
{
    const uint8_t *at = reader->chunk.process, *end = at + reader->chunk.process_size;
    for (int pair = 0; pair < CHUNK_PAIRS; pair++) {
        size_t size = 0;
        if (pair == CHUNK_PAIRS_ONCE && at == end)
            break;
        at = read_sized(at, end, &size);
        if (at == NULL)
            return not_a_chunk(why, "its process numbers are cut off");
        enum status status = read_stretch(at, size, reader->snapshots, scratch, why);
        if (status != STATUS_OK)
            return status;
        for (uint32_t i = 0; i < reader->snapshots; i++) {
            set_number(reader, chunk_pairs[pair][0], i, scratch[i].count);
            set_number(reader, chunk_pairs[pair][1], i, scratch[i].bytes);
        }
        at += size;
    }
    return at == end ? STATUS_OK : not_a_chunk(why, "bytes follow its process numbers");
}

static enum status read_stretch_heads(struct chunk_reader *reader, struct why *why)
{
    struct type_value *times = NULL;
    uint32_t snapshots = 0;
    enum status status =
        chunk_read_times(reader->chunk.times, reader->chunk.times_size, &times, &snapshots, why);
    if (status != STATUS_OK)
        return status;
    make_heads(reader, snapshots);
    for (uint32_t i = 0; i < snapshots; i++) {
        reader->snapshot[i].sequence = times[i].count;
        reader->snapshot[i].time_ms = reader->chunk.slot_ms + (int64_t)times[i].bytes;
    }
    status = read_pairs(reader, times, why);
    free(times);
    return status;
}

/* A series of the first format, which begins at `at`. The byte behind it, or NULL. */
static const uint8_t *read_series(struct chunk_reader *reader, uint32_t number, const uint8_t *at,
                                  const uint8_t *end)
{
    size_t size = 0;
    uint64_t value = 0;
    at = read_sized(at, end, &size);
    if (at == NULL)
        return NULL;
    end = at + size;
    for (uint32_t i = 0; i < reader->snapshots;) {
        uint64_t change = 0, run = 0;
        at = varint_read(at, end, &change);
        if (at != NULL && change == 0)
            at = varint_read(at, end, &run);
        if (at == NULL || run >= reader->snapshots - i)
            return NULL;
        value += unzigzag(change);
        for (uint64_t last = i + run; i <= last; i++) {
            if (number == CHUNK_NOTHING)
                reader->snapshot[i].sequence = value;
            else
                set_number(reader, number, i, value);
        }
    }
    return at == end ? end : NULL;
}

static enum status read_array_heads(struct chunk_reader *reader, struct why *why)
{
    const struct chunk *chunk = &reader->chunk;
    const uint8_t *at = chunk->process, *end = at + chunk->process_size;
    if (chunk->snapshots < 1 || chunk->snapshots > CHUNK_SNAPSHOTS_MAX)
        return not_a_chunk(why, "its number of snapshots is out of range");
    make_heads(reader, chunk->snapshots);
    at = read_series(reader, CHUNK_NOTHING, at, end); /* sequences */
    if (at != NULL)
        at = read_series(reader, CHUNK_TYPES, at, end);
    for (uint32_t i = 0; i < PROCESS_NUMBERS && at != NULL; i++) {
        if (i == PROCESS_NUMBERS_ONCE && at == end)
            break;
        at = read_series(reader, i, at, end);
    }
    if (at != end)
        return not_a_chunk(why, "its process numbers are not series");
    for (uint32_t i = 0; i < chunk->snapshots; i++) {
        if (chunk->times_ms[i] < 0 || chunk->times_ms[i] >= CHUNK_SLOT_MS)
            return not_a_chunk(why, "a time is outside of the four hours");
        reader->snapshot[i].time_ms = chunk->slot_ms + chunk->times_ms[i];
    }
    return STATUS_OK;
}

static enum status check_heads(const struct chunk_reader *reader, struct why *why)
{
    for (uint32_t i = 0; i < reader->snapshots; i++) {
        if (i > 0 && reader->snapshot[i].sequence <= reader->snapshot[i - 1].sequence)
            return not_a_chunk(why, "its sequences do not rise");
        if (reader->type_counts[i] > reader->types)
            return not_a_chunk(why, "a snapshot has more types than the chunk");
    }
    return STATUS_OK;
}

/* ---- the types ------------------------------------------------------------------------------ */

static void make_types(struct chunk_reader *reader, uint32_t types)
{
    heap_values_resize(&reader->values, types);
    reader->stretches = calloc((size_t)types + 1, sizeof(*reader->stretches));
    reader->next = calloc((size_t)types + 1, sizeof(*reader->next));
    ASSERT(reader->stretches != NULL && reader->next != NULL);
}

static enum status open_changes(struct chunk_reader *reader, struct why *why)
{
    const struct chunk *chunk = &reader->chunk;
    int32_t from = 0;
    make_types(reader, chunk->end_count);
    for (uint32_t i = 0; i < chunk->end_count; i++) {
        int32_t to = chunk->ends[i];
        if (to < from || (size_t)to > chunk->payload_size)
            return not_a_chunk(why, "the types' ends do not fit its payload");
        reader->values.values[i] = chunk->first[i];
        stretch_open_loose(&reader->stretches[i], chunk->payload + from, (size_t)(to - from));
        if (!stretch_look(&reader->stretches[i], 0, &reader->next[i]))
            return not_a_chunk(why, "a change is cut off or not a varint");
        from = to;
    }
    reader->types = chunk->end_count;
    return (size_t)from == chunk->payload_size ? STATUS_OK
                                               : not_a_chunk(why, "bytes follow the last type");
}

/* The types of one group, which ends at `end`. */
static enum status open_group(struct chunk_reader *reader, const uint8_t *at, const uint8_t *end,
                              struct why *why)
{
    for (uint32_t place = 0; at < end; place++) {
        struct stretch *stretch = &reader->stretches[reader->types];
        struct type_value *first = &reader->values.values[reader->types];
        size_t size = 0;
        at = place < CHUNK_GROUP ? read_sized(at, end, &size) : NULL;
        if (at == NULL)
            return not_a_chunk(why, "a group of types does not end where it should");
        if (!stretch_open(stretch, at, size, first) || !is_in_range(*first) ||
            !stretch_look(stretch, 0, &reader->next[reader->types]))
            return not_a_chunk(why, "a type is not a stretch");
        reader->types++;
        at += size;
    }
    return STATUS_OK;
}

static enum status open_groups(struct chunk_reader *reader, struct why *why)
{
    const struct chunk *chunk = &reader->chunk;
    int32_t from = 0;
    make_types(reader, chunk->end_count * CHUNK_GROUP);
    for (uint32_t i = 0; i < chunk->end_count; i++) {
        int32_t to = chunk->ends[i];
        if (to <= from || (size_t)to > chunk->payload_size || reader->types != i * CHUNK_GROUP)
            return not_a_chunk(why, "the groups' ends do not fit its payload");
        enum status status = open_group(reader, chunk->payload + from, chunk->payload + to, why);
        if (status != STATUS_OK)
            return status;
        from = to;
    }
    return (size_t)from == chunk->payload_size ? STATUS_OK
                                               : not_a_chunk(why, "bytes follow the last type");
}

/* ---- all of it ------------------------------------------------------------------------------ */

static enum status open_chunk(struct chunk_reader *reader, struct why *why)
{
    uint32_t ends_max = SNAPSHOT_TYPES_MAX;
    int is_first_format = reader->chunk.format == CHUNK_ARRAYS;
    if (!is_first_format && reader->chunk.format != CHUNK_STRETCHES)
        return not_a_chunk(why, "its format is of a newer version");
    if (reader->chunk.end_count > (is_first_format ? ends_max : ends_max / CHUNK_GROUP))
        return not_a_chunk(why, "it has too many types");
    enum status status =
        is_first_format ? read_array_heads(reader, why) : read_stretch_heads(reader, why);
    if (status == STATUS_OK)
        status = is_first_format ? open_changes(reader, why) : open_groups(reader, why);
    return status == STATUS_OK ? check_heads(reader, why) : status;
}

enum status chunk_reader_new(const struct chunk *chunk, struct chunk_reader **ret, struct why *why)
{
    struct chunk_reader *reader = calloc(1, sizeof(*reader));
    ASSERT(reader != NULL);
    reader->chunk = *chunk;
    enum status status = open_chunk(reader, why);
    if (status != STATUS_OK) {
        chunk_reader_free(reader);
        return status;
    }
    *ret = reader;
    return STATUS_OK;
}

void chunk_reader_free(struct chunk_reader *reader)
{
    if (reader == NULL)
        return;
    heap_values_done(&reader->values);
    free(reader->snapshot);
    free(reader->type_counts);
    free(reader->stretches);
    free(reader->next);
    free(reader);
}

void chunk_reader_end_at(struct chunk_reader *reader, int64_t to_ms)
{
    uint32_t *end = &reader->snapshots;
    while (*end > reader->at && reader->snapshot[*end - 1].time_ms > to_ms)
        (*end)--;
}

const struct chunk_snapshot *chunk_reader_peek(const struct chunk_reader *reader)
{
    return reader->at < reader->snapshots ? &reader->snapshot[reader->at] : NULL;
}

enum status chunk_reader_next(struct chunk_reader *reader, struct why *why)
{
    ASSERT(reader->at < reader->snapshots);
    uint32_t now = reader->at++;
    for (uint32_t i = 0; i < reader->types; i++) {
        if (reader->next[i] != now)
            continue;
        struct type_value *value = &reader->values.values[i];
        if (!stretch_apply(&reader->stretches[i], value) || !is_in_range(*value) ||
            !stretch_look(&reader->stretches[i], now, &reader->next[i]))
            return not_a_chunk(why, "a change is cut off, not a varint or out of range");
    }
    reader->values.types = (uint32_t)reader->type_counts[now];
    return STATUS_OK;
}

const struct heap_values *chunk_reader_values(const struct chunk_reader *reader)
{
    return &reader->values;
}
