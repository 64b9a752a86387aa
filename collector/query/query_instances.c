/*
 * ListInstances: the processes of a service, newest first, a page at a time. The page's token is
 * the start and the id of its last process, so that what starts meanwhile shifts nothing.
 */
#include "history_ranges.h"
#include "instance_about.h"
#include "query_find.h"
#include "query_page.h"

enum { PAGE_USUAL = 100, PAGE_MOST = 1000 };

struct listing {
    struct query *query;
    const Heapfleet__V1__ListInstancesRequest *asked;
    struct fleet fleet;
    int32_t type_id; /* 0: none */
    uint32_t page_size;
    struct page_place from; /* behind this one; all zero: the newest */
    const struct instance_row **chosen;
    size_t count;
    int has_more;
    Heapfleet__V1__Instance **rows; /* [count] */
};

/* ---- which ---------------------------------------------------------------------------------- */

static int is_behind(const struct instance_row *instance, struct page_place place)
{
    if (place.number == 0)
        return 1;
    if (instance->started_ms != place.time_ms)
        return instance->started_ms < place.time_ms;
    return (uint64_t)instance->id < place.number;
}

static enum status choose(struct listing *listing, struct why *why)
{
    void *memory = NULL;
    enum status status =
        query_alloc(listing->query, listing->page_size * sizeof(void *), &memory, why);
    if (status != STATUS_OK)
        return status;
    listing->chosen = memory;
    for (size_t i = listing->fleet.instance_count; i > 0; i--) { /* they are by start */
        const struct instance_row *row = &listing->fleet.instances[i - 1];
        if ((listing->asked->live_only && !query_is_live(row, listing->query->now_ms)) ||
            !is_behind(row, listing->from))
            continue;
        if (listing->count == listing->page_size) {
            listing->has_more = 1;
            break;
        }
        listing->chosen[listing->count++] = row;
    }
    return STATUS_OK;
}

/* ---- what they are -------------------------------------------------------------------------- */

static enum status make_row(struct listing *listing, size_t i, const struct instance_about *about,
                            struct why *why)
{
    const struct instance_row *instance = listing->chosen[i];
    void *memory = NULL;
    enum status status = query_alloc(listing->query, sizeof(Heapfleet__V1__Instance), &memory, why);
    if (status != STATUS_OK)
        return status;
    Heapfleet__V1__Instance *row = memory;
    heapfleet__v1__instance__init(row);
    status = query_alloc(listing->query, QUERY_INSTANCE_DIGITS + 1, &memory, why);
    if (status != STATUS_OK)
        return status;
    query_instance_digits(instance->uuid, memory);
    row->instance = memory;
    row->version = (char *)query_version_of(&listing->fleet, instance->deployment_id);
    row->host = (char *)about->host;
    row->pod = (char *)about->pod;
    row->container_id = (char *)about->container_id;
    row->runtime_version = (char *)about->runtime_version;
    row->pid = about->pid;
    row->started_ms = instance->started_ms;
    row->ended_ms = instance->ended_ms;
    if (instance->ended_ms != 0)
        row->end_reason = (char *)about->end_reason;
    row->last_seen_ms = instance->last_seen_ms;
    row->live = query_is_live(instance, listing->query->now_ms);
    row->objects = instance->objects;
    row->bytes = instance->bytes;
    listing->rows[i] = row;
    return STATUS_OK;
}

static enum status describe(struct listing *listing, struct why *why)
{
    void *memory = NULL;
    struct instance_about *about = NULL;
    enum status status =
        query_alloc(listing->query, (listing->count + 1) * sizeof(int64_t), &memory, why);
    int64_t *ids = memory;
    for (size_t i = 0; i < listing->count && status == STATUS_OK; i++)
        ids[i] = listing->chosen[i]->id;
    if (status == STATUS_OK)
        status = query_alloc(listing->query, (listing->count + 1) * sizeof(void *), &memory, why);
    if (status == STATUS_OK)
        status = instance_about_read(listing->query->db, listing->fleet.service.id, ids,
                                     listing->count, listing->query->arena, &about, why);
    listing->rows = memory;
    for (size_t i = 0; i < listing->count && status == STATUS_OK; i++)
        status = make_row(listing, i, &about[i], why);
    return status;
}

