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

/* What a row of an answer is, in its second column. */
enum { KIND_BASE, KIND_HOT, KIND_CHUNK };

/* ---- hot rows ------------------------------------------------------------------------------- */

static const char hot_sql[] =
    "SELECT u.place::integer - 1, 1, s.* "
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
    "SELECT 0, 1, " HOT_COLUMNS " FROM heapfleet.snap_delta WHERE service_id = $1 "
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
    int row = 0;
    for (size_t i = 0; i < batch->count; i++) {
        batch->of[i].list_begin = (size_t)row;
        for (; row < rows.count && (size_t)pg_i64(&rows, row, 0) == i; row++)
            batch->list[row] = (struct listed_chunk){pg_i64(&rows, row, 1), pg_i64(&rows, row, 2),
                                                     (uint64_t)pg_i64(&rows, row, 3)};
        batch->of[i].list_end = (size_t)row;
    }
    ASSERT(row == rows.count);
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
    size_t left = batch->of[batch->count - 1].list_end - begin;
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

/* ---- what hot rows build on ----------------------------------------------------------------- */

struct hot_row history_batch_hot(const struct history_batch *batch, int row)
{
    return hot_row_read(&batch->hot, row, 2);
}

static const char bases_sql[] =
    "SELECT u.place::integer - 1, 0, l.sequence, l.time_ms, 0::bigint, l.process, l.body "
    "FROM unnest($2) WITH ORDINALITY u(id, place) "
    "JOIN heapfleet.instance_last l ON l.service_id = $1 AND l.instance_id = u.id";

/* It is nearly always the newest compacted snapshot; else the chain looks for it. */
static enum status read_bases(struct history_batch *batch, struct why *why)
{
    size_t places[BATCH_RANGES], count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const struct batch_range *range = &batch->of[i];
        if (range->hot_begin < range->hot_end &&
            history_batch_hot(batch, range->hot_begin).base_sequence != 0)
            places[count++] = i;
    }
    if (count == 0)
        return STATUS_OK;
    struct buf ids = BUF_INIT;
    pg_array_begin(&ids, PG_I64, count);
    for (size_t i = 0; i < count; i++)
        pg_array_i64(&ids, batch->ranges[places[i]].instance_id);
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, batch->service_id);
    pg_param_array(&params, PG_I64, &ids);
    enum status status = pg_run(batch->db->pg, bases_sql, &params, &batch->bases, why);
    buf_done(&ids);
    if (status != STATUS_OK)
        return status;
    for (int row = 0; row < batch->bases.count; row++) {
        size_t place = (size_t)pg_i64(&batch->bases, row, 0);
        ASSERT(place < count);
        batch->of[places[place]].base = hot_row_read(&batch->bases, row, 2);
    }
    return STATUS_OK;
}

/* ---- a tail --------------------------------------------------------------------------------- */

/* Nothing that is hot lies before, so that a chain begins with a keyframe or the newest compacted
 * snapshot. Of a chunk, the first sequence and the slot. */
static const char tail_sql[] =
    "SELECT u.place::integer - 1, s.* FROM unnest($2) WITH ORDINALITY u(id, place) "
    "CROSS JOIN LATERAL (SELECT 0 AS kind, sequence, time_ms, 0::bigint, process, body "
    "    FROM heapfleet.instance_last WHERE service_id = $1 AND instance_id = u.id UNION ALL "
    "    (SELECT 1, " HOT_COLUMNS " FROM heapfleet.snap_delta WHERE service_id = $1 "
    "     AND instance_id = u.id AND time_ms BETWEEN $3 AND $4 ORDER BY sequence LIMIT $5) "
    "    UNION ALL SELECT 2, first_sequence, slot_ms, 0, NULL, NULL FROM heapfleet.heap_chunk "
    "    WHERE service_id = $1 AND instance_id = u.id AND slot_ms > $3 - 14400000 "
    "    AND slot_ms <= $4) s ORDER BY u.place, s.kind, s.sequence";

