/* USES store */
/*
 * A chunk of history: the number of its snapshots, its process numbers with their size before them,
 * then the changes of each type, with theirs. Whatever they are, both readers agree about every
 * value, and a chunk that is taken can be made anew.
 */
#include <stdlib.h>

#include "chunk_codec.h"
#include "fuzz.h"

enum { TYPES_MAX = 8, SNAPSHOTS_MAX = 255 };

struct parts {
    struct type_value first[TYPES_MAX];
    int32_t times[SNAPSHOTS_MAX], ends[TYPES_MAX];
    struct type_value series[TYPES_MAX][SNAPSHOTS_MAX];
    struct buf payload;
};

static struct chunk take_chunk(struct fuzz_input *input, struct parts *parts, uint8_t **ret_process)
{
    struct chunk chunk = {.snapshots = fuzz_take_byte(input), .slot_ms = 0};
    chunk.process = *ret_process = fuzz_take_sized(input, &chunk.process_size);
    for (uint32_t i = 0; i < SNAPSHOTS_MAX; i++)
        parts->times[i] = (int32_t)i * 60000 % CHUNK_SLOT_MS;
    while (chunk.types < TYPES_MAX && input->size > 0) {
        size_t size = 0;
        uint8_t *changes = fuzz_take_sized(input, &size);
        parts->first[chunk.types] = (struct type_value){chunk.types * 3, chunk.types * 1000};
        buf_append(&parts->payload, changes, size);
        parts->ends[chunk.types++] = (int32_t)parts->payload.size;
        free(changes);
    }
    chunk.times_ms = parts->times;
    chunk.first = parts->first;
    chunk.ends = parts->ends;
    chunk.payload = parts->payload.data;
    chunk.payload_size = parts->payload.size;
    return chunk;
}

/* 1 if every type can be read alone. */
static int read_types(const struct chunk *chunk, struct parts *parts)
{
    int is_right = 1;
    for (uint32_t i = 0; i < chunk->types; i++) {
        int32_t from = i == 0 ? 0 : chunk->ends[i - 1];
        is_right &=
            chunk_read_type(chunk->first[i], chunk->payload + from, (size_t)(chunk->ends[i] - from),
                            chunk->snapshots, parts->series[i], NULL) == STATUS_OK;
    }
    return is_right;
}

static void read_all(struct chunk_reader *reader, const struct chunk *chunk,
                     const struct parts *parts, int is_right)
{
    struct chunk_builder *builder = chunk_builder_new();
    chunk_builder_begin(builder, 0);
    uint32_t shown = 0;
    for (const struct chunk_snapshot *head; (head = chunk_reader_peek(reader)) != NULL; shown++) {
        if (chunk_reader_next(reader, NULL) != STATUS_OK) {
            ASSERT(!is_right);
            chunk_builder_free(builder);
            return;
        }
        const struct heap_values *values = chunk_reader_values(reader);
        ASSERT(values->types <= chunk->types);
        for (uint32_t i = 0; i < values->types && is_right; i++)
            ASSERT(values->values[i].count == parts->series[i][shown].count &&
                   values->values[i].bytes == parts->series[i][shown].bytes);
        ASSERT(chunk_builder_add(builder, head, values, NULL) == STATUS_OK);
    }
    ASSERT(shown == chunk->snapshots);
    struct chunk again = chunk_builder_end(builder);
    struct chunk_reader *second = NULL;
    ASSERT(chunk_reader_new(&again, &second, NULL) == STATUS_OK);
    chunk_reader_free(second);
    chunk_builder_free(builder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct parts *parts = calloc(1, sizeof(*parts));
    uint8_t *process = NULL;
    ASSERT(parts != NULL);
    struct chunk chunk = take_chunk(&input, parts, &process);
    struct chunk_reader *reader = NULL;
    int is_right = read_types(&chunk, parts);
    if (chunk_reader_new(&chunk, &reader, NULL) == STATUS_OK)
        read_all(reader, &chunk, parts, is_right);
    chunk_reader_free(reader);
    buf_done(&parts->payload);
    free(process);
    free(parts);
    return 0;
}
