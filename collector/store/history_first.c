/*
 * Chunks are looked at by their time, since that is their key: at most two, because the first one
 * may end before `from_ms`, and the second one begins after it. Of hot rows the lowest sequence
 * stands for the earliest.
 */
#include <stdlib.h>

#include "chunk_row.h"
#include "history_ranges.h"

static const char first_sql[] =
    "SELECT u.place::integer - 1, h.time_ms, c.slot_ms, " CHUNK_TIMES " "
    "FROM unnest($2) WITH ORDINALITY u(id, place) "
    "LEFT JOIN LATERAL (SELECT * FROM heapfleet.heap_chunk "
    "    WHERE service_id = $1 AND instance_id = u.id AND slot_ms > $3 - 14400000 "
    "    AND slot_ms <= $4 ORDER BY slot_ms LIMIT 2) c ON true "
    "LEFT JOIN LATERAL (SELECT time_ms FROM heapfleet.snap_delta "
    "    WHERE service_id = $1 AND instance_id = u.id AND time_ms BETWEEN $3 AND $4 "
    "    ORDER BY sequence LIMIT 1) h ON true "
    "WHERE c.slot_ms IS NOT NULL OR h.time_ms IS NOT NULL";

static void take_earlier(int64_t time_ms, int64_t from_ms, int64_t to_ms, int64_t *ret)
{
    if (time_ms >= from_ms && time_ms <= to_ms && (*ret == 0 || time_ms < *ret))
        *ret = time_ms;
}

/* Of the chunk of a row: of its snapshots from `from_ms` on the earliest. */
static enum status see_chunk(const struct pg_rows *rows, int row, int64_t from_ms, int64_t to_ms,
                             int64_t *ret, struct why *why)
{
    struct type_value *times = NULL;
    uint32_t snapshots = 0;
    enum status status = stored_times_read(rows, row, 3, &times, &snapshots, why);
    for (uint32_t i = 0; i < snapshots && status == STATUS_OK; i++)
        take_earlier(pg_i64(rows, row, 2) + (int64_t)times[i].bytes, from_ms, to_ms, ret);
    free(times);
    return status;
}

enum status history_first_times(struct db *db, int64_t service_id, const int64_t *instance_ids,
                                size_t count, int64_t from_ms, int64_t to_ms, int64_t *ret,
                                struct why *why)
{
    struct buf ids = BUF_INIT;
    pg_array_begin(&ids, PG_I64, count);
    for (size_t i = 0; i < count; i++)
        pg_array_i64(&ids, instance_ids[i]);
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, service_id);
    pg_param_array(&params, PG_I64, &ids);
    pg_param_i64(&params, from_ms);
    pg_param_i64(&params, to_ms);
    struct pg_rows rows;
    enum status status = pg_run(db->pg, first_sql, &params, &rows, why);
    buf_done(&ids);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < count; i++)
        ret[i] = 0;
    for (int i = 0; i < rows.count && status == STATUS_OK; i++) {
        size_t place = (size_t)pg_i64(&rows, i, 0);
        ASSERT(place < count);
        if (!pg_is_null(&rows, i, 1))
            take_earlier(pg_i64(&rows, i, 1), from_ms, to_ms, &ret[place]);
        if (!pg_is_null(&rows, i, 2))
            status = see_chunk(&rows, i, from_ms, to_ms, &ret[place], why);
    }
    pg_rows_done(&rows);
    return status;
}
