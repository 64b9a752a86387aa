/*
 * Making a chunk turns snapshots by time into stretches by type. While snapshots come in, each type
 * has a buffer of loose changes; at the end they are written as what takes least.
 */
#include <stdlib.h>
#include <string.h>

#include "chunk_codec.h"
#include "chunk_stretch.h"
#include "varint.h"

const uint8_t chunk_pairs[CHUNK_PAIRS][2] = {
    {PROCESS_OBJECTS, PROCESS_BYTES},      {PROCESS_RSS_ANON, PROCESS_CONTAINER_USAGE},
    {PROCESS_CPU_MS, PROCESS_NOT_OBJECTS}, {PROCESS_SWAP, PROCESS_CONTAINER_LIMIT},
    {PROCESS_DROPPED, PROCESS_COVERAGE},   {CHUNK_TYPES, CHUNK_NOTHING},
    {PROCESS_POOLS, PROCESS_POOL_FREE},    {PROCESS_MALLOC_FREE, PROCESS_PSS},
};

struct column {
    struct buf changes;
    uint32_t changed_at; /* the last snapshot in which it changed */
};

/* A pair of numbers: the first is that of sequence and time, the others are chunk_pairs. */
struct pair {
    struct type_value first, now;
    struct column column;
};

struct chunk_builder {
    int64_t slot_ms;
    uint32_t snapshots, types;
    uint64_t last_sequence;
    struct heap_values first, now;
    struct pair pairs[1 + CHUNK_PAIRS];
    struct column *columns;
    uint32_t column_count;
    struct stretch_writer *writer;
    struct buf stretch, ends, times, process, payload; /* made at the end */
};

struct chunk_builder *chunk_builder_new(void)
{
    struct chunk_builder *builder = calloc(1, sizeof(*builder));
    ASSERT(builder != NULL);
    builder->writer = stretch_writer_new();
    return builder;
}

void chunk_builder_free(struct chunk_builder *builder)
{
    if (builder == NULL)
        return;
    for (uint32_t i = 0; i < builder->column_count; i++)
        buf_done(&builder->columns[i].changes);
    free(builder->columns);
    for (size_t i = 0; i < ARRAY_SIZE(builder->pairs); i++)
        buf_done(&builder->pairs[i].column.changes);
    heap_values_done(&builder->first);
    heap_values_done(&builder->now);
    stretch_writer_free(builder->writer);
    buf_done(&builder->stretch);
    buf_done(&builder->ends);
    buf_done(&builder->times);
    buf_done(&builder->process);
    buf_done(&builder->payload);
    free(builder);
}

static void column_clear(struct column *column)
{
    buf_clear(&column->changes);
    column->changed_at = 0;
}

void chunk_builder_begin(struct chunk_builder *builder, int64_t slot_ms)
{
    builder->slot_ms = slot_ms;
    builder->snapshots = 0;
    builder->types = 0;
    heap_values_resize(&builder->first, 0);
    heap_values_resize(&builder->now, 0);
    for (size_t i = 0; i < ARRAY_SIZE(builder->pairs); i++)
        column_clear(&builder->pairs[i].column);
}

/* ---- snapshots ------------------------------------------------------------------------------ */

static void grow_columns(struct chunk_builder *builder, uint32_t types)
{
    if (types > builder->column_count) {
        builder->columns = realloc(builder->columns, types * sizeof(*builder->columns));
        ASSERT(builder->columns != NULL);
        memset(builder->columns + builder->column_count, 0,
               (types - builder->column_count) * sizeof(*builder->columns));
        builder->column_count = types;
    }
    for (uint32_t i = builder->types; i < types; i++)
        column_clear(&builder->columns[i]);
    builder->types = types;
}

static void add_change(struct column *column, uint32_t snapshot, struct type_value *now,
                       struct type_value value)
{
    stretch_put_loose(&column->changes, snapshot - column->changed_at - 1, *now, value);
    column->changed_at = snapshot;
    *now = value;
}

