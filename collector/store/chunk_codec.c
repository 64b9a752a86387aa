/*
 * Making turns snapshots by time into series by type: one buffer a type, strung together at the
 * end. Reading turns them back: one cursor a type, which knows the snapshot of its next change.
 */
#include "chunk_codec.h"

#include <stdlib.h>
#include <string.h>

#include "varint.h"

/* ---- changes of one type -------------------------------------------------------------------- */

static uint64_t unit_of(struct type_value old)
{
    return old.count == 0 ? 0 : old.bytes / old.count;
}

static void put(struct buf *ret, uint64_t value)
{
    ret->size += varint_write(ret->data + ret->size, value);
}

static void put_change(struct buf *ret, uint32_t skipped, struct type_value old,
                       struct type_value now)
{
    uint64_t difference = now.count - old.count;
    uint64_t residual = now.bytes - old.bytes - difference * unit_of(old);
    buf_reserve(ret, (size_t)3 * VARINT_BYTES_MAX);
    put(ret, (uint64_t)skipped * 2 + (residual != 0));
    put(ret, zigzag(difference));
    if (residual != 0)
        put(ret, zigzag(residual));
}

struct cursor {
    const uint8_t *at, *end;
    uint32_t next; /* the snapshot of the change that stands at `at`; UINT32_MAX: none */
    int has_residual;
};

/* Read the head of the next change, which comes after snapshot `now`. 0 if that is not one. */
static int cursor_look(struct cursor *cursor, uint32_t now)
{
    uint64_t head = 0;
    cursor->next = UINT32_MAX;
    if (cursor->at == cursor->end)
        return 1;
    cursor->at = varint_read(cursor->at, cursor->end, &head);
    if (cursor->at == NULL || head / 2 >= CHUNK_SNAPSHOTS_MAX)
        return 0;
    cursor->next = now + 1 + (uint32_t)(head / 2);
    cursor->has_residual = (int)(head & 1);
    return 1;
}

/* Apply the change whose head was read. 0 if it is not one. */
static int cursor_apply(struct cursor *cursor, struct type_value *value)
{
    uint64_t difference = 0, residual = 0;
    cursor->at = varint_read(cursor->at, cursor->end, &difference);
    if (cursor->at != NULL && cursor->has_residual)
        cursor->at = varint_read(cursor->at, cursor->end, &residual);
    if (cursor->at == NULL)
        return 0;
    difference = unzigzag(difference);
    value->bytes += difference * unit_of(*value) + unzigzag(residual);
    value->count += difference;
    return value->count <= SNAPSHOT_COUNT_MAX && value->bytes <= SNAPSHOT_BYTES_MAX;
}

/* ---- making --------------------------------------------------------------------------------- */

enum { SERIES = 2 + PROCESS_NUMBERS }; /* sequence, types, process numbers */

struct series {
    struct buf data;
    uint64_t last, unchanged; /* how many snapshots have repeated `last` */
};

struct column {
    struct buf changes;
    uint32_t changed_at; /* the last snapshot in which it changed */
};

struct chunk_builder {
    int64_t slot_ms;
    uint32_t snapshots, types;
    uint64_t last_sequence;
    struct heap_values first, now;
    struct buf times; /* int32_t */
    struct series series[SERIES];
    struct column *columns;
    uint32_t column_count;
    struct buf ends, process, payload; /* made at the end */
};

struct chunk_builder *chunk_builder_new(void)
{
    struct chunk_builder *builder = calloc(1, sizeof(*builder));
    ASSERT(builder != NULL);
    return builder;
}

void chunk_builder_free(struct chunk_builder *builder)
{
    if (builder == NULL)
        return;
    for (uint32_t i = 0; i < builder->column_count; i++)
        buf_done(&builder->columns[i].changes);
    free(builder->columns);
    for (int i = 0; i < SERIES; i++)
        buf_done(&builder->series[i].data);
    heap_values_done(&builder->first);
    heap_values_done(&builder->now);
    buf_done(&builder->times);
    buf_done(&builder->ends);
    buf_done(&builder->process);
    buf_done(&builder->payload);
    free(builder);
}