/* ---- what they hold ------------------------------------------------------------------------- */

/* Snapshots of one millisecond: the last one stays. */
static enum status see_newest(void *user, size_t range, const struct history_snapshot *snapshot)
{
    const struct listing *listing = user;
    Heapfleet__V1__Instance *row = listing->rows[range];
    row->rss_anon_bytes = snapshot->rss_anon_bytes;
    row->container_usage_bytes = snapshot->container_usage_bytes;
    row->container_limit_bytes = snapshot->container_limit_bytes;
    if (listing->type_id == 0)
        return STATUS_OK;
    struct type_value value = query_value_of(snapshot, listing->chosen[range]->type_index);
    row->type_count = value.count;
    row->type_bytes = value.bytes;
    return STATUS_OK;
}

static enum status measure(struct listing *listing, struct why *why)
{
    void *memory = NULL;
    enum status status = query_alloc(
        listing->query, (listing->count + 1) * sizeof(struct history_range), &memory, why);
    if (status != STATUS_OK)
        return status;
    struct history_range *ranges = memory;
    for (size_t i = 0; i < listing->count; i++) {
        int64_t at_ms = listing->chosen[i]->last_seen_ms;
        ranges[i] = (struct history_range){listing->chosen[i]->id, at_ms, at_ms};
    }
    return history_walk_ranges(listing->query->db, listing->fleet.service.id, ranges,
                               listing->count, see_newest, listing, why);
}

/* --------------------------------------------------------------------------------------------- */

static enum status find_all(struct listing *listing, struct why *why)
{
    const Heapfleet__V1__ListInstancesRequest *asked = listing->asked;
    const struct deployment_row *deployment = NULL;
    struct instance_filter filter = {0};
    enum status status =
        query_page_size(asked->page_size, PAGE_USUAL, PAGE_MOST, &listing->page_size, why);
    if (status == STATUS_OK)
        status = query_page_parse(asked->page_token, &listing->from, why);
    if (status == STATUS_OK)
        status = query_read_service(listing->query, asked->service, &listing->fleet, why);
    if (status == STATUS_OK && *asked->version != '\0')
        status = query_find_version(&listing->fleet, asked->version, &deployment, why);
    if (status == STATUS_OK && deployment != NULL) {
        filter.deployment_ids = &deployment->id;
        filter.deployment_count = 1;
    }
    if (status == STATUS_OK)
        status = query_read_type(listing->query, &filter, asked->type, &listing->fleet,
                                 &listing->type_id, why);
    return status == STATUS_OK ? choose(listing, why) : status;
}

enum status query_list_instances(struct query *query, const ProtobufCMessage *request,
                                 ProtobufCMessage **ret, struct why *why)
{
    struct listing listing = {.query = query, .asked = (const void *)request};
    void *memory = NULL;
    enum status status = find_all(&listing, why);
    if (status == STATUS_OK)
        status = describe(&listing, why);
    if (status == STATUS_OK)
        status = measure(&listing, why);
    if (status == STATUS_OK)
        status = query_alloc(query, sizeof(Heapfleet__V1__ListInstancesResponse), &memory, why);
    if (status != STATUS_OK)
        return status;
    Heapfleet__V1__ListInstancesResponse *response = memory;
    heapfleet__v1__list_instances_response__init(response);
    response->instances = listing.rows;
    response->n_instances = listing.count;
    if (listing.has_more) {
        const struct instance_row *last = listing.chosen[listing.count - 1];
        struct page_place place = {last->started_ms, (uint64_t)last->id};
        status = query_page_token(query, place, &response->next_page_token, why);
    }
    if (status == STATUS_OK)
        *ret = &response->base;
    return status;
}
