/*
 * Property: what goes into a chunk comes out of it, whatever the history is and in both formats.
 * Generated histories have jittered times, clocks that go back, gaps, types that appear, vanish and
 * change in size, and processes that forget their types.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "chunk_codec.h"
#include "old_chunk.h"
#include "varint.h"

enum { HISTORIES = 300, SNAPSHOTS = 40, SLOT = 7 * CHUNK_SLOT_MS };

struct history {
    uint32_t count;
    struct chunk_snapshot heads[SNAPSHOTS];
    struct heap_values values[SNAPSHOTS];
};

static uint64_t draw(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static uint64_t below(uint64_t *seed, uint64_t limit)
{
    return draw(seed) % limit;
}

/* Mostly small, sometimes as large as the codec takes. */
static uint64_t any_number(uint64_t *seed, uint64_t most)
{
    return draw(seed) & (most >> below(seed, 57));
}

static void change_values(uint64_t *seed, struct heap_values *values)
{
    for (uint32_t i = 0; i < values->types; i++) {
        struct type_value *value = &values->values[i];
        switch (below(seed, 12)) {
        case 0:
            value->count = any_number(seed, SNAPSHOT_COUNT_MAX - 1);
            value->bytes = any_number(seed, SNAPSHOT_BYTES_MAX - 1);
            break;
        case 1:
            value->count += 1;
            value->bytes = value->count * 56;
            break;
        case 2:
            value->bytes += 1;
            break;
        case 3:
            *value = (struct type_value){0, 0};
            break;
        default:
            break;
        }
        value->count = value->count > SNAPSHOT_COUNT_MAX ? 0 : value->count;
        value->bytes = value->bytes > SNAPSHOT_BYTES_MAX ? 0 : value->bytes;
    }
}

static void make_history(uint64_t seed, struct history *ret)
{
    *ret = (struct history){.count = 1 + (uint32_t)below(&seed, SNAPSHOTS)};
    uint64_t sequence = any_number(&seed, (uint64_t)1 << 60);
    struct heap_values values = HEAP_VALUES_INIT;
    for (uint32_t i = 0; i < ret->count; i++) {
        if (below(&seed, 6) == 0)
            heap_values_resize(&values, (uint32_t)below(&seed, 50));
        change_values(&seed, &values);
        sequence += 1 + (below(&seed, 3) == 0 ? below(&seed, 1u << 30) : 0);
        struct chunk_snapshot *head = &ret->heads[i];
        head->sequence = sequence;
        head->time_ms = SLOT + (int64_t)below(&seed, CHUNK_SLOT_MS);
        for (int k = 0; k < PROCESS_NUMBERS; k++)
            head->process.of[k] = below(&seed, 3) == 0 ? any_number(&seed, INT64_MAX) : 7;
        heap_values_copy(&ret->values[i], &values);
    }
    heap_values_done(&values);
}

static void history_done(struct history *history)
{
    for (uint32_t i = 0; i < history->count; i++)
        heap_values_done(&history->values[i]);
}

static struct chunk build(struct chunk_builder *builder, const struct history *history)
{
    chunk_builder_begin(builder, SLOT);
    for (uint32_t i = 0; i < history->count; i++)
        assert_int_equal(chunk_builder_add(builder, &history->heads[i], &history->values[i], NULL),
                         STATUS_OK);
    assert_int_equal(chunk_builder_snapshots(builder), history->count);
    return chunk_builder_end(builder);
}

static void assert_read(const struct chunk *chunk, const struct history *history)
{
    struct why why = {""};
    struct chunk_reader *reader = NULL;
    if (chunk_reader_new(chunk, &reader, &why) != STATUS_OK)
        fail_msg("%s", why.text);
    for (uint32_t i = 0; i < history->count; i++) {
        assert_memory_equal(chunk_reader_peek(reader), &history->heads[i],
                            sizeof(history->heads[i]));
        assert_int_equal(chunk_reader_next(reader, &why), STATUS_OK);
        const struct heap_values *values = chunk_reader_values(reader);
        assert_int_equal(values->types, history->values[i].types);
        if (values->types > 0)
            assert_memory_equal(values->values, history->values[i].values,
                                values->types * sizeof(*values->values));
    }
    assert_null(chunk_reader_peek(reader));
    chunk_reader_free(reader);
}

/* Up to a moment, whatever the clock did in between. */
static void assert_ends_at(const struct chunk *chunk, const struct history *history, int64_t to_ms)
{
    uint32_t wanted = history->count, seen = 0;
    while (wanted > 0 && history->heads[wanted - 1].time_ms > to_ms)
        wanted--;
    struct chunk_reader *reader = NULL;
    assert_int_equal(chunk_reader_new(chunk, &reader, NULL), STATUS_OK);
    chunk_reader_end_at(reader, to_ms);
    for (; chunk_reader_peek(reader) != NULL; seen++)
        assert_int_equal(chunk_reader_next(reader, NULL), STATUS_OK);
    assert_int_equal(seen, wanted);
    chunk_reader_free(reader);
}

