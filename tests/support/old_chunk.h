/*
 * Chunks of the first format (chunk_codec.h), as the collector once wrote them: it only reads
 * them now, so what writes them is here.
 */
#ifndef TESTS_SUPPORT_OLD_CHUNK_H
#define TESTS_SUPPORT_OLD_CHUNK_H

#include <stdlib.h>

#include "chunk_codec.h"
#include "chunk_stretch.h"
#include "varint.h"

struct old_chunk {
    struct chunk chunk; /* points into what follows */
    struct buf times, first, ends, process, payload;
};

static inline void old_chunk_done(struct old_chunk *old)
{
    buf_done(&old->times);
    buf_done(&old->first);
    buf_done(&old->ends);
    buf_done(&old->process);
    buf_done(&old->payload);
}

static inline void old_put(struct buf *ret, uint64_t value)
{
    buf_reserve(ret, VARINT_BYTES_MAX);
    ret->size += varint_write(ret->data + ret->size, value);
}

/* Of each snapshot a number, as a series. */
static inline void old_put_series(struct buf *ret, const uint64_t *numbers, uint32_t count)
{
    struct buf data = BUF_INIT;
    uint64_t last = 0;
    for (uint32_t i = 0; i < count;) {
        uint32_t run = 0;
        while (i + run < count && numbers[i + run] == last)
            run++;
        if (run > 0) {
            old_put(&data, 0);
            old_put(&data, run - 1);
        } else {
            old_put(&data, zigzag(numbers[i] - last));
            last = numbers[i];
            run = 1;
        }
        i += run;
    }
    old_put(ret, data.size);
    buf_append(ret, data.data, data.size);
    buf_done(&data);
}

static inline void old_put_process(struct old_chunk *old, const struct chunk_snapshot *heads,
                                   const struct heap_values *values, uint32_t count)
{
    uint64_t *numbers = calloc(count, sizeof(*numbers));
    ASSERT(numbers != NULL);
    for (uint32_t i = 0; i < count; i++)
        numbers[i] = heads[i].sequence;
    old_put_series(&old->process, numbers, count);
    for (uint32_t i = 0; i < count; i++)
        numbers[i] = values[i].types;
    old_put_series(&old->process, numbers, count);
    for (int number = 0; number < PROCESS_NUMBERS; number++) {
        for (uint32_t i = 0; i < count; i++)
            numbers[i] = heads[i].process.of[number];
        old_put_series(&old->process, numbers, count);
    }
    free(numbers);
}

static inline struct type_value old_value(const struct heap_values *values, uint32_t type)
{
    return type < values->types ? values->values[type] : (struct type_value){0, 0};
}

static inline void old_put_type(struct old_chunk *old, uint32_t type,
                                const struct heap_values *values, uint32_t count)
{
    struct type_value now = old_value(&values[0], type);
    uint32_t changed_at = 0;
    buf_append(&old->first, &now, sizeof(now));
    for (uint32_t i = 1; i < count; i++) {
        struct type_value value = old_value(&values[i], type);
        if (value.count == now.count && value.bytes == now.bytes)
            continue;
        stretch_put_loose(&old->payload, i - changed_at - 1, now, value);
        changed_at = i;
        now = value;
    }
    int32_t end = (int32_t)old->payload.size;
    buf_append(&old->ends, &end, sizeof(end));
}

/* Until old_chunk_done. */
static inline void old_chunk_make(struct old_chunk *ret, int64_t slot_ms,
                                  const struct chunk_snapshot *heads,
                                  const struct heap_values *values, uint32_t count)
{
    uint32_t types = 0;
    *ret = (struct old_chunk){.chunk = {.slot_ms = slot_ms, .format = CHUNK_ARRAYS}};
    for (uint32_t i = 0; i < count; i++) {
        int32_t time_ms = (int32_t)(heads[i].time_ms - slot_ms);
        buf_append(&ret->times, &time_ms, sizeof(time_ms));
        types = values[i].types > types ? values[i].types : types;
    }
    for (uint32_t type = 0; type < types; type++)
        old_put_type(ret, type, values, count);
    old_put_process(ret, heads, values, count);
    ret->chunk.snapshots = count;
    ret->chunk.times_ms = (const int32_t *)(const void *)ret->times.data;
    ret->chunk.first = (const struct type_value *)(const void *)ret->first.data;
    ret->chunk.ends = (const int32_t *)(const void *)ret->ends.data;
    ret->chunk.end_count = types;
    ret->chunk.process = ret->process.data;
    ret->chunk.process_size = ret->process.size;
    ret->chunk.payload = ret->payload.data;
    ret->chunk.payload_size = ret->payload.size;
}

#endif
