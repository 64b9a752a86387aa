/*
 *     from_ms                       level_end                     to_ms
 *     |---- chunks alone: by type ----|---- hot, perhaps chunks ----|
 *
 * Before level_end every slot is compacted and nothing is hot that is not in its chunks.
 */
#include "history_type.h"

#include <stdlib.h>

#include "history_batch.h"
#include "hot_tail.h"
#include "levels.h"

struct type_walk {
    struct db *db;
    int64_t service_id, from_ms, to_ms;
    const struct type_range *ranges;
    history_type_visit_fn *visit;
    void *user;
    int64_t end_ms; /* compacted until here */
    size_t range;   /* that is walked */
};

/* ---- chunks --------------------------------------------------------------------------------- */

static const char chunks_sql[] =
    "SELECT u.place - 1, c.slot_ms, " CHUNK_TIMES ", "
    "    coalesce(c.counts[u.n], 0), coalesce(c.bytes[u.n], 0), "
    "    coalesce(substring(c.payload FROM b.begins + 1 FOR c.ends[e.n] - b.begins), '') "
    "FROM unnest($2, $3) WITH ORDINALITY u(id, n, place) "
    "JOIN heapfleet.heap_chunk c ON c.service_id = $1 AND c.instance_id = u.id "
    "    AND c.slot_ms > $4 - 14400000 AND c.slot_ms <= $5 "
    "CROSS JOIN LATERAL (SELECT CASE c.format WHEN 1 THEN u.n ELSE (u.n - 1) / 16 + 1 END AS n) e "
    "CROSS JOIN LATERAL (SELECT coalesce(c.ends[e.n - 1], 0) AS begins) b "
    "ORDER BY u.place, c.slot_ms";

static enum status fetch_chunks(struct type_walk *walk, size_t first, size_t count,
                                struct pg_rows *ret, struct why *why)
{
    struct buf ids = BUF_INIT, places = BUF_INIT;
    pg_array_begin(&ids, PG_I64, count);
    pg_array_begin(&places, PG_I32, count);
    for (size_t i = first; i < first + count; i++) {
        uint32_t index = walk->ranges[i].index;
        pg_array_i64(&ids, walk->ranges[i].instance_id);
        pg_array_i32(&places, index < SNAPSHOT_TYPES_MAX ? (int32_t)index + 1 : INT32_MAX);
    }
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, walk->service_id);
    pg_param_array(&params, PG_I64, &ids);
    pg_param_array(&params, PG_I32, &places);
    pg_param_i64(&params, walk->from_ms);
    pg_param_i64(&params, walk->to_ms < walk->end_ms ? walk->to_ms : walk->end_ms - 1);
    enum status status = pg_run(walk->db->pg, chunks_sql, &params, ret, why);
    buf_done(&ids);
    buf_done(&places);
    return status;
}

static enum status read_values(const struct type_walk *walk, const struct pg_rows *rows, int row,
                               uint32_t snapshots, struct type_value *ret, struct why *why)
{
    size_t size;
    const uint8_t *bytes = pg_bytes(rows, row, 7, &size);
    if (pg_i64(rows, row, 2) != CHUNK_ARRAYS)
        return chunk_read_type(bytes, size, walk->ranges[walk->range].index % CHUNK_GROUP,
                               snapshots, ret, why);
    struct type_value first = {(uint64_t)pg_i64(rows, row, 5), (uint64_t)pg_i64(rows, row, 6)};
    return chunk_read_changes(first, bytes, size, snapshots, ret, why);
}

static enum status show_chunk(struct type_walk *walk, const struct pg_rows *rows, int row,
                              struct why *why)
{
    struct type_value *times = NULL;
    uint32_t snapshots = 0;
    enum status status = stored_times_read(rows, row, 2, &times, &snapshots, why);
    if (status != STATUS_OK)
        return status;
    struct type_value *values = malloc(snapshots * sizeof(*values));
    ASSERT(values != NULL);
    if (read_values(walk, rows, row, snapshots, values, why) != STATUS_OK)
        status = STATUS_FAILED;
    int64_t slot_ms = pg_i64(rows, row, 1);
    for (uint32_t i = 0; i < snapshots && status == STATUS_OK; i++) {
        int64_t time_ms = slot_ms + (int64_t)times[i].bytes;
        if (time_ms >= walk->from_ms && time_ms <= walk->to_ms && time_ms < walk->end_ms)
            status = walk->visit(walk->user, walk->range, time_ms, values[i]);
    }
    free(times);
    free(values);
    return status;
}

