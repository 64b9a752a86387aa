/*
 * One transaction a batch: snapshots, ends, high waters.
 *
 * Snapshots go in by COPY, the fastest way, which fails as a whole when one row is there already
 * (23505). That happens after a COMMIT whose outcome we never learnt, and when an agent resends
 * over a new stream what the old stream's batch still holds. Then the batch goes in once more by an
 * INSERT that leaves rows alone that exist. Both ways, each row is stored once.
 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "db.h"
#include "write_batch.h"

/* ---- snapshots ------------------------------------------------------------------------------ */

enum { SNAPSHOT_NUMBERS = 13, SNAPSHOT_SMALL = 3 };

#define SNAPSHOT_COLUMNS                                                                           \
    "service_id, instance_id, sequence, base_sequence, time_ms, objects, bytes, rss_anon_bytes, "  \
    "swap_bytes, container_usage_bytes, container_limit_bytes, not_objects_bytes, cpu_ms, "        \
    "types, coverage, dropped, body"

/* The row as its columns: 13 bigints, 3 integers. */
static void row_numbers(const struct snapshot_row *row, int64_t big[SNAPSHOT_NUMBERS],
                        int32_t small[SNAPSHOT_SMALL])
{
    const int64_t numbers[SNAPSHOT_NUMBERS] = {
        row->service_id,
        row->instance_id,
        (int64_t)row->sequence,
        (int64_t)row->base_sequence,
        row->time_ms,
        (int64_t)row->objects,
        (int64_t)row->bytes,
        (int64_t)row->rss_anon_bytes,
        (int64_t)row->swap_bytes,
        (int64_t)row->container_usage_bytes,
        (int64_t)row->container_limit_bytes,
        (int64_t)row->not_objects_bytes,
        (int64_t)row->cpu_ms,
    };
    memcpy(big, numbers, sizeof(numbers));
    small[0] = (int32_t)row->types;
    small[1] = (int32_t)row->coverage;
    small[2] = (int32_t)row->dropped;
}

static void append_u16(struct buf *buf, uint16_t value)
{
    uint16_t big = htobe16(value);
    buf_append(buf, &big, sizeof(big));
}

static void append_copy_row(struct buf *copy, const struct snapshot_row *row)
{
    int64_t big[SNAPSHOT_NUMBERS];
    int32_t small[SNAPSHOT_SMALL];
    row_numbers(row, big, small);
    append_u16(copy, SNAPSHOT_NUMBERS + SNAPSHOT_SMALL + 1);
    /* a field of COPY looks like an element of an array: size, bytes */
    for (int i = 0; i < SNAPSHOT_NUMBERS; i++)
        pg_array_i64(copy, big[i]);
    for (int i = 0; i < SNAPSHOT_SMALL; i++)
        pg_array_i32(copy, small[i]);
    pg_array_bytes(copy, row->body, row->body_size);
}

static enum status copy_snapshots(struct db *db, const struct write_batch *batch, struct why *why)
{
    static const char header[19] = "PGCOPY\n\377\r\n";
    struct buf copy = BUF_INIT;
    buf_append(&copy, header, sizeof(header));
    for (size_t i = 0; i < write_batch_snapshots(batch); i++) {
        struct snapshot_row row = write_batch_row(batch, i);
        append_copy_row(&copy, &row);
    }
    append_u16(&copy, UINT16_MAX);
    enum status status = pg_copy_in(
        db->pg, "COPY heapfleet.snapshot (" SNAPSHOT_COLUMNS ") FROM STDIN (FORMAT binary)", &copy,
        why);
    buf_done(&copy);
    return status;
}

static const char insert_sql[] =
    "INSERT INTO heapfleet.snapshot (" SNAPSHOT_COLUMNS ") "
    "SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, "
    "$17) ON CONFLICT DO NOTHING";

struct columns {
    struct buf big[SNAPSHOT_NUMBERS], small[SNAPSHOT_SMALL], body;
};

static void begin_columns(struct columns *columns, size_t rows)
{
    *columns = (struct columns){.body = BUF_INIT};
    for (int c = 0; c < SNAPSHOT_NUMBERS; c++)
        pg_array_begin(&columns->big[c], PG_I64, rows);
    for (int c = 0; c < SNAPSHOT_SMALL; c++)
        pg_array_begin(&columns->small[c], PG_I32, rows);
    pg_array_begin(&columns->body, PG_BYTES, rows);
}

static void append_column_row(struct columns *columns, const struct snapshot_row *row)
{
    int64_t big[SNAPSHOT_NUMBERS];
    int32_t small[SNAPSHOT_SMALL];
    row_numbers(row, big, small);
    for (int c = 0; c < SNAPSHOT_NUMBERS; c++)
        pg_array_i64(&columns->big[c], big[c]);
    for (int c = 0; c < SNAPSHOT_SMALL; c++)
        pg_array_i32(&columns->small[c], small[c]);
    pg_array_bytes(&columns->body, row->body, row->body_size);
}

