/*
 * Opening an instance: one look-up finds the service, the deployment and the process if all are
 * there, as they are for every reconnect. What is missing is created by statements that do nothing
 * when somebody else was faster, and looked up again.
 *
 * The chain's end: from the newest hot keyframe on, every body is applied to the one before.
 */
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "instance_found.h"

enum { CLOCK_DRIFT_MS = 1000 }; /* worth a row's change */

struct instance_found instance_found_read(const struct pg_rows *rows, int row, int column)
{
    return (struct instance_found){.service_id = pg_i64(rows, row, column),
                                   .deployment_id = pg_i64(rows, row, column + 1),
                                   .instance_id = pg_i64(rows, row, column + 2),
                                   .instance_deployment_id = pg_i64(rows, row, column + 3),
                                   .clock_behind_ms = pg_i64(rows, row, column + 4),
                                   .agent_from = (uint64_t)pg_i64(rows, row, column + 5),
                                   .is_same_agent = pg_i64(rows, row, column + 6) != 0};
}

static const char find_sql[] =
    "SELECT " FOUND_COLUMNS ", (i.agent_id IS NOT DISTINCT FROM $6)::integer "
    "FROM heapfleet.service s "
    "LEFT JOIN heapfleet.deployment d ON d.service_id = s.id AND d.version = $4 "
    "LEFT JOIN heapfleet.instance i ON i.service_id = s.id AND i.uuid = $5 "
    "WHERE s.name = $1 AND s.service_namespace = $2 AND s.environment = $3";

static enum status find(struct db *db, const struct process_identity *identity,
                        struct instance_found *ret, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_text(&params, identity->service);
    pg_param_text(&params, identity->service_namespace);
    pg_param_text(&params, identity->environment);
    pg_param_text(&params, identity->version);
    pg_param_uuid(&params, identity->instance_uuid);
    pg_param_uuid(&params, identity->agent_id);
    struct pg_rows rows;
    enum status status = pg_run(db->pg, find_sql, &params, &rows, why);
    if (status != STATUS_OK)
        return status;
    *ret = (struct instance_found){.service_id = 0};
    if (rows.count > 0)
        *ret = instance_found_read(&rows, 0, 0);
    pg_rows_done(&rows);
    return STATUS_OK;
}

static enum status create_service(struct db *db, const struct process_identity *identity,
                                  struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_text(&params, identity->service);
    pg_param_text(&params, identity->service_namespace);
    pg_param_text(&params, identity->environment);
    return pg_run(db->pg,
                  "INSERT INTO heapfleet.service (name, service_namespace, environment) "
                  "VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                  &params, NULL, why);
}

static enum status create_deployment(struct db *db, int64_t service_id, const char *version,
                                     struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, service_id);
    pg_param_text(&params, version);
    return pg_run(db->pg,
                  "INSERT INTO heapfleet.deployment (service_id, version) "
                  "VALUES ($1, $2) ON CONFLICT DO NOTHING",
                  &params, NULL, why);
}

/* Its id; 0: somebody else was faster. */
static enum status create_instance(struct db *db, const struct instance_found *found,
                                   const struct process_identity *identity, int64_t *ret,
                                   struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, found->service_id);
    pg_param_i64(&params, found->deployment_id);
    pg_param_uuid(&params, identity->instance_uuid);
    pg_param_text(&params, identity->host);
    pg_param_text(&params, identity->pod);
    pg_param_text(&params, identity->container_id);
    pg_param_text(&params, identity->image);
    pg_param_text(&params, identity->runtime);
    pg_param_text(&params, identity->runtime_version);
    pg_param_i64(&params, identity->pid);
    pg_param_i64(&params, identity->started_ms);
    pg_param_text(&params, identity->attributes_json);
    pg_param_i64(&params, identity->clock_behind_ms);
    pg_param_uuid(&params, identity->agent_id);
    struct pg_rows rows;
    enum status status =
        pg_run(db->pg,
               "INSERT INTO heapfleet.instance (service_id, deployment_id, uuid, host, pod, "
               "container_id, image, runtime, runtime_version, pid, started_ms, attributes, "
               "clock_behind_ms, agent_id) "
               "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12::jsonb, $13, $14) "
               "ON CONFLICT DO NOTHING RETURNING id",
               &params, &rows, why);
    if (status != STATUS_OK)
        return status;
    *ret = rows.count > 0 ? pg_i64(&rows, 0, 0) : 0;
    pg_rows_done(&rows);
    return STATUS_OK;
}

void instance_found_new(struct instance_found *found, int64_t instance_id,
                        const struct process_identity *identity)
{
    found->instance_id = instance_id;
    found->instance_deployment_id = found->deployment_id;
    found->clock_behind_ms = identity->clock_behind_ms;
    found->is_same_agent = 1;
    found->is_new = 1;
}

