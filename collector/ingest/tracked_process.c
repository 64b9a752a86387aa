/*
 * The chain. A delta must build on the newest snapshot that we have of the process: `heap`.
 *
 *     numbering the same     heap -> stored as it came
 *     numbering differs      heap (agent's) -> permuted -> `stored` -> encoded anew
 *
 * After opening, `stored` holds what the database has; it becomes `heap` with the first delta, when
 * the agent has told its types.
 */
#include "tracked_process.h"

#include <stdlib.h>
#include <string.h>

struct tracked_process *tracked_process_new(uint32_t number, const uint8_t uuid[ID_BYTES])
{
    struct tracked_process *process = calloc(1, sizeof(*process));
    ASSERT(process != NULL);
    process->number = number;
    memcpy(process->uuid, uuid, ID_BYTES);
    return process;
}

void tracked_process_free(struct tracked_process *process)
{
    if (process == NULL)
        return;
    type_numbering_done(&process->types);
    heap_values_done(&process->heap);
    heap_values_done(&process->stored);
    free(process->rejected);
    free(process);
}

void tracked_process_reject(struct tracked_process *process, const char *reason)
{
    if (process->rejected != NULL)
        return;
    process->rejected = strdup(reason);
    ASSERT(process->rejected != NULL);
    type_numbering_done(&process->types);
    heap_values_done(&process->heap);
    heap_values_done(&process->stored);
}

void tracked_process_place(struct tracked_process *process, struct instance_state *state)
{
    process->service_id = state->service_id;
    process->instance_id = state->instance_id;
    process->last_sequence = state->last_sequence;
    process->agent_from = state->agent_from;
    type_numbering_load(&process->types, (const char *const *)state->type_names, state->type_count);
    if (!state->chain_broken) {
        process->stored = state->values;
        process->stored_sequence = state->last_sequence;
        process->since_keyframe = state->chain_length;
        state->values = HEAP_VALUES_INIT;
    }
    instance_state_done(state);
}

/* ---- types ---------------------------------------------------------------------------------- */

/* When the numberings part in the middle of a stream, the stored heap has been the agent's so far.
 */
enum status tracked_process_define(struct tracked_process *process, uint32_t first_index,
                                   const char *const *names, uint32_t count, struct why *why)
{
    int same_before = process->types.places == NULL;
    enum status status = type_numbering_define(&process->types, first_index, names, count, why);
    if (status == STATUS_OK && same_before && process->types.places != NULL &&
        process->heap_sequence != 0) {
        heap_values_copy(&process->stored, &process->heap);
        process->stored_sequence = process->heap_sequence;
    }
    return status;
}

/* ---- snapshots ------------------------------------------------------------------------------ */

/* The database's heap becomes the agent's, with the first snapshot of a stream. */
static void settle(struct tracked_process *process)
{
    if (process->heap_sequence != 0 || process->stored_sequence == 0)
        return;
    process->heap_sequence = process->stored_sequence;
    if (process->types.places != NULL) {
        type_numbering_to_agent(&process->types, &process->stored, &process->heap);
        return;
    }
    heap_values_done(&process->heap);
    process->heap = process->stored;
    process->stored = HEAP_VALUES_INIT;
    process->stored_sequence = 0;
}

/* Sums that fit the database's columns. */
static enum status total(const struct heap_values *heap, struct snapshot_row *row, struct why *why)
{
    uint64_t objects = 0, bytes = 0;
    for (uint32_t i = 0; i < heap->types; i++) {
        objects += heap->values[i].count; /* 2^14 types of at most 2^48 */
        bytes += heap->values[i].bytes; /* of at most 2^56: may overflow 2^63, so look each time */
        if (bytes > SNAPSHOT_BYTES_MAX)
            return why_fail(why, STATUS_INVALID, "the heap has more than 2^56 bytes");
    }
    row->objects = objects;
    row->bytes = bytes;
    return STATUS_OK;
}

/* The heap has changed; write the change in the stored numbering. */
static void add_translated(struct tracked_process *process, struct snapshot_row *row,
                           struct write_batch *batch)
{
    struct heap_values now = HEAP_VALUES_INIT;
    struct buf body = BUF_INIT;
    type_numbering_to_stored(&process->types, &process->heap, &now);
    if (row->base_sequence == 0)
        snapshot_encode_keyframe(&now, &body);
    else
        snapshot_encode_delta(&process->stored, &now, &body);
    row->types = now.types;
    row->body = body.data;
    row->body_size = body.size;
    write_batch_snapshot(batch, row);
    buf_done(&body);
    heap_values_done(&process->stored);
    process->stored = now;
    process->stored_sequence = row->sequence;
}

static enum status check_base(const struct tracked_process *process, const struct snapshot_row *row,
                              struct why *why)
{
    int keyframe = snapshot_is_keyframe(row->body, row->body_size);
    if (row->base_sequence == 0 && !keyframe)
        return why_fail(why, STATUS_INVALID, "a change without a base");
    if (row->base_sequence != 0 && keyframe)
        return why_fail(why, STATUS_INVALID, "a keyframe with a base");
    if (row->base_sequence != 0 && process->heap_sequence == 0)
        return why_fail(why, STATUS_GONE, "it changes snapshot %llu, which this collector lacks",
                        (unsigned long long)row->base_sequence);
    if (row->base_sequence != 0 && row->base_sequence != process->heap_sequence)
        return why_fail(why, STATUS_GONE, "it changes snapshot %llu, but the newest here is %llu",
                        (unsigned long long)row->base_sequence,
                        (unsigned long long)process->heap_sequence);
    return STATUS_OK;
}

void tracked_process_lose(struct tracked_process *process)
{
    heap_values_done(&process->heap);
    heap_values_done(&process->stored);
    process->heap_sequence = 0;
    process->stored_sequence = 0;
}

/* Any failure behind a successful decode leaves a heap that the agent does not know we have. Its
 * memory goes too: a body of five bytes, sent for thousands of processes, would hold a gigabyte. */
static enum status forget_heap(struct tracked_process *process, enum status status)
{
    tracked_process_lose(process);
    return status;
}

enum status tracked_process_snapshot(struct tracked_process *process, struct snapshot_row *row,
                                     struct write_batch *batch, struct why *why)
{
    settle(process);
    enum status status = check_base(process, row, why);
    if (status == STATUS_OK)
        status = snapshot_decode(row->body, row->body_size, &process->heap, why);
    if (status != STATUS_OK)
        return status;
    if (process->heap.types > process->types.defined) {
        (void)why_fail(why, STATUS_INVALID, "it has %u types, of which %u were named",
                       process->heap.types, process->types.defined);
        return forget_heap(process, STATUS_INVALID);
    }
    status = total(&process->heap, row, why);
    if (status != STATUS_OK)
        return forget_heap(process, status);
    row->service_id = process->service_id;
    row->instance_id = process->instance_id;
    row->types = process->heap.types;
    if (process->types.places != NULL)
        add_translated(process, row, batch);
    else
        write_batch_snapshot(batch, row);
    process->heap_sequence = row->sequence;
    process->since_keyframe++;
    if (row->base_sequence == 0) {
        process->since_keyframe = 0;
        process->keyframe_asked = 0;
    }
    return STATUS_OK;
}
