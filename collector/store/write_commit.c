/*
 * One transaction a batch: snapshots, ends, high waters.
 *
 * Snapshots go in by COPY, the fastest way, which fails as a whole when one row is there already
 * (23505). That happens after a COMMIT whose outcome we never learnt, and when an agent resends
 * over a new stream what the old stream's batch still holds. Then the batch goes in once more by an
 * INSERT that leaves rows alone that exist. Both ways, each row is stored once.
 *
 * A time for which there is no partition (an agent that was away for long, a partition that
 * somebody dropped) fails the batch as a whole too; the partition is made, and the batch tried
 * again.
 */
#include <stdlib.h>
#include <string.h>

#include "db.h"
#include "partitions.h"
#include "process_numbers.h"
#include "write_batch.h"

/* ---- snapshots ------------------------------------------------------------------------------ */

enum {
    KEY_NUMBERS = 5,
    /* COPY keeps up to a thousand rows before it stores them, each with a pin of the table's
     * description, and each pin steps over all the others of a hash of equal keys: a large batch
     * goes in by parts. */
    COPY_ROWS = 256,
};

#define SNAPSHOT_COLUMNS "service_id, instance_id, sequence, time_ms, base_sequence, process, body"

static void row_key(const struct snapshot_row *row, int64_t ret[KEY_NUMBERS])
{
    ret[0] = row->service_id;
    ret[1] = row->instance_id;
    ret[2] = (int64_t)row->sequence;
    ret[3] = row->time_ms;
    ret[4] = (int64_t)row->base_sequence;
}

/* `ret` is started over. */
static void row_process(const struct snapshot_row *row, struct buf *ret)
{
    const struct process_numbers numbers = {{
        [PROCESS_OBJECTS] = row->objects,
        [PROCESS_BYTES] = row->bytes,
        [PROCESS_RSS_ANON] = row->rss_anon_bytes,
        [PROCESS_SWAP] = row->swap_bytes,
        [PROCESS_CONTAINER_USAGE] = row->container_usage_bytes,
        [PROCESS_CONTAINER_LIMIT] = row->container_limit_bytes,
        [PROCESS_NOT_OBJECTS] = row->not_objects_bytes,
        [PROCESS_CPU_MS] = row->cpu_ms,
        [PROCESS_COVERAGE] = row->coverage,
        [PROCESS_DROPPED] = row->dropped,
        [PROCESS_POOLS] = row->pool_bytes,
        [PROCESS_POOL_FREE] = row->pool_free_bytes,
        [PROCESS_MALLOC_FREE] = row->malloc_free_bytes,
        [PROCESS_PSS] = row->pss_bytes,
    }};
    buf_clear(ret);
    process_numbers_pack(&numbers, ret);
}

/* Rows `begin` up to `end` of the batch. */
static enum status copy_part(struct db *db, const struct write_batch *batch, size_t begin,
                             size_t end, struct why *why)
{
    struct buf copy = BUF_INIT, process = BUF_INIT;
    pg_copy_begin(&copy);
    for (size_t i = begin; i < end; i++) {
        struct snapshot_row row = write_batch_row(batch, i);
        int64_t key[KEY_NUMBERS];
        row_key(&row, key);
        row_process(&row, &process);
        pg_copy_row(&copy, KEY_NUMBERS + 2);
        for (int c = 0; c < KEY_NUMBERS; c++)
            pg_array_i64(&copy, key[c]);
        pg_array_bytes(&copy, process.data, process.size);
        pg_array_bytes(&copy, row.body, row.body_size);
    }
    pg_copy_end(&copy);
    enum status status = pg_copy_in(
        db->pg, "COPY heapfleet.snap_delta (" SNAPSHOT_COLUMNS ") FROM STDIN (FORMAT binary)",
        &copy, why);
    buf_done(&copy);
    buf_done(&process);
    return status;
}

/* On Citus a COPY is one on each shard that it touches, so that parts of a batch would cost more
 * than they save. */
static enum status copy_snapshots(struct db *db, const struct write_batch *batch, struct why *why)
{
    size_t count = write_batch_snapshots(batch);
    int is_citus = 0;
    enum status status = count > COPY_ROWS ? db_is_citus(db, &is_citus, why) : STATUS_OK;
    size_t most = is_citus ? count : COPY_ROWS;
    for (size_t begin = 0; begin < count && status == STATUS_OK;) {
        size_t end = count - begin > most ? begin + most : count;
        status = copy_part(db, batch, begin, end, why);
        begin = end;
    }
    return status;
}