/* The bytes of one type, and what reads them. */
static enum status read_type(const struct chunk *chunk, uint32_t type, uint32_t snapshots,
                             struct type_value *ret)
{
    uint32_t end = chunk->format == CHUNK_ARRAYS ? type : type / CHUNK_GROUP;
    int32_t from = end == 0 ? 0 : chunk->ends[end - 1];
    size_t size = (size_t)(chunk->ends[end] - from);
    if (chunk->format == CHUNK_ARRAYS)
        return chunk_read_changes(chunk->first[type], chunk->payload + from, size, snapshots, ret,
                                  NULL);
    return chunk_read_type(chunk->payload + from, size, type % CHUNK_GROUP, snapshots, ret, NULL);
}

static void assert_types_read(const struct chunk *chunk, const struct history *history)
{
    struct type_value series[SNAPSHOTS];
    uint32_t types = 0;
    for (uint32_t i = 0; i < history->count; i++)
        types = history->values[i].types > types ? history->values[i].types : types;
    if (chunk->format == CHUNK_STRETCHES)
        types = chunk->end_count * CHUNK_GROUP; /* those that no snapshot knows are nothing */
    for (uint32_t type = 0; type < types; type++) {
        assert_int_equal(read_type(chunk, type, history->count, series), STATUS_OK);
        for (uint32_t i = 0; i < history->count; i++) {
            struct type_value value = {0, 0};
            if (type < history->values[i].types)
                value = history->values[i].values[type];
            assert_memory_equal(&series[i], &value, sizeof(value));
        }
    }
}

static void assert_times_read(const struct chunk *chunk, const struct history *history)
{
    struct type_value *times = NULL;
    uint32_t snapshots = 0;
    assert_int_equal(chunk_read_times(chunk->times, chunk->times_size, &times, &snapshots, NULL),
                     STATUS_OK);
    assert_int_equal(snapshots, history->count);
    for (uint32_t i = 0; i < snapshots; i++) {
        assert_int_equal(times[i].count, history->heads[i].sequence);
        assert_int_equal(times[i].bytes, history->heads[i].time_ms - SLOT);
    }
    free(times);
}

static void assert_all_read(const struct chunk *chunk, const struct history *history)
{
    assert_read(chunk, history);
    assert_types_read(chunk, history);
    for (int64_t at_ms = 0; at_ms <= CHUNK_SLOT_MS; at_ms += CHUNK_SLOT_MS / 8)
        assert_ends_at(chunk, history, SLOT + at_ms);
}

static void a_chunk_is_the_history_that_it_was_made_of(void **state)
{
    (void)state;
    struct chunk_builder *builder = chunk_builder_new(); /* one for all: nothing may be left over */
    for (uint64_t seed = 1; seed <= HISTORIES; seed++) {
        struct history history;
        struct old_chunk old;
        make_history(seed * 0x9e3779b97f4a7c15u, &history);
        struct chunk chunk = build(builder, &history);
        assert_all_read(&chunk, &history);
        assert_times_read(&chunk, &history);
        old_chunk_make(&old, SLOT, history.heads, history.values, history.count);
        assert_all_read(&old.chunk, &history);
        old_chunk_done(&old);
        history_done(&history);
    }
    chunk_builder_free(builder);
}

/* Where the first `count` of the pieces, each its size and as many bytes, end in process. */
static size_t process_end(const struct chunk *chunk, int count)
{
    const uint8_t *at = chunk->process;
    for (int i = 0; i < count; i++) {
        uint64_t size = 0;
        at = varint_read(at, chunk->process + chunk->process_size, &size);
        at += size;
    }
    return (size_t)(at - chunk->process);
}

static size_t process_of_before(const struct chunk *chunk)
{
    return process_end(chunk,
                       chunk->format == CHUNK_ARRAYS ? 2 + PROCESS_NUMBERS_ONCE : CHUNK_PAIRS_ONCE);
}

static void a_chunk_of_before_lacks_what_is_new(void **state)
{
    (void)state;
    struct history history;
    struct old_chunk old;
    make_history(0x7654321, &history);
    struct chunk_builder *builder = chunk_builder_new();
    struct chunk chunk = build(builder, &history);
    old_chunk_make(&old, SLOT, history.heads, history.values, history.count);
    for (uint32_t i = 0; i < history.count; i++)
        for (int k = PROCESS_NUMBERS_ONCE; k < PROCESS_NUMBERS; k++)
            history.heads[i].process.of[k] = 0;
    chunk.process_size = process_of_before(&chunk);
    old.chunk.process_size = process_of_before(&old.chunk);
    assert_read(&chunk, &history);
    assert_read(&old.chunk, &history);
    old_chunk_done(&old);
    chunk_builder_free(builder);
    history_done(&history);
}

