/*
 * One slot of one service. Hot rows come by process and sequence:
 *
 *     usual    no chunk is there yet, and each row builds on the one before it, the first one on
 * the process's newest compacted snapshot: rows go straight into the builder merge    a chunk is
 * there (late snapshots), or a base lies elsewhere (a clock that was set back): history_walk, which
 * looks everywhere, gives the process's slot anew
 *
 * Rollups are sums over all processes of the slot, so those that have a chunk and no hot row are
 * walked too.
 */
#include <stdlib.h>

#include "chain.h"
#include "chunk_row.h"
#include "compact.h"
#include "compact_process.h"
#include "rollup_row.h"

enum {
    PAGE_ROWS = 2000,
    COPY_BYTES = 4 * 1024 * 1024, /* of chunks, gathered before they are sent */
    LAST_BYTES = 1024 * 1024,     /* of newest snapshots, likewise */
    REST_PROCESSES = 64,          /* looked up together when nothing of them is hot */
    TYPES_BYTES = SNAPSHOT_TYPES_MAX * 4 + 4096,
};

struct work {
    struct db *db;
    int64_t service_id, slot_ms;
    struct compact_counts counts;
    struct chunk_builder *builder;
    struct rollup *rollup;
    struct buf copy; /* chunks that are not sent yet */
    struct last_snapshots newest;
    struct known_processes known; /* those whose rows are being taken */
    int64_t *there; /* [there_count] processes that have a chunk already, ascending; 0: rolled up */
    size_t there_count, there_at;

    /* the process that rows are of */
    int64_t instance_id; /* 0: none */
    int is_removed;      /* somebody took it out of the database */
    int must_merge, has_chunk;
    uint64_t rows, known_last; /* names of hot rows; the sequence in instance_last */
    uint64_t taken;            /* the name of the last one */
    struct arena types;
    struct chain chain;
    struct chunk_snapshot first, last, before_last;
};

/* ---- the newest snapshot of a process ------------------------------------------------------- */

static enum status keep_last(struct work *work, struct why *why)
{
    if (work->last.sequence <= work->known_last)
        return STATUS_OK;
    struct buf process = BUF_INIT, body = BUF_INIT;
    process_numbers_pack(&work->last.process, &process);
    snapshot_encode_keyframe(&work->chain.values, &body);
    int64_t interval_ms = chunk_builder_snapshots(work->builder) > 1
                              ? work->last.time_ms - work->before_last.time_ms
                              : 0;
    last_snapshots_add(&work->newest, work->instance_id, work->last.sequence, work->last.time_ms,
                       interval_ms, &process, &body);
    buf_done(&process);
    buf_done(&body);
    return last_snapshots_bytes(&work->newest) < LAST_BYTES
               ? STATUS_OK
               : last_snapshots_flush(&work->newest, work->db, work->service_id, why);
}

/* ---- chunks --------------------------------------------------------------------------------- */

static enum status send_chunks(struct work *work, struct why *why)
{
    if (work->copy.size == 0)
        return STATUS_OK;
    pg_copy_end(&work->copy);
    enum status status = pg_copy_in(work->db->pg, CHUNK_COPY, &work->copy, why);
    buf_clear(&work->copy);
    return status;
}

static enum status add_snapshot(struct work *work, const struct chunk_snapshot *head,
                                const struct heap_values *values, struct why *why)
{
    enum status status = chunk_builder_add(work->builder, head, values, why);
    if (status != STATUS_OK)
        return status;
    if (chunk_builder_snapshots(work->builder) == 1)
        work->first = *head;
    work->before_last = work->last;
    work->last = *head;
    rollup_add(work->rollup, head, values);
    return STATUS_OK;
}

static enum status remove_chunk(struct work *work, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, work->service_id);
    pg_param_i64(&params, work->instance_id);
    pg_param_i64(&params, work->slot_ms);
    return pg_run(work->db->pg,
                  "DELETE FROM heapfleet.heap_chunk "
                  "WHERE service_id = $1 AND instance_id = $2 AND slot_ms = $3",
                  &params, NULL, why);
}

