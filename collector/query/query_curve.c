/*
 * How a leaking type grew with uptime, version by version: the picture by which a person believes a
 * finding. Of each version its longest lives are read, and of each life only a few snapshots before
 * each point: the lowest of them is what was retained.
 */
#include <string.h>

#include "detector.h"
#include "query_find.h"
#include "query_leaks.h"

enum {
    VERSIONS_MAX = 4, /* the newest in which it grows, and those before */
    LIVES_MAX = 8,    /* of a version */
    POINTS = 24,      /* of a curve */
    WINDOW_INTERVALS = 3,
};

/* What all curves of a finding are about. */
struct subject {
    int64_t service_id;
    const char
        *own_name; /* memory that is no object, by the detector's name for it; NULL: a type */
};

struct curve_walk {
    const struct subject *subject;
    uint32_t type; /* the process's own index */
    int snapshots;
    uint64_t count, bytes; /* the lowest */
};

static uint64_t own_bytes(const char *name, const struct history_snapshot *snapshot)
{
    const struct detect_process process = {
        .rss_bytes = snapshot->rss_anon_bytes,
        .not_objects_bytes = snapshot->not_objects_bytes,
        .free_pool_bytes = snapshot->pool_free_bytes,
        .free_malloc_bytes = snapshot->malloc_free_bytes,
        .container_usage_bytes = snapshot->container_usage_bytes,
    };
    return detector_own_bytes(name, &process);
}

static enum status see(void *user, const struct history_snapshot *snapshot)
{
    struct curve_walk *walk = user;
    const struct heap_values *values = snapshot->values;
    struct type_value value = {0};
    if (walk->subject->own_name != NULL)
        value.bytes = own_bytes(walk->subject->own_name, snapshot);
    else if (walk->type < values->types)
        value = values->values[walk->type];
    if (walk->snapshots == 0 || value.count < walk->count)
        walk->count = value.count;
    if (walk->snapshots == 0 || value.bytes < walk->bytes)
        walk->bytes = value.bytes;
    walk->snapshots++;
    return STATUS_OK;
}

static int longest_first(const void *left, const void *right)
{
    int64_t a = instance_uptime_ms(*(const struct instance_row *const *)left);
    int64_t b = instance_uptime_ms(*(const struct instance_row *const *)right);
    return (a < b) - (a > b);
}

/* The version's processes that were seen, longest life first, at most LIVES_MAX. */
static enum status choose_lives(struct query *query, const struct fleet *fleet,
                                const struct deployment_row *deployment,
                                const struct instance_row ***ret, size_t *ret_count,
                                struct why *why)
{
    void *memory = NULL;
    enum status status =
        query_alloc(query, (fleet->instance_count + 1) * sizeof(void *), &memory, why);
    if (status != STATUS_OK)
        return status;
    const struct instance_row **lives = memory;
    size_t count = 0;
    for (size_t i = 0; i < fleet->instance_count; i++) {
        const struct instance_row *instance = &fleet->instances[i];
        if (instance->deployment_id == deployment->id && instance_uptime_ms(instance) > 0)
            lives[count++] = instance;
    }
    qsort(lives, count, sizeof(void *), longest_first);
    *ret = lives;
    *ret_count = count < LIVES_MAX ? count : LIVES_MAX;
    return STATUS_OK;
}

static enum status read_point(struct query *query, const struct subject *subject,
                              const struct instance_row *const *lives, size_t count,
                              Heapfleet__V1__GrowthPoint *ret, uint32_t *ret_lives, struct why *why)
{
    for (size_t i = 0; i < count && instance_uptime_ms(lives[i]) >= ret->uptime_ms; i++) {
        struct curve_walk walk = {.subject = subject, .type = lives[i]->type_index};
        int64_t to_ms = lives[i]->started_ms + ret->uptime_ms;
        enum status status = history_walk(query->db, subject->service_id, lives[i]->id,
                                          to_ms - WINDOW_INTERVALS * query_interval_ms(lives[i]),
                                          to_ms, see, &walk, why);
        if (status != STATUS_OK)
            return status;
        if (walk.snapshots == 0)
            continue;
        ret->count += (double)walk.count;
        ret->bytes += (double)walk.bytes;
        ++*ret_lives;
    }
    if (*ret_lives > 0) {
        ret->count /= *ret_lives;
        ret->bytes /= *ret_lives;
    }
    return STATUS_OK;
}