/* ---- what is hot ---------------------------------------------------------------------------- */

static enum status show_snapshot(void *user, const struct history_snapshot *snapshot)
{
    struct type_walk *walk = user;
    uint32_t index = walk->ranges[walk->range].index;
    struct type_value value = {0};
    if (index < snapshot->values->types)
        value = snapshot->values->values[index];
    return walk->visit(walk->user, walk->range, snapshot->time_ms, value);
}

/* One type of hot rows that build on each other. A row that cannot be decoded takes those along
 * that build on it. */
struct type_chain {
    uint32_t index;
    struct type_value value;
    uint64_t sequence; /* of `value`; 0: none yet */
    uint64_t shown;    /* the newest row's; 0: none yet */
    int is_broken;     /* `value` means nothing */
};

static void chain_take(struct type_chain *chain, const struct hot_row *row)
{
    chain->is_broken = snapshot_decode_type(row->body, row->body_size, chain->index, &chain->value,
                                            NULL) != STATUS_OK;
    chain->sequence = row->sequence;
}

static void chain_go_on(struct type_chain *chain, const struct hot_row *row,
                        const struct hot_row *base)
{
    int is_keyframe = row->base_sequence == 0;
    if (!is_keyframe && row->base_sequence != chain->sequence) {
        chain_take(chain, base);
        chain->is_broken |= !snapshot_is_keyframe(base->body, base->body_size);
    }
    if (is_keyframe || !chain->is_broken)
        chain_take(chain, row);
    chain->sequence = row->sequence;
}

/* Of a name that has two times, which old keys allow, the second is passed over. */
static enum status show_row(struct type_walk *walk, const struct history_range *range,
                            struct type_chain *chain, const struct hot_row *row,
                            const struct hot_row *base)
{
    if (row->sequence == chain->shown)
        return STATUS_OK;
    chain->shown = row->sequence;
    chain_go_on(chain, row, base);
    if (chain->is_broken || row->time_ms < range->from_ms || row->time_ms > range->to_ms)
        return STATUS_OK;
    return walk->visit(walk->user, walk->range, row->time_ms, chain->value);
}

static enum status show_rows(struct type_walk *walk, const struct history_batch *hot, size_t at)
{
    const struct batch_range *of = &hot->of[at];
    struct type_chain chain = {.index = walk->ranges[walk->range].index};
    enum status status = STATUS_OK;
    for (int i = of->hot_begin; i < of->hot_end && status == STATUS_OK; i++) {
        struct hot_row row = history_batch_hot(hot, i);
        status = show_row(walk, &hot->ranges[at], &chain, &row, &of->base);
    }
    return status;
}

static enum status show_tail(struct type_walk *walk, const struct hot_tail *tail,
                             const struct history_range *range, size_t at)
{
    struct type_chain chain = {.index = walk->ranges[walk->range].index};
    struct hot_cursor cursor = hot_tail_rows(tail, at);
    struct hot_row row;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && hot_cursor_next(&cursor, &row))
        status = show_row(walk, range, &chain, &row, &cursor.base);
    return status;
}

static enum status show_batch(struct type_walk *walk, struct history_batch *hot, size_t at,
                              struct why *why)
{
    const struct batch_range *of = &hot->of[at];
    if (of->list_begin == of->list_end && !history_batch_is_cut(hot, at) &&
        history_batch_is_whole(hot, at))
        return show_rows(walk, hot, at);
    return history_batch_walk(hot, at, show_snapshot, walk, why);
}