static enum status create_or_find(struct db *db, const struct process_identity *identity,
                                  struct instance_found *found, struct why *why)
{
    int64_t instance_id = 0;
    enum status status = create_instance(db, found, identity, &instance_id, why);
    if (status != STATUS_OK || instance_id == 0)
        return status == STATUS_OK ? find(db, identity, found, why) : status;
    instance_found_new(found, instance_id, identity);
    return STATUS_OK;
}

/* The agent was told another version (an operator corrected it): the process follows. Or its clock
 * was set. */
static enum status change_instance(struct db *db, const struct instance_found *found,
                                   const struct process_identity *identity, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, found->service_id);
    pg_param_i64(&params, found->instance_id);
    pg_param_i64(&params, found->deployment_id);
    pg_param_i64(&params, identity->clock_behind_ms);
    return pg_run(db->pg,
                  "UPDATE heapfleet.instance SET deployment_id = $3, clock_behind_ms = $4 "
                  "WHERE service_id = $1 AND id = $2",
                  &params, NULL, why);
}

/* What `ret` says is not there. */
static enum status create_missing(struct db *db, const struct process_identity *identity,
                                  struct instance_found *ret, struct why *why)
{
    struct instance_found found = *ret;
    enum status status = STATUS_OK;
    if (found.service_id == 0) {
        status = create_service(db, identity, why);
        if (status == STATUS_OK)
            status = find(db, identity, &found, why);
    }
    if (status == STATUS_OK && found.deployment_id == 0) {
        status = create_deployment(db, found.service_id, identity->version, why);
        if (status == STATUS_OK)
            status = find(db, identity, &found, why);
    }
    if (status == STATUS_OK && found.instance_id == 0)
        status = create_or_find(db, identity, &found, why);
    if (status != STATUS_OK)
        return status;
    if (found.instance_id == 0 || found.deployment_id == 0)
        return why_fail(why, STATUS_FAILED, "the database did not keep the process");
    int64_t drift_ms = found.clock_behind_ms - identity->clock_behind_ms;
    if (found.instance_deployment_id != found.deployment_id || drift_ms > CLOCK_DRIFT_MS ||
        drift_ms < -CLOCK_DRIFT_MS)
        status = change_instance(db, &found, identity, why);
    if (status == STATUS_OK)
        *ret = found;
    return status;
}

/* ---- its types ------------------------------------------------------------------------------ */

static enum status load_types(struct db *db, struct instance_state *state, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, state->service_id);
    pg_param_i64(&params, state->instance_id);
    struct pg_rows rows;
    enum status status = pg_run(
        db->pg,
        "SELECT coalesce(t.name, '?') FROM heapfleet.instance i, "
        "unnest(i.type_ids) WITH ORDINALITY u(id, place) LEFT JOIN heapfleet.type t ON t.id = u.id "
        "WHERE i.service_id = $1 AND i.id = $2 ORDER BY u.place",
        &params, &rows, why);
    if (status != STATUS_OK)
        return status;
    state->type_names = calloc((size_t)rows.count + 1, sizeof(*state->type_names));
    ASSERT(state->type_names != NULL);
    for (int i = 0; i < rows.count; i++) {
        state->type_names[i] = strdup(pg_text(&rows, i, 0));
        ASSERT(state->type_names[i] != NULL);
    }
    state->type_count = (uint32_t)rows.count;
    pg_rows_done(&rows);
    return STATUS_OK;
}

/* ---- its chain ------------------------------------------------------------------------------ */

/* From the newest hot keyframe on; all hot rows where compaction has taken the keyframe along. */
static const char chain_sql[] =
    "SELECT " HOT_COLUMNS " FROM heapfleet.snap_delta "
    "WHERE service_id = $1 AND instance_id = $2 AND sequence >= coalesce("
    "    (SELECT max(sequence) FROM heapfleet.snap_delta "
    "     WHERE service_id = $1 AND instance_id = $2 AND base_sequence = 0), 0) "
    "ORDER BY sequence";

static enum status load_hot(struct db *db, struct chain *chain, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, chain->service_id);
    pg_param_i64(&params, chain->instance_id);
    struct pg_rows rows;
    enum status status = pg_run(db->pg, chain_sql, &params, &rows, why);
    if (status != STATUS_OK)
        return status;
    for (int i = 0; i < rows.count && status == STATUS_OK; i++) {
        struct hot_row row = hot_row_read(&rows, i, 0);
        status = chain_apply(chain, &row, why);
    }
    pg_rows_done(&rows);
    return status;
}

/* The newest compacted snapshot, if nothing hot is newer. */
static enum status load_last(struct db *db, struct chain *chain, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, chain->service_id);
    pg_param_i64(&params, chain->instance_id);
    struct pg_rows rows;
    enum status status = pg_run(db->pg,
                                "SELECT sequence FROM heapfleet.instance_last "
                                "WHERE service_id = $1 AND instance_id = $2",
                                &params, &rows, why);
    if (status != STATUS_OK)
        return status;
    uint64_t sequence = rows.count > 0 ? (uint64_t)pg_i64(&rows, 0, 0) : 0;
    pg_rows_done(&rows);
    if (sequence < chain->sequence || (sequence == chain->sequence && !chain->is_broken))
        return STATUS_OK;
    status = chain_find(chain, sequence, why);
    chain->sequence = sequence;
    return status;
}