/* Points where no process was watched are left out. */
static enum status write_curve(struct query *query, const struct subject *subject,
                               const struct instance_row *const *lives, size_t count,
                               Heapfleet__V1__GrowthCurve *ret, struct why *why)
{
    void *memory = NULL;
    enum status status = query_alloc(query, POINTS * sizeof(void *), &memory, why);
    ret->points = memory;
    for (int i = 1; i <= POINTS && status == STATUS_OK; i++) {
        status = query_alloc(query, sizeof(Heapfleet__V1__GrowthPoint), &memory, why);
        if (status != STATUS_OK)
            break;
        Heapfleet__V1__GrowthPoint *point = memory;
        heapfleet__v1__growth_point__init(point);
        point->uptime_ms = instance_uptime_ms(lives[0]) / POINTS * i;
        uint32_t seen = 0;
        status = read_point(query, subject, lives, count, point, &seen, why);
        if (seen > ret->instances)
            ret->instances = seen;
        if (seen > 0)
            ret->points[ret->n_points++] = point;
    }
    return status;
}

static enum status add_version(struct query *query, const struct subject *subject,
                               const struct fleet *fleet, const struct deployment_row *deployment,
                               Heapfleet__V1__GetLeakResponse *ret, struct why *why)
{
    const struct instance_row **lives = NULL;
    size_t count = 0;
    void *memory = NULL;
    enum status status = choose_lives(query, fleet, deployment, &lives, &count, why);
    if (status != STATUS_OK || count == 0)
        return status;
    status = query_alloc(query, sizeof(Heapfleet__V1__GrowthCurve), &memory, why);
    if (status != STATUS_OK)
        return status;
    Heapfleet__V1__GrowthCurve *curve = memory;
    heapfleet__v1__growth_curve__init(curve);
    curve->version = (char *)deployment->version;
    ret->curves[ret->n_curves++] = curve;
    return write_curve(query, subject, lives, count, curve, why);
}

/* One past the newest version in which it grows. */
static size_t version_end(const struct fleet *fleet, const char *version)
{
    for (size_t i = 0; i < fleet->deployment_count; i++) {
        if (strcmp(fleet->deployments[i].version, version) == 0)
            return i + 1;
    }
    return fleet->deployment_count;
}

/* A name of ours as a question that wants nothing else. */
static char *exactly(const char *name)
{
    return (char *)(*name != '\0' ? name : QUERY_NONE);
}

enum status query_growth_curves(struct query *query, const struct finding_row *finding,
                                Heapfleet__V1__GetLeakResponse *ret, struct why *why)
{
    Heapfleet__V1__ServiceRef ref = HEAPFLEET__V1__SERVICE_REF__INIT;
    ref.name = (char *)finding->service;
    ref.environment = exactly(finding->environment);
    ref.service_namespace = exactly(finding->service_namespace);
    struct fleet fleet;
    struct instance_filter filter = {0};
    struct subject subject = {.service_id = finding->service_id};
    void *memory = NULL;
    enum status status = STATUS_OK;
    if (detector_is_own_name(finding->type))
        subject.own_name = finding->type;
    else
        status = type_id_find(query->db, finding->type, &filter.of_type, why);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK; /* its history is gone, and its name with it */
    if (status == STATUS_OK)
        status = query_read_service(query, &ref, &fleet, why);
    if (status != STATUS_OK)
        return status;
    size_t end = version_end(&fleet, finding->version);
    size_t begin = end > VERSIONS_MAX ? end - VERSIONS_MAX : 0;
    int64_t ids[VERSIONS_MAX];
    for (size_t i = begin; i < end; i++)
        ids[filter.deployment_count++] = fleet.deployments[i].id;
    filter.deployment_ids = ids;
    if (end > begin)
        status = query_read_processes(query, &filter, &fleet, why);
    if (status == STATUS_OK)
        status = query_alloc(query, VERSIONS_MAX * sizeof(void *), &memory, why);
    ret->curves = memory;
    for (size_t i = begin; i < end && status == STATUS_OK; i++)
        status = add_version(query, &subject, &fleet, &fleet.deployments[i], ret, why);
    return status;
}
