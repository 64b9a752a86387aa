/*
 * Hot rows of a range begin at the keyframe before the first one that lies within its times, since
 * each builds on the one before it; where that keyframe was compacted, they begin at the oldest,
 * whose base the chain finds among the chunks. "First" goes by sequence, not by time, since a clock
 * may be set back.
 *
 * The earliest and the latest time of all ranges stand in each statement as numbers of their own:
 * partitions are chosen by them before it runs.
 */
#include "history_batch.h"

#include <stdlib.h>

#include "partitions.h"

enum { BODIES = 32 };

/* ---- hot rows ------------------------------------------------------------------------------- */

static const char hot_sql[] =
    "SELECT u.place::integer - 1, s.* "
    "FROM unnest($2, $3, $4) WITH ORDINALITY u(id, from_ms, to_ms, place) "
    "CROSS JOIN LATERAL (SELECT min(sequence) AS lo, max(sequence) AS hi "
    "    FROM heapfleet.snap_delta WHERE service_id = $1 AND instance_id = u.id "
    "    AND time_ms BETWEEN u.from_ms AND u.to_ms AND time_ms BETWEEN $5 AND $6) w "
    "CROSS JOIN LATERAL (SELECT " HOT_COLUMNS " FROM heapfleet.snap_delta "
    "    WHERE service_id = $1 AND instance_id = u.id AND sequence <= w.hi "
    "    AND sequence >= coalesce("
    "        (SELECT k.sequence FROM heapfleet.snap_delta k WHERE k.service_id = $1 "
    "         AND k.instance_id = u.id AND k.sequence <= w.lo AND k.base_sequence = 0 "
    "         ORDER BY k.sequence DESC LIMIT 1), 0) ORDER BY sequence LIMIT $7) s "
    "WHERE w.hi IS NOT NULL ORDER BY 1, 2 LIMIT $8";

static const char more_hot_sql[] =
    "SELECT 0, " HOT_COLUMNS " FROM heapfleet.snap_delta WHERE service_id = $1 "
    "AND instance_id = $2 AND sequence > $3 AND sequence <= (SELECT max(sequence) "
    "    FROM heapfleet.snap_delta WHERE service_id = $1 AND instance_id = $2 "
    "    AND time_ms BETWEEN $4 AND $5) "
    "ORDER BY sequence LIMIT $6";

struct range_arrays {
    struct buf ids, from, to;
};

static void range_arrays_make(const struct history_batch *batch, struct range_arrays *ret)
{
    *ret = (struct range_arrays){BUF_INIT, BUF_INIT, BUF_INIT};
    pg_array_begin(&ret->ids, PG_I64, batch->count);
    pg_array_begin(&ret->from, PG_I64, batch->count);
    pg_array_begin(&ret->to, PG_I64, batch->count);
    for (size_t i = 0; i < batch->count; i++) {
        pg_array_i64(&ret->ids, batch->ranges[i].instance_id);
        pg_array_i64(&ret->from, batch->ranges[i].from_ms);
        pg_array_i64(&ret->to, batch->ranges[i].to_ms);
    }
}

static void range_arrays_done(struct range_arrays *arrays)
{
    buf_done(&arrays->ids);
    buf_done(&arrays->from);
    buf_done(&arrays->to);
}

/* $1 to $6 */
static void range_params(const struct history_batch *batch, const struct range_arrays *arrays,
                         struct pg_params *ret)
{
    pg_param_i64(ret, batch->service_id);
    pg_param_array(ret, PG_I64, &arrays->ids);
    pg_param_array(ret, PG_I64, &arrays->from);
    pg_param_array(ret, PG_I64, &arrays->to);
    pg_param_i64(ret, batch->from_ms);
    pg_param_i64(ret, batch->to_ms);
}

static enum status read_hot(struct history_batch *batch, const struct range_arrays *arrays,
                            struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    range_params(batch, arrays, &params);
    pg_param_i64(&params, BATCH_PAGE_ROWS);
    pg_param_i64(&params, BATCH_ROWS);
    return pg_run(batch->db->pg, hot_sql, &params, &batch->hot, why);
}

