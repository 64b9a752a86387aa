/*
 * A process's history as it should be: what a test has written, kept beside the database. Generated
 * histories have jittered times, gaps, new chains, types that appear, vanish and change in size.
 */
#ifndef TESTS_SUPPORT_HEAP_MODEL_H
#define TESTS_SUPPORT_HEAP_MODEL_H

#include <stdlib.h>

#include "store_scene.h"

struct model_snapshot {
    struct snapshot_row row; /* without its body */
    struct heap_values values;
};

struct model {
    struct instance_state at;
    struct model_snapshot *snapshots;
    size_t count, capacity, written;
    uint64_t seed;
};

static inline uint64_t model_draw(struct model *model, uint64_t limit)
{
    model->seed ^= model->seed << 13;
    model->seed ^= model->seed >> 7;
    model->seed ^= model->seed << 17;
    return model->seed % limit;
}

enum { MODEL_TYPES = 48 };

/* "model.T7": each process numbers the types in an order of its own. */
static inline void model_type_name(const struct model *model, uint32_t index, char ret[32])
{
    uint32_t number = (index * 5 + (uint32_t)model->at.instance_id) % MODEL_TYPES;
    (void)snprintf(ret, 32, "model.T%u", number);
}

static inline void model_init(struct model *model, const struct process_identity *identity,
                              uint64_t seed)
{
    *model = (struct model){.at = open_instance(identity), .seed = seed * 0x9e3779b97f4a7c15u + 1};
    char texts[MODEL_TYPES][32];
    const char *names[MODEL_TYPES];
    uint32_t places[MODEL_TYPES];
    for (uint32_t i = 0; i < MODEL_TYPES; i++) {
        model_type_name(model, i, texts[i]);
        names[i] = texts[i];
    }
    OK(instance_types_add(store.db, model->at.service_id, model->at.instance_id, names, MODEL_TYPES,
                          places, &why));
}

static inline void model_done(struct model *model)
{
    for (size_t i = 0; i < model->count; i++)
        heap_values_done(&model->snapshots[i].values);
    free(model->snapshots);
    instance_state_done(&model->at);
}

static inline const struct model_snapshot *model_last(const struct model *model)
{
    return model->count > 0 ? &model->snapshots[model->count - 1] : NULL;
}

static inline struct model_snapshot *model_append(struct model *model)
{
    if (model->count == model->capacity) {
        model->capacity = model->capacity * 2 + 64;
        model->snapshots = realloc(model->snapshots, model->capacity * sizeof(*model->snapshots));
        ASSERT(model->snapshots != NULL);
    }
    struct model_snapshot *snapshot = &model->snapshots[model->count++];
    *snapshot = (struct model_snapshot){.row = {.coverage = 10000}};
    return snapshot;
}

static inline void model_change(struct model *model, struct heap_values *values)
{
    for (uint32_t i = 0; i < values->types; i++) {
        struct type_value *value = &values->values[i];
        switch (model_draw(model, 24)) {
        case 0:
        case 1:
            value->count += 1 + model_draw(model, 5);
            value->bytes = value->count * (40 + 8 * i);
            break;
        case 2:
            value->bytes += model_draw(model, 100000);
            break;
        case 3:
            *value = (struct type_value){0, 0};
            break;
        default:
            break;
        }
    }
}

static inline void model_sum(struct model_snapshot *snapshot)
{
    for (uint32_t i = 0; i < snapshot->values.types; i++) {
        snapshot->row.objects += snapshot->values.values[i].count;
        snapshot->row.bytes += snapshot->values.values[i].bytes;
    }
}

/* One more snapshot, at this time. */
static inline void model_snap(struct model *model, int64_t time_ms)
{
    const struct model_snapshot *before = model_last(model);
    uint64_t last = before != NULL ? before->row.sequence : 0;
    struct heap_values values = HEAP_VALUES_INIT;
    if (before != NULL)
        heap_values_copy(&values, &before->values);
    int is_keyframe = before == NULL || model_draw(model, 60) == 0;
    if (values.types < 40 && model_draw(model, 8) == 0)
        heap_values_resize(&values, values.types + 1 + (uint32_t)model_draw(model, 3));
    else if (is_keyframe && model_draw(model, 4) == 0)
        heap_values_resize(&values, values.types / 2);
    model_change(model, &values);
    struct model_snapshot *snapshot = model_append(model);
    snapshot->values = values;
    model_sum(snapshot);
    struct snapshot_row *row = &snapshot->row;
    row->service_id = model->at.service_id;
    row->instance_id = model->at.instance_id;
    row->sequence = last + 1 + (model_draw(model, 5) == 0 ? model_draw(model, 9000) : 0);
    row->base_sequence = is_keyframe ? 0 : last;
    row->time_ms = time_ms;
    row->types = values.types;
    row->rss_anon_bytes = 4096 * model_draw(model, 1 << 20);
    row->swap_bytes = model_draw(model, 50) == 0 ? 4096 : 0;
    row->container_usage_bytes = row->rss_anon_bytes + 4096 * model_draw(model, 99);
    row->container_limit_bytes = 1 << 30;
    row->not_objects_bytes = model_draw(model, 1 << 30);
    row->cpu_ms = (uint64_t)time_ms / 7;
    row->coverage = 10000 - (uint32_t)model_draw(model, 2);
    row->dropped = model_draw(model, 30) == 0;
    row->pool_bytes = 16384 * model_draw(model, 1 << 10);
    row->pool_free_bytes = model_draw(model, 1 << 24);
    row->malloc_free_bytes = model_draw(model, 3) == 0 ? 0 : model_draw(model, 1 << 24);
    row->pss_bytes = row->rss_anon_bytes / 2;
}

