/*
 * Chunks are looked at by their time, since that is their key: at most two, because the first one
 * may end before `from_ms`, and the second one begins after it. Of hot rows the lowest sequence
 * stands for the earliest.
 */
#include "db.h"
#include "history_ranges.h"

static const char first_sql[] =
    "SELECT u.place::integer - 1, least(c.first_ms, h.time_ms) "
    "FROM unnest($2) WITH ORDINALITY u(id, place) "
    "CROSS JOIN LATERAL (SELECT min(CASE WHEN slot_ms >= $3 THEN slot_ms + times_ms[1] "
    "        ELSE (SELECT slot_ms + min(ms) FROM unnest(times_ms) ms WHERE slot_ms + ms >= $3) "
    "        END) AS first_ms "
    "    FROM (SELECT slot_ms, times_ms FROM heapfleet.heap_chunk "
    "        WHERE service_id = $1 AND instance_id = u.id AND slot_ms > $3 - 14400000 "
    "        AND slot_ms <= $4 ORDER BY slot_ms LIMIT 2) n) c "
    "LEFT JOIN LATERAL (SELECT time_ms FROM heapfleet.snap_delta "
    "    WHERE service_id = $1 AND instance_id = u.id AND time_ms BETWEEN $3 AND $4 "
    "    ORDER BY sequence LIMIT 1) h ON true "
    "WHERE least(c.first_ms, h.time_ms) <= $4";

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
    for (int i = 0; i < rows.count; i++) {
        size_t place = (size_t)pg_i64(&rows, i, 0);
        ASSERT(place < count);
        ret[place] = pg_i64(&rows, i, 1);
    }
    pg_rows_done(&rows);
    return STATUS_OK;
}