static enum status read_more_hot(struct history_batch *batch, uint64_t after, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, batch->service_id);
    pg_param_i64(&params, batch->ranges[0].instance_id);
    pg_param_i64(&params, (int64_t)after);
    pg_param_i64(&params, batch->from_ms);
    pg_param_i64(&params, batch->to_ms);
    pg_param_i64(&params, BATCH_PAGE_ROWS);
    return pg_run(batch->db->pg, more_hot_sql, &params, &batch->hot, why);
}

/* ---- which chunks --------------------------------------------------------------------------- */

static const char list_sql[] =
    "SELECT u.place::integer - 1, c.instance_id, c.slot_ms, c.first_sequence "
    "FROM unnest($2, $3, $4) WITH ORDINALITY u(id, from_ms, to_ms, place) "
    "JOIN heapfleet.heap_chunk c ON c.service_id = $1 AND c.instance_id = u.id "
    "    AND c.slot_ms > u.from_ms - 14400000 AND c.slot_ms <= u.to_ms "
    "    AND c.slot_ms > $5 - 14400000 AND c.slot_ms <= $6 AND c.last_sequence > $7 "
    "ORDER BY u.place, c.first_sequence";

static enum status read_list(struct history_batch *batch, const struct range_arrays *arrays,
                             uint64_t after, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    range_params(batch, arrays, &params);
    pg_param_i64(&params, (int64_t)after);
    struct pg_rows rows;
    enum status status = pg_run(batch->db->pg, list_sql, &params, &rows, why);
    if (status != STATUS_OK)
        return status;
    batch->list = calloc((size_t)rows.count + 1, sizeof(*batch->list));
    ASSERT(batch->list != NULL);
    for (int i = 0; i < rows.count; i++) {
        size_t range = (size_t)pg_i64(&rows, i, 0);
        ASSERT(range < batch->count);
        batch->list_begin[range + 1]++;
        batch->list[i] = (struct listed_chunk){pg_i64(&rows, i, 1), pg_i64(&rows, i, 2),
                                               (uint64_t)pg_i64(&rows, i, 3)};
    }
    for (size_t i = 0; i < batch->count; i++)
        batch->list_begin[i + 1] += batch->list_begin[i];
    pg_rows_done(&rows);
    return STATUS_OK;
}

/* ---- chunks --------------------------------------------------------------------------------- */

static const char bodies_sql[] =
    "SELECT u.place::integer - 1, " CHUNK_COLUMNS " FROM unnest($2, $3) WITH ORDINALITY "
    "    u(id, slot, place) "
    "JOIN heapfleet.heap_chunk c ON c.service_id = $1 AND c.instance_id = u.id "
    "    AND c.slot_ms = u.slot AND c.slot_ms BETWEEN $4 AND $5 "
    "ORDER BY u.place";

static enum status read_bodies(struct history_batch *batch, size_t begin, struct why *why)
{
    size_t left = batch->list_begin[batch->count] - begin;
    size_t count = left < BODIES ? left : BODIES;
    int64_t first_ms = INT64_MAX, last_ms = 0;
    struct buf ids = BUF_INIT, slots = BUF_INIT;
    pg_array_begin(&ids, PG_I64, count);
    pg_array_begin(&slots, PG_I64, count);
    for (size_t i = begin; i < begin + count; i++) {
        int64_t slot_ms = batch->list[i].slot_ms;
        pg_array_i64(&ids, batch->list[i].instance_id);
        pg_array_i64(&slots, slot_ms);
        first_ms = slot_ms < first_ms ? slot_ms : first_ms;
        last_ms = slot_ms > last_ms ? slot_ms : last_ms;
    }
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, batch->service_id);
    pg_param_array(&params, PG_I64, &ids);
    pg_param_array(&params, PG_I64, &slots);
    pg_param_i64(&params, first_ms);
    pg_param_i64(&params, last_ms);
    pg_rows_done(&batch->bodies);
    batch->bodies = (struct pg_rows){0};
    batch->bodies_begin = batch->bodies_end = begin;
    enum status status = pg_run(batch->db->pg, bodies_sql, &params, &batch->bodies, why);
    if (status == STATUS_OK)
        batch->bodies_end = begin + count;
    buf_done(&ids);
    buf_done(&slots);
    return status;
}

