/* ListLeaks: the open findings. */
#include "json.h"
#include "query_find.h"

enum { COMPANIONS_MAX = 32 };

/* A service that nobody knows is an error; one without a leak is not. */
static enum status check_service(struct query *query, const Heapfleet__V1__ServiceRef *ref,
                                 struct why *why)
{
    if (ref == NULL || *ref->name == '\0')
        return STATUS_OK;
    struct service_row row;
    enum status status = query_find_service(query, ref, &row, why);
    return status == STATUS_INVALID ? STATUS_OK : status; /* leaks tell several apart */
}

static enum status read_companions(struct query *query, const char *json, Heapfleet__V1__Leak *ret,
                                   struct why *why)
{
    void *memory = NULL;
    enum status status = query_alloc(query, COMPANIONS_MAX * sizeof(char *), &memory, why);
    if (status != STATUS_OK)
        return status;
    ret->companions = memory;
    struct buf text = BUF_INIT;
    const char *at = json_array_begin(json);
    while (status == STATUS_OK && ret->n_companions < COMPANIONS_MAX) {
        buf_clear(&text);
        at = json_array_string(at, &text);
        if (at == NULL)
            break;
        char *name = arena_strndup(query->arena, buf_text(&text), text.size);
        if (name == NULL)
            status = why_fail(why, STATUS_LIMIT, "the answer takes too much memory");
        else
            ret->companions[ret->n_companions++] = name;
    }
    buf_done(&text);
    return status;
}

static enum status write_leak(struct query *query, const struct finding_row *row,
                              Heapfleet__V1__Leak **ret, struct why *why)
{
    void *memory = NULL;
    enum status status = query_alloc(query, sizeof(Heapfleet__V1__Leak), &memory, why);
    if (status != STATUS_OK)
        return status;
    Heapfleet__V1__Leak *leak = memory;
    heapfleet__v1__leak__init(leak);
    leak->service = (char *)row->service;
    leak->environment = (char *)row->environment;
    leak->service_namespace = (char *)row->service_namespace;
    leak->type = (char *)row->type;
    leak->severity = (char *)row->severity;
    leak->introduced_in = (char *)row->introduced_in;
    leak->count_per_hour = row->count_per_hour;
    leak->bytes_per_hour = row->bytes_per_hour;
    leak->confidence = row->confidence;
    leak->first_seen_ms = row->first_seen_ms;
    leak->last_seen_ms = row->last_seen_ms;
    leak->instances = row->instances;
    leak->until_limit_ms = row->until_limit_ms;
    *ret = leak;
    return read_companions(query, row->companions_json, leak, why);
}

enum status query_list_leaks(struct query *query, const ProtobufCMessage *request,
                             ProtobufCMessage **ret, struct why *why)
{
    const Heapfleet__V1__ListLeaksRequest *asked = (const void *)request;
    struct finding_row *rows = NULL;
    size_t count = 0;
    void *memory = NULL;
    enum status status = check_service(query, asked->service, why);
    if (status == STATUS_OK)
        status = findings_list(query->db, 0, query->arena, &rows, &count, why);
    if (status == STATUS_OK)
        status = query_alloc(query, sizeof(Heapfleet__V1__ListLeaksResponse), &memory, why);
    if (status != STATUS_OK)
        return status;
    Heapfleet__V1__ListLeaksResponse *response = memory;
    heapfleet__v1__list_leaks_response__init(response);
    status = query_alloc(query, (count + 1) * sizeof(void *), &memory, why);
    response->leaks = memory;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        if (!query_matches(asked->service, rows[i].service, rows[i].environment,
                           rows[i].service_namespace))
            continue;
        status = write_leak(query, &rows[i], &response->leaks[response->n_leaks], why);
        if (status == STATUS_OK)
            response->n_leaks++;
    }
    if (status == STATUS_OK)
        *ret = &response->base;
    return status;
}
