/*
 * A process under random agents: runs end and begin anew with the types in another order, streams
 * break and are opened again, facts get lost. What is in the batch must always decode, in order, to
 * what the agents saw.
 */
#include "tracked_process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "write_batch.h"

enum { TYPES = 40, STEPS = 400, STRANGE = 2000 };

static uint64_t seed;

static uint32_t below(uint32_t limit)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed % limit);
}

static char names[TYPES][16];

/* What the database would hold: decoded row by row from the batch. */
struct stored {
    struct write_batch *batch;
    size_t rows; /* of the batch that were decoded */
    struct heap_values heap;
    uint64_t sequence;
    uint32_t type_count;
    const char *types[STRANGE + TYPES];
};

/* As instance_types_add; now and then another agent adds a type of its own at the same time. */
static void add_types(struct stored *stored, const char *const *list, uint32_t count,
                      uint32_t *ret_places)
{
    for (uint32_t i = 0; i < count; i++) {
        if (below(10) == 0 && stored->type_count < STRANGE)
            stored->types[stored->type_count++] = "strange";
        uint32_t place = 0;
        while (place < stored->type_count && strcmp(stored->types[place], list[i]) != 0)
            place++;
        if (place == stored->type_count)
            stored->types[stored->type_count++] = list[i];
        ret_places[i] = place;
    }
}

static void read_rows(struct stored *stored)
{
    for (; stored->rows < write_batch_snapshots(stored->batch); stored->rows++) {
        struct snapshot_row row = write_batch_row(stored->batch, stored->rows);
        assert_true(row.sequence > stored->sequence);
        if (row.base_sequence != 0)
            assert_int_equal(row.base_sequence, stored->sequence);
        assert_int_equal(snapshot_decode(row.body, row.body_size, &stored->heap, NULL), STATUS_OK);
        assert_int_equal(row.types, stored->heap.types);
        stored->sequence = row.sequence;
    }
}

/* An agent run: its own order of the types, of which it knows the first `known`. */
struct agent {
    uint32_t order[TYPES];
    uint32_t known;
    struct heap_values heap, base;
    uint64_t base_sequence; /* 0: the next one is a keyframe */
};

static void agent_begin(struct agent *agent)
{
    for (uint32_t i = 0; i < TYPES; i++)
        agent->order[i] = i;
    for (uint32_t i = TYPES - 1; i > 0 && below(3) > 0; i--) {
        uint32_t k = below(i + 1), swap = agent->order[i];
        agent->order[i] = agent->order[k];
        agent->order[k] = swap;
    }
    agent->known = 1 + below(TYPES / 2);
    agent->base_sequence = 0;
    heap_values_resize(&agent->heap, 0);
}

static void agent_announce(const struct agent *agent, uint32_t from,
                           struct tracked_process *process, struct stored *stored)
{
    const char *list[TYPES], *fresh[TYPES];
    uint32_t count = agent->known - from, fresh_count = 0, places[TYPES];
    for (uint32_t i = 0; i < count; i++)
        list[i] = names[agent->order[from + i]];
    assert_int_equal(
        type_numbering_unknown(&process->types, list, count, fresh, &fresh_count, NULL), STATUS_OK);
    add_types(stored, fresh, fresh_count, places);
    type_numbering_learn(&process->types, fresh, places, fresh_count);
    assert_int_equal(tracked_process_define(process, from, list, count, NULL), STATUS_OK);
}

static void agent_live(struct agent *agent, struct tracked_process *process, struct stored *stored)
{
    if (agent->known < TYPES && below(4) == 0) {
        uint32_t before = agent->known;
        agent->known += 1 + below(TYPES - agent->known);
        agent_announce(agent, before, process, stored);
    }
    heap_values_resize(&agent->heap, agent->known);
    for (uint32_t changes = below(6); changes > 0; changes--)
        agent->heap.values[below(agent->known)] = (struct type_value){below(1000), below(1000000)};
}

static enum status agent_send(struct agent *agent, uint64_t sequence,
                              struct tracked_process *process, struct write_batch *batch)
{
    struct buf body = BUF_INIT;
    if (agent->base_sequence == 0 || below(20) == 0) {
        agent->base_sequence = 0;
        snapshot_encode_keyframe(&agent->heap, &body);
    } else {
        snapshot_encode_delta(&agent->base, &agent->heap, &body);
    }
    struct snapshot_row row = {.sequence = sequence,
                               .base_sequence = agent->base_sequence,
                               .body = body.data,
                               .body_size = body.size};
    enum status status = tracked_process_snapshot(process, &row, batch, NULL);
    buf_done(&body);
    heap_values_copy(&agent->base, &agent->heap);
    agent->base_sequence = status == STATUS_OK ? sequence : 0;
    return status;
}

static void assert_agree(const struct agent *agent, const struct stored *stored)
{
    for (uint32_t i = 0; i < stored->heap.types; i++) {
        struct type_value expected = {0, 0};
        for (uint32_t k = 0; k < agent->heap.types; k++) {
            if (strcmp(names[agent->order[k]], stored->types[i]) == 0)
                expected = agent->heap.values[k];
        }
        assert_int_equal(stored->heap.values[i].count, expected.count);
        assert_int_equal(stored->heap.values[i].bytes, expected.bytes);
    }
}

