/*
 * Many processes that begin at once: what one costs by itself is its statements and, most of all,
 * its COMMIT. Here each step is one statement for all of them:
 *
 *     look up ── services that lack, look up ── deployments that lack, look up ── processes
 *
 * Everyone creates rows in the order of their keys, so that collectors take turns. What a step
 * does not settle (somebody else was faster, a value is not taken, a process is there already) goes
 * on alone, from where it was found. Citus, where these statements would ask every node, has all
 * of them alone.
 */
#include <stdlib.h>
#include <string.h>

#include "instance_found.h"

enum { GROUP_MAX = 256 }; /* processes of a statement */

/* Processes that are asked for together. */
struct group {
    struct instance_opening *openings;
    size_t count;
    struct instance_found found[GROUP_MAX];
};

typedef int includes_fn(const struct instance_found *found);

/* ---- parameters ----------------------------------------------------------------------------- */

/* Columns of arrays, one element for each process that is in. */
struct columns {
    const struct group *group;
    includes_fn *includes;
    size_t rows;
    int count;
    struct buf of[PG_PARAMS_MAX];
    enum pg_element elements[PG_PARAMS_MAX];
};

static int is_any(const struct instance_found *found)
{
    (void)found;
    return 1;
}

static int lacks_service(const struct instance_found *found)
{
    return found->service_id == 0;
}

static int lacks_deployment(const struct instance_found *found)
{
    return found->service_id != 0 && found->deployment_id == 0;
}

static int lacks_process(const struct instance_found *found)
{
    return found->deployment_id != 0 && found->instance_id == 0;
}

static size_t count_rows(const struct group *group, includes_fn *includes)
{
    size_t rows = 0;
    for (size_t i = 0; i < group->count; i++)
        rows += includes(&group->found[i]) != 0;
    return rows;
}

static void columns_init(struct columns *columns, const struct group *group, includes_fn *includes)
{
    *columns =
        (struct columns){.group = group, .includes = includes, .rows = count_rows(group, includes)};
}

static void columns_done(struct columns *columns)
{
    for (int c = 0; c < columns->count; c++)
        buf_done(&columns->of[c]);
}

static struct buf *add_column(struct columns *columns, enum pg_element element)
{
    ASSERT(columns->count < PG_PARAMS_MAX);
    columns->elements[columns->count] = element;
    struct buf *column = &columns->of[columns->count++];
    pg_array_begin(column, element, columns->rows);
    return column;
}

/* A column of what stands at `offset` of each identity. */
static void add_identity(struct columns *columns, enum pg_element element, size_t offset)
{
    struct buf *column = add_column(columns, element);
    for (size_t i = 0; i < columns->group->count; i++) {
        const struct process_identity *identity = columns->group->openings[i].identity;
        const uint8_t *at = (const uint8_t *)identity + offset;
        if (!columns->includes(&columns->group->found[i]))
            continue;
        if (element == PG_TEXT)
            pg_array_text(column, *(const char *const *)(const void *)at);
        else if (element == PG_UUID)
            pg_array_bytes(column, at, ID_BYTES);
        else
            pg_array_i64(column, *(const int64_t *)(const void *)at);
    }
}

#define ADD_TEXT(columns, field)                                                                   \
    add_identity(columns, PG_TEXT, offsetof(struct process_identity, field))
#define ADD_UUID(columns, field)                                                                   \
    add_identity(columns, PG_UUID, offsetof(struct process_identity, field))
#define ADD_I64(columns, field)                                                                    \
    add_identity(columns, PG_I64, offsetof(struct process_identity, field))

static void add_found(struct columns *columns, size_t offset)
{
    struct buf *column = add_column(columns, PG_I64);
    for (size_t i = 0; i < columns->group->count; i++) {
        const struct instance_found *found = &columns->group->found[i];
        if (columns->includes(found))
            pg_array_i64(column, *(const int64_t *)(const void *)((const uint8_t *)found + offset));
    }
}

static void add_pids(struct columns *columns)
{
    struct buf *column = add_column(columns, PG_I64);
    for (size_t i = 0; i < columns->group->count; i++) {
        if (columns->includes(&columns->group->found[i]))
            pg_array_i64(column, columns->group->openings[i].identity->pid);
    }
}

static enum status run(struct db *db, const char *sql, const struct columns *columns,
                       struct pg_rows *ret, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    for (int c = 0; c < columns->count; c++)
        pg_param_array(&params, columns->elements[c], &columns->of[c]);
    return pg_run(db->pg, sql, &params, ret, why);
}

/* ---- steps ---------------------------------------------------------------------------------- */

