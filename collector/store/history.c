/*
 * Walking a process's history: chunks and hot snapshots, merged by sequence. A snapshot may be in
 * both, between the compaction of its slot and the end of its hot partition: it is shown once.
 *
 * The walk goes in rounds, each of a batch of what is stored (history_batch.h). A round ends where
 * its hot rows end, so that a long walk holds neither a transaction nor much memory, and a visitor
 * may use the handle. The first round of many ranges is one batch, further ones are of one range.
 */
#include "history_batch.h"

struct walk {
    struct history_batch *batch; /* of this round */
    const struct history_range *range;
    history_visit_fn *visit;
    void *user;
    uint64_t after; /* the newest sequence that was passed */
    struct chain chain;

    /* of a round */
    int hot_begin, hot_at, hot_end;
    int is_cut; /* its hot rows are not all */
    size_t list_at, list_end;
    struct stored_chunk *open; /* [opened], room for the list; each has a snapshot to show */
    size_t opened;
};

/* ---- chunks --------------------------------------------------------------------------------- */

static void close_chunk(struct walk *walk, size_t i)
{
    stored_chunk_done(&walk->open[i]);
    walk->open[i] = walk->open[--walk->opened];
}

/* Move the i-th open chunk on, to what it has behind `after`. */
static enum status step_chunk(struct walk *walk, size_t i, struct why *why)
{
    struct chunk_reader *reader = walk->open[i].reader;
    const struct chunk_snapshot *head;
    while ((head = chunk_reader_peek(reader)) != NULL && head->sequence <= walk->after) {
        enum status status = chunk_reader_next(reader, why);
        if (status != STATUS_OK)
            return STATUS_FAILED;
    }
    if (head == NULL)
        close_chunk(walk, i);
    return STATUS_OK;
}

static enum status open_listed(struct walk *walk, struct why *why)
{
    enum status status =
        history_batch_open(walk->batch, walk->list_at++, &walk->open[walk->opened], why);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_OK : status; /* retention has dropped it */
    chunk_reader_end_at(walk->open[walk->opened].reader, walk->range->to_ms);
    return step_chunk(walk, walk->opened++, why);
}

static uint64_t head_sequence(const struct walk *walk, size_t i)
{
    return chunk_reader_peek(walk->open[i].reader)->sequence;
}

/* The open chunk whose next snapshot is the lowest; chunks that may have a lower one are opened. */
static enum status lowest_chunk(struct walk *walk, uint64_t hot_sequence, size_t *ret,
                                struct why *why)
{
    for (;;) {
        size_t lowest = 0;
        for (size_t i = 1; i < walk->opened; i++) {
            if (head_sequence(walk, i) < head_sequence(walk, lowest))
                lowest = i;
        }
        uint64_t known = walk->opened > 0 ? head_sequence(walk, lowest) : UINT64_MAX;
        known = hot_sequence < known ? hot_sequence : known;
        if (walk->list_at == walk->list_end ||
            walk->batch->list[walk->list_at].first_sequence > known) {
            *ret = walk->opened > 0 ? lowest : SIZE_MAX;
            return STATUS_OK;
        }
        enum status status = open_listed(walk, why);
        if (status != STATUS_OK)
            return status;
    }
}

/* ---- showing -------------------------------------------------------------------------------- */

