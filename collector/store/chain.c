#include "chain.h"

#include "chunk_row.h"

struct hot_row hot_row_read(const struct pg_rows *rows, int row, int column)
{
    struct hot_row hot = {
        .sequence = (uint64_t)pg_i64(rows, row, column),
        .time_ms = pg_i64(rows, row, column + 1),
        .base_sequence = (uint64_t)pg_i64(rows, row, column + 2),
    };
    hot.process = pg_bytes(rows, row, column + 3, &hot.process_size);
    hot.body = pg_bytes(rows, row, column + 4, &hot.body_size);
    return hot;
}

void chain_init(struct chain *chain, struct db *db, int64_t service_id, int64_t instance_id)
{
    *chain = (struct chain){
        .db = db, .service_id = service_id, .instance_id = instance_id, .is_broken = 1};
}

void chain_done(struct chain *chain)
{
    heap_values_done(&chain->values);
}

void chain_set(struct chain *chain, uint64_t sequence, const struct heap_values *values)
{
    heap_values_copy(&chain->values, values);
    chain->sequence = sequence;
    chain->is_broken = 0;
    chain->length = 0;
}

/* ---- a base that was compacted -------------------------------------------------------------- */

/* The newest compacted snapshot is kept whole, and is nearly always the one that is wanted; else
 * it is in one of the chunks that span it: several do where a clock was set back. */
static const char base_sql[] =
    "SELECT (SELECT body FROM heapfleet.instance_last "
    "        WHERE service_id = $1 AND instance_id = $2 AND sequence = $3), "
    "       ARRAY(SELECT slot_ms FROM heapfleet.heap_chunk WHERE service_id = $1 "
    "        AND instance_id = $2 AND first_sequence <= $3 AND last_sequence >= $3)";

static enum status find_in_chunk(struct chain *chain, uint64_t sequence, int64_t slot_ms,
                                 struct why *why)
{
    struct stored_chunk stored;
    enum status status =
        stored_chunk_open(chain->db, chain->service_id, chain->instance_id, slot_ms, &stored, why);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_OK : status; /* it was dropped meanwhile */
    const struct chunk_snapshot *head;
    while (status == STATUS_OK && (head = chunk_reader_peek(stored.reader)) != NULL &&
           head->sequence <= sequence) {
        int is_found = head->sequence == sequence;
        status = chunk_reader_next(stored.reader, why);
        if (status == STATUS_OK && is_found)
            chain_set(chain, sequence, chunk_reader_values(stored.reader));
    }
    stored_chunk_done(&stored);
    return status == STATUS_INVALID ? STATUS_FAILED : status;
}

static enum status find_in_chunks(struct chain *chain, uint64_t sequence,
                                  const struct pg_rows *rows, struct why *why)
{
    enum { SLOTS_MAX = 4096 };
    struct arena arena;
    arena_init(&arena, SLOTS_MAX * sizeof(int64_t) + 64);
    int64_t *slots = NULL;
    size_t count = 0;
    enum status status = pg_i64_array(rows, 0, 1, SLOTS_MAX, &arena, &slots, &count, why);
    for (size_t i = 0; i < count && status == STATUS_OK && chain->is_broken; i++)
        status = find_in_chunk(chain, sequence, slots[i], why);
    arena_done(&arena);
    return status;
}

/* Whether this is a snapshot whole; then the chain goes on from it. */
static int begin_with(struct chain *chain, uint64_t sequence, const uint8_t *body, size_t size)
{
    chain->is_broken = 1;
    if (!snapshot_is_keyframe(body, size) ||
        snapshot_decode(body, size, &chain->values, NULL) != STATUS_OK)
        return 0;
    chain->sequence = sequence;
    chain->is_broken = 0;
    chain->length = 0;
    return 1;
}

enum status chain_find(struct chain *chain, uint64_t sequence, struct why *why)
{
    if (chain->base != NULL && chain->base->sequence == sequence &&
        begin_with(chain, sequence, chain->base->body, chain->base->body_size))
        return STATUS_OK;
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, chain->service_id);
    pg_param_i64(&params, chain->instance_id);
    pg_param_i64(&params, (int64_t)sequence);
    struct pg_rows rows;
    enum status status = pg_run(chain->db->pg, base_sql, &params, &rows, why);
    if (status != STATUS_OK)
        return status;
    size_t size;
    const uint8_t *body = pg_bytes(&rows, 0, 0, &size);
    if (!begin_with(chain, sequence, body, size))
        status = find_in_chunks(chain, sequence, &rows, why);
    pg_rows_done(&rows);
    return status;
}

enum status chain_apply(struct chain *chain, const struct hot_row *row, struct why *why)
{
    int is_keyframe = row->base_sequence == 0;
    enum status status = STATUS_OK;
    if (!is_keyframe && row->base_sequence != chain->sequence)
        status = chain_find(chain, row->base_sequence, why);
    if (status != STATUS_OK)
        return status;
    if (is_keyframe || !chain->is_broken)
        chain->is_broken =
            snapshot_decode(row->body, row->body_size, &chain->values, NULL) != STATUS_OK;
    chain->sequence = row->sequence;
    chain->length = is_keyframe ? 0 : chain->length + 1;
    return STATUS_OK;
}