/* Probes, however many there are: OFFSET keeps the planner from reading whole tables instead. */
static const char find_sql[] =
    "SELECT u.place, " FOUND_COLUMNS ", (i.agent_id IS NOT DISTINCT FROM u.agent_id)::integer "
    "FROM unnest($1, $2, $3, $4, $5, $6) WITH ORDINALITY "
    "    AS u(service, service_namespace, environment, version, uuid, agent_id, place) "
    "CROSS JOIN LATERAL (SELECT id FROM heapfleet.service WHERE name = u.service "
    "    AND service_namespace = u.service_namespace AND environment = u.environment OFFSET 0) s "
    "LEFT JOIN LATERAL (SELECT id FROM heapfleet.deployment "
    "    WHERE service_id = s.id AND version = u.version OFFSET 0) d ON true "
    "LEFT JOIN LATERAL (SELECT id, deployment_id, clock_behind_ms, agent_from, agent_id "
    "    FROM heapfleet.instance WHERE service_id = s.id AND uuid = u.uuid OFFSET 0) i ON true";

static enum status find(struct db *db, struct group *group, struct why *why)
{
    struct columns columns;
    columns_init(&columns, group, is_any);
    ADD_TEXT(&columns, service);
    ADD_TEXT(&columns, service_namespace);
    ADD_TEXT(&columns, environment);
    ADD_TEXT(&columns, version);
    ADD_UUID(&columns, instance_uuid);
    ADD_UUID(&columns, agent_id);
    struct pg_rows rows;
    enum status status = run(db, find_sql, &columns, &rows, why);
    columns_done(&columns);
    pg_count_asked(db->pg, group->count);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < group->count; i++)
        group->found[i] = (struct instance_found){.service_id = 0};
    for (int i = 0; i < rows.count; i++) {
        int64_t place = pg_i64(&rows, i, 0);
        ASSERT(place >= 1 && (size_t)place <= group->count);
        group->found[place - 1] = instance_found_read(&rows, i, 1);
    }
    pg_rows_done(&rows);
    return STATUS_OK;
}

static enum status create_services(struct db *db, struct group *group, struct why *why)
{
    struct columns columns;
    columns_init(&columns, group, lacks_service);
    ADD_TEXT(&columns, service);
    ADD_TEXT(&columns, service_namespace);
    ADD_TEXT(&columns, environment);
    enum status status = run(db,
                             "INSERT INTO heapfleet.service (name, service_namespace, environment) "
                             "SELECT DISTINCT * FROM unnest($1, $2, $3) ORDER BY 1, 2, 3 "
                             "ON CONFLICT DO NOTHING",
                             &columns, NULL, why);
    columns_done(&columns);
    return status;
}

static enum status create_deployments(struct db *db, struct group *group, struct why *why)
{
    struct columns columns;
    columns_init(&columns, group, lacks_deployment);
    add_found(&columns, offsetof(struct instance_found, service_id));
    ADD_TEXT(&columns, version);
    enum status status = run(db,
                             "INSERT INTO heapfleet.deployment (service_id, version) "
                             "SELECT DISTINCT * FROM unnest($1, $2) ORDER BY 1, 2 "
                             "ON CONFLICT DO NOTHING",
                             &columns, NULL, why);
    columns_done(&columns);
    return status;
}

static const char create_sql[] =
    "INSERT INTO heapfleet.instance (service_id, deployment_id, uuid, host, pod, container_id, "
    "image, runtime, runtime_version, pid, started_ms, attributes, clock_behind_ms, agent_id) "
    "SELECT service_id, deployment_id, uuid, host, pod, container_id, image, runtime, "
    "runtime_version, pid, started_ms, attributes::jsonb, clock_behind_ms, agent_id "
    "FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) "
    "AS u(service_id, deployment_id, uuid, host, pod, container_id, image, runtime, "
    "runtime_version, pid, started_ms, attributes, clock_behind_ms, agent_id) "
    "ORDER BY service_id, uuid ON CONFLICT DO NOTHING RETURNING id, service_id, uuid";

/* A process that is there twice is new to the first. */
static void take_created(struct group *group, int64_t id, int64_t service_id, const uint8_t *uuid)
{
    for (size_t i = 0; i < group->count; i++) {
        struct instance_found *found = &group->found[i];
        const struct process_identity *identity = group->openings[i].identity;
        if (found->service_id != service_id || memcmp(identity->instance_uuid, uuid, ID_BYTES) != 0)
            continue;
        instance_found_new(found, id, identity);
        return;
    }
}