static void survive(const struct chunk *chunk)
{
    struct chunk_reader *reader = NULL;
    if (chunk_reader_new(chunk, &reader, NULL) != STATUS_OK)
        return;
    for (int i = 0; i < SNAPSHOTS && chunk_reader_peek(reader) != NULL; i++) {
        if (chunk_reader_next(reader, NULL) != STATUS_OK)
            break;
    }
    chunk_reader_free(reader);
}

/* One of a chunk's stretches of bytes, in memory of just its size so that a sanitizer sees what is
 * read behind it: every byte of it changed, and every end cut off. */
static void damage(const struct chunk *chunk, const uint8_t **bytes, size_t *size,
                   struct chunk *damaged)
{
    const uint8_t *whole = *bytes;
    size_t whole_size = *size;
    for (size_t at = 0; at < whole_size * 3; at++) {
        uint8_t *copy = malloc(whole_size);
        assert_non_null(copy);
        memcpy(copy, whole, whole_size);
        copy[at % whole_size] ^= (uint8_t[]){0x80, 0xff, 0x01}[at / whole_size];
        *bytes = copy;
        survive(damaged);
        free(copy);
    }
    size_t of_before = size == &damaged->process_size ? process_of_before(chunk) : whole_size;
    for (*size = 0; *size < whole_size; ++*size) {
        if (*size == of_before)
            continue;
        uint8_t *copy = malloc(*size + 1);
        struct chunk_reader *reader = NULL;
        assert_non_null(copy);
        memcpy(copy + 1, whole, *size);
        *bytes = copy + 1;
        assert_int_equal(chunk_reader_new(damaged, &reader, NULL), STATUS_INVALID);
        free(copy);
    }
    *damaged = *chunk;
}

/* Refused, or read as something else, never more. */
static void a_damaged_chunk_is_survived(void **state)
{
    (void)state;
    struct history history;
    struct old_chunk old;
    make_history(0x1234567, &history);
    struct chunk_builder *builder = chunk_builder_new();
    struct chunk chunk = build(builder, &history);
    struct chunk damaged = chunk;
    damage(&chunk, &damaged.times, &damaged.times_size, &damaged);
    damage(&chunk, &damaged.process, &damaged.process_size, &damaged);
    damage(&chunk, &damaged.payload, &damaged.payload_size, &damaged);
    old_chunk_make(&old, SLOT, history.heads, history.values, history.count);
    damaged = old.chunk;
    damage(&old.chunk, &damaged.process, &damaged.process_size, &damaged);
    damage(&old.chunk, &damaged.payload, &damaged.payload_size, &damaged);
    old_chunk_done(&old);
    chunk_builder_free(builder);
    history_done(&history);
}

static void a_format_of_tomorrow_is_refused(void **state)
{
    (void)state;
    struct history history;
    make_history(7, &history);
    struct chunk_builder *builder = chunk_builder_new();
    struct chunk chunk = build(builder, &history);
    struct chunk_reader *reader = NULL;
    for (int format = -1; format < 5; format++) {
        chunk.format = format;
        if (format != CHUNK_ARRAYS && format != CHUNK_STRETCHES)
            assert_int_equal(chunk_reader_new(&chunk, &reader, NULL), STATUS_INVALID);
    }
    chunk_builder_free(builder);
    history_done(&history);
}

static void what_does_not_change_costs_next_to_nothing(void **state)
{
    (void)state;
    struct chunk_builder *builder = chunk_builder_new();
    struct heap_values values = HEAP_VALUES_INIT;
    heap_values_resize(&values, 300);
    chunk_builder_begin(builder, SLOT);
    for (uint64_t i = 0; i < 240; i++) {
        struct chunk_snapshot head = {.sequence = 1 + i, .time_ms = SLOT + (int64_t)i * 60000};
        assert_int_equal(chunk_builder_add(builder, &head, &values, NULL), STATUS_OK);
    }
    struct chunk chunk = chunk_builder_end(builder);
    assert_int_equal(chunk.payload_size, 300);
    assert_true(chunk.times_size < 20);
    assert_true(chunk.process_size < 30);
    heap_values_done(&values);
    chunk_builder_free(builder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chunk_is_the_history_that_it_was_made_of),
        cmocka_unit_test(a_chunk_of_before_lacks_what_is_new),
        cmocka_unit_test(a_damaged_chunk_is_survived),
        cmocka_unit_test(a_format_of_tomorrow_is_refused),
        cmocka_unit_test(what_does_not_change_costs_next_to_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