static const char insert_sql[] = "INSERT INTO heapfleet.snap_delta (" SNAPSHOT_COLUMNS ") "
                                 "SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7) "
                                 "ON CONFLICT DO NOTHING";

struct columns {
    struct buf key[KEY_NUMBERS], process, body;
};

static void fill_columns(struct columns *columns, const struct write_batch *batch)
{
    size_t rows = write_batch_snapshots(batch);
    struct buf process = BUF_INIT;
    *columns = (struct columns){.body = BUF_INIT};
    for (int c = 0; c < KEY_NUMBERS; c++)
        pg_array_begin(&columns->key[c], PG_I64, rows);
    pg_array_begin(&columns->process, PG_BYTES, rows);
    pg_array_begin(&columns->body, PG_BYTES, rows);
    for (size_t i = 0; i < rows; i++) {
        struct snapshot_row row = write_batch_row(batch, i);
        int64_t key[KEY_NUMBERS];
        row_key(&row, key);
        row_process(&row, &process);
        for (int c = 0; c < KEY_NUMBERS; c++)
            pg_array_i64(&columns->key[c], key[c]);
        pg_array_bytes(&columns->process, process.data, process.size);
        pg_array_bytes(&columns->body, row.body, row.body_size);
    }
    buf_done(&process);
}

static enum status insert_snapshots(struct db *db, const struct write_batch *batch, struct why *why)
{
    struct columns columns;
    fill_columns(&columns, batch);
    struct pg_params params = PG_PARAMS_INIT;
    for (int c = 0; c < KEY_NUMBERS; c++)
        pg_param_array(&params, PG_I64, &columns.key[c]);
    pg_param_array(&params, PG_BYTES, &columns.process);
    pg_param_array(&params, PG_BYTES, &columns.body);
    enum status status = pg_run(db->pg, insert_sql, &params, NULL, why);
    for (int c = 0; c < KEY_NUMBERS; c++)
        buf_done(&columns.key[c]);
    buf_done(&columns.process);
    buf_done(&columns.body);
    return status;
}

