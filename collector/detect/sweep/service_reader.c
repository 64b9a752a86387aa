/*
 *     deployments, instances  ->  which versions and lives     choose
 *     their type tables       ->  one list of types            collect_types
 *     snapshots of each life  ->  floors [type][bin]           read_floors
 *
 * Types times bins is what takes memory, so lives are given up from the end, the oldest versions'
 * youngest first, until the floors fit.
 */
#include "service_reader.h"

#include <math.h>

enum { BINS_MAX = SWEEP_HORIZONS * DETECT_BINS_PER_HORIZON, TYPES_MAX = 65536 };

struct life_choice {
    const struct instance_row *instance;
    size_t deployment;             /* by first appearance */
    int64_t deployment_started_ms; /* its newest start */
    struct life_span span;
};

struct reader {
    struct db *db;
    int64_t service_id;
    double bin_ms;
    struct arena *arena;
    struct deployment_row *deployments; /* oldest first */
    size_t deployment_count;
    struct instance_row *instances;
    size_t instance_count;
    struct life_choice *lives;
    uint32_t life_count;
    int32_t *type_ids; /* ascending */
    uint32_t type_count;
};

/* `count` rows of `size` bytes; NULL, with the reason, when the service is too large. */
static void *take(struct arena *arena, size_t count, size_t size, struct why *why)
{
    void *rows = count > SIZE_MAX / size ? NULL : arena_alloc(arena, count * size);
    if (rows == NULL)
        why_set(why, "cannot judge the service: it does not fit into %zu MB",
                arena->cap_bytes >> 20);
    return rows;
}

/* ---- which lives ----------------------------------------------------------------------------- */

struct deployment_place {
    int64_t id;
    size_t index;
    int64_t started_ms; /* newest start */
};

static int compare_places(const void *left, const void *right)
{
    int64_t a = ((const struct deployment_place *)left)->id;
    int64_t b = ((const struct deployment_place *)right)->id;
    return (a > b) - (a < b);
}

static struct deployment_place *find_place(struct deployment_place *places, size_t count,
                                           int64_t id)
{
    const struct deployment_place key = {.id = id};
    return count == 0 ? NULL : bsearch(&key, places, count, sizeof(*places), compare_places);
}

/* Newest version first; within it the longest life first. */
static int compare_lives(const void *left, const void *right)
{
    const struct life_choice *a = left;
    const struct life_choice *b = right;
    if (a->deployment_started_ms != b->deployment_started_ms)
        return a->deployment_started_ms < b->deployment_started_ms ? 1 : -1;
    if (a->deployment != b->deployment)
        return a->deployment < b->deployment ? 1 : -1;
    uint32_t first = a->span.first_bin + a->span.bins;
    uint32_t second = b->span.first_bin + b->span.bins;
    return (first < second) - (first > second);
}

/* The lives that have at least one bin, each with its version's newest start, sorted. */
static void list_lives(struct reader *reader, struct deployment_place *places)
{
    for (size_t i = 0; i < reader->deployment_count; i++)
        places[i] = (struct deployment_place){reader->deployments[i].id, i, INT64_MIN};
    if (reader->deployment_count > 1)
        qsort(places, reader->deployment_count, sizeof(*places), compare_places);
    for (size_t i = 0; i < reader->instance_count; i++) {
        const struct instance_row *instance = &reader->instances[i];
        struct deployment_place *place =
            find_place(places, reader->deployment_count, instance->deployment_id);
        if (place != NULL && instance->started_ms > place->started_ms)
            place->started_ms = instance->started_ms;
    }
    for (size_t i = 0; i < reader->instance_count; i++) {
        const struct instance_row *instance = &reader->instances[i];
        const struct deployment_place *place =
            find_place(places, reader->deployment_count, instance->deployment_id);
        struct life_span span = life_span_of(instance, reader->bin_ms, BINS_MAX);
        if (place != NULL && span.bins > 0)
            reader->lives[reader->life_count++] =
                (struct life_choice){instance, place->index, place->started_ms, span};
    }
    if (reader->life_count > 1)
        qsort(reader->lives, reader->life_count, sizeof(*reader->lives), compare_lives);
}