static int is_same(struct type_value a, struct type_value b)
{
    return a.count == b.count && a.bytes == b.bytes;
}

static void add_values(struct chunk_builder *builder, const struct heap_values *values)
{
    struct type_value *now = builder->now.values;
    for (uint32_t i = 0; i < builder->types; i++) {
        struct type_value value = i < values->types ? values->values[i] : (struct type_value){0, 0};
        if (!is_same(value, now[i]))
            add_change(&builder->columns[i], builder->snapshots, &now[i], value);
    }
}

static void add_pair(struct chunk_builder *builder, struct pair *pair, uint64_t count,
                     uint64_t bytes)
{
    struct type_value value = {count, bytes};
    if (builder->snapshots == 0)
        pair->first = pair->now = value;
    else if (!is_same(value, pair->now))
        add_change(&pair->column, builder->snapshots, &pair->now, value);
}

static void add_pairs(struct chunk_builder *builder, const struct chunk_snapshot *snapshot,
                      uint32_t types)
{
    uint64_t of[CHUNK_NOTHING + 1] = {[CHUNK_TYPES] = types};
    memcpy(of, snapshot->process.of, sizeof(snapshot->process.of));
    add_pair(builder, &builder->pairs[0], snapshot->sequence,
             (uint64_t)(snapshot->time_ms - builder->slot_ms));
    for (int i = 0; i < CHUNK_PAIRS; i++)
        add_pair(builder, &builder->pairs[1 + i], of[chunk_pairs[i][0]], of[chunk_pairs[i][1]]);
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
    add_pairs(builder, snapshot, values->types);
    builder->last_sequence = snapshot->sequence;
    builder->snapshots++;
    return STATUS_OK;
}

uint32_t chunk_builder_snapshots(const struct chunk_builder *builder)
{
    return builder->snapshots;
}

/* ---- the end -------------------------------------------------------------------------------- */

static void put(struct buf *ret, uint64_t value)
{
    buf_reserve(ret, VARINT_BYTES_MAX);
    ret->size += varint_write(ret->data + ret->size, value);
}

static void put_sized(struct chunk_builder *builder, struct type_value first,
                      const struct column *column, struct buf *ret)
{
    buf_clear(&builder->stretch);
    stretch_write(builder->writer, first, &column->changes, &builder->stretch);
    put(ret, builder->stretch.size);
    if (builder->stretch.size > 0)
        buf_append(ret, builder->stretch.data, builder->stretch.size);
}

static void put_types(struct chunk_builder *builder)
{
    buf_clear(&builder->payload);
    buf_clear(&builder->ends);
    for (uint32_t i = 0; i < builder->types; i++) {
        put_sized(builder, builder->first.values[i], &builder->columns[i], &builder->payload);
        ASSERT(builder->payload.size <= INT32_MAX);
        int32_t end = (int32_t)builder->payload.size;
        if ((i + 1) % CHUNK_GROUP == 0 || i + 1 == builder->types)
            buf_append(&builder->ends, &end, sizeof(end));
    }
}

struct chunk chunk_builder_end(struct chunk_builder *builder)
{
    ASSERT(builder->snapshots > 0);
    const struct pair *pairs = builder->pairs;
    put_types(builder);
    buf_clear(&builder->times);
    put(&builder->times, builder->snapshots);
    stretch_write(builder->writer, pairs[0].first, &pairs[0].column.changes, &builder->times);
    buf_clear(&builder->process);
    for (int i = 1; i <= CHUNK_PAIRS; i++)
        put_sized(builder, pairs[i].first, &pairs[i].column, &builder->process);
    return (struct chunk){
        .slot_ms = builder->slot_ms,
        .format = CHUNK_STRETCHES,
        .ends = (const int32_t *)(const void *)builder->ends.data,
        .end_count = (uint32_t)(builder->ends.size / sizeof(int32_t)),
        .times = builder->times.data,
        .process = builder->process.data,
        .payload = builder->payload.data,
        .times_size = builder->times.size,
        .process_size = builder->process.size,
        .payload_size = builder->payload.size,
    };
}