void chunk_builder_begin(struct chunk_builder *builder, int64_t slot_ms)
{
    builder->slot_ms = slot_ms;
    builder->snapshots = 0;
    builder->types = 0;
    heap_values_resize(&builder->first, 0);
    heap_values_resize(&builder->now, 0);
    buf_clear(&builder->times);
    for (int i = 0; i < SERIES; i++) {
        buf_clear(&builder->series[i].data);
        builder->series[i].last = builder->series[i].unchanged = 0;
    }
}

static void grow_columns(struct chunk_builder *builder, uint32_t types)
{
    if (types > builder->column_count) {
        builder->columns = realloc(builder->columns, types * sizeof(*builder->columns));
        ASSERT(builder->columns != NULL);
        memset(builder->columns + builder->column_count, 0,
               (types - builder->column_count) * sizeof(*builder->columns));
        builder->column_count = types;
    }
    for (uint32_t i = builder->types; i < types; i++) {
        buf_clear(&builder->columns[i].changes);
        builder->columns[i].changed_at = 0;
    }
    builder->types = types;
}

static void add_run(struct series *series)
{
    if (series->unchanged == 0)
        return;
    buf_reserve(&series->data, (size_t)2 * VARINT_BYTES_MAX);
    put(&series->data, 0);
    put(&series->data, series->unchanged - 1);
    series->unchanged = 0;
}

static void add_number(struct series *series, uint64_t value)
{
    if (value == series->last) {
        series->unchanged++;
        return;
    }
    add_run(series);
    buf_reserve(&series->data, VARINT_BYTES_MAX);
    put(&series->data, zigzag(value - series->last));
    series->last = value;
}

static void add_values(struct chunk_builder *builder, const struct heap_values *values)
{
    struct type_value *now = builder->now.values;
    for (uint32_t i = 0; i < builder->types; i++) {
        struct type_value value = i < values->types ? values->values[i] : (struct type_value){0, 0};
        if (value.count == now[i].count && value.bytes == now[i].bytes)
            continue;
        struct column *column = &builder->columns[i];
        put_change(&column->changes, builder->snapshots - column->changed_at - 1, now[i], value);
        column->changed_at = builder->snapshots;
        now[i] = value;
    }
}

enum status chunk_builder_add(struct chunk_builder *builder, const struct chunk_snapshot *snapshot,
                              const struct heap_values *values, struct why *why)
{
    int64_t time_ms = snapshot->time_ms - builder->slot_ms;
    ASSERT(time_ms >= 0 && time_ms < CHUNK_SLOT_MS);
    ASSERT(builder->snapshots == 0 || snapshot->sequence > builder->last_sequence);
    if (builder->snapshots == CHUNK_SNAPSHOTS_MAX)
        return why_fail(why, STATUS_LIMIT, "more than %d snapshots of a process in four hours",
                        CHUNK_SNAPSHOTS_MAX);
    if (values->types > builder->types) {
        grow_columns(builder, values->types);
        heap_values_resize(&builder->first, values->types);
        heap_values_resize(&builder->now, values->types);
    }
    if (builder->snapshots == 0) {
        heap_values_copy(&builder->first, values);
        heap_values_copy(&builder->now, values);
    } else {
        add_values(builder, values);
    }
    int32_t offset_ms = (int32_t)time_ms;
    buf_append(&builder->times, &offset_ms, sizeof(offset_ms));
    add_number(&builder->series[0], snapshot->sequence);
    add_number(&builder->series[1], values->types);
    for (int i = 0; i < PROCESS_NUMBERS; i++)
        add_number(&builder->series[2 + i], snapshot->process.of[i]);
    builder->last_sequence = snapshot->sequence;
    builder->snapshots++;
    return STATUS_OK;
}

uint32_t chunk_builder_snapshots(const struct chunk_builder *builder)
{
    return builder->snapshots;
}

static void string_together(struct chunk_builder *builder)
{
    buf_clear(&builder->payload);
    buf_clear(&builder->ends);
    for (uint32_t i = 0; i < builder->types; i++) {
        const struct buf *changes = &builder->columns[i].changes;
        if (changes->size > 0)
            buf_append(&builder->payload, changes->data, changes->size);
        ASSERT(builder->payload.size <= INT32_MAX);
        int32_t end = (int32_t)builder->payload.size;
        buf_append(&builder->ends, &end, sizeof(end));
    }
    buf_clear(&builder->process);
    for (int i = 0; i < SERIES; i++) {
        struct buf *data = &builder->series[i].data;
        add_run(&builder->series[i]);
        buf_reserve(&builder->process, VARINT_BYTES_MAX);
        put(&builder->process, data->size);
        buf_append(&builder->process, data->data, data->size);
    }
}

