/*
 * The fleet goes in as a collector would take it: every snapshot is decoded onto what is remembered
 * of its process, summed, and put into a batch; one minute of the fleet is one batch, at most
 * BATCH_ROWS. Time is the fleet's own; whenever an hour of it has passed, the database is kept up.
 * The CPU of decoding and writing is counted, that of making up the fleet is not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "clock.h"
#include "embedded.h"
#include "keep_house.h"
#include "pg.h"
#include "postgres_cost.h"
#include "storage_load.h"
#include "storage_questions.h"
#include "store.h"

enum { BATCH_ROWS = 2000, UPKEEP_MS = 3600 * 1000, RAISE_MS = 3600 * 1000 };

struct container {
    int64_t service_id, instance_id;
    uint64_t sequence; /* of its newest snapshot; 0: none */
    uint32_t types_known;
};

/* What processes have to say that is new, asked together before their snapshots are committed: the
 * collector does so with what waits. */
struct additions {
    struct types_addition list[BATCH_ROWS];
    uint32_t from[BATCH_ROWS]; /* where the types are to stand */
    size_t count;
    struct arena texts;
};

struct loader {
    const struct storage_job *job;
    struct embedded *server;
    struct db *db;
    struct pg *pg; /* for looking at the server */
    struct fleet_load *fleet;
    struct container *containers;
    struct write_batch *batch;
    struct additions *additions;
    struct heap_values heap; /* where bodies are decoded to */
    uint64_t snapshots, samples, body_bytes, opened;
    int64_t write_cpu_ns, upkeep_cpu_ns, open_cpu_ns;
    int64_t upkeep_at_ms;
};

/* ---- processes ------------------------------------------------------------------------------ */

static void note_types(struct additions *additions, const struct fleet_process *process,
                       struct container *container)
{
    uint32_t from = container->types_known, count = process->values.types - from;
    char(*texts)[FLEET_NAME_BYTES] = arena_alloc(&additions->texts, count * sizeof(*texts));
    const char **names = arena_alloc(&additions->texts, count * sizeof(*names));
    uint32_t *places = arena_alloc(&additions->texts, count * sizeof(*places));
    ASSERT(texts != NULL && names != NULL && places != NULL);
    for (uint32_t i = 0; i < count; i++) {
        fleet_type_name(process->container, process->kinds[from + i], texts[i]);
        names[i] = texts[i];
    }
    additions->from[additions->count] = from;
    additions->list[additions->count++] =
        (struct types_addition){.service_id = container->service_id,
                                .instance_id = container->instance_id,
                                .names = names,
                                .count = count,
                                .places = places};
    container->types_known = process->values.types;
}

static enum status add_types(struct loader *loader, struct why *why)
{
    struct additions *additions = loader->additions;
    int64_t before_ns = clock_cpu_ns();
    instance_types_add_all(loader->db, additions->list, additions->count);
    loader->open_cpu_ns += clock_cpu_ns() - before_ns;
    for (size_t a = 0; a < additions->count; a++) {
        const struct types_addition *addition = &additions->list[a];
        if (addition->status != STATUS_OK)
            return why_fail(why, addition->status, "%s", addition->why.text);
        for (uint32_t i = 0; i < addition->count; i++) {
            if (addition->places[i] != additions->from[a] + i)
                return why_fail(why, STATUS_FAILED, "the database numbers a type differently");
        }
    }
    additions->count = 0;
    arena_reset(&additions->texts);
    return STATUS_OK;
}

/* Processes that begin, opened together: the collector does so with those that wait. */
struct beginning {
    uint32_t container;
    char service[FLEET_NAME_BYTES], version[FLEET_NAME_BYTES], pod[FLEET_NAME_BYTES];
    struct process_identity identity;
};

