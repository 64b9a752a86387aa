/*
 * Walking a process's history: chunks and hot snapshots, merged by sequence. A snapshot may be in
 * both, between the compaction of its slot and the end of its hot partition: it is shown once.
 *
 * The walk goes in rounds. Each reads hot rows first, and then looks which chunks there are: what a
 * compaction moves in between is seen twice, never missed. A round ends where its hot rows end, so
 * that a long walk holds neither a transaction nor much memory, and a visitor may use the handle.
 *
 * Hot rows begin at the keyframe before the first one that lies within the times, since each builds
 * on the one before it; where that keyframe was compacted, they begin at the oldest, whose base the
 * chain finds among the chunks. "First" goes by sequence, not by time, since a clock may be set
 * back.
 */
#include <stdlib.h>

#include "chain.h"
#include "chunk_row.h"

enum { PAGE_ROWS = 1000 };

struct listed_chunk {
    int64_t slot_ms;
    uint64_t first_sequence;
};

struct walk {
    struct db *db;
    int64_t service_id, instance_id, from_ms, to_ms;
    history_visit_fn *visit;
    void *user;
    uint64_t after; /* the newest sequence that was passed */
    int is_begun;   /* a round has ended */
    struct chain chain;

    /* of a round */
    struct pg_rows hot;
    int hot_at;
    struct listed_chunk *list; /* [listed], by first_sequence */
    size_t listed, list_at;
    struct stored_chunk *open; /* [opened], room for `listed`; each has a snapshot to show */
    size_t opened;
};

/* ---- what a round reads --------------------------------------------------------------------- */

static const char first_hot_sql[] =
    "WITH w AS MATERIALIZED (SELECT min(sequence) AS lo, max(sequence) AS hi "
    "    FROM heapfleet.snap_delta WHERE service_id = $1 AND instance_id = $2 "
    "    AND time_ms BETWEEN $3 AND $4) "
    "SELECT " HOT_COLUMNS " FROM heapfleet.snap_delta WHERE service_id = $1 AND instance_id = $2 "
    "AND sequence <= (SELECT hi FROM w) AND sequence >= coalesce("
    "    (SELECT k.sequence FROM heapfleet.snap_delta k WHERE k.service_id = $1 "
    "     AND k.instance_id = $2 AND k.sequence <= (SELECT lo FROM w) AND k.base_sequence = 0 "
    "     ORDER BY k.sequence DESC LIMIT 1), 0) "
    "ORDER BY sequence LIMIT $5";

static const char next_hot_sql[] =
    "SELECT " HOT_COLUMNS " FROM heapfleet.snap_delta WHERE service_id = $1 AND instance_id = $2 "
    "AND sequence > $3 AND sequence <= (SELECT max(sequence) FROM heapfleet.snap_delta "
    "    WHERE service_id = $1 AND instance_id = $2 AND time_ms BETWEEN $4 AND $5) "
    "ORDER BY sequence LIMIT $6";

static enum status read_hot(struct walk *walk, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, walk->service_id);
    pg_param_i64(&params, walk->instance_id);
    if (walk->is_begun)
        pg_param_i64(&params, (int64_t)walk->after);
    pg_param_i64(&params, walk->from_ms);
    pg_param_i64(&params, walk->to_ms);
    pg_param_i64(&params, PAGE_ROWS);
    walk->hot_at = 0;
    return pg_run(walk->db->pg, walk->is_begun ? next_hot_sql : first_hot_sql, &params, &walk->hot,
                  why);
}

static const char list_sql[] =
    "SELECT slot_ms, first_sequence FROM heapfleet.heap_chunk "
    "WHERE service_id = $1 AND instance_id = $2 AND slot_ms > $3 AND slot_ms <= $4 "
    "AND last_sequence > $5 ORDER BY first_sequence";

static enum status list_chunks(struct walk *walk, struct why *why)
{
    int64_t from_ms = walk->from_ms < CHUNK_SLOT_MS ? -1 : walk->from_ms - CHUNK_SLOT_MS;
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, walk->service_id);
    pg_param_i64(&params, walk->instance_id);
    pg_param_i64(&params, from_ms);
    pg_param_i64(&params, walk->to_ms);
    pg_param_i64(&params, (int64_t)walk->after);
    struct pg_rows rows;
    enum status status = pg_run(walk->db->pg, list_sql, &params, &rows, why);
    if (status != STATUS_OK)
        return status;
    walk->listed = (size_t)rows.count;
    walk->list = calloc(walk->listed + 1, sizeof(*walk->list));
    walk->open = calloc(walk->listed + 1, sizeof(*walk->open));
    ASSERT(walk->list != NULL && walk->open != NULL);
    for (int i = 0; i < rows.count; i++)
        walk->list[i] = (struct listed_chunk){pg_i64(&rows, i, 0), (uint64_t)pg_i64(&rows, i, 1)};
    pg_rows_done(&rows);
    return STATUS_OK;
}

static void end_round(struct walk *walk)
{
    for (size_t i = 0; i < walk->opened; i++)
        stored_chunk_done(&walk->open[i]);
    free(walk->open);
    free(walk->list);
    pg_rows_done(&walk->hot);
    walk->open = NULL;
    walk->list = NULL;
    walk->opened = walk->listed = walk->list_at = 0;
    walk->is_begun = 1;
}

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
    int64_t slot_ms = walk->list[walk->list_at++].slot_ms;
    enum status status = stored_chunk_open(walk->db, walk->service_id, walk->instance_id, slot_ms,
                                           &walk->open[walk->opened], why);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_OK : status; /* retention has dropped it */
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
        if (walk->list_at == walk->listed || walk->list[walk->list_at].first_sequence > known) {
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
    if (head->time_ms < walk->from_ms || head->time_ms > walk->to_ms)
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

/* Show the lower of the next hot row and the next snapshot of a chunk. */
static enum status show_next(struct walk *walk, int *ret_more, struct why *why)
{
    struct hot_row row = {.sequence = UINT64_MAX};
    if (walk->hot_at < walk->hot.count)
        row = hot_row_read(&walk->hot, walk->hot_at, 0);
    size_t chunk = SIZE_MAX;
    enum status status = lowest_chunk(walk, row.sequence, &chunk, why);
    if (status != STATUS_OK)
        return status;
    uint64_t chunk_sequence = chunk == SIZE_MAX ? UINT64_MAX : head_sequence(walk, chunk);
    int is_page_full = walk->hot.count == PAGE_ROWS;
    *ret_more = walk->hot_at < walk->hot.count || (chunk != SIZE_MAX && !is_page_full);
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

static enum status walk_round(struct walk *walk, int *ret_more, struct why *why)
{
    enum status status = read_hot(walk, why);
    if (status == STATUS_OK)
        status = list_chunks(walk, why);
    int more = status == STATUS_OK;
    while (status == STATUS_OK && more)
        status = show_next(walk, &more, why);
    *ret_more = walk->hot.count == PAGE_ROWS;
    end_round(walk);
    return status;
}

enum status history_walk(struct db *db, int64_t service_id, int64_t instance_id, int64_t from_ms,
                         int64_t to_ms, history_visit_fn *visit, void *user, struct why *why)
{
    struct walk walk = {.db = db,
                        .service_id = service_id,
                        .instance_id = instance_id,
                        .from_ms = from_ms,
                        .to_ms = to_ms,
                        .visit = visit,
                        .user = user};
    chain_init(&walk.chain, db, service_id, instance_id);
    enum status status = STATUS_OK;
    int more = 1;
    while (status == STATUS_OK && more)
        status = walk_round(&walk, &more, why);
    chain_done(&walk.chain);
    return status;
}