static enum status show(struct walk *walk, const struct chunk_snapshot *head,
                        const struct heap_values *values)
{
    if (head->time_ms < walk->range->from_ms || head->time_ms > walk->range->to_ms)
        return STATUS_OK;
    struct history_snapshot snapshot = {
        .sequence = head->sequence,
        .time_ms = head->time_ms,
        .values = values,
        .objects = head->process.of[PROCESS_OBJECTS],
        .bytes = head->process.of[PROCESS_BYTES],
        .rss_anon_bytes = head->process.of[PROCESS_RSS_ANON],
        .container_usage_bytes = head->process.of[PROCESS_CONTAINER_USAGE],
        .container_limit_bytes = head->process.of[PROCESS_CONTAINER_LIMIT],
        .cpu_ms = head->process.of[PROCESS_CPU_MS],
        .swap_bytes = head->process.of[PROCESS_SWAP],
        .not_objects_bytes = head->process.of[PROCESS_NOT_OBJECTS],
        .coverage = (uint32_t)head->process.of[PROCESS_COVERAGE],
        .dropped = (uint32_t)head->process.of[PROCESS_DROPPED],
        .pool_bytes = head->process.of[PROCESS_POOLS],
        .pool_free_bytes = head->process.of[PROCESS_POOL_FREE],
        .malloc_free_bytes = head->process.of[PROCESS_MALLOC_FREE],
        .pss_bytes = head->process.of[PROCESS_PSS],
    };
    return walk->visit(walk->user, &snapshot);
}

/* `next_base`: what the hot row that comes next builds on. */
static enum status show_chunk(struct walk *walk, size_t i, uint64_t next_base, struct why *why)
{
    struct chunk_reader *reader = walk->open[i].reader;
    const struct chunk_snapshot *head = chunk_reader_peek(reader);
    if (chunk_reader_next(reader, why) != STATUS_OK)
        return STATUS_FAILED;
    walk->after = head->sequence;
    if (head->sequence == next_base)
        chain_set(&walk->chain, head->sequence, chunk_reader_values(reader));
    enum status status = show(walk, head, chunk_reader_values(reader));
    if (chunk_reader_peek(reader) == NULL)
        close_chunk(walk, i);
    return status;
}

static enum status show_hot(struct walk *walk, const struct hot_row *row, struct why *why)
{
    struct chunk_snapshot head = {.sequence = row->sequence, .time_ms = row->time_ms};
    enum status status = chain_apply(&walk->chain, row, why);
    walk->after = row->sequence;
    if (status != STATUS_OK || walk->chain.is_broken)
        return status;
    if (process_numbers_unpack(row->process, row->process_size, &head.process, why) != STATUS_OK)
        return STATUS_FAILED;
    return show(walk, &head, &walk->chain.values);
}

/* Of a name that has two times, which old keys allow, the second is passed over. UINT64_MAX: none
 * is left. */
static struct hot_row next_hot(struct walk *walk)
{
    for (; walk->hot_at < walk->hot_end; walk->hot_at++) {
        struct hot_row row = history_batch_hot(walk->batch, walk->hot_at);
        if (walk->hot_at == walk->hot_begin ||
            row.sequence != history_batch_hot(walk->batch, walk->hot_at - 1).sequence)
            return row;
    }
    return (struct hot_row){.sequence = UINT64_MAX};
}

/* Show the lower of the next hot row and the next snapshot of a chunk. */
static enum status show_next(struct walk *walk, int *ret_more, struct why *why)
{
    struct hot_row row = next_hot(walk);
    size_t chunk = SIZE_MAX;
    enum status status = lowest_chunk(walk, row.sequence, &chunk, why);
    if (status != STATUS_OK)
        return status;
    uint64_t chunk_sequence = chunk == SIZE_MAX ? UINT64_MAX : head_sequence(walk, chunk);
    *ret_more = walk->hot_at < walk->hot_end || (chunk != SIZE_MAX && !walk->is_cut);
    if (!*ret_more)
        return STATUS_OK;
    if (row.sequence < chunk_sequence) {
        walk->hot_at++;
        return show_hot(walk, &row, why);
    }
    if (row.sequence == chunk_sequence) { /* in both: the chain goes on from the chunk's values */
        walk->hot_at++;
        return show_chunk(walk, chunk, row.sequence, why);
    }
    return show_chunk(walk, chunk, row.base_sequence, why);
}