static enum status run_tail(struct history_batch *batch, struct why *why)
{
    struct buf ids = BUF_INIT;
    pg_array_begin(&ids, PG_I64, batch->count);
    for (size_t i = 0; i < batch->count; i++) {
        ASSERT(batch->ranges[i].from_ms == batch->from_ms &&
               batch->ranges[i].to_ms == batch->to_ms);
        pg_array_i64(&ids, batch->ranges[i].instance_id);
    }
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, batch->service_id);
    pg_param_array(&params, PG_I64, &ids);
    pg_param_i64(&params, batch->from_ms);
    pg_param_i64(&params, batch->to_ms);
    pg_param_i64(&params, BATCH_PAGE_ROWS);
    enum status status = pg_run(batch->db->pg, tail_sql, &params, &batch->hot, why);
    buf_done(&ids);
    return status;
}

/* Behind the rows of a kind of a range, of which `row` is the first. */
static int pass_kind(const struct pg_rows *rows, int row, size_t range, int kind)
{
    while (row < rows->count && (size_t)pg_i64(rows, row, 0) == range &&
           pg_i64(rows, row, 1) == kind)
        row++;
    return row;
}

static void sort_tail(struct history_batch *batch)
{
    const struct pg_rows *rows = &batch->hot;
    batch->list = calloc((size_t)rows->count + 1, sizeof(*batch->list));
    ASSERT(batch->list != NULL);
    int row = 0;
    size_t listed = 0;
    for (size_t i = 0; i < batch->count; i++) {
        struct batch_range *range = &batch->of[i];
        range->hot_begin = pass_kind(rows, row, i, KIND_BASE);
        if (range->hot_begin > row)
            range->base = history_batch_hot(batch, row);
        range->hot_end = pass_kind(rows, range->hot_begin, i, KIND_HOT);
        row = pass_kind(rows, range->hot_end, i, KIND_CHUNK);
        range->list_begin = listed;
        for (int chunk = range->hot_end; chunk < row; chunk++)
            batch->list[listed++] =
                (struct listed_chunk){batch->ranges[i].instance_id, pg_i64(rows, chunk, 3),
                                      (uint64_t)pg_i64(rows, chunk, 2)};
        range->list_end = listed;
    }
    ASSERT(row == rows->count);
}

int history_batch_is_whole(const struct history_batch *batch, size_t range)
{
    const struct batch_range *of = &batch->of[range];
    uint64_t before = of->base.sequence;
    for (int row = of->hot_begin; row < of->hot_end; row++) {
        uint64_t base = (uint64_t)pg_i64(&batch->hot, row, 4);
        if (base != 0 && base != before && base != of->base.sequence)
            return 0;
        before = (uint64_t)pg_i64(&batch->hot, row, 2);
    }
    return 1;
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
    batch->of = calloc(count + 1, sizeof(*batch->of));
    ASSERT(batch->of != NULL);
}

static void find_hot(struct history_batch *batch)
{
    int row = 0;
    for (size_t i = 0; i < batch->count; i++) {
        batch->of[i].hot_begin = row;
        row = pass_kind(&batch->hot, row, i, KIND_HOT);
        batch->of[i].hot_end = row;
    }
    ASSERT(row == batch->hot.count);
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
    if (status == STATUS_OK && !is_begun)
        status = read_bases(batch, why);
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

enum status history_batch_read_tail(struct db *db, int64_t service_id,
                                    const struct history_range *ranges, size_t count,
                                    struct history_batch *ret, struct why *why)
{
    begin(ret, db, service_id, ranges, count);
    enum status status = count == 0 ? STATUS_OK : run_tail(ret, why);
    if (status != STATUS_OK || count == 0)
        return status;
    sort_tail(ret);
    size_t whole = 0;
    while (whole < count && history_batch_is_whole(ret, whole))
        whole++;
    if (whole == count)
        return STATUS_OK;
    history_batch_done(ret);
    return history_batch_read(db, service_id, ranges, count, ret, why);
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
    pg_rows_done(&batch->bases);
    pg_rows_done(&batch->bodies);
    free(batch->of);
    free(batch->list);
    *batch = (struct history_batch){0};
}

int history_batch_is_cut(const struct history_batch *batch, size_t range)
{
    const struct batch_range *of = &batch->of[range];
    return of->hot_end - of->hot_begin == BATCH_PAGE_ROWS ||
           (batch->hot.count == BATCH_ROWS && of->hot_end == BATCH_ROWS);
}