/* Hot rows first: what is compacted meanwhile is then found in instance_last. */
static enum status load_chain(struct db *db, struct instance_state *state, struct why *why)
{
    struct chain chain;
    chain_init(&chain, db, state->service_id, state->instance_id);
    enum status status = load_hot(db, &chain, why);
    if (status == STATUS_OK)
        status = load_last(db, &chain, why);
    state->last_sequence = chain.sequence;
    state->chain_broken = chain.is_broken;
    state->chain_length = chain.length;
    heap_values_copy(&state->values, &chain.values);
    chain_done(&chain);
    return status;
}

/* Another run of an agent watches it from now on: what there is is not its own. */
static enum status change_agent(struct db *db, const struct process_identity *identity,
                                struct instance_state *state, struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, state->service_id);
    pg_param_i64(&params, state->instance_id);
    pg_param_uuid(&params, identity->agent_id);
    pg_param_i64(&params, (int64_t)state->last_sequence);
    state->agent_from = state->last_sequence;
    return pg_run(db->pg,
                  "UPDATE heapfleet.instance SET agent_id = $3, agent_from = $4 "
                  "WHERE service_id = $1 AND id = $2 AND agent_id IS DISTINCT FROM $3",
                  &params, NULL, why);
}

enum status instance_found_open(struct db *db, const struct process_identity *identity,
                                const struct instance_found *before, struct instance_state *ret,
                                struct why *why)
{
    struct instance_found found = *before;
    enum status status = create_missing(db, identity, &found, why);
    struct instance_state state = {.service_id = found.service_id,
                                   .instance_id = found.instance_id,
                                   .agent_from = found.agent_from,
                                   .chain_broken = 1};
    if (status == STATUS_OK && !found.is_new)
        status = load_types(db, &state, why);
    if (status == STATUS_OK && !found.is_new)
        status = load_chain(db, &state, why);
    if (status == STATUS_OK && !found.is_same_agent)
        status = change_agent(db, identity, &state, why);
    if (status != STATUS_OK) {
        instance_state_done(&state);
        return status == STATUS_CONFLICT ? STATUS_FAILED : status;
    }
    *ret = state;
    return STATUS_OK;
}

enum status instance_open(struct db *db, const struct process_identity *identity,
                          struct instance_state *ret, struct why *why)
{
    struct instance_found found = {.service_id = 0};
    enum status status = find(db, identity, &found, why);
    if (status != STATUS_OK)
        return status == STATUS_CONFLICT ? STATUS_FAILED : status;
    return instance_found_open(db, identity, &found, ret, why);
}

void instance_state_done(struct instance_state *state)
{
    for (uint32_t i = 0; i < state->type_count; i++)
        free(state->type_names[i]);
    free(state->type_names);
    heap_values_done(&state->values);
    *state = (struct instance_state){.service_id = 0};
}

/* ---- agents --------------------------------------------------------------------------------- */

enum status agent_high_waters(struct db *db, const uint8_t (*agent_ids)[ID_BYTES], size_t count,
                              uint64_t *ret, struct why *why)
{
    struct buf array = BUF_INIT;
    pg_array_begin(&array, PG_UUID, count);
    for (size_t i = 0; i < count; i++)
        pg_array_bytes(&array, agent_ids[i], ID_BYTES);
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_array(&params, PG_UUID, &array);
    struct pg_rows rows;
    enum status status =
        pg_run(db->pg,
               "SELECT u.place, a.sequence FROM unnest($1) WITH ORDINALITY u(id, place) "
               "CROSS JOIN LATERAL (SELECT sequence FROM heapfleet.agent "
               "                    WHERE agent_id = u.id OFFSET 0) a",
               &params, &rows, why);
    buf_done(&array);
    if (status != STATUS_OK)
        return status;
    memset(ret, 0, count * sizeof(*ret));
    for (int i = 0; i < rows.count; i++) {
        int64_t place = pg_i64(&rows, i, 0);
        ASSERT(place >= 1 && (size_t)place <= count);
        ret[place - 1] = (uint64_t)pg_i64(&rows, i, 1);
    }
    pg_rows_done(&rows);
    return STATUS_OK;
}

enum status agent_high_water(struct db *db, const uint8_t agent_id[ID_BYTES], uint64_t *ret,
                             struct why *why)
{
    uint8_t agent_ids[1][ID_BYTES];
    memcpy(agent_ids[0], agent_id, ID_BYTES);
    return agent_high_waters(db, agent_ids, 1, ret, why);
}
