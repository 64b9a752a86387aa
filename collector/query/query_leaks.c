/* ListLeaks, GetLeak and ListMutes: what was found, and what people said of it. */
#include "query_leaks.h"

#include <string.h>

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

enum status query_write_leak(struct query *query, const struct finding_row *row,
                             Heapfleet__V1__Leak **ret, struct why *why)
{
    void *memory = NULL;
    enum status status = query_alloc(query, sizeof(Heapfleet__V1__Leak), &memory, why);
    if (status != STATUS_OK)
        return status;
    Heapfleet__V1__Leak *leak = memory;
    heapfleet__v1__leak__init(leak);
    leak->id = (char *)row->id;
    leak->service = (char *)row->service;
    leak->environment = (char *)row->environment;
    leak->service_namespace = (char *)row->service_namespace;
    leak->type = (char *)row->type;
    leak->severity = (char *)row->severity;
    leak->state = (char *)finding_state_name(row->state);
    leak->kind = (char *)row->kind;
    leak->rule = (char *)row->rule;
    leak->version = (char *)row->version;
    leak->introduced_in = (char *)row->introduced_in;
    leak->count_per_hour = row->count_per_hour;
    leak->bytes_per_hour = row->bytes_per_hour;
    leak->confidence = row->confidence;
    leak->first_seen_ms = row->first_seen_ms;
    leak->last_seen_ms = row->last_seen_ms;
    leak->instances = row->instances;
    leak->until_limit_ms = row->until_limit_ms;
    leak->resolved_ms = row->closed_ms;
    leak->resolved_reason = (char *)row->closed_reason;
    leak->fixed_in = (char *)row->fixed_in;
    leak->acknowledged_ms = row->acknowledged_ms;
    leak->acknowledged_by = (char *)row->acknowledged_by;
    leak->note = (char *)row->note;
    leak->muted_ms = row->muted_ms;
    leak->muted_until_ms = row->muted_until_ms;
    leak->muted_by = (char *)row->muted_by;
    leak->muted_because = (char *)row->muted_because;
    *ret = leak;
    return read_companions(query, row->companions_json, leak, why);
}

/* ---- ListLeaks ------------------------------------------------------------------------------ */

/* Its place among the severities, from 1; 0: it is none. */
static int rank_of(const char *severity)
{
    static const char *const names[] = {"watch", "suspect", "confirmed"};
    for (int i = 0; i < (int)ARRAY_SIZE(names); i++) {
        if (strcmp(severity, names[i]) == 0)
            return i + 1;
    }
    return 0;
}

static enum status check_severity(const char *severity, struct why *why)
{
    if (*severity == '\0' || rank_of(severity) > 0)
        return STATUS_OK;
    return why_fail(why, STATUS_INVALID, "a severity is watch, suspect or confirmed, not '%s'",
                    severity);
}

/* The least severity that is asked for; without a word, what is only watched is not. */
static int least_rank(const Heapfleet__V1__ListLeaksRequest *asked)
{
    return rank_of(*asked->severity != '\0' ? asked->severity : "suspect");
}

static int is_asked_for(const Heapfleet__V1__ListLeaksRequest *asked, const struct finding_row *row)
{
    return rank_of(row->severity) >= least_rank(asked) &&
           query_matches(asked->service, row->service, row->environment, row->service_namespace);
}

enum status query_list_leaks(struct query *query, const ProtobufCMessage *request,
                             ProtobufCMessage **ret, struct why *why)
{
    const Heapfleet__V1__ListLeaksRequest *asked = (const void *)request;
    const struct finding_filter filter = {
        .closed_from_ms = asked->resolved_from_ms,
        .is_watch_wanted = least_rank(asked) <= rank_of("watch"),
    };
    struct finding_row *rows = NULL;
    size_t count = 0;
    void *memory = NULL;
    enum status status = check_severity(asked->severity, why);
    if (status == STATUS_OK)
        status = check_service(query, asked->service, why);
    if (status == STATUS_OK)
        status = findings_list(query->db, &filter, query->now_ms, query->arena, &rows, &count, why);
    if (status == STATUS_OK)
        status = query_alloc(query, sizeof(Heapfleet__V1__ListLeaksResponse), &memory, why);
    if (status != STATUS_OK)
        return status;
    Heapfleet__V1__ListLeaksResponse *response = memory;
    heapfleet__v1__list_leaks_response__init(response);
    status = query_alloc(query, (count + 1) * sizeof(void *), &memory, why);
    response->leaks = memory;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        if (!is_asked_for(asked, &rows[i]))
            continue;
        status = query_write_leak(query, &rows[i], &response->leaks[response->n_leaks], why);
        if (status == STATUS_OK)
            response->n_leaks++;
    }
    if (status == STATUS_OK)
        *ret = &response->base;
    return status;
}

/* ---- GetLeak -------------------------------------------------------------------------------- */