static void note_beginning(const struct fleet_process *process, struct beginning *beginning)
{
    beginning->container = process->container;
    fleet_service_name(process->container, beginning->service);
    fleet_version_name(process->version, beginning->version);
    (void)snprintf(beginning->pod, sizeof(beginning->pod), "c%u-%u", process->container,
                   process->version);
    beginning->identity = (struct process_identity){
        .service = beginning->service,
        .service_namespace = "",
        .environment = "prod",
        .version = beginning->version,
        .host = "node-1",
        .pod = beginning->pod,
        .container_id = beginning->pod,
        .image = beginning->service,
        .runtime = "cpython",
        .runtime_version = "3.11.2",
        .pid = 1,
        .started_ms = process->started_ms,
        .attributes_json = "{}",
    };
    uint8_t *uuid = beginning->identity.instance_uuid;
    memcpy(uuid, &process->container, sizeof(process->container));
    memcpy(uuid + 8, &process->version, sizeof(process->version));
}

static enum status open_all(struct loader *loader, const struct beginning *beginnings, size_t count,
                            struct why *why)
{
    struct instance_opening *openings = calloc(count + 1, sizeof(*openings));
    ASSERT(openings != NULL);
    for (size_t i = 0; i < count; i++)
        openings[i].identity = &beginnings[i].identity;
    instance_open_all(loader->db, openings, count);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count; i++) {
        struct instance_state *state = &openings[i].state;
        loader->containers[beginnings[i].container] =
            (struct container){state->service_id, state->instance_id, 0, 0};
        if (openings[i].status != STATUS_OK)
            status = why_fail(why, openings[i].status, "%s", openings[i].why.text);
        else
            instance_state_done(state);
    }
    loader->opened += count;
    free(openings);
    return status;
}

/* Of containers `from` up to `to`. A process that a deployment replaced ends when its successor is
 * seen. */
static enum status begin_processes(struct loader *loader, uint32_t from, uint32_t to,
                                   struct why *why)
{
    struct beginning *beginnings = calloc(to - from, sizeof(*beginnings));
    ASSERT(beginnings != NULL);
    size_t count = 0;
    for (uint32_t c = from; c < to; c++) {
        const struct fleet_process *process = fleet_load_begins(loader->fleet, c);
        if (process == NULL)
            continue;
        const struct container *container = &loader->containers[c];
        if (process->version > 0)
            write_batch_end(loader->batch, container->service_id, container->instance_id,
                            process->started_ms, "exited");
        note_beginning(process, &beginnings[count++]);
    }
    int64_t before_ns = clock_cpu_ns();
    enum status status = open_all(loader, beginnings, count, why);
    loader->open_cpu_ns += clock_cpu_ns() - before_ns;
    free(beginnings);
    return status;
}

/* ---- snapshots ------------------------------------------------------------------------------ */

static void sum_heap(const struct heap_values *heap, struct snapshot_row *row)
{
    for (uint32_t i = 0; i < heap->types; i++) {
        row->objects += heap->values[i].count;
        row->bytes += heap->values[i].bytes;
    }
}

/* Pools come by the arena of 1 MiB and are never quite full; what malloc holds free goes up and
 * down by pages, and so does what is shared. */
static void fill_memory(const struct fleet_process *process, struct snapshot_row *row)
{
    static const uint64_t arena_bytes = 1 << 20, page_bytes = 4096;
    uint64_t turn = (process->snapshots * 2654435761U + process->container * 40503U) >> 7;
    row->pool_bytes = (row->bytes * 3 / 4 / arena_bytes + 2) * arena_bytes;
    row->pool_free_bytes = row->pool_bytes - row->bytes * 3 / 4;
    row->malloc_free_bytes = row->bytes / 16 + turn % 64 * page_bytes;
    row->pss_bytes = row->rss_anon_bytes + (6 << 20) + turn % 16 * page_bytes;
}

/* As the collector does it: with the first snapshot of a stream, and then every hour, of all agents
 * at once. */
