/* JudgeDeployment: may a new version go on, compared with the old one? */
#include "canary.h"
#include "query_find.h"

static enum status write_leaks(struct query *query, const struct canary_answer *answer,
                               Heapfleet__V1__JudgeDeploymentResponse *ret, struct why *why)
{
    void *memory = NULL;
    enum status status =
        query_alloc(query, (answer->leak_count + 1) * sizeof(void *), &memory, why);
    ret->leaks = memory;
    for (size_t i = 0; i < answer->leak_count && status == STATUS_OK; i++) {
        status = query_alloc(query, sizeof(Heapfleet__V1__JudgedLeak), &memory, why);
        if (status != STATUS_OK)
            break;
        Heapfleet__V1__JudgedLeak *leak = memory;
        heapfleet__v1__judged_leak__init(leak);
        leak->type = (char *)answer->leaks[i].type;
        leak->count_per_hour = answer->leaks[i].count_per_hour;
        leak->bytes_per_hour = answer->leaks[i].bytes_per_hour;
        leak->reason = (char *)answer->leaks[i].reason;
        ret->leaks[ret->n_leaks++] = leak;
    }
    return status;
}

enum status query_judge_deployment(struct query *query, const ProtobufCMessage *request,
                                   ProtobufCMessage **ret, struct why *why)
{
    static const Heapfleet__V1__JudgeDeploymentResponse__Outcome outcomes[] = {
        [CANARY_CLEAN] = HEAPFLEET__V1__JUDGE_DEPLOYMENT_RESPONSE__OUTCOME__CLEAN,
        [CANARY_LEAK] = HEAPFLEET__V1__JUDGE_DEPLOYMENT_RESPONSE__OUTCOME__LEAK,
        [CANARY_TOO_EARLY] = HEAPFLEET__V1__JUDGE_DEPLOYMENT_RESPONSE__OUTCOME__TOO_EARLY,
    };
    const Heapfleet__V1__JudgeDeploymentRequest *asked = (const void *)request;
    struct fleet fleet;
    struct canary_request gate = {.min_uptime_ms = asked->min_uptime_ms};
    struct canary_answer answer;
    void *memory = NULL;
    enum status status = query_read_service(query, asked->service, &fleet, why);
    if (status == STATUS_OK)
        status = query_find_version(&fleet, asked->baseline, &gate.baseline, why);
    if (status == STATUS_OK)
        status = query_find_version(&fleet, asked->candidate, &gate.candidate, why);
    if (status == STATUS_OK)
        status = query_read_versions(query, gate.baseline, gate.candidate, &fleet, why);
    if (status != STATUS_OK)
        return status;
    gate.service_id = fleet.service.id;
    gate.instances = fleet.instances;
    gate.instance_count = fleet.instance_count;
    status = canary_judge(query->db, &gate, query->arena, &answer, why);
    if (status == STATUS_OK)
        status = query_alloc(query, sizeof(Heapfleet__V1__JudgeDeploymentResponse), &memory, why);
    if (status != STATUS_OK)
        return status;
    Heapfleet__V1__JudgeDeploymentResponse *response = memory;
    heapfleet__v1__judge_deployment_response__init(response);
    response->outcome = outcomes[answer.outcome];
    response->reason = (char *)answer.reason;
    response->uptime_ms = answer.uptime_ms;
    *ret = &response->base;
    return write_leaks(query, &answer, response, why);
}