struct chunk chunk_builder_end(struct chunk_builder *builder)
{
    ASSERT(builder->snapshots > 0);
    string_together(builder);
    return (struct chunk){
        .slot_ms = builder->slot_ms,
        .snapshots = builder->snapshots,
        .types = builder->types,
        .times_ms = (const int32_t *)(const void *)builder->times.data,
        .first = builder->first.values,
        .ends = (const int32_t *)(const void *)builder->ends.data,
        .process = builder->process.data,
        .payload = builder->payload.data,
        .process_size = builder->process.size,
        .payload_size = builder->payload.size,
    };
}

/* ---- reading -------------------------------------------------------------------------------- */

struct chunk_reader {
    struct chunk chunk;
    uint32_t at; /* snapshots shown */
    struct heap_values values;
    uint64_t *type_counts;            /* [snapshots] */
    struct chunk_snapshot *snapshots; /* [snapshots] */
    struct cursor *cursors;           /* [types] */
};

static enum status not_a_chunk(struct why *why, const char *reason)
{
    return why_fail(why, STATUS_INVALID, "a chunk of history cannot be decoded: %s", reason);
}

/* The series that begins at `at`; `set` is given each value. The byte behind it, or NULL. */
static const uint8_t *
read_series(struct chunk_reader *reader, int series, const uint8_t *at, const uint8_t *end,
            void (*set)(struct chunk_reader *reader, int series, uint32_t i, uint64_t value))
{
    uint64_t size = 0, value = 0;
    at = varint_read(at, end, &size);
    if (at == NULL || size > (size_t)(end - at))
        return NULL;
    end = at + size;
    for (uint32_t i = 0; i < reader->chunk.snapshots;) {
        uint64_t change = 0, run = 0;
        at = varint_read(at, end, &change);
        if (at != NULL && change == 0)
            at = varint_read(at, end, &run);
        if (at == NULL || run >= reader->chunk.snapshots - i)
            return NULL;
        value += unzigzag(change);
        for (uint64_t last = i + run; i <= last; i++)
            set(reader, series, i, value);
    }
    return at == end ? end : NULL;
}

static void set_number(struct chunk_reader *reader, int series, uint32_t i, uint64_t value)
{
    if (series == 0)
        reader->snapshots[i].sequence = value;
    else if (series == 1)
        reader->type_counts[i] = value;
    else
        reader->snapshots[i].process.of[series - 2] = value;
}

static enum status read_heads(struct chunk_reader *reader, struct why *why)
{
    const struct chunk *chunk = &reader->chunk;
    const uint8_t *at = chunk->process, *end = at + chunk->process_size;
    for (int i = 0; i < SERIES && at != NULL; i++)
        at = read_series(reader, i, at, end, set_number);
    if (at != end)
        return not_a_chunk(why, "its process numbers are not series");
    for (uint32_t i = 0; i < chunk->snapshots; i++) {
        if (i > 0 && reader->snapshots[i].sequence <= reader->snapshots[i - 1].sequence)
            return not_a_chunk(why, "its sequences do not rise");
        if (reader->type_counts[i] > chunk->types)
            return not_a_chunk(why, "a snapshot has more types than the chunk");
        if (chunk->times_ms[i] < 0 || chunk->times_ms[i] >= CHUNK_SLOT_MS)
            return not_a_chunk(why, "a time is outside of the four hours");
        reader->snapshots[i].time_ms = chunk->slot_ms + chunk->times_ms[i];
    }
    return STATUS_OK;
}

