#include "sweep_state.h"

#include "db.h"

static const char write_sql[] =
    "INSERT INTO heapfleet.sweep_state (service_id, place, piece) VALUES ($1, $2, $3) "
    "ON CONFLICT (service_id, place) DO UPDATE SET piece = excluded.piece";
static const char cut_sql[] =
    "DELETE FROM heapfleet.sweep_state WHERE service_id = $1 AND place >= $2";

enum status sweep_state_write(struct db *db, int64_t service_id, const void *state, size_t size,
                              struct why *why)
{
    enum status status = STATUS_OK;
    int32_t place = 0;
    struct pg_params params = PG_PARAMS_INIT;
    for (size_t at = 0; at < size && status == STATUS_OK; at += SWEEP_PIECE_BYTES, place++) {
        size_t left = size - at;
        params.count = 0;
        pg_param_i64(&params, service_id);
        pg_param_i32(&params, place);
        pg_param_bytes(&params, (const uint8_t *)state + at,
                       left < SWEEP_PIECE_BYTES ? left : SWEEP_PIECE_BYTES);
        status = pg_run(db->pg, write_sql, &params, NULL, why);
    }
    params.count = 0;
    pg_param_i64(&params, service_id);
    pg_param_i32(&params, place);
    return status == STATUS_OK ? pg_run(db->pg, cut_sql, &params, NULL, why) : status;
}

static enum status measure(struct db *db, int64_t service_id, int64_t *ret_pieces,
                           int64_t *ret_bytes, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    struct pg_rows rows;
    pg_param_i64(&params, service_id);
    enum status status = pg_run(db->pg,
                                "SELECT count(*), coalesce(sum(length(piece)), 0)::bigint "
                                "FROM heapfleet.sweep_state WHERE service_id = $1",
                                &params, &rows, why);
    if (status != STATUS_OK)
        return status;
    *ret_pieces = pg_i64(&rows, 0, 0);
    *ret_bytes = pg_i64(&rows, 0, 1);
    pg_rows_done(&rows);
    return STATUS_OK;
}

static enum status read_piece(struct db *db, int64_t service_id, int32_t place, struct buf *ret,
                              struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    struct pg_rows rows;
    pg_param_i64(&params, service_id);
    pg_param_i32(&params, place);
    enum status status = pg_run(
        db->pg, "SELECT piece FROM heapfleet.sweep_state WHERE service_id = $1 AND place = $2",
        &params, &rows, why);
    if (status != STATUS_OK)
        return status;
    size_t size = 0;
    const uint8_t *piece = rows.count > 0 ? pg_bytes(&rows, 0, 0, &size) : NULL;
    if (size > 0)
        buf_append(ret, piece, size);
    pg_rows_done(&rows);
    return STATUS_OK;
}

/* Should somebody have changed it meanwhile, its sum is wrong, and it is made anew. */
enum status sweep_state_read(struct db *db, int64_t service_id, size_t bytes_max, struct buf *ret,
                             struct why *why)
{
    int64_t pieces = 0;
    int64_t bytes = 0;
    enum status status = measure(db, service_id, &pieces, &bytes, why);
    if (status == STATUS_OK && (uint64_t)bytes > bytes_max)
        return why_fail(why, STATUS_LIMIT, "the detector's state of the service is too large");
    if (status == STATUS_OK)
        buf_reserve(ret, (size_t)bytes);
    for (int32_t i = 0; i < pieces && status == STATUS_OK; i++)
        status = read_piece(db, service_id, i, ret, why);
    return status;
}