/* The stretches of some processes that are not compacted for certain, in one of two ways. */
struct type_hot {
    struct history_range ranges[BATCH_RANGES];
    size_t count;
    struct hot_tail tail;
    int is_tail; /* it has all */
    struct history_batch batch;
};

static enum status read_hot(const struct type_walk *walk, size_t first, size_t count,
                            struct type_hot *ret, struct why *why)
{
    int64_t from_ms = walk->from_ms > walk->end_ms ? walk->from_ms : walk->end_ms;
    *ret = (struct type_hot){.count = from_ms > walk->to_ms ? 0 : count};
    for (size_t i = 0; i < ret->count; i++)
        ret->ranges[i] =
            (struct history_range){walk->ranges[first + i].instance_id, from_ms, walk->to_ms};
    if (from_ms != walk->end_ms)
        return history_batch_read(walk->db, walk->service_id, ret->ranges, ret->count, &ret->batch,
                                  why);
    enum status status = hot_tail_read(walk->db, walk->service_id, ret->ranges, ret->count,
                                       &ret->tail, &ret->is_tail, why);
    if (status != STATUS_OK || ret->is_tail)
        return status;
    return history_batch_read_tail(walk->db, walk->service_id, ret->ranges, ret->count, &ret->batch,
                                   why);
}

static enum status show_hot(struct type_walk *walk, struct type_hot *hot, size_t at,
                            struct why *why)
{
    if (hot->is_tail)
        return show_tail(walk, &hot->tail, &hot->ranges[at], at);
    return show_batch(walk, &hot->batch, at, why);
}

static void hot_done(struct type_hot *hot)
{
    hot_tail_done(&hot->tail);
    history_batch_done(&hot->batch);
}

/* Both at once. */
static void ask_both(struct type_walk *walk, size_t first, size_t count)
{
    struct type_hot hot;
    struct pg_rows rows;
    pg_ask_ahead(walk->db->pg, 1);
    enum status status = read_hot(walk, first, count, &hot, NULL);
    hot_done(&hot);
    status |= fetch_chunks(walk, first, count, &rows, NULL);
    pg_ask_ahead(walk->db->pg, 0);
    ASSERT(status != STATUS_OK);
}

/* ---- process by process --------------------------------------------------------------------- */

static enum status walk_some(struct type_walk *walk, size_t first, size_t count, struct why *why)
{
    struct pg_rows rows = {0};
    struct type_hot hot;
    int row = 0;
    if (walk->from_ms < walk->end_ms)
        ask_both(walk, first, count);
    enum status status = read_hot(walk, first, count, &hot, why);
    if (status == STATUS_OK && walk->from_ms < walk->end_ms)
        status = fetch_chunks(walk, first, count, &rows, why);
    for (size_t i = first; i < first + count && status == STATUS_OK; i++) {
        walk->range = i;
        while (row < rows.count && status == STATUS_OK &&
               first + (size_t)pg_i64(&rows, row, 0) == i)
            status = show_chunk(walk, &rows, row++, why);
        if (status == STATUS_OK && hot.count > 0)
            status = show_hot(walk, &hot, i - first, why);
    }
    pg_rows_done(&rows);
    hot_done(&hot);
    return status;
}

enum status history_walk_type(struct db *db, const struct type_span *span,
                              const struct type_range *ranges, size_t count,
                              history_type_visit_fn *visit, void *user, struct why *why)
{
    struct type_walk walk = {.db = db,
                             .service_id = span->service_id,
                             .from_ms = span->from_ms,
                             .to_ms = span->to_ms,
                             .ranges = ranges,
                             .visit = visit,
                             .user = user,
                             .end_ms = span->end_ms};
    enum status status = STATUS_OK;
    if (span->end_ms == 0)
        status = level_end(db, span->service_id, span->now_ms, &walk.end_ms, why);
    for (size_t first = 0; first < count && status == STATUS_OK; first += BATCH_RANGES) {
        size_t left = count - first;
        status = walk_some(&walk, first, left < BATCH_RANGES ? left : BATCH_RANGES, why);
    }
    if (status != STATUS_OK)
        pg_forget_ahead(db->pg); /* else all was taken */
    return status;
}
