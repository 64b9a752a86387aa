/* ListServices and ListDeployments: who is there. */
#include <math.h>

#include "findings.h"
#include "query_find.h"
#include "query_life.h"

/* ---- services ------------------------------------------------------------------------------- */

static void sum_instances(const struct fleet *fleet, int64_t now_ms, Heapfleet__V1__Service *ret)
{
    for (size_t i = 0; i < fleet->instance_count; i++) {
        const struct instance_row *instance = &fleet->instances[i];
        ret->instances++;
        if (instance->last_seen_ms > ret->last_seen_ms)
            ret->last_seen_ms = instance->last_seen_ms;
        if (!query_is_live(instance, now_ms))
            continue;
        ret->live_instances++;
        ret->objects += instance->objects;
        ret->bytes += instance->bytes;
    }
}

static enum status describe_service(struct query *query, const struct service_row *row,
                                    Heapfleet__V1__Service *ret, struct why *why)
{
    struct fleet fleet = {.service = *row};
    enum status status = deployment_list(query->db, row->id, query->arena, &fleet.deployments,
                                         &fleet.deployment_count, why);
    if (status == STATUS_OK)
        status = instance_list(query->db, row->id, 0, query->arena, &fleet.instances,
                               &fleet.instance_count, why);
    if (status != STATUS_OK)
        return status;
    ret->name = (char *)row->name;
    ret->environment = (char *)row->environment;
    ret->service_namespace = (char *)row->service_namespace;
    if (fleet.deployment_count > 0)
        ret->latest_version = (char *)fleet.deployments[fleet.deployment_count - 1].version;
    sum_instances(&fleet, query->now_ms, ret);
    return STATUS_OK;
}

static uint32_t count_findings(const struct finding_row *findings, size_t count, int64_t service_id)
{
    uint32_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += findings[i].service_id == service_id;
    return found;
}

enum status query_list_services(struct query *query, const ProtobufCMessage *request,
                                ProtobufCMessage **ret, struct why *why)
{
    const Heapfleet__V1__ListServicesRequest *asked = (const void *)request;
    struct service_row *rows = NULL;
    const struct finding_filter open = {0};
    struct finding_row *findings = NULL;
    size_t count = 0;
    size_t finding_count = 0;
    void *memory = NULL;
    enum status status = service_list(query->db, query->arena, &rows, &count, why);
    if (status == STATUS_OK)
        status = findings_list(query->db, &open, query->now_ms, query->arena, &findings,
                               &finding_count, why);
    if (status == STATUS_OK)
        status = query_alloc(query, sizeof(Heapfleet__V1__ListServicesResponse), &memory, why);
    if (status != STATUS_OK)
        return status;
    Heapfleet__V1__ListServicesResponse *response = memory;
    heapfleet__v1__list_services_response__init(response);
    status = query_alloc(query, (count + 1) * sizeof(void *), &memory, why);
    response->services = memory;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        if (*asked->environment != '\0' && strcmp(asked->environment, rows[i].environment) != 0)
            continue;
        status = query_alloc(query, sizeof(Heapfleet__V1__Service), &memory, why);
        if (status != STATUS_OK)
            break;
        Heapfleet__V1__Service *service = memory;
        heapfleet__v1__service__init(service);
        status = describe_service(query, &rows[i], service, why);
        service->leaks = count_findings(findings, finding_count, rows[i].id);
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
        ret->instances++;
        ret->live_instances += query_is_live(instance, query->now_ms) ? 1 : 0;
    }
    ret->version = (char *)row->version;
    ret->first_seen_ms = row->first_seen_ms;
    ret->last_seen_ms = row->last_seen_ms;
    ret->oom_kills = row->oom_kills;
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
    struct fleet fleet;
    void *memory = NULL;
    enum status status = query_read_fleet(query, asked->service, &fleet, why);
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