static void raise_high_water(struct loader *loader, const struct fleet_process *process)
{
    uint8_t agent_id[ID_BYTES] = {1};
    memcpy(agent_id + 1, &process->container, sizeof(process->container));
    int64_t before_ms = process->time_ms - loader->job->shape.interval_ms;
    if (process->snapshots == 1 || process->time_ms / RAISE_MS != before_ms / RAISE_MS)
        write_batch_high_water(loader->batch, agent_id, process->snapshots);
}

static enum status put_snapshot(struct loader *loader, const struct fleet_process *process,
                                struct container *container, struct why *why)
{
    int is_keyframe = 0;
    const struct buf *body = fleet_load_body(loader->fleet, &is_keyframe);
    struct snapshot_row row = {
        .service_id = container->service_id,
        .instance_id = container->instance_id,
        .sequence = process->snapshots,
        .base_sequence = is_keyframe ? 0 : container->sequence,
        .time_ms = process->time_ms,
        .types = process->values.types,
        .body = body->data,
        .body_size = body->size,
        .coverage = 10000,
    };
    heap_values_copy(&loader->heap, fleet_load_before(loader->fleet));
    int64_t before_ns = clock_cpu_ns();
    enum status status = snapshot_decode(body->data, body->size, &loader->heap, why);
    sum_heap(&loader->heap, &row);
    row.rss_anon_bytes = row.bytes + row.bytes / 4;
    row.container_usage_bytes = row.rss_anon_bytes + (8 << 20);
    row.container_limit_bytes = (uint64_t)2 << 30;
    row.not_objects_bytes = row.bytes / 4;
    fill_memory(process, &row);
    row.cpu_ms = (uint64_t)(process->time_ms - process->started_ms) / 8;
    write_batch_snapshot(loader->batch, &row);
    raise_high_water(loader, process);
    loader->write_cpu_ns += clock_cpu_ns() - before_ns;
    container->sequence = row.sequence;
    loader->snapshots++;
    loader->samples += row.types;
    loader->body_bytes += body->size;
    return status;
}

static enum status commit(struct loader *loader, struct why *why)
{
    enum status status = add_types(loader, why);
    int64_t before_ns = clock_cpu_ns();
    if (status == STATUS_OK)
        status = write_batch_commit(loader->db, loader->batch, why);
    loader->write_cpu_ns += clock_cpu_ns() - before_ns;
    write_batch_free(loader->batch);
    loader->batch = write_batch_new();
    return status;
}

/* What the collector does beside writing, when it is `now_ms`. */
static enum status keep_up(struct loader *loader, int64_t now_ms, struct why *why)
{
    int64_t before_ns = clock_cpu_ns();
    static const struct keep_house_config config = KEEP_HOUSE_DEFAULT;
    struct keep_house_report report = {0};
    enum status status = keep_house(loader->db, &config, now_ms, &report, why);
    if (status == STATUS_OK && report.lost > 0)
        status = why_fail(why, STATUS_FAILED, "upkeep lost %llu snapshots",
                          (unsigned long long)report.lost);
    loader->upkeep_cpu_ns += clock_cpu_ns() - before_ns;
    return status;
}

/* A minute of containers `from` up to `to`. */
static enum status load_batch(struct loader *loader, uint32_t from, uint32_t to, struct why *why)
{
    enum status status = begin_processes(loader, from, to, why);
    for (uint32_t c = from; c < to && status == STATUS_OK; c++) {
        const struct fleet_process *process = fleet_load_step(loader->fleet, c);
        struct container *container = &loader->containers[c];
        if (process->values.types > container->types_known)
            note_types(loader->additions, process, container);
        status = put_snapshot(loader, process, container, why);
    }
    return status == STATUS_OK ? commit(loader, why) : status;
}