enum status query_find_leak(struct query *query, const char *id, struct finding_row *ret,
                            struct why *why)
{
    const struct finding_filter filter = {.id = id};
    struct finding_row *rows = NULL;
    size_t count = 0;
    if (*id == '\0')
        return why_fail(why, STATUS_INVALID, "name a leak by its id: heapfleet leaks lists them");
    enum status status =
        findings_list(query->db, &filter, query->now_ms, query->arena, &rows, &count, why);
    if (status != STATUS_OK)
        return status;
    if (count == 0)
        return why_fail(why, STATUS_NOT_FOUND, "there is no leak '%s': heapfleet leaks lists them",
                        id);
    if (count > 1)
        return why_fail(why, STATUS_INVALID, "the ids of %zu leaks begin with '%s': add digits",
                        count, id);
    *ret = rows[0];
    return STATUS_OK;
}

static enum status write_events(struct query *query, const struct finding_row *finding,
                                Heapfleet__V1__GetLeakResponse *ret, struct why *why)
{
    struct finding_event *events = NULL;
    size_t count = 0;
    void *memory = NULL;
    enum status status = finding_events(query->db, finding, query->arena, &events, &count, why);
    if (status == STATUS_OK)
        status = query_alloc(query, (count + 1) * sizeof(void *), &memory, why);
    ret->events = memory;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = query_alloc(query, sizeof(Heapfleet__V1__LeakEvent), &memory, why);
        if (status != STATUS_OK)
            break;
        Heapfleet__V1__LeakEvent *event = memory;
        heapfleet__v1__leak_event__init(event);
        event->at_ms = events[i].at_ms;
        event->event = (char *)events[i].event;
        event->detail = (char *)events[i].detail;
        event->actor = (char *)events[i].actor;
        ret->events[ret->n_events++] = event;
    }
    return status;
}

static enum status write_evidence(struct query *query, const struct finding_row *finding,
                                  Heapfleet__V1__GetLeakResponse *ret, struct why *why)
{
    struct finding_figure *figures = NULL;
    size_t count = 0;
    void *memory = NULL;
    enum status status = finding_evidence(query->db, finding, query->arena, &figures, &count, why);
    if (status == STATUS_OK)
        status = query_alloc(query, (count + 1) * sizeof(void *), &memory, why);
    ret->evidence = memory;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = query_alloc(query, sizeof(Heapfleet__V1__LeakFigure), &memory, why);
        if (status != STATUS_OK)
            break;
        Heapfleet__V1__LeakFigure *figure = memory;
        heapfleet__v1__leak_figure__init(figure);
        figure->name = (char *)figures[i].name;
        figure->value = (char *)figures[i].value;
        ret->evidence[ret->n_evidence++] = figure;
    }
    return status;
}

enum status query_get_leak(struct query *query, const ProtobufCMessage *request,
                           ProtobufCMessage **ret, struct why *why)
{
    const Heapfleet__V1__GetLeakRequest *asked = (const void *)request;
    struct finding_row finding = {0};
    void *memory = NULL;
    enum status status = query_find_leak(query, asked->id, &finding, why);
    if (status == STATUS_OK)
        status = query_alloc(query, sizeof(Heapfleet__V1__GetLeakResponse), &memory, why);
    if (status != STATUS_OK)
        return status;
    Heapfleet__V1__GetLeakResponse *response = memory;
    heapfleet__v1__get_leak_response__init(response);
    status = query_write_leak(query, &finding, &response->leak, why);
    if (status == STATUS_OK)
        status = write_events(query, &finding, response, why);
    if (status == STATUS_OK)
        status = write_evidence(query, &finding, response, why);
    if (status == STATUS_OK)
        status = query_growth_curves(query, &finding, response, why);
    if (status == STATUS_OK)
        *ret = &response->base;
    return status;
}

/* ---- ListMutes ------------------------------------------------------------------------------ */

enum status query_list_mutes(struct query *query, const ProtobufCMessage *request,
                             ProtobufCMessage **ret, struct why *why)
{
    (void)request;
    struct mute_row *rows = NULL;
    size_t count = 0;
    void *memory = NULL;
    enum status status = mute_list(query->db, query->now_ms, query->arena, &rows, &count, why);
    if (status == STATUS_OK)
        status = query_alloc(query, sizeof(Heapfleet__V1__ListMutesResponse), &memory, why);
    if (status != STATUS_OK)
        return status;
    Heapfleet__V1__ListMutesResponse *response = memory;
    heapfleet__v1__list_mutes_response__init(response);
    status = query_alloc(query, (count + 1) * sizeof(void *), &memory, why);
    response->mutes = memory;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = query_alloc(query, sizeof(Heapfleet__V1__Mute), &memory, why);
        if (status != STATUS_OK)
            break;
        Heapfleet__V1__Mute *mute = memory;
        heapfleet__v1__mute__init(mute);
        mute->service = (char *)rows[i].service;
        mute->environment = (char *)rows[i].environment;
        mute->service_namespace = (char *)rows[i].service_namespace;
        mute->type = (char *)rows[i].type;
        mute->actor = (char *)rows[i].actor;
        mute->reason = (char *)rows[i].reason;
        mute->created_ms = rows[i].created_ms;
        mute->until_ms = rows[i].until_ms;
        response->mutes[response->n_mutes++] = mute;
    }
    if (status == STATUS_OK)
        *ret = &response->base;
    return status;
}