/* At most so many versions, and so many lives of each. */
static void keep_newest(struct reader *reader)
{
    uint32_t kept = 0;
    uint32_t versions = 0;
    uint32_t of_version = 0;
    for (uint32_t i = 0; i < reader->life_count; i++) {
        int is_next = i == 0 || reader->lives[i].deployment != reader->lives[i - 1].deployment;
        versions += (uint32_t)is_next;
        of_version = is_next ? 0 : of_version + 1;
        if (versions > SWEEP_VERSIONS_MAX)
            break;
        if (of_version < SWEEP_LIVES_MAX)
            reader->lives[kept++] = reader->lives[i];
    }
    reader->life_count = kept;
}

static int is_recent(const struct reader *reader, int64_t now_ms)
{
    for (size_t i = 0; i < reader->instance_count; i++)
        if ((double)now_ms - (double)reader->instances[i].last_seen_ms <= BINS_MAX * reader->bin_ms)
            return 1;
    return 0;
}

static enum status choose(struct reader *reader, int64_t now_ms, struct why *why)
{
    enum status status = deployment_list(reader->db, reader->service_id, reader->arena,
                                         &reader->deployments, &reader->deployment_count, why);
    if (status == STATUS_OK)
        status = instance_list(reader->db, reader->service_id, 0, reader->arena, &reader->instances,
                               &reader->instance_count, why);
    if (status != STATUS_OK || !is_recent(reader, now_ms))
        return status;
    struct deployment_place *places =
        take(reader->arena, reader->deployment_count, sizeof(*places), why);
    reader->lives = take(reader->arena, reader->instance_count, sizeof(*reader->lives), why);
    if (places == NULL || reader->lives == NULL)
        return STATUS_LIMIT;
    list_lives(reader, places);
    keep_newest(reader);
    return STATUS_OK;
}

/* ---- which types ----------------------------------------------------------------------------- */

static int compare_ids(const void *left, const void *right)
{
    int32_t a = *(const int32_t *)left;
    int32_t b = *(const int32_t *)right;
    return (a > b) - (a < b);
}

static size_t ids_of(const struct reader *reader)
{
    size_t count = 0;
    for (uint32_t i = 0; i < reader->life_count; i++)
        count += reader->lives[i].instance->type_count;
    return count;
}

/* All type ids of the lives, each once, ascending. */
static size_t union_of_types(const struct reader *reader, int32_t *ids)
{
    size_t count = 0;
    size_t kept = 0;
    for (uint32_t i = 0; i < reader->life_count; i++) {
        const struct instance_row *instance = reader->lives[i].instance;
        if (instance->type_count > 0)
            memcpy(ids + count, instance->type_ids, instance->type_count * sizeof(*ids));
        count += instance->type_count;
    }
    if (count > 1)
        qsort(ids, count, sizeof(*ids), compare_ids);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || ids[kept - 1] != ids[i])
            ids[kept++] = ids[i];
    return kept;
}

static int floors_fit(const struct reader *reader, size_t types)
{
    size_t bins = 0;
    for (uint32_t i = 0; i < reader->life_count; i++)
        bins += reader->lives[i].span.bins;
    return types <= TYPES_MAX &&
           types * bins <= SWEEP_FLOOR_BYTES_MAX / sizeof(struct detect_floor);
}

static enum status collect_types(struct reader *reader, struct why *why)
{
    reader->type_ids = take(reader->arena, ids_of(reader), sizeof(*reader->type_ids), why);
    if (reader->type_ids == NULL)
        return STATUS_LIMIT;
    size_t count = union_of_types(reader, reader->type_ids);
    while (reader->life_count > 1 && !floors_fit(reader, count)) {
        reader->life_count -= (reader->life_count + 7) / 8;
        count = union_of_types(reader, reader->type_ids);
    }
    if (!floors_fit(reader, count))
        return why_fail(why, STATUS_LIMIT, "cannot judge the service: one process has %zu types",
                        count);
    reader->type_count = (uint32_t)count;
    return STATUS_OK;
}