/* Commit the snapshots from `first` up to `end`. */
static inline void model_commit(struct model *model, size_t first, size_t end)
{
    struct write_batch *batch = write_batch_new();
    for (size_t i = first; i < end; i++) {
        struct buf body = BUF_INIT;
        struct snapshot_row row = model->snapshots[i].row;
        if (row.base_sequence == 0)
            snapshot_encode_keyframe(&model->snapshots[i].values, &body);
        else
            snapshot_encode_delta(&model->snapshots[i - 1].values, &model->snapshots[i].values,
                                  &body);
        row.body = body.data;
        row.body_size = body.size;
        write_batch_snapshot(batch, &row);
        buf_done(&body);
    }
    OK(write_batch_commit(store.db, batch, &why));
    write_batch_free(batch);
    if (end > model->written)
        model->written = end;
}

/* ---- comparing ------------------------------------------------------------------------------ */

struct model_check {
    const struct model *model;
    int64_t from_ms, to_ms;
    size_t next;
};

static inline void model_skip(struct model_check *check)
{
    while (check->next < check->model->written) {
        int64_t time_ms = check->model->snapshots[check->next].row.time_ms;
        if (time_ms >= check->from_ms && time_ms <= check->to_ms)
            return;
        check->next++;
    }
}

static inline enum status model_see(void *user, const struct history_snapshot *seen)
{
    struct model_check *check = user;
    model_skip(check);
    if (check->next == check->model->written)
        fail_msg("snapshot %llu was never written", (unsigned long long)seen->sequence);
    const struct model_snapshot *known = &check->model->snapshots[check->next++];
    const struct snapshot_row *row = &known->row;
    assert_int_equal(seen->sequence, row->sequence);
    assert_int_equal(seen->time_ms, row->time_ms);
    assert_int_equal(seen->objects, row->objects);
    assert_int_equal(seen->bytes, row->bytes);
    assert_int_equal(seen->rss_anon_bytes, row->rss_anon_bytes);
    assert_int_equal(seen->swap_bytes, row->swap_bytes);
    assert_int_equal(seen->container_usage_bytes, row->container_usage_bytes);
    assert_int_equal(seen->container_limit_bytes, row->container_limit_bytes);
    assert_int_equal(seen->not_objects_bytes, row->not_objects_bytes);
    assert_int_equal(seen->cpu_ms, row->cpu_ms);
    assert_int_equal(seen->coverage, row->coverage);
    assert_int_equal(seen->dropped, row->dropped);
    assert_int_equal(seen->pool_bytes, row->pool_bytes);
    assert_int_equal(seen->pool_free_bytes, row->pool_free_bytes);
    assert_int_equal(seen->malloc_free_bytes, row->malloc_free_bytes);
    assert_int_equal(seen->pss_bytes, row->pss_bytes);
    assert_int_equal(seen->values->types, known->values.types);
    if (known->values.types > 0)
        assert_memory_equal(seen->values->values, known->values.values,
                            known->values.types * sizeof(*known->values.values));
    return STATUS_OK;
}

/* The database has what was written, between these times, once and in order, and nothing else. */
static inline void model_assert(const struct model *model, int64_t from_ms, int64_t to_ms)
{
    struct model_check check = {.model = model, .from_ms = from_ms, .to_ms = to_ms};
    OK(history_walk(store.db, model->at.service_id, model->at.instance_id, from_ms, to_ms,
                    model_see, &check, &why));
    model_skip(&check);
    if (check.next != model->written)
        fail_msg("snapshot %zu of %zu is missing", check.next, model->written);
}

/* A collector that opens the process can go on from its newest snapshot. */
static inline void model_assert_end(const struct model *model,
                                    const struct process_identity *identity)
{
    struct instance_state state = open_instance(identity);
    const struct model_snapshot *last = &model->snapshots[model->written - 1];
    assert_int_equal(state.last_sequence, last->row.sequence);
    assert_false(state.chain_broken);
    assert_int_equal(state.values.types, last->values.types);
    if (last->values.types > 0)
        assert_memory_equal(state.values.values, last->values.values,
                            last->values.types * sizeof(*last->values.values));
    instance_state_done(&state);
}

#endif