enum status history_batch_open(struct history_batch *batch, size_t at, struct stored_chunk *ret,
                               struct why *why)
{
    enum status status = STATUS_OK;
    if (at < batch->bodies_begin || at >= batch->bodies_end)
        status = read_bodies(batch, at, why);
    if (status != STATUS_OK)
        return status;
    for (int row = 0; row < batch->bodies.count; row++) {
        if (batch->bodies_begin + (size_t)pg_i64(&batch->bodies, row, 0) == at)
            return stored_chunk_read(&batch->bodies, row, 1, batch->list[at].slot_ms, ret, why);
    }
    return why_fail(why, STATUS_NOT_FOUND, "there is no such chunk");
}

/* ---- all of it ------------------------------------------------------------------------------ */

static void begin(struct history_batch *batch, struct db *db, int64_t service_id,
                  const struct history_range *ranges, size_t count)
{
    ASSERT(count <= BATCH_RANGES);
    *batch = (struct history_batch){
        .db = db, .service_id = service_id, .from_ms = INT64_MAX, .ranges = ranges, .count = count};
    for (size_t i = 0; i < count; i++) {
        batch->from_ms = ranges[i].from_ms < batch->from_ms ? ranges[i].from_ms : batch->from_ms;
        batch->to_ms = ranges[i].to_ms > batch->to_ms ? ranges[i].to_ms : batch->to_ms;
    }
    batch->hot_begin = calloc(count + 1, sizeof(*batch->hot_begin));
    batch->list_begin = calloc(count + 1, sizeof(*batch->list_begin));
    ASSERT(batch->hot_begin != NULL && batch->list_begin != NULL);
}

static void find_hot(struct history_batch *batch)
{
    for (int i = 0; i < batch->hot.count; i++) {
        size_t range = (size_t)pg_i64(&batch->hot, i, 0);
        ASSERT(range < batch->count);
        batch->hot_begin[range + 1]++;
    }
    for (size_t i = 0; i < batch->count; i++)
        batch->hot_begin[i + 1] += batch->hot_begin[i];
}

static enum status read_both(struct history_batch *batch, int is_begun, uint64_t after,
                             struct why *why)
{
    struct range_arrays arrays;
    range_arrays_make(batch, &arrays);
    enum status status =
        is_begun ? read_more_hot(batch, after, why) : read_hot(batch, &arrays, why);
    if (status == STATUS_OK) {
        find_hot(batch);
        status = read_list(batch, &arrays, after, why);
    }
    range_arrays_done(&arrays);
    return status;
}

enum status history_batch_read(struct db *db, int64_t service_id,
                               const struct history_range *ranges, size_t count,
                               struct history_batch *ret, struct why *why)
{
    begin(ret, db, service_id, ranges, count);
    return count == 0 ? STATUS_OK : read_both(ret, 0, 0, why);
}

enum status history_batch_read_on(struct db *db, int64_t service_id,
                                  const struct history_range *range, uint64_t after,
                                  struct history_batch *ret, struct why *why)
{
    begin(ret, db, service_id, range, 1);
    return read_both(ret, 1, after, why);
}

void history_batch_done(struct history_batch *batch)
{
    pg_rows_done(&batch->hot);
    pg_rows_done(&batch->bodies);
    free(batch->hot_begin);
    free(batch->list);
    free(batch->list_begin);
    *batch = (struct history_batch){0};
}

int history_batch_is_cut(const struct history_batch *batch, size_t range)
{
    int rows = batch->hot_begin[range + 1] - batch->hot_begin[range];
    return rows == BATCH_PAGE_ROWS ||
           (batch->hot.count == BATCH_ROWS && batch->hot_begin[range + 1] == BATCH_ROWS);
}