/* The stream broke: a new one finds what the database has. */
static struct tracked_process *reopen(const struct stored *stored)
{
    struct tracked_process *process = tracked_process_new(1, (const uint8_t[ID_BYTES]){1});
    struct instance_state state = {.service_id = 1,
                                   .instance_id = 2,
                                   .last_sequence = stored->sequence,
                                   .chain_broken = stored->sequence == 0,
                                   .type_count = stored->type_count};
    heap_values_copy(&state.values, &stored->heap);
    state.type_names = calloc(STRANGE + TYPES, sizeof(*state.type_names));
    for (uint32_t i = 0; i < stored->type_count; i++)
        state.type_names[i] = strdup(stored->types[i]);
    tracked_process_place(process, &state);
    return process;
}

static void live_once(uint64_t start)
{
    seed = start;
    struct stored stored = {.batch = write_batch_new()};
    struct agent agent = {.known = 0};
    struct tracked_process *process = NULL;
    for (uint64_t sequence = 1; sequence <= STEPS; sequence++) {
        uint32_t event = sequence == 1 ? 0 : below(30);
        if (event == 0)
            agent_begin(&agent);
        if (event <= 1) {
            tracked_process_free(process);
            process = reopen(&stored);
            agent_announce(&agent, 0, process, &stored);
        }
        agent_live(&agent, process, &stored);
        int lost = event == 2 && agent.base_sequence != 0;
        if (lost) {
            heap_values_copy(&agent.base, &agent.heap);
            agent.base_sequence = sequence;
            continue;
        }
        int chain_ok = agent.base_sequence == 0 || agent.base_sequence == stored.sequence;
        enum status status = agent_send(&agent, sequence, process, stored.batch);
        if (chain_ok)
            assert_int_equal(status, STATUS_OK);
        read_rows(&stored);
        if (status == STATUS_OK)
            assert_agree(&agent, &stored);
        else
            assert_int_equal(status, STATUS_GONE);
    }
    tracked_process_free(process);
    write_batch_free(stored.batch);
    heap_values_done(&stored.heap);
    heap_values_done(&agent.heap);
    heap_values_done(&agent.base);
}

static void what_is_stored_is_what_the_agents_saw(void **state)
{
    (void)state;
    for (int i = 0; i < TYPES; i++)
        (void)snprintf(names[i], sizeof(names[i]), "t%d", i);
    for (uint64_t start = 1; start <= 300; start++)
        live_once(start * 0x9e3779b97f4a7c15u);
}

static void sums_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    struct tracked_process *process = tracked_process_new(1, (const uint8_t[ID_BYTES]){1});
    struct instance_state place = {.chain_broken = 1};
    tracked_process_place(process, &place);
    struct write_batch *batch = write_batch_new();
    const char *const two[] = {"a", "b"};
    type_numbering_learn(&process->types, two, (const uint32_t[]){0, 1}, 2);
    assert_int_equal(tracked_process_define(process, 0, two, 2, NULL), STATUS_OK);
    struct heap_values heap = HEAP_VALUES_INIT;
    heap_values_resize(&heap, 2);
    heap.values[0].bytes = heap.values[1].bytes = SNAPSHOT_BYTES_MAX;
    struct buf body = BUF_INIT;
    snapshot_encode_keyframe(&heap, &body);
    struct snapshot_row row = {.sequence = 5, .body = body.data, .body_size = body.size};
    assert_int_equal(tracked_process_snapshot(process, &row, batch, NULL), STATUS_INVALID);
    assert_int_equal(write_batch_snapshots(batch), 0);
    assert_int_equal(process->heap_sequence, 0);
    buf_done(&body);
    heap_values_done(&heap);
    write_batch_free(batch);
    tracked_process_free(process);
}

static void what_is_refused_holds_no_memory(void **state)
{
    (void)state;
    struct tracked_process *process = tracked_process_new(1, (const uint8_t[ID_BYTES]){1});
    struct instance_state place = {.chain_broken = 1};
    tracked_process_place(process, &place);
    struct write_batch *batch = write_batch_new();
    const uint8_t nothing[] = {0x10, 0x00};
    const uint8_t large[] = {0x12, 0x80, 0x80, 0x01}; /* 16,384 types, of which none is named */
    struct snapshot_row row = {.sequence = 5, .body = nothing, .body_size = sizeof(nothing)};
    assert_int_equal(tracked_process_snapshot(process, &row, batch, NULL), STATUS_OK);
    row = (struct snapshot_row){
        .sequence = 6, .base_sequence = 5, .body = large, .body_size = sizeof(large)};
    assert_int_equal(tracked_process_snapshot(process, &row, batch, NULL), STATUS_INVALID);
    assert_int_equal(process->heap.capacity, 0);
    row = (struct snapshot_row){.sequence = 7, .body = nothing, .body_size = sizeof(nothing)};
    assert_int_equal(tracked_process_snapshot(process, &row, batch, NULL), STATUS_OK);
    write_batch_free(batch);
    tracked_process_free(process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_stored_is_what_the_agents_saw),
        cmocka_unit_test(sums_that_do_not_fit_are_refused),
        cmocka_unit_test(what_is_refused_holds_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