static enum status run_columns(struct db *db, struct columns *columns, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    for (int c = 0; c < SNAPSHOT_NUMBERS; c++)
        pg_param_array(&params, PG_I64, &columns->big[c]);
    for (int c = 0; c < SNAPSHOT_SMALL; c++)
        pg_param_array(&params, PG_I32, &columns->small[c]);
    pg_param_array(&params, PG_BYTES, &columns->body);
    enum status status = pg_run(db->pg, insert_sql, &params, NULL, why);
    for (int c = 0; c < SNAPSHOT_NUMBERS; c++)
        buf_done(&columns->big[c]);
    for (int c = 0; c < SNAPSHOT_SMALL; c++)
        buf_done(&columns->small[c]);
    buf_done(&columns->body);
    return status;
}

static enum status insert_snapshots(struct db *db, const struct write_batch *batch, struct why *why)
{
    struct columns columns;
    size_t rows = write_batch_snapshots(batch);
    begin_columns(&columns, rows);
    for (size_t i = 0; i < rows; i++) {
        struct snapshot_row row = write_batch_row(batch, i);
        append_column_row(&columns, &row);
    }
    return run_columns(db, &columns, why);
}

/* ---- ends and high waters ------------------------------------------------------------------- */

static enum status end_instances(struct db *db, const struct write_batch *batch, struct why *why)
{
    size_t count = write_batch_count(&batch->ends, sizeof(struct batch_end));
    struct buf service = BUF_INIT, instance = BUF_INIT, time = BUF_INIT, reason = BUF_INIT;
    pg_array_begin(&service, PG_I64, count);
    pg_array_begin(&instance, PG_I64, count);
    pg_array_begin(&time, PG_I64, count);
    pg_array_begin(&reason, PG_TEXT, count);
    for (size_t i = 0; i < count; i++) {
        struct batch_end end;
        memcpy(&end, batch->ends.data + i * sizeof(end), sizeof(end));
        pg_array_i64(&service, end.service_id);
        pg_array_i64(&instance, end.instance_id);
        pg_array_i64(&time, end.time_ms);
        pg_array_text(&reason, end.reason);
    }
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_array(&params, PG_I64, &service);
    pg_param_array(&params, PG_I64, &instance);
    pg_param_array(&params, PG_I64, &time);
    pg_param_array(&params, PG_TEXT, &reason);
    enum status status =
        pg_run(db->pg,
               "UPDATE heapfleet.instance i SET ended_ms = u.time_ms, end_reason = u.reason "
               "FROM unnest($1, $2, $3, $4) AS u(service_id, instance_id, time_ms, reason) "
               "WHERE i.service_id = u.service_id AND i.id = u.instance_id AND i.ended_ms IS NULL",
               &params, NULL, why);
    buf_done(&service);
    buf_done(&instance);
    buf_done(&time);
    buf_done(&reason);
    return status;
}

/* In order of the agents, so that collectors that write the same rows take turns. */
static const char high_water_sql[] =
    "INSERT INTO heapfleet.agent (agent_id, sequence) "
    "SELECT id, max(sequence) FROM unnest($1, $2) AS u(id, sequence) GROUP BY id ORDER BY id "
    "ON CONFLICT (agent_id) DO UPDATE SET seen_at = now(), "
    "sequence = greatest(agent.sequence, excluded.sequence)";

static enum status raise_high_waters(struct db *db, const struct write_batch *batch,
                                     struct why *why)
{
    size_t count = write_batch_count(&batch->high_waters, sizeof(struct batch_high_water));
    struct buf agent = BUF_INIT, sequence = BUF_INIT;
    pg_array_begin(&agent, PG_UUID, count);
    pg_array_begin(&sequence, PG_I64, count);
    for (size_t i = 0; i < count; i++) {
        struct batch_high_water high;
        memcpy(&high, batch->high_waters.data + i * sizeof(high), sizeof(high));
        pg_array_bytes(&agent, high.agent_id, ID_BYTES);
        pg_array_i64(&sequence, (int64_t)high.sequence);
    }
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_array(&params, PG_UUID, &agent);
    pg_param_array(&params, PG_I64, &sequence);
    enum status status = pg_run(db->pg, high_water_sql, &params, NULL, why);
    buf_done(&agent);
    buf_done(&sequence);
    return status;
}

/* ---- the transaction ------------------------------------------------------------------------ */

static enum status write_all(struct db *db, const struct write_batch *batch, int careful,
                             struct why *why)
{
    enum status status = STATUS_OK;
    if (batch->rows.size > 0)
        status = careful ? insert_snapshots(db, batch, why) : copy_snapshots(db, batch, why);
    if (status == STATUS_OK && batch->ends.size > 0)
        status = end_instances(db, batch, why);
    if (status == STATUS_OK && batch->high_waters.size > 0)
        status = raise_high_waters(db, batch, why);
    return status;
}

static enum status transact(struct db *db, const struct write_batch *batch, int careful,
                            struct why *why)
{
    enum status status = pg_begin(db->pg, why);
    if (status == STATUS_OK)
        status = write_all(db, batch, careful, why);
    if (status == STATUS_OK)
        status = pg_commit(db->pg, why);
    pg_rollback(db->pg);
    return status;
}

enum status write_batch_commit(struct db *db, struct write_batch *batch, struct why *why)
{
    enum status status = transact(db, batch, batch->tried, why);
    if (status == STATUS_CONFLICT)
        status = transact(db, batch, 1, why);
    batch->tried = 1;
    return status == STATUS_CONFLICT ? STATUS_FAILED : status;
}
