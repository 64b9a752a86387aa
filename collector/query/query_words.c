/* AcknowledgeLeak, MuteLeaks, UnmuteLeaks: what people say of leaks. */
#include <string.h>

#include "detector.h"
#include "query_find.h"
#include "query_leaks.h"

enum { ACTOR_BYTES_MAX = 200, TEXT_BYTES_MAX = 1000 };

static const int64_t mute_ms_max = (int64_t)10 * 366 * 24 * 3600 * 1000;

static enum status check_words(const char *actor, const char *text, struct why *why)
{
    if (strlen(actor) > ACTOR_BYTES_MAX)
        return why_fail(why, STATUS_INVALID, "the name of who says so has more than %d bytes",
                        ACTOR_BYTES_MAX);
    if (strlen(text) > TEXT_BYTES_MAX)
        return why_fail(why, STATUS_INVALID, "the text has more than %d bytes", TEXT_BYTES_MAX);
    return STATUS_OK;
}

enum status query_acknowledge_leak(struct query *query, const ProtobufCMessage *request,
                                   ProtobufCMessage **ret, struct why *why)
{
    const Heapfleet__V1__AcknowledgeLeakRequest *asked = (const void *)request;
    const struct finding_word word = {asked->actor, asked->note, query->now_ms};
    struct finding_row finding = {0};
    void *memory = NULL;
    enum status status = check_words(asked->actor, asked->note, why);
    if (status == STATUS_OK)
        status = query_find_leak(query, asked->id, &finding, why);
    if (status == STATUS_OK)
        status = finding_acknowledge(query->db, &finding, &word, why);
    if (status == STATUS_OK)
        status = query_find_leak(query, finding.id, &finding, why); /* as it is now */
    if (status == STATUS_OK)
        status = query_alloc(query, sizeof(Heapfleet__V1__AcknowledgeLeakResponse), &memory, why);
    if (status != STATUS_OK)
        return status;
    Heapfleet__V1__AcknowledgeLeakResponse *response = memory;
    heapfleet__v1__acknowledge_leak_response__init(response);
    *ret = &response->base;
    return query_write_leak(query, &finding, &response->leak, why);
}

/* ---- mutes ---------------------------------------------------------------------------------- */

static enum status count_muted(struct query *query, int64_t service_id, const char *type,
                               uint32_t *ret, struct why *why)
{
    const struct finding_filter filter = {.service_id = service_id};
    struct finding_row *rows = NULL;
    size_t count = 0;
    enum status status =
        findings_list(query->db, &filter, query->now_ms, query->arena, &rows, &count, why);
    for (size_t i = 0; status == STATUS_OK && i < count; i++)
        *ret += *type == '\0' || strcmp(rows[i].type, type) == 0;
    return status;
}

static enum status check_mute(const Heapfleet__V1__MuteLeaksRequest *asked, struct why *why)
{
    if (*asked->reason == '\0')
        return why_fail(why, STATUS_INVALID, "say why: a mute needs a reason");
    if (asked->for_ms < 0 || asked->for_ms > mute_ms_max)
        return why_fail(why, STATUS_INVALID, "a mute lasts ten years at most, or for ever");
    return check_words(asked->actor, asked->reason, why);
}

enum status query_mute_leaks(struct query *query, const ProtobufCMessage *request,
                             ProtobufCMessage **ret, struct why *why)
{
    const Heapfleet__V1__MuteLeaksRequest *asked = (const void *)request;
    struct fleet fleet;
    int32_t type_id;
    void *memory = NULL;
    enum status status = check_mute(asked, why);
    if (status == STATUS_OK)
        status = query_read_service(query, asked->service, &fleet, why);
    if (status == STATUS_OK && *asked->type != '\0' && !detector_is_own_name(asked->type))
        status = query_read_type(query, &(struct instance_filter){0}, asked->type, &fleet, &type_id,
                                 why);
    if (status == STATUS_OK)
        status = query_alloc(query, sizeof(Heapfleet__V1__MuteLeaksResponse), &memory, why);
    if (status != STATUS_OK)
        return status;
    Heapfleet__V1__MuteLeaksResponse *response = memory;
    heapfleet__v1__mute_leaks_response__init(response);
    response->until_ms = asked->for_ms != 0 ? query->now_ms + asked->for_ms : 0;
    const struct mute_row mute = {
        .service_id = fleet.service.id,
        .type = asked->type,
        .actor = asked->actor,
        .reason = asked->reason,
        .created_ms = query->now_ms,
        .until_ms = response->until_ms,
    };
    status = mute_put(query->db, &mute, why);
    if (status == STATUS_OK)
        status = count_muted(query, fleet.service.id, asked->type, &response->leaks, why);
    if (status == STATUS_OK)
        *ret = &response->base;
    return status;
}

enum status query_unmute_leaks(struct query *query, const ProtobufCMessage *request,
                               ProtobufCMessage **ret, struct why *why)
{
    const Heapfleet__V1__UnmuteLeaksRequest *asked = (const void *)request;
    const struct finding_word word = {asked->actor, "", query->now_ms};
    struct service_row service;
    void *memory = NULL;
    enum status status = check_words(asked->actor, "", why);
    if (status == STATUS_OK)
        status = query_find_service(query, asked->service, &service, why);
    if (status == STATUS_OK)
        status = mute_remove(query->db, service.id, asked->type, &word, why);
    if (status == STATUS_OK)
        status = query_alloc(query, sizeof(Heapfleet__V1__UnmuteLeaksResponse), &memory, why);
    if (status != STATUS_OK)
        return status;
    Heapfleet__V1__UnmuteLeaksResponse *response = memory;
    heapfleet__v1__unmute_leaks_response__init(response);
    *ret = &response->base;
    return STATUS_OK;
}