static enum status load_step(struct loader *loader, uint32_t step, struct why *why)
{
    const struct fleet_shape *shape = &loader->job->shape;
    int64_t now_ms = shape->start_ms + (step + 1) * shape->interval_ms;
    enum status status = STATUS_OK;
    for (uint32_t c = 0; c < shape->containers && status == STATUS_OK; c += BATCH_ROWS) {
        uint32_t left = shape->containers - c;
        status = load_batch(loader, c, c + (left < BATCH_ROWS ? left : BATCH_ROWS), why);
    }
    if (status == STATUS_OK && now_ms >= loader->upkeep_at_ms) {
        status = keep_up(loader, now_ms, why);
        loader->upkeep_at_ms = now_ms + UPKEEP_MS;
    }
    return status;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void print_costs(const struct loader *loader, const struct postgres_cost *before,
                        const struct postgres_cost *first, const struct postgres_cost *after)
{
    (void)printf("\"containers\": %u, \"types\": %u, \"steps\": %u, \"processes\": %llu,\n",
                 loader->job->shape.containers, loader->job->shape.types, loader->job->steps,
                 (unsigned long long)loader->opened);
    (void)printf("\"snapshots\": %llu, \"samples\": %llu, \"body_bytes\": %llu,\n",
                 (unsigned long long)loader->snapshots, (unsigned long long)loader->samples,
                 (unsigned long long)loader->body_bytes);
    (void)printf("\"write_cpu_s\": %.3f, \"upkeep_cpu_s\": %.3f, \"open_cpu_s\": %.3f,\n",
                 (double)loader->write_cpu_ns / 1e9, (double)loader->upkeep_cpu_ns / 1e9,
                 (double)loader->open_cpu_ns / 1e9);
    (void)printf("\"database_cpu_s\": %.2f, \"database_first_cpu_s\": %.2f,\n",
                 after->cpu_s - before->cpu_s, first->cpu_s - before->cpu_s);
    (void)printf("\"wal_bytes\": %lld, \"wal_first_bytes\": %lld, \"disk_bytes\": %lld,\n",
                 (long long)(after->wal_bytes - before->wal_bytes),
                 (long long)(first->wal_bytes - before->wal_bytes),
                 (long long)(after->disk_bytes - before->disk_bytes));
}

static enum status print_relations(struct loader *loader, struct why *why)
{
    struct pg_rows rows;
    enum status status =
        pg_run(loader->pg,
               "SELECT coalesce(p.relname, c.relname)::text, "
               "sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c "
               "LEFT JOIN pg_inherits i ON i.inhrelid = c.oid "
               "LEFT JOIN pg_class p ON p.oid = i.inhparent "
               "WHERE c.relnamespace = 'heapfleet'::regnamespace AND c.relkind = 'r' "
               "GROUP BY 1 ORDER BY 2 DESC",
               NULL, &rows, why);
    if (status != STATUS_OK)
        return status;
    (void)printf("\"relations\": {");
    for (int i = 0; i < rows.count; i++)
        (void)printf("%s\"%s\": %lld", i > 0 ? ", " : "", pg_text(&rows, i, 0),
                     (long long)pg_i64(&rows, i, 1));
    (void)printf("},\n");
    pg_rows_done(&rows);
    return STATUS_OK;
}

static enum status load_all(struct loader *loader, struct why *why)
{
    const struct storage_job *job = loader->job;
    struct postgres_cost before = {0}, first = {0}, after = {0};
    enum status status = pg_script(loader->pg, "CHECKPOINT", why);
    if (status == STATUS_OK)
        status = postgres_cost(loader->pg, job->folder, &before, why);
    for (uint32_t step = 0; step < job->steps && status == STATUS_OK; step++) {
        status = load_step(loader, step, why);
        if (status == STATUS_OK && step == 0)
            status = postgres_cost(loader->pg, job->folder, &first, why);
    }
    int64_t end_ms = job->shape.start_ms + job->steps * job->shape.interval_ms;
    if (status == STATUS_OK)
        status = keep_up(loader, end_ms, why);
    if (status == STATUS_OK)
        status = pg_script(loader->pg, "CHECKPOINT", why);
    if (status == STATUS_OK)
        status = postgres_cost(loader->pg, job->folder, &after, why);
    if (status != STATUS_OK)
        return status;
    (void)printf("{\n");
    print_costs(loader, &before, &first, &after);
    status = print_relations(loader, why);
    if (status == STATUS_OK && job->pause) {
        (void)fprintf(stderr, "%s\n", embedded_dsn(loader->server));
        (void)getchar();
    }
    (void)printf("\"questions\": {");
    if (status == STATUS_OK && job->ask)
        status = storage_ask(loader->db, &job->shape, end_ms, why);
    (void)printf("}\n}\n");
    return status;
}

enum status storage_heapfleet(const struct storage_job *job, struct why *why)
{
    struct loader loader = {.job = job};
    enum status status = embedded_start(job->folder, job->bin_dir, &loader.server, why);
    if (status != STATUS_OK)
        return status;
    loader.pg = pg_new(embedded_dsn(loader.server));
    pg_set_deadline(loader.pg, PG_MIGRATION_MS);
    loader.fleet = fleet_load_new(&job->shape);
    loader.containers = calloc(job->shape.containers, sizeof(*loader.containers));
    loader.batch = write_batch_new();
    loader.additions = calloc(1, sizeof(*loader.additions));
    ASSERT(loader.containers != NULL && loader.additions != NULL);
    arena_init(&loader.additions->texts, SIZE_MAX);
    loader.upkeep_at_ms = job->shape.start_ms + UPKEEP_MS;
    status = db_open(embedded_dsn(loader.server), &loader.db, why);
    if (status == STATUS_OK)
        status = migrate_up(loader.db, why);
    if (status == STATUS_OK)
        status = load_all(&loader, why);
    db_close(loader.db);
    pg_free(loader.pg);
    write_batch_free(loader.batch);
    heap_values_done(&loader.heap);
    fleet_load_free(loader.fleet);
    free(loader.containers);
    arena_done(&loader.additions->texts);
    free(loader.additions);
    embedded_stop(loader.server);
    return status;
}

/* The fleet's end: its last minute is the newest that is hot. */
static enum status find_end(struct pg *pg, const struct storage_job *job, int64_t *ret,
                            struct why *why)
{
    struct pg_rows rows;
    enum status status =
        pg_run(pg, "SELECT max(time_ms) FROM heapfleet.snap_delta", NULL, &rows, why);
    if (status != STATUS_OK)
        return status;
    int64_t interval_ms = job->shape.interval_ms;
    *ret = (pg_i64(&rows, 0, 0) / interval_ms + 1) * interval_ms;
    pg_rows_done(&rows);
    return STATUS_OK;
}

enum status storage_ask_again(const struct storage_job *job, struct why *why)
{
    struct embedded *server = NULL;
    struct db *db = NULL;
    struct fleet_shape shape = job->shape;
    int64_t end_ms = 0;
    enum status status = embedded_start(job->folder, job->bin_dir, &server, why);
    if (status != STATUS_OK)
        return status;
    struct pg *pg = pg_new(embedded_dsn(server));
    status = find_end(pg, job, &end_ms, why);
    shape.start_ms = end_ms - job->steps * shape.interval_ms;
    if (status == STATUS_OK)
        status = db_open(embedded_dsn(server), &db, why);
    if (status == STATUS_OK)
        status = migrate_up(db, why);
    if (status == STATUS_OK && job->pause) {
        (void)fprintf(stderr, "%s\n", embedded_dsn(server));
        (void)getchar();
    }
    (void)printf("{");
    if (status == STATUS_OK)
        status = storage_ask(db, &shape, end_ms, why);
    (void)printf("}\n");
    db_close(db);
    pg_free(pg);
    embedded_stop(server);
    return status;
}
