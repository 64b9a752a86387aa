#include "hot_tail.h"

#include "history_batch.h"

/* Of a row: sequence, time, what it builds on, and the size of its body, which follows. */
enum { HEAD_BYTES = 3 * 8 + 4 };

static const char tail_sql[] =
    "SELECT l.sequence, l.body, h.count, h.data, EXISTS (SELECT FROM heapfleet.heap_chunk c "
    "    WHERE c.service_id = $1 AND c.instance_id = u.id AND c.slot_ms > $3 - 14400000 "
    "    AND c.slot_ms <= $4)::integer FROM unnest($2) WITH ORDINALITY u(id, place) "
    "LEFT JOIN heapfleet.instance_last l ON l.service_id = $1 AND l.instance_id = u.id "
    "CROSS JOIN LATERAL (SELECT count(*) AS count, string_agg(int8send(s.sequence) || "
    "    int8send(s.time_ms) || int8send(s.base_sequence) || int4send(length(s.body)) || s.body, "
    "    ''::bytea) AS data FROM (SELECT sequence, time_ms, base_sequence, body "
    "        FROM heapfleet.snap_delta WHERE service_id = $1 AND instance_id = u.id "
    "        AND time_ms BETWEEN $3 AND $4 ORDER BY sequence LIMIT $5) s) h ORDER BY u.place";

enum { COLUMN_BASE, COLUMN_BODY, COLUMN_COUNT, COLUMN_DATA, COLUMN_CHUNKS };

static enum status run(struct db *db, int64_t service_id, const struct history_range *ranges,
                       size_t count, struct pg_rows *ret, struct why *why)
{
    struct buf ids = BUF_INIT;
    pg_array_begin(&ids, PG_I64, count);
    for (size_t i = 0; i < count; i++) {
        ASSERT(ranges[i].from_ms == ranges[0].from_ms && ranges[i].to_ms == ranges[0].to_ms);
        pg_array_i64(&ids, ranges[i].instance_id);
    }
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, service_id);
    pg_param_array(&params, PG_I64, &ids);
    pg_param_i64(&params, ranges[0].from_ms);
    pg_param_i64(&params, ranges[0].to_ms);
    pg_param_i64(&params, BATCH_PAGE_ROWS);
    enum status status = pg_run(db->pg, tail_sql, &params, ret, why);
    buf_done(&ids);
    return status;
}

/* Rows follow each other by sequence, and each builds on one that is known. The database gives the
 * rows to the sum in the order in which it reads them: no more than a habit of its. */
static int is_whole(struct hot_cursor cursor)
{
    struct hot_row row;
    uint64_t before = cursor.base.sequence, behind = 0;
    while (hot_cursor_next(&cursor, &row)) {
        if (row.sequence < behind || (row.base_sequence != 0 && row.base_sequence != before &&
                                      row.base_sequence != cursor.base.sequence))
            return 0;
        before = behind = row.sequence;
    }
    return 1;
}

enum status hot_tail_read(struct db *db, int64_t service_id, const struct history_range *ranges,
                          size_t count, struct hot_tail *ret, int *ret_is_all, struct why *why)
{
    *ret = (struct hot_tail){0};
    *ret_is_all = 1;
    enum status status =
        count > 0 ? run(db, service_id, ranges, count, &ret->rows, why) : STATUS_OK;
    if (status != STATUS_OK)
        return status;
    ASSERT((size_t)ret->rows.count == count);
    for (int i = 0; i < ret->rows.count && *ret_is_all; i++)
        *ret_is_all = pg_i64(&ret->rows, i, COLUMN_CHUNKS) == 0 &&
                      pg_i64(&ret->rows, i, COLUMN_COUNT) < BATCH_PAGE_ROWS &&
                      is_whole(hot_tail_rows(ret, (size_t)i));
    return STATUS_OK;
}

void hot_tail_done(struct hot_tail *tail)
{
    pg_rows_done(&tail->rows);
    *tail = (struct hot_tail){0};
}

struct hot_cursor hot_tail_rows(const struct hot_tail *tail, size_t range)
{
    struct hot_cursor ret = {.base.sequence =
                                 (uint64_t)pg_i64(&tail->rows, (int)range, COLUMN_BASE)};
    size_t size;
    ret.base.body = pg_bytes(&tail->rows, (int)range, COLUMN_BODY, &ret.base.body_size);
    ret.at = pg_bytes(&tail->rows, (int)range, COLUMN_DATA, &size);
    ret.end = ret.at + size;
    return ret;
}

int hot_cursor_next(struct hot_cursor *cursor, struct hot_row *ret)
{
    if (cursor->end - cursor->at < HEAD_BYTES)
        return 0;
    uint32_t size = (uint32_t)pg_read_i32(cursor->at + 24);
    const uint8_t *body = cursor->at + HEAD_BYTES;
    ASSERT(size <= (size_t)(cursor->end - body));
    *ret = (struct hot_row){.sequence = (uint64_t)pg_read_i64(cursor->at),
                            .time_ms = pg_read_i64(cursor->at + 8),
                            .base_sequence = (uint64_t)pg_read_i64(cursor->at + 16),
                            .body = body,
                            .body_size = size};
    cursor->at = body + size;
    return 1;
}