static enum status write_chunk(struct work *work, struct why *why)
{
    uint32_t snapshots = chunk_builder_snapshots(work->builder);
    if (snapshots == 0)
        return STATUS_OK;
    enum status status = work->has_chunk ? remove_chunk(work, why) : STATUS_OK;
    if (status == STATUS_OK)
        status = keep_last(work, why);
    if (status != STATUS_OK)
        return status;
    struct chunk chunk = chunk_builder_end(work->builder);
    if (work->copy.size == 0)
        pg_copy_begin(&work->copy);
    chunk_row_append(&work->copy, work->service_id, work->instance_id, &chunk, &work->first,
                     &work->last);
    work->counts.chunks++;
    work->counts.snapshots += snapshots;
    return work->copy.size < COPY_BYTES ? STATUS_OK : send_chunks(work, why);
}

/* ---- merging -------------------------------------------------------------------------------- */

static enum status take_walked(void *user, const struct history_snapshot *snapshot)
{
    struct work *work = user;
    const struct chunk_snapshot head = {
        .sequence = snapshot->sequence,
        .time_ms = snapshot->time_ms,
        .process = {{
            [PROCESS_OBJECTS] = snapshot->objects,
            [PROCESS_BYTES] = snapshot->bytes,
            [PROCESS_RSS_ANON] = snapshot->rss_anon_bytes,
            [PROCESS_SWAP] = snapshot->swap_bytes,
            [PROCESS_CONTAINER_USAGE] = snapshot->container_usage_bytes,
            [PROCESS_CONTAINER_LIMIT] = snapshot->container_limit_bytes,
            [PROCESS_NOT_OBJECTS] = snapshot->not_objects_bytes,
            [PROCESS_CPU_MS] = snapshot->cpu_ms,
            [PROCESS_COVERAGE] = snapshot->coverage,
            [PROCESS_DROPPED] = snapshot->dropped,
            [PROCESS_POOLS] = snapshot->pool_bytes,
            [PROCESS_POOL_FREE] = snapshot->pool_free_bytes,
            [PROCESS_MALLOC_FREE] = snapshot->malloc_free_bytes,
            [PROCESS_PSS] = snapshot->pss_bytes,
        }}};
    chain_set(&work->chain, snapshot->sequence, snapshot->values);
    return add_snapshot(work, &head, snapshot->values, NULL);
}

static enum status merge(struct work *work, struct why *why)
{
    chunk_builder_begin(work->builder, work->slot_ms);
    rollup_restart(work->rollup);
    return history_walk(work->db, work->service_id, work->instance_id, work->slot_ms,
                        work->slot_ms + CHUNK_SLOT_MS - 1, take_walked, work, why);
}

/* ---- a process ------------------------------------------------------------------------------ */

static enum status take_process(struct work *work, const struct known_process *known,
                                struct why *why)
{
    rollup_process(work->rollup, known->deployment_id, known->type_ids,
                   (uint32_t)known->type_count);
    if (known->last_body == NULL)
        return STATUS_OK;
    work->known_last = known->last_sequence;
    const struct hot_row row = {
        .sequence = work->known_last, .body = known->last_body, .body_size = known->last_size};
    return chain_apply(&work->chain, &row, why);
}

static void begin_chunk(struct work *work, int64_t instance_id)
{
    while (work->there_at < work->there_count && work->there[work->there_at] < instance_id)
        work->there_at++;
    work->has_chunk =
        work->there_at < work->there_count && work->there[work->there_at] == instance_id;
    if (work->has_chunk)
        work->there[work->there_at++] = 0;
    work->must_merge = work->has_chunk;
    work->instance_id = instance_id;
    work->rows = work->known_last = work->taken = 0;
    chain_done(&work->chain);
    chain_init(&work->chain, work->db, work->service_id, instance_id);
    chunk_builder_begin(work->builder, work->slot_ms);
}

/* It is among those that are known. */
static enum status begin_process(struct work *work, int64_t instance_id, struct why *why)
{
    struct known_process known;
    arena_reset(&work->types);
    enum status status = known_processes_find(&work->known, instance_id, &work->types, &known, why);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    begin_chunk(work, instance_id);
    work->is_removed = status == STATUS_NOT_FOUND;
    return work->is_removed ? STATUS_OK : take_process(work, &known, why);
}