/* In the batch's own transaction, so that nobody takes an empty one away before it is filled. */
static enum status make_partitions(struct db *db, const struct write_batch *batch, struct why *why)
{
    size_t rows = write_batch_snapshots(batch);
    int64_t *times_ms = malloc((rows + 1) * sizeof(*times_ms));
    ASSERT(times_ms != NULL);
    for (size_t i = 0; i < rows; i++)
        times_ms[i] = write_batch_row(batch, i).time_ms;
    enum status status = partitions_make(db, "snap_delta", times_ms, rows, why);
    free(times_ms);
    return status;
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

/* How a batch is tried. */
enum {
    CAREFULLY = 1,       /* some of it may be there already */
    WITH_PARTITIONS = 2, /* some of its partitions may be missing */
};

static enum status write_all(struct db *db, const struct write_batch *batch, unsigned how,
                             struct why *why)
{
    enum status status = STATUS_OK;
    if (how & WITH_PARTITIONS)
        status = make_partitions(db, batch, why);
    if (status == STATUS_OK && batch->rows.size > 0)
        status =
            how & CAREFULLY ? insert_snapshots(db, batch, why) : copy_snapshots(db, batch, why);
    if (status == STATUS_OK && batch->ends.size > 0)
        status = end_instances(db, batch, why);
    if (status == STATUS_OK && batch->high_waters.size > 0)
        status = raise_high_waters(db, batch, why);
    return status;
}

static enum status transact(struct db *db, const struct write_batch *batch, unsigned how,
                            struct why *why)
{
    enum status status = pg_begin(db->pg, why);
    if (status == STATUS_OK)
        status = write_all(db, batch, how, why);
    if (status == STATUS_OK)
        status = pg_commit(db->pg, why);
    pg_rollback(db->pg);
    return status;
}

enum status write_batch_commit_whole(struct db *db, struct write_batch *batch, struct why *why)
{
    unsigned how = batch->tried ? CAREFULLY : 0;
    enum status status = transact(db, batch, how, why);
    if (status == STATUS_FAILED) /* Citus's COPY does not tell what is wrong, its INSERT does */
        status = transact(db, batch, how |= CAREFULLY, why);
    if (status == STATUS_NOT_FOUND)
        status = transact(db, batch, how |= WITH_PARTITIONS, why);
    if (status == STATUS_CONFLICT)
        status = transact(db, batch, how | CAREFULLY, why);
    batch->tried = 1;
    if (status == STATUS_NOT_FOUND) /* not for want of a partition: somebody's own check */
        return STATUS_INVALID;
    return status == STATUS_CONFLICT ? STATUS_FAILED : status;
}

/* ---- services that were forgotten meanwhile ----------------------------------------------------
 */

size_t write_batch_forgotten(const struct write_batch *batch)
{
    return write_batch_count(&batch->forgotten, sizeof(int64_t));
}

int64_t write_batch_forgotten_service(const struct write_batch *batch, size_t i)
{
    int64_t service_id;
    memcpy(&service_id, batch->forgotten.data + i * sizeof(service_id), sizeof(service_id));
    return service_id;
}

static int compare_ids(const void *left, const void *right)
{
    int64_t a, b;
    memcpy(&a, left, sizeof(a));
    memcpy(&b, right, sizeof(b));
    return (a > b) - (a < b);
}

/* The services of its rows, in order: somebody may have forgotten hundreds. */
static void gather_services(const struct write_batch *batch, struct buf *ret)
{
    for (size_t i = 0; i < write_batch_snapshots(batch); i++) {
        int64_t service_id = write_batch_row(batch, i).service_id;
        buf_append(ret, &service_id, sizeof(service_id));
    }
    if (ret->size > 0)
        qsort(ret->data, ret->size / sizeof(int64_t), sizeof(int64_t), compare_ids);
}

static void note_forgotten(struct write_batch *batch, const struct pg_rows *rows)
{
    struct buf services = BUF_INIT;
    buf_clear(&batch->forgotten);
    if (rows->count > 0)
        gather_services(batch, &services);
    for (int i = 0; i < rows->count && services.size > 0; i++) {
        int64_t service_id = pg_i64(rows, i, 0);
        if (bsearch(&service_id, services.data, services.size / sizeof(service_id),
                    sizeof(service_id), compare_ids) != NULL)
            buf_append(&batch->forgotten, &service_id, sizeof(service_id));
    }
    buf_done(&services);
}

/* Agents of whom something will not be acknowledged are told nothing of how far they were. */
static enum status lower_high_waters(struct db *db, const struct write_batch *batch,
                                     struct why *why)
{
    size_t count = write_batch_count(&batch->high_waters, sizeof(struct batch_high_water));
    struct buf agent = BUF_INIT;
    pg_array_begin(&agent, PG_UUID, count);
    for (size_t i = 0; i < count; i++) {
        struct batch_high_water high;
        memcpy(&high, batch->high_waters.data + i * sizeof(high), sizeof(high));
        pg_array_bytes(&agent, high.agent_id, ID_BYTES);
    }
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_array(&params, PG_UUID, &agent);
    enum status status =
        pg_run(db->pg, "DELETE FROM heapfleet.agent WHERE agent_id = ANY ($1)", &params, NULL, why);
    buf_done(&agent);
    return status;
}

/* Looked at after the COMMIT: whoever forgets a service later has seen these rows, or is obeyed. */
static enum status find_forgotten(struct db *db, struct write_batch *batch, struct why *why)
{
    struct pg_rows rows;
    enum status status = pg_run(db->pg,
                                "SELECT id FROM heapfleet.forgotten "
                                "WHERE forgotten_at > now() - interval '7 days'",
                                NULL, &rows, why);
    if (status != STATUS_OK)
        return status;
    note_forgotten(batch, &rows);
    pg_rows_done(&rows);
    return batch->forgotten.size > 0 ? lower_high_waters(db, batch, why) : STATUS_OK;
}

enum status write_batch_commit(struct db *db, struct write_batch *batch, struct why *why)
{
    enum status status = STATUS_INVALID;
    if (batch->broken.size == 0)
        status = write_batch_commit_whole(db, batch, why);
    if (status == STATUS_INVALID)
        status = write_batch_isolate(db, batch, why);
    if (status != STATUS_OK || batch->rows.size == 0)
        return status;
    status = find_forgotten(db, batch, why);
    if (status != STATUS_OK) /* it will be tried again as a whole */
        buf_clear(&batch->refused);
    return status == STATUS_OK ? STATUS_OK : STATUS_UNAVAILABLE;
}
