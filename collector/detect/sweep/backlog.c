#include "backlog.h"

#include <string.h>

#include "attributes.h"

/* A snapshot; behind it `changes` of them. */
struct record {
    struct history_snapshot facts; /* without its values */
    size_t range;
    uint32_t types, changes;
    int is_whole; /* the changes are to nothing */
};

struct change {
    struct type_value value;
    uint32_t index;
};

void backlog_init(struct backlog *backlog, size_t bytes_max)
{
    *backlog = (struct backlog){.bytes_max = bytes_max, .last_cut = BACKLOG_CUTS_MAX};
}

static void drop(struct backlog *backlog, uint32_t cut)
{
    backlog->bytes -= backlog->cuts[cut].size;
    buf_done(&backlog->cuts[cut]);
    if (cut == backlog->last_cut)
        backlog->last_cut = BACKLOG_CUTS_MAX;
}

static void clear(struct backlog *backlog)
{
    for (uint32_t cut = backlog->taken; cut < backlog->count; cut++)
        drop(backlog, cut);
    backlog->count = backlog->taken = 0;
}

void backlog_done(struct backlog *backlog)
{
    clear(backlog);
    heap_values_done(&backlog->last);
}

void backlog_begin(struct backlog *backlog, int64_t base_ms, int64_t step_ms, int64_t end_ms)
{
    clear(backlog);
    int64_t cuts = end_ms > base_ms ? (end_ms - base_ms + step_ms - 1) / step_ms : 0;
    backlog->base_ms = base_ms;
    backlog->step_ms = step_ms;
    backlog->count = cuts < BACKLOG_CUTS_MAX ? (uint32_t)cuts : BACKLOG_CUTS_MAX;
}

int64_t backlog_end_ms(const struct backlog *backlog)
{
    return backlog->base_ms + backlog->count * backlog->step_ms;
}

/* ---- adding ---------------------------------------------------------------------------------- */

static void append_changes(const struct heap_values *before, const struct heap_values *now,
                           struct buf *ret, uint32_t *ret_count)
{
    for (uint32_t i = 0; i < now->types; i++) {
        const struct type_value old =
            before != NULL && i < before->types ? before->values[i] : (struct type_value){0, 0};
        const struct change change = {now->values[i], i};
        if (change.value.count == old.count && change.value.bytes == old.bytes)
            continue;
        buf_append(ret, &change, sizeof(change));
        ++*ret_count;
    }
}

void backlog_add(struct backlog *backlog, int64_t turn_ms, size_t range,
                 const struct history_snapshot *snapshot)
{
    ASSERT(turn_ms >= backlog->base_ms);
    int64_t place = (turn_ms - backlog->base_ms) / backlog->step_ms;
    if (place >= backlog->count)
        return;
    uint32_t cut = (uint32_t)place;
    int follows = cut == backlog->last_cut && range == backlog->last_range &&
                  snapshot->values->types >= backlog->last.types;
    struct record record = {
        .facts = *snapshot,
        .range = range,
        .types = snapshot->values->types,
        .is_whole = !follows,
    };
    struct buf *buf = &backlog->cuts[cut];
    size_t before = buf->size;
    record.facts.values = NULL;
    buf_append(buf, &record, sizeof(record));
    append_changes(follows ? &backlog->last : NULL, snapshot->values, buf, &record.changes);
    memcpy(buf->data + before, &record, sizeof(record));
    backlog->bytes += buf->size - before;
    heap_values_copy(&backlog->last, snapshot->values);
    backlog->last_cut = cut;
    backlog->last_range = range;
    while (backlog->bytes > backlog->bytes_max)
        drop(backlog, --backlog->count);
}

/* ---- taking ---------------------------------------------------------------------------------- */

static size_t read_record(const struct buf *buf, size_t at, struct record *ret,
                          struct heap_values *heap)
{
    memcpy(ret, buf->data + at, sizeof(*ret));
    at += sizeof(*ret);
    if (ret->is_whole)
        heap_values_resize(heap, 0);
    heap_values_resize(heap, ret->types);
    for (uint32_t i = 0; i < ret->changes; i++) {
        struct change change;
        memcpy(&change, buf->data + at, sizeof(change));
        at += sizeof(change);
        heap->values[change.index] = change.value;
    }
    ret->facts.values = heap;
    return at;
}

static enum status take_cut(const struct buf *buf, history_range_visit_fn *visit, void *user)
{
    struct heap_values heap = HEAP_VALUES_INIT;
    enum status status = STATUS_OK;
    for (size_t at = 0; at < buf->size && status == STATUS_OK;) {
        struct record record;
        at = read_record(buf, at, &record, &heap);
        status = visit(user, record.range, &record.facts);
    }
    heap_values_done(&heap);
    return status;
}

enum status backlog_take(struct backlog *backlog, int64_t end_ms, history_range_visit_fn *visit,
                         void *user)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK && backlog->taken < backlog->count &&
           backlog->base_ms + (backlog->taken + 1) * backlog->step_ms <= end_ms) {
        status = take_cut(&backlog->cuts[backlog->taken], visit, user);
        drop(backlog, backlog->taken++);
    }
    return status;
}