static enum status end_process(struct work *work, struct why *why)
{
    if (work->instance_id == 0)
        return STATUS_OK;
    enum status status = STATUS_OK;
    if (work->must_merge && !work->is_removed)
        status = merge(work, why);
    if (status == STATUS_OK)
        status = write_chunk(work, why);
    uint64_t kept = chunk_builder_snapshots(work->builder);
    *(work->is_removed ? &work->counts.forgotten : &work->counts.lost) +=
        work->rows > kept ? work->rows - kept : 0;
    work->instance_id = 0;
    return status;
}

/* A name with two times (see struct hot_place) is one snapshot, the one that is read first. */
static enum status take_row(struct work *work, const struct hot_row *row, struct why *why)
{
    work->counts.hot_rows++;
    if (work->rows > 0 && row->sequence == work->taken)
        return STATUS_OK;
    work->rows++;
    work->taken = row->sequence;
    if (work->must_merge || work->is_removed)
        return STATUS_OK;
    enum status status = chain_apply(&work->chain, row, why);
    if (status != STATUS_OK)
        return status;
    work->must_merge = work->chain.is_broken;
    if (work->must_merge)
        return STATUS_OK;
    struct chunk_snapshot head = {.sequence = row->sequence, .time_ms = row->time_ms};
    if (process_numbers_unpack(row->process, row->process_size, &head.process, why) != STATUS_OK)
        return STATUS_FAILED;
    return add_snapshot(work, &head, &work->chain.values, why);
}

/* Look up the processes that begin in these rows. */
static enum status know_processes(struct work *work, const struct pg_rows *rows, struct why *why)
{
    int64_t *ids = malloc(((size_t)rows->count + 1) * sizeof(*ids));
    ASSERT(ids != NULL);
    size_t count = 0;
    int64_t instance_id = work->instance_id;
    for (int i = 0; i < rows->count; i++) {
        if (pg_i64(rows, i, 0) != instance_id)
            ids[count++] = instance_id = pg_i64(rows, i, 0);
    }
    enum status status = STATUS_OK;
    if (count > 0)
        status = known_processes_read(&work->known, work->db, work->service_id, ids, count, why);
    free(ids);
    return status;
}

static enum status take_rows(struct work *work, const struct pg_rows *rows, struct why *why)
{
    enum status status = know_processes(work, rows, why);
    for (int i = 0; i < rows->count && status == STATUS_OK; i++) {
        int64_t instance_id = pg_i64(rows, i, 0);
        if (instance_id != work->instance_id) {
            status = end_process(work, why);
            if (status == STATUS_OK)
                status = begin_process(work, instance_id, why);
        }
        struct hot_row row = hot_row_read(rows, i, 1);
        if (status == STATUS_OK)
            status = take_row(work, &row, why);
    }
    return status;
}

/* ---- the slot ------------------------------------------------------------------------------- */

/* By pages, each a statement of its own: what a cursor gives goes through a store of the server's
 * first. A row that comes meanwhile, before the page that is being read, is not counted in, and has
 * the slot done anew. */
static const char hot_sql[] =
    "SELECT instance_id, " HOT_COLUMNS " FROM heapfleet.snap_delta "
    "WHERE service_id = $1 AND time_ms >= $2 AND time_ms < $3 AND (instance_id, sequence) >= ($4, "
    "$5) ORDER BY instance_id, sequence OFFSET $6 LIMIT $7";

/* The last row that was read, and how many of its name were: partitions of before schema 17, and
 * those of a table that Citus had distributed by then, may have a name with two times. */
struct hot_place {
    int64_t instance_id, sequence, rows;
};

static enum status read_page(struct work *work, const struct hot_place *from, struct pg_rows *ret,
                             struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, work->service_id);
    pg_param_i64(&params, work->slot_ms);
    pg_param_i64(&params, work->slot_ms + CHUNK_SLOT_MS);
    pg_param_i64(&params, from->instance_id);
    pg_param_i64(&params, from->sequence);
    pg_param_i64(&params, from->rows);
    pg_param_i64(&params, PAGE_ROWS);
    return pg_run(work->db->pg, hot_sql, &params, ret, why);
}