static enum status create_processes(struct db *db, struct group *group, struct why *why)
{
    struct columns columns;
    columns_init(&columns, group, lacks_process);
    add_found(&columns, offsetof(struct instance_found, service_id));
    add_found(&columns, offsetof(struct instance_found, deployment_id));
    ADD_UUID(&columns, instance_uuid);
    ADD_TEXT(&columns, host);
    ADD_TEXT(&columns, pod);
    ADD_TEXT(&columns, container_id);
    ADD_TEXT(&columns, image);
    ADD_TEXT(&columns, runtime);
    ADD_TEXT(&columns, runtime_version);
    add_pids(&columns);
    ADD_I64(&columns, started_ms);
    ADD_TEXT(&columns, attributes_json);
    ADD_I64(&columns, clock_behind_ms);
    ADD_UUID(&columns, agent_id);
    struct pg_rows rows;
    enum status status = run(db, create_sql, &columns, &rows, why);
    columns_done(&columns);
    if (status != STATUS_OK)
        return status;
    for (int i = 0; i < rows.count; i++) {
        size_t size;
        const uint8_t *uuid = pg_bytes(&rows, i, 2, &size);
        ASSERT(size == ID_BYTES);
        take_created(group, pg_i64(&rows, i, 0), pg_i64(&rows, i, 1), uuid);
    }
    pg_rows_done(&rows);
    return STATUS_OK;
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* As far as it goes for all of them. Not OK: `found` is what was known until then. */
static enum status create_missing(struct db *db, struct group *group, struct why *why)
{
    static const struct {
        includes_fn *lacks;
        enum status (*create)(struct db *db, struct group *group, struct why *why);
        int is_asked_after; /* it does not say what it created */
    } steps[] = {{lacks_service, create_services, 1},
                 {lacks_deployment, create_deployments, 1},
                 {lacks_process, create_processes, 0}};
    enum status status = STATUS_OK;
    for (size_t i = 0; i < ARRAY_SIZE(steps) && status == STATUS_OK; i++) {
        if (count_rows(group, steps[i].lacks) == 0)
            continue;
        status = steps[i].create(db, group, why);
        if (status == STATUS_OK && steps[i].is_asked_after)
            status = find(db, group, why);
    }
    return status;
}

/* `*ret_is_found`: 0 if nothing is known of any. */
static enum status open_together(struct db *db, struct group *group, int *ret_is_found,
                                 struct why *why)
{
    int is_citus = 0;
    enum status status = group->count > 1 ? db_is_citus(db, &is_citus, why) : STATUS_OK;
    if (status != STATUS_OK || group->count == 1 || is_citus)
        return status;
    status = find(db, group, why);
    *ret_is_found = status == STATUS_OK;
    return status == STATUS_OK ? create_missing(db, group, why) : status;
}

/* Opened as it was found, in the middle of others. */
static int is_doubtful(const struct instance_opening *opening, const struct instance_found *found)
{
    return opening->status == STATUS_OK && found->instance_id != 0 && !found->is_new;
}

static int is_as_opened(const struct instance_opening *opening, const struct instance_found *now)
{
    return now->is_same_agent && now->instance_id == opening->state.instance_id &&
           now->agent_from == opening->state.agent_from;
}

/* While those before it were opened, a process may have gone to another agent run, of this group,
 * even. What that one stores it must not take for its own: it is opened anew. */
static void check_agents(struct db *db, struct group *group, struct why *why)
{
    uint8_t doubtful[GROUP_MAX] = {0};
    int any = 0;
    for (size_t i = 0; i < group->count; i++)
        any |= doubtful[i] = is_doubtful(&group->openings[i], &group->found[i]) != 0;
    enum status status = any ? find(db, group, why) : STATUS_OK;
    int is_known = any && status == STATUS_OK;
    for (size_t i = 0; i < group->count; i++) {
        struct instance_opening *opening = &group->openings[i];
        if (!doubtful[i] || (is_known && is_as_opened(opening, &group->found[i])))
            continue;
        instance_state_done(&opening->state);
        if (status != STATUS_UNAVAILABLE)
            status = instance_open(db, opening->identity, &opening->state, why);
        opening->status = status;
        opening->why = *why;
    }
}

/* When the database is away, it is for all that are left. */
static void open_group(struct db *db, struct group *group, struct why *why)
{
    int is_found = 0;
    enum status status = open_together(db, group, &is_found, why);
    for (size_t i = 0; i < group->count; i++) {
        struct instance_opening *opening = &group->openings[i];
        if (status != STATUS_UNAVAILABLE && is_found)
            status =
                instance_found_open(db, opening->identity, &group->found[i], &opening->state, why);
        else if (status != STATUS_UNAVAILABLE)
            status = instance_open(db, opening->identity, &opening->state, why);
        opening->status = status;
        opening->why = *why;
    }
    if (is_found)
        check_agents(db, group, why);
}

void instance_open_all(struct db *db, struct instance_opening *openings, size_t count)
{
    struct why why = {""};
    struct group *group = malloc(sizeof(*group));
    ASSERT(group != NULL);
    for (size_t done = 0; done < count; done += group->count) {
        size_t left = count - done;
        *group = (struct group){.openings = openings + done,
                                .count = left < GROUP_MAX ? left : GROUP_MAX};
        open_group(db, group, &why);
    }
    free(group);
}