static enum status open_cursors(struct chunk_reader *reader, struct why *why)
{
    const struct chunk *chunk = &reader->chunk;
    int32_t from = 0;
    for (uint32_t i = 0; i < chunk->types; i++) {
        int32_t to = chunk->ends[i];
        if (to < from || (size_t)to > chunk->payload_size)
            return not_a_chunk(why, "the types' ends do not fit its payload");
        reader->cursors[i] =
            (struct cursor){.at = chunk->payload + from, .end = chunk->payload + to};
        if (!cursor_look(&reader->cursors[i], 0))
            return not_a_chunk(why, "a change is cut off or not a varint");
        from = to;
    }
    if ((size_t)from != chunk->payload_size)
        return not_a_chunk(why, "bytes follow the last type");
    return STATUS_OK;
}

enum status chunk_reader_new(const struct chunk *chunk, struct chunk_reader **ret, struct why *why)
{
    if (chunk->snapshots < 1 || chunk->snapshots > CHUNK_SNAPSHOTS_MAX)
        return not_a_chunk(why, "its number of snapshots is out of range");
    if (chunk->types > SNAPSHOT_TYPES_MAX)
        return not_a_chunk(why, "it has too many types");
    struct chunk_reader *reader = calloc(1, sizeof(*reader));
    ASSERT(reader != NULL);
    reader->chunk = *chunk;
    reader->snapshots = calloc(chunk->snapshots, sizeof(*reader->snapshots));
    reader->type_counts = calloc(chunk->snapshots, sizeof(*reader->type_counts));
    reader->cursors = calloc((size_t)chunk->types + 1, sizeof(*reader->cursors));
    ASSERT(reader->snapshots != NULL && reader->type_counts != NULL && reader->cursors != NULL);
    enum status status = read_heads(reader, why);
    if (status == STATUS_OK)
        status = open_cursors(reader, why);
    if (status != STATUS_OK) {
        chunk_reader_free(reader);
        return status;
    }
    heap_values_resize(&reader->values, chunk->types);
    if (chunk->types > 0)
        memcpy(reader->values.values, chunk->first, chunk->types * sizeof(*chunk->first));
    *ret = reader;
    return STATUS_OK;
}

void chunk_reader_free(struct chunk_reader *reader)
{
    if (reader == NULL)
        return;
    heap_values_done(&reader->values);
    free(reader->snapshots);
    free(reader->type_counts);
    free(reader->cursors);
    free(reader);
}

void chunk_reader_end_at(struct chunk_reader *reader, int64_t to_ms)
{
    uint32_t *end = &reader->chunk.snapshots;
    while (*end > reader->at && reader->snapshots[*end - 1].time_ms > to_ms)
        (*end)--;
}

const struct chunk_snapshot *chunk_reader_peek(const struct chunk_reader *reader)
{
    return reader->at < reader->chunk.snapshots ? &reader->snapshots[reader->at] : NULL;
}

enum status chunk_reader_next(struct chunk_reader *reader, struct why *why)
{
    ASSERT(reader->at < reader->chunk.snapshots);
    uint32_t now = reader->at++;
    reader->values.types = reader->chunk.types;
    for (uint32_t i = 0; i < reader->chunk.types; i++) {
        struct cursor *cursor = &reader->cursors[i];
        if (cursor->next != now)
            continue;
        if (!cursor_apply(cursor, &reader->values.values[i]) || !cursor_look(cursor, now))
            return not_a_chunk(why, "a change is cut off, not a varint or out of range");
    }
    reader->values.types = (uint32_t)reader->type_counts[now];
    return STATUS_OK;
}

const struct heap_values *chunk_reader_values(const struct chunk_reader *reader)
{
    return &reader->values;
}

enum status chunk_read_type(struct type_value first, const uint8_t *changes, size_t size,
                            uint32_t snapshots, struct type_value *ret, struct why *why)
{
    struct cursor cursor = {.at = changes, .end = changes + size};
    if (!cursor_look(&cursor, 0))
        return not_a_chunk(why, "a change is cut off or not a varint");
    struct type_value value = first;
    for (uint32_t i = 0; i < snapshots; i++) {
        if (cursor.next == i && (!cursor_apply(&cursor, &value) || !cursor_look(&cursor, i)))
            return not_a_chunk(why, "a change is cut off, not a varint or out of range");
        ret[i] = value;
    }
    return cursor.next == UINT32_MAX ? STATUS_OK
                                     : not_a_chunk(why, "changes follow the last snapshot");
}
