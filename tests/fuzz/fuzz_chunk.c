/* USES store */
/*
 * A chunk of history. Of the first format: the number of its snapshots, its process numbers with
 * their size before them, then the changes of each type, with theirs. Of the second: a 0, its
 * times, its process numbers, then each group of types, all with their sizes. Whatever they are,
 * both readers agree about every value, and a chunk that is taken can be made anew.
 */
#include <stdlib.h>

#include "chunk_codec.h"
#include "fuzz.h"

enum { TYPES_MAX = 8, ENDS_MAX = 8, SNAPSHOTS_MAX = 255, SNAPSHOTS_READ_MAX = 4096 };

struct parts {
    struct type_value first[TYPES_MAX];
    int32_t times[SNAPSHOTS_MAX], ends[ENDS_MAX];
    struct type_value series[TYPES_MAX][SNAPSHOTS_MAX];
    struct buf payload;
    uint8_t *times_bytes, *process;
};

static void take_payload(struct fuzz_input *input, struct parts *parts, struct chunk *chunk)
{
    while (chunk->end_count < ENDS_MAX && input->size > 0) {
        size_t size = 0;
        uint8_t *bytes = fuzz_take_sized(input, &size);
        buf_append(&parts->payload, bytes, size);
        parts->ends[chunk->end_count++] = (int32_t)parts->payload.size;
        free(bytes);
    }
    chunk->ends = parts->ends;
    chunk->payload = parts->payload.size > 0 ? parts->payload.data : (const uint8_t *)"";
    chunk->payload_size = parts->payload.size;
}

static struct chunk take_chunk(struct fuzz_input *input, struct parts *parts)
{
    struct chunk chunk = {.snapshots = fuzz_take_byte(input), .format = CHUNK_ARRAYS};
    if (chunk.snapshots == 0) {
        chunk.format = CHUNK_STRETCHES;
        chunk.times = parts->times_bytes = fuzz_take_sized(input, &chunk.times_size);
    }
    chunk.process = parts->process = fuzz_take_sized(input, &chunk.process_size);
    for (uint32_t i = 0; i < SNAPSHOTS_MAX; i++)
        parts->times[i] = (int32_t)i * 60000 % CHUNK_SLOT_MS;
    for (uint32_t i = 0; i < TYPES_MAX; i++)
        parts->first[i] = (struct type_value){i * 3, i * 1000};
    chunk.times_ms = parts->times;
    chunk.first = parts->first;
    take_payload(input, parts, &chunk);
    return chunk;
}

static enum status read_type(const struct chunk *chunk, uint32_t type, uint32_t snapshots,
                             struct type_value *ret)
{
    uint32_t end = chunk->format == CHUNK_ARRAYS ? type : type / CHUNK_GROUP;
    int32_t from = end == 0 ? 0 : chunk->ends[end - 1];
    const uint8_t *bytes = chunk->payload + from;
    size_t size = (size_t)(chunk->ends[end] - from);
    if (chunk->format == CHUNK_ARRAYS)
        return chunk_read_changes(chunk->first[type], bytes, size, snapshots, ret, NULL);
    return chunk_read_type(bytes, size, type % CHUNK_GROUP, snapshots, ret, NULL);
}

/* 1 if each of the first types can be read alone. */
static int read_types(const struct chunk *chunk, uint32_t snapshots, struct parts *parts)
{
    int is_right = snapshots <= SNAPSHOTS_MAX;
    uint32_t types = chunk->format == CHUNK_ARRAYS ? chunk->end_count : TYPES_MAX;
    for (uint32_t i = 0; i < types && chunk->end_count > 0 && snapshots <= SNAPSHOTS_MAX; i++)
        is_right &= read_type(chunk, i, snapshots, parts->series[i]) == STATUS_OK;
    return is_right;
}

static void check_values(const struct heap_values *values, uint32_t shown,
                         const struct parts *parts, int is_right)
{
    for (uint32_t i = 0; i < values->types && i < TYPES_MAX && is_right; i++)
        ASSERT(values->values[i].count == parts->series[i][shown].count &&
               values->values[i].bytes == parts->series[i][shown].bytes);
}

/* `is_whole`: all types were read alone, not only the first. */
static void read_all(struct chunk_reader *reader, const struct parts *parts, int is_right,
                     int is_whole)
{
    struct chunk_builder *builder = chunk_builder_new();
    struct chunk_reader *second = NULL;
    chunk_builder_begin(builder, 0);
    uint32_t shown = 0;
    for (const struct chunk_snapshot *head; (head = chunk_reader_peek(reader)) != NULL; shown++) {
        if (chunk_reader_next(reader, NULL) != STATUS_OK) {
            ASSERT(!is_right || !is_whole);
            chunk_builder_free(builder);
            return;
        }
        check_values(chunk_reader_values(reader), shown, parts, is_right);
        ASSERT(chunk_builder_add(builder, head, chunk_reader_values(reader), NULL) == STATUS_OK);
    }
    struct chunk again = chunk_builder_end(builder);
    ASSERT(chunk_reader_new(&again, &second, NULL) == STATUS_OK);
    chunk_reader_free(second);
    chunk_builder_free(builder);
}

/* Of the second format they say how many snapshots there are. */
static uint32_t count_snapshots(const struct chunk *chunk)
{
    struct type_value *times = NULL;
    uint32_t snapshots = chunk->snapshots;
    if (chunk->format == CHUNK_STRETCHES &&
        chunk_read_times(chunk->times, chunk->times_size, &times, &snapshots, NULL) != STATUS_OK)
        return 0;
    free(times);
    return snapshots;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct parts *parts = calloc(1, sizeof(*parts));
    ASSERT(parts != NULL);
    struct chunk chunk = take_chunk(&input, parts);
    struct chunk_reader *reader = NULL;
    uint32_t snapshots = count_snapshots(&chunk);
    int is_right = read_types(&chunk, snapshots, parts);
    if (snapshots <= SNAPSHOTS_READ_MAX && chunk_reader_new(&chunk, &reader, NULL) == STATUS_OK)
        read_all(reader, parts, is_right, chunk.format == CHUNK_ARRAYS);
    chunk_reader_free(reader);
    buf_done(&parts->payload);
    free(parts->times_bytes);
    free(parts->process);
    free(parts);
    return 0;
}