/* ---- their floors ---------------------------------------------------------------------------- */

/* Chosen versions in the order of first appearance; fills life->version. */
static const char **number_versions(const struct reader *reader, struct detect_life *lives,
                                    uint32_t *ret_count)
{
    const char **names = arena_must(reader->arena, (SWEEP_VERSIONS_MAX + 1) * sizeof(*names));
    uint32_t count = 0;
    for (size_t deployment = 0; deployment < reader->deployment_count; deployment++) {
        int used = 0;
        for (uint32_t i = 0; i < reader->life_count; i++)
            if (reader->lives[i].deployment == deployment) {
                lives[i].version = count;
                used = 1;
            }
        if (used)
            names[count++] = reader->deployments[deployment].version;
    }
    *ret_count = count;
    return names;
}

static enum status read_life(const struct reader *reader, const struct life_choice *choice,
                             struct detect_life *life, struct life_memory *memory, struct why *why)
{
    const struct instance_row *instance = choice->instance;
    uint32_t *rows = take(reader->arena, instance->type_count, sizeof(*rows), why);
    struct detect_floor *floors =
        take(reader->arena, (size_t)reader->type_count * choice->span.bins, sizeof(*floors), why);
    if (rows == NULL || floors == NULL)
        return STATUS_LIMIT;
    for (uint32_t i = 0; i < instance->type_count; i++) {
        const int32_t *found = bsearch(&instance->type_ids[i], reader->type_ids, reader->type_count,
                                       sizeof(*found), compare_ids);
        ASSERT(found != NULL);
        rows[i] = (uint32_t)(found - reader->type_ids);
    }
    life->started_ms = instance->started_ms;
    life->first_bin = choice->span.first_bin;
    life->bins = choice->span.bins;
    life->ended = instance->ended_ms != 0;
    life->oom_killed = instance->oom_killed;
    life->floors = floors;
    const struct life_request request = {
        .service_id = reader->service_id,
        .instance = instance,
        .span = choice->span,
        .bin_ms = reader->bin_ms,
        .rows = rows,
        .type_count = reader->type_count,
    };
    return life_read_floors(reader->db, &request, floors, memory, why);
}

static enum status read_floors(struct reader *reader, struct service_view *ret, struct why *why)
{
    const char **names = NULL;
    uint32_t version_count;
    enum status status =
        type_names(reader->db, reader->type_ids, reader->type_count, reader->arena, &names, why);
    if (status != STATUS_OK)
        return status;
    struct detect_life *lives = take(reader->arena, reader->life_count, sizeof(*lives), why);
    struct life_memory *memory = take(reader->arena, reader->life_count, sizeof(*memory), why);
    if (lives == NULL || memory == NULL)
        return STATUS_LIMIT;
    memset(lives, 0, reader->life_count * sizeof(*lives));
    const char **versions = number_versions(reader, lives, &version_count);
    for (uint32_t i = 0; i < reader->life_count && status == STATUS_OK; i++)
        status = read_life(reader, &reader->lives[i], &lives[i], &memory[i], why);
    if (status != STATUS_OK)
        return status;
    *ret = (struct service_view){
        .service = {names, reader->type_count, versions, version_count, lives, reader->life_count},
        .memory = memory,
    };
    return STATUS_OK;
}

enum status service_read(struct db *db, const struct detect_config *config, int64_t service_id,
                         int64_t now_ms, struct arena *arena, struct service_view *ret,
                         struct why *why)
{
    struct reader reader = {
        .db = db,
        .service_id = service_id,
        .bin_ms = (double)config->horizon_ms / DETECT_BINS_PER_HORIZON,
        .arena = arena,
    };
    *ret = (struct service_view){.service = {.life_count = 0}};
    enum status status = choose(&reader, now_ms, why);
    if (status != STATUS_OK || reader.life_count == 0)
        return status;
    status = collect_types(&reader, why);
    return status == STATUS_OK ? read_floors(&reader, ret, why) : status;
}