/* What a batch holds of one of its ranges. */
static enum status walk_round(struct walk *walk, struct history_batch *batch, size_t range,
                              struct why *why)
{
    walk->batch = batch;
    const struct batch_range *of = &batch->of[range];
    walk->hot_begin = walk->hot_at = of->hot_begin;
    walk->hot_end = of->hot_end;
    walk->is_cut = history_batch_is_cut(batch, range);
    walk->list_at = of->list_begin;
    walk->list_end = of->list_end;
    walk->chain.base = &of->base;
    walk->open = calloc(walk->list_end - walk->list_at + 1, sizeof(*walk->open));
    ASSERT(walk->open != NULL);
    int more = 1;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && more)
        status = show_next(walk, &more, why);
    for (size_t i = 0; i < walk->opened; i++)
        stored_chunk_done(&walk->open[i]);
    free(walk->open);
    walk->opened = 0;
    return status;
}

static enum status walk_on(struct walk *walk, const struct history_batch *first, struct why *why)
{
    struct history_batch batch;
    enum status status =
        history_batch_read_on(first->db, first->service_id, walk->range, walk->after, &batch, why);
    if (status == STATUS_OK)
        status = walk_round(walk, &batch, 0, why);
    history_batch_done(&batch);
    return status;
}

enum status history_batch_walk(struct history_batch *batch, size_t range, history_visit_fn *visit,
                               void *user, struct why *why)
{
    ASSERT(range < batch->count);
    struct walk walk = {.range = &batch->ranges[range], .visit = visit, .user = user};
    chain_init(&walk.chain, batch->db, batch->service_id, walk.range->instance_id);
    enum status status = walk_round(&walk, batch, range, why);
    while (status == STATUS_OK && walk.is_cut)
        status = walk_on(&walk, batch, why);
    chain_done(&walk.chain);
    return status;
}

/* ---- one range, and many -------------------------------------------------------------------- */

enum status history_walk(struct db *db, int64_t service_id, int64_t instance_id, int64_t from_ms,
                         int64_t to_ms, history_visit_fn *visit, void *user, struct why *why)
{
    const struct history_range range = {instance_id, from_ms, to_ms};
    struct history_batch batch;
    enum status status = history_batch_read(db, service_id, &range, 1, &batch, why);
    if (status == STATUS_OK)
        status = history_batch_walk(&batch, 0, visit, user, why);
    history_batch_done(&batch);
    return status;
}

struct one_range {
    size_t range;
    history_range_visit_fn *visit;
    void *user;
};

static enum status visit_one(void *user, const struct history_snapshot *snapshot)
{
    const struct one_range *one = user;
    return one->visit(one->user, one->range, snapshot);
}

typedef enum status batch_read_fn(struct db *db, int64_t service_id,
                                  const struct history_range *ranges, size_t count,
                                  struct history_batch *ret, struct why *why);

static enum status walk_all(struct db *db, batch_read_fn *read, int64_t service_id,
                            const struct history_range *ranges, size_t count,
                            history_range_visit_fn *visit, void *user, struct why *why)
{
    enum status status = STATUS_OK;
    for (size_t first = 0; first < count && status == STATUS_OK; first += BATCH_RANGES) {
        size_t some = count - first < BATCH_RANGES ? count - first : BATCH_RANGES;
        struct history_batch batch;
        status = read(db, service_id, ranges + first, some, &batch, why);
        for (size_t i = 0; i < some && status == STATUS_OK; i++) {
            struct one_range one = {first + i, visit, user};
            status = history_batch_walk(&batch, i, visit_one, &one, why);
        }
        history_batch_done(&batch);
    }
    return status;
}

enum status history_walk_ranges(struct db *db, int64_t service_id,
                                const struct history_range *ranges, size_t count,
                                history_range_visit_fn *visit, void *user, struct why *why)
{
    return walk_all(db, history_batch_read, service_id, ranges, count, visit, user, why);
}

enum status history_walk_tail(struct db *db, int64_t service_id, const struct history_range *ranges,
                              size_t count, history_range_visit_fn *visit, void *user,
                              struct why *why)
{
    return walk_all(db, history_batch_read_tail, service_id, ranges, count, visit, user, why);
}