static void go_on(struct hot_place *place, const struct pg_rows *rows)
{
    for (int i = 0; i < rows->count; i++) {
        int64_t instance_id = pg_i64(rows, i, 0), sequence = pg_i64(rows, i, 1);
        int is_same = instance_id == place->instance_id && sequence == place->sequence;
        *place = (struct hot_place){instance_id, sequence, is_same ? place->rows + 1 : 1};
    }
}

static enum status take_hot(struct work *work, struct why *why)
{
    enum status status = STATUS_OK;
    struct hot_place place = {INT64_MIN, INT64_MIN, 0};
    for (int more = 1; status == STATUS_OK && more;) {
        struct pg_rows rows;
        status = read_page(work, &place, &rows, why);
        if (status != STATUS_OK)
            break;
        more = rows.count == PAGE_ROWS;
        go_on(&place, &rows);
        status = take_rows(work, &rows, why);
        pg_rows_done(&rows);
    }
    return status == STATUS_OK ? end_process(work, why) : status;
}

static enum status list_there(struct work *work, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, work->service_id);
    pg_param_i64(&params, work->slot_ms);
    struct pg_rows rows;
    enum status status = pg_run(work->db->pg,
                                "SELECT instance_id FROM heapfleet.heap_chunk "
                                "WHERE service_id = $1 AND slot_ms = $2 ORDER BY 1",
                                &params, &rows, why);
    if (status != STATUS_OK)
        return status;
    work->there_count = (size_t)rows.count;
    work->there = calloc(work->there_count + 1, sizeof(*work->there));
    ASSERT(work->there != NULL);
    for (int i = 0; i < rows.count; i++)
        work->there[i] = pg_i64(&rows, i, 0);
    pg_rows_done(&rows);
    return STATUS_OK;
}

static enum status roll_up(struct work *work, const int64_t *instance_ids, size_t count,
                           struct why *why)
{
    enum status status =
        known_processes_read(&work->known, work->db, work->service_id, instance_ids, count, why);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = begin_process(work, instance_ids[i], why);
        if (status == STATUS_OK && !work->is_removed)
            status = merge(work, why);
        work->instance_id = 0;
    }
    return status;
}

/* What was compacted before and has nothing new belongs into the rollups all the same. */
static enum status roll_up_the_rest(struct work *work, struct why *why)
{
    enum status status = STATUS_OK;
    size_t rest = 0;
    for (size_t i = 0; i < work->there_count; i++) {
        if (work->there[i] != 0)
            work->there[rest++] = work->there[i];
    }
    work->there_count = work->there_at = 0;
    for (size_t i = 0; i < rest && status == STATUS_OK; i += REST_PROCESSES) {
        size_t count = rest - i < REST_PROCESSES ? rest - i : REST_PROCESSES;
        status = roll_up(work, work->there + i, count, why);
    }
    return status;
}

static enum status run(struct work *work, struct why *why)
{
    enum status status = list_there(work, why);
    if (status == STATUS_OK)
        status = take_hot(work, why);
    if (status == STATUS_OK)
        status = send_chunks(work, why);
    if (status == STATUS_OK)
        status = last_snapshots_flush(&work->newest, work->db, work->service_id, why);
    if (status == STATUS_OK)
        status = roll_up_the_rest(work, why);
    if (status != STATUS_OK)
        return status;
    size_t count = 0;
    const struct rollup_deployment *deployments = rollup_end(work->rollup, &count);
    return rollup_rows_replace(work->db, work->service_id, work->slot_ms, deployments, count, why);
}

enum status compact_slot(struct db *db, int64_t service_id, int64_t slot_ms,
                         struct compact_counts *ret, struct why *why)
{
    struct work work = {.db = db,
                        .service_id = service_id,
                        .slot_ms = slot_ms,
                        .builder = chunk_builder_new(),
                        .rollup = rollup_new()};
    arena_init(&work.types, TYPES_BYTES);
    rollup_begin(work.rollup, slot_ms);
    enum status status = run(&work, why);
    if (status == STATUS_OK)
        *ret = work.counts;
    chain_done(&work.chain);
    arena_done(&work.types);
    buf_done(&work.copy);
    last_snapshots_done(&work.newest);
    known_processes_done(&work.known);
    chunk_builder_free(work.builder);
    rollup_free(work.rollup);
    free(work.there);
    return status;
}
