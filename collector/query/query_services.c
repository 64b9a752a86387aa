/* ListServices and ListDeployments: who is there. */
#include <math.h>

#include "glance.h"
#include "query_find.h"
#include "query_life.h"

/* ---- services ------------------------------------------------------------------------------- */

/* What is read of all services, each list by service. */
struct glance {
    struct service_row *services; /* by name */
    struct version_glance *versions;
    struct process_glance *processes;
    struct finding_glance *findings;
    size_t service_count, version_count, process_count, finding_count;
};

static enum status read_glance(struct query *query, struct glance *ret, struct why *why)
{
    enum status status =
        service_list(query->db, query->arena, &ret->services, &ret->service_count, why);
    if (status == STATUS_OK)
        status = glance_versions(query->db, query->arena, &ret->versions, &ret->version_count, why);
    if (status == STATUS_OK)
        status = glance_processes(query->db, query->now_ms, ret->services, ret->service_count,
                                  query->arena, &ret->processes, &ret->process_count, why);
    if (status == STATUS_OK)
        status = glance_findings(query->db, query->arena, &ret->findings, &ret->finding_count, why);
    return status;
}

/* The first of `count` rows, each of `size` bytes and led by its service's id, that is of this
 * service or a later one. */
static size_t find_service(const void *rows, size_t size, size_t count, int64_t service_id)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int64_t id;
        memcpy(&id, (const char *)rows + middle * size, sizeof(id));
        if (id < service_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct stretch {
    size_t begin, end;
};

static struct stretch of_service(const void *rows, size_t size, size_t count, int64_t service_id)
{
    return (struct stretch){find_service(rows, size, count, service_id),
                            find_service(rows, size, count, service_id + 1)};
}

/* The latest is the one that began last; of those that began at once, the one that was heard of
 * last. */
static void sum_versions(const struct glance *glance, struct stretch versions,
                         Heapfleet__V1__Service *ret)
{
    int64_t latest_ms = INT64_MIN;
    ret->latest_version = "";
    for (size_t i = versions.begin; i < versions.end; i++) {
        const struct version_glance *version = &glance->versions[i];
        ret->instances += version->instances;
        if (version->first_seen_ms < latest_ms)
            continue;
        latest_ms = version->first_seen_ms;
        ret->latest_version = (char *)version->version;
    }
}

static void sum_processes(const struct glance *glance, struct stretch processes, int64_t now_ms,
                          Heapfleet__V1__Service *ret)
{
    for (size_t i = processes.begin; i < processes.end; i++) {
        const struct instance_row *instance = &glance->processes[i].instance;
        if (instance->last_seen_ms > ret->last_seen_ms)
            ret->last_seen_ms = instance->last_seen_ms;
        if (!query_is_live(instance, now_ms))
            continue;
        ret->live_instances++;
        ret->objects += instance->objects;
        ret->bytes += instance->bytes;
    }
}

static void describe_service(const struct glance *glance, const struct service_row *row,
                             int64_t now_ms, Heapfleet__V1__Service *ret)
{
    struct stretch processes =
        of_service(glance->processes, sizeof(*glance->processes), glance->process_count, row->id);
    struct stretch versions =
        of_service(glance->versions, sizeof(*glance->versions), glance->version_count, row->id);
    struct stretch findings =
        of_service(glance->findings, sizeof(*glance->findings), glance->finding_count, row->id);
    ret->name = (char *)row->name;
    ret->environment = (char *)row->environment;
    ret->service_namespace = (char *)row->service_namespace;
    sum_versions(glance, versions, ret);
    sum_processes(glance, processes, now_ms, ret);
    if (findings.begin < findings.end)
        ret->leaks = glance->findings[findings.begin].open;
}

enum status query_list_services(struct query *query, const ProtobufCMessage *request,
                                ProtobufCMessage **ret, struct why *why)
{
    const Heapfleet__V1__ListServicesRequest *asked = (const void *)request;
    struct glance glance = {0};
    void *memory = NULL;
    glance_ask(query->db, query->now_ms);
    enum status status = read_glance(query, &glance, why);
    db_forget_ahead(query->db);
    if (status == STATUS_OK)
        status = query_alloc(query, sizeof(Heapfleet__V1__ListServicesResponse), &memory, why);
    if (status != STATUS_OK)
        return status;
    Heapfleet__V1__ListServicesResponse *response = memory;
    heapfleet__v1__list_services_response__init(response);
    status = query_alloc(query, (glance.service_count + 1) * sizeof(void *), &memory, why);
    response->services = memory;
    for (size_t i = 0; i < glance.service_count && status == STATUS_OK; i++) {
        const struct service_row *row = &glance.services[i];
        if (!query_wants(asked->environment, row->environment))
            continue;
        status = query_alloc(query, sizeof(Heapfleet__V1__Service), &memory, why);
        if (status != STATUS_OK)
            break;
        Heapfleet__V1__Service *service = memory;
        heapfleet__v1__service__init(service);
        describe_service(&glance, row, query->now_ms, service);
        response->services[response->n_services++] = service;
    }
    if (status == STATUS_OK)
        *ret = &response->base;
    return status;
}

/* ---- deployments ---------------------------------------------------------------------------- */

/* Sums over the processes of a deployment, of those that count in each. */
struct means {
    double objects, bytes, bytes_per_hour;
    uint32_t seen, grown;
};

struct deployments {
    const struct fleet *fleet;
    const struct life_wanted *wanted;
    struct means *means; /* of each deployment of the fleet */
};

static size_t place_of(const struct fleet *fleet, int64_t deployment_id)
{
    size_t i = 0;
    while (i < fleet->deployment_count && fleet->deployments[i].id != deployment_id)
        i++;
    return i;
}

static enum status see_life(void *user, size_t index, struct life *life, struct why *why)
{
    const struct deployments *all = user;
    const struct instance_row *instance = all->wanted[index].instance;
    struct means *means = &all->means[place_of(all->fleet, instance->deployment_id)];
    (void)why;
    means->seen++;
    means->objects += (double)instance->objects;
    means->bytes += (double)instance->bytes;
    if (life->hours > 0) {
        means->grown++;
        means->bytes_per_hour += life_total_bytes_per_hour(life);
    }
    return STATUS_OK;
}

static enum status measure_deployments(struct query *query, const struct fleet *fleet,
                                       struct means **ret, struct why *why)
{
    void *means = NULL, *memory = NULL;
    size_t count = 0;
    enum status status =
        query_alloc(query, (fleet->deployment_count + 1) * sizeof(struct means), &means, why);
    if (status == STATUS_OK)
        status = query_alloc(query, (fleet->instance_count + 1) * sizeof(struct life_wanted),
                             &memory, why);
    if (status != STATUS_OK)
        return status;
    struct life_wanted *wanted = memory;
    for (size_t i = 0; i < fleet->instance_count; i++) {
        const struct instance_row *instance = &fleet->instances[i];
        if (instance->last_seen_ms != 0)
            wanted[count++] = (struct life_wanted){instance, instance->last_seen_ms};
    }
    struct deployments all = {fleet, wanted, means};
    *ret = means;
    return life_read_all(query, fleet->service.id, wanted, count, see_life, &all, why);
}

static void describe_deployment(const struct query *query, const struct fleet *fleet,
                                const struct deployment_row *row, const struct means *means,
                                Heapfleet__V1__Deployment *ret)
{
    for (size_t i = 0; i < fleet->instance_count; i++) {
        const struct instance_row *instance = &fleet->instances[i];
        if (instance->deployment_id != row->id)
            continue;
        if (instance->last_seen_ms > ret->last_seen_ms)
            ret->last_seen_ms = instance->last_seen_ms;
        if (instance->started_ms > ret->last_seen_ms)
            ret->last_seen_ms = instance->started_ms;
        ret->instances++;
        ret->live_instances += query_is_live(instance, query->now_ms) ? 1 : 0;
        ret->oom_kills += instance->oom_killed ? 1 : 0;
    }
    ret->version = (char *)row->version;
    ret->first_seen_ms = row->first_seen_ms;
    if (means->seen > 0) {
        ret->objects = (uint64_t)(means->objects / means->seen + 0.5);
        ret->bytes = (uint64_t)(means->bytes / means->seen + 0.5);
    }
    ret->bytes_per_hour = means->grown > 0 ? means->bytes_per_hour / means->grown : (double)NAN;
}

enum status query_list_deployments(struct query *query, const ProtobufCMessage *request,
                                   ProtobufCMessage **ret, struct why *why)
{
    const Heapfleet__V1__ListDeploymentsRequest *asked = (const void *)request;
    const struct instance_filter all = {.of_type = INSTANCE_NO_TYPES};
    struct fleet fleet;
    void *memory = NULL;
    enum status status = query_read_service(query, asked->service, &fleet, why);
    if (status == STATUS_OK)
        status = query_read_processes(query, &all, &fleet, why);
    if (status == STATUS_OK)
        status = query_alloc(query, sizeof(Heapfleet__V1__ListDeploymentsResponse), &memory, why);
    if (status != STATUS_OK)
        return status;
    Heapfleet__V1__ListDeploymentsResponse *response = memory;
    heapfleet__v1__list_deployments_response__init(response);
    struct means *means = NULL;
    status = query_alloc(query, (fleet.deployment_count + 1) * sizeof(void *), &memory, why);
    response->deployments = memory;
    if (status == STATUS_OK)
        status = measure_deployments(query, &fleet, &means, why);
    for (size_t i = 0; i < fleet.deployment_count && status == STATUS_OK; i++) {
        status = query_alloc(query, sizeof(Heapfleet__V1__Deployment), &memory, why);
        if (status != STATUS_OK)
            break;
        Heapfleet__V1__Deployment *deployment = memory;
        heapfleet__v1__deployment__init(deployment);
        describe_deployment(query, &fleet, &fleet.deployments[i], &means[i], deployment);
        response->deployments[response->n_deployments++] = deployment;
    }
    if (status == STATUS_OK)
        *ret = &response->base;
    return status;
}
