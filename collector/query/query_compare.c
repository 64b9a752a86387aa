/*
 * CompareDeployments: two versions at the same age. Processes of different ages must not be
 * compared: every one of them starts small.
 */
#include <inttypes.h>

#include "query_find.h"
#include "query_types.h"
#include "report.h"

/* ---- the uptime ----------------------------------------------------------------------------- */

static int longest_first(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;
    return (a < b) - (a > b);
}

/* The uptime that more than half of a version's processes have reached, and the longest of all. */
static enum status measure_uptimes(struct query *query, const struct fleet *fleet,
                                   const struct deployment_row *deployment, int64_t *ret_half,
                                   int64_t *ret_longest, struct why *why)
{
    void *memory = NULL;
    enum status status =
        query_alloc(query, (fleet->instance_count + 1) * sizeof(int64_t), &memory, why);
    if (status != STATUS_OK)
        return status;
    int64_t *uptimes = memory;
    size_t count = 0;
    for (size_t i = 0; i < fleet->instance_count; i++) {
        const struct instance_row *instance = &fleet->instances[i];
        if (instance->deployment_id == deployment->id && instance->last_seen_ms != 0)
            uptimes[count++] = instance_uptime_ms(instance);
    }
    if (count == 0)
        return why_fail(why, STATUS_NOT_FOUND, "version '%s' has sent no snapshot yet",
                        deployment->version);
    qsort(uptimes, count, sizeof(*uptimes), longest_first);
    *ret_half = uptimes[count / 2];
    *ret_longest = uptimes[0];
    return STATUS_OK;
}

static enum status too_young(const struct deployment_row *deployment, int64_t asked_ms,
                             int64_t longest_ms, struct why *why)
{
    struct buf asked = BUF_INIT;
    struct buf longest = BUF_INIT;
    report_format_number(&asked, (double)asked_ms, REPORT_DURATION);
    report_format_number(&longest, (double)longest_ms, REPORT_DURATION);
    why_set(why, "version '%s' has not reached an uptime of %s: its oldest process has %s",
            deployment->version, buf_text(&asked), buf_text(&longest));
    buf_done(&asked);
    buf_done(&longest);
    return STATUS_INVALID;
}

static enum status choose_uptime(struct query *query, const struct fleet *fleet,
                                 const struct deployment_row *const *sides, int64_t asked_ms,
                                 int64_t *ret, struct why *why)
{
    if (asked_ms < 0)
        return why_fail(why, STATUS_INVALID, "an uptime cannot be negative");
    int64_t uptime_ms = INT64_MAX;
    for (int side = 0; side < TYPE_SIDES; side++) {
        int64_t half_ms = 0;
        int64_t longest_ms = 0;
        enum status status = measure_uptimes(query, fleet, sides[side], &half_ms, &longest_ms, why);
        if (status != STATUS_OK)
            return status;
        if (asked_ms > longest_ms)
            return too_young(sides[side], asked_ms, longest_ms, why);
        if (half_ms < uptime_ms)
            uptime_ms = half_ms;
    }
    *ret = asked_ms != 0 ? asked_ms : uptime_ms;
    return STATUS_OK;
}

/* ---- the versions at that uptime ------------------------------------------------------------ */

struct comparison {
    struct type_table *table;
    const struct life_wanted *wanted;
    size_t side_begin[TYPE_SIDES + 1]; /* of each side in `wanted` */
};

static enum status see_life(void *user, size_t index, struct life *life, struct why *why)
{
    const struct comparison *comparison = user;
    int side = index >= comparison->side_begin[1];
    if (life->newest_ms == 0)
        return STATUS_OK;
    return type_table_add(comparison->table, comparison->wanted[index].instance, life, side, why);
}

/* The processes that have reached the uptime, one side behind the other. */
static enum status choose_lives(struct query *query, const struct fleet *fleet,
                                const struct deployment_row *const *sides, int64_t uptime_ms,
                                struct comparison *ret, struct why *why)
{
    void *memory = NULL;
    size_t most = TYPE_SIDES * fleet->instance_count + 1, count = 0;
    enum status status = query_alloc(query, most * sizeof(struct life_wanted), &memory, why);
    if (status != STATUS_OK)
        return status;
    struct life_wanted *wanted = memory;
    for (int side = 0; side < TYPE_SIDES; side++) {
        for (size_t i = 0; i < fleet->instance_count; i++) {
            const struct instance_row *instance = &fleet->instances[i];
            if (instance->deployment_id == sides[side]->id && instance->last_seen_ms != 0 &&
                instance_uptime_ms(instance) >= uptime_ms)
                wanted[count++] = (struct life_wanted){instance, instance->started_ms + uptime_ms};
        }
        ret->side_begin[side + 1] = count;
    }
    ret->wanted = wanted;
    return STATUS_OK;
}

static enum status read_sides(struct query *query, const struct fleet *fleet,
                              const struct deployment_row *const *sides, int64_t uptime_ms,
                              struct type_table *table, struct why *why)
{
    struct comparison comparison = {.table = table};
    enum status status = choose_lives(query, fleet, sides, uptime_ms, &comparison, why);
    if (status == STATUS_OK)
        status = life_read_all(query, fleet->service.id, comparison.wanted,
                               comparison.side_begin[TYPE_SIDES], see_life, &comparison, why);
    for (int side = 0; side < TYPE_SIDES && status == STATUS_OK; side++) {
        if (table->processes[side] == 0)
            return why_fail(why, STATUS_NOT_FOUND,
                            "no process of version '%s' was watched at that uptime",
                            sides[side]->version);
        type_table_finish(table, side, 1);
    }
    return status;
}

static double by_difference(const struct type_row *row)
{
    return row->side[1].bytes - row->side[0].bytes;
}

static enum status write_types(struct query *query, const struct type_table *table,
                               Heapfleet__V1__CompareDeploymentsResponse *ret, struct why *why)
{
    void *memory = NULL;
    enum status status = query_alloc(query, (table->count + 1) * sizeof(void *), &memory, why);
    ret->types = memory;
    for (uint32_t i = 0; i < table->count && status == STATUS_OK; i++) {
        status = query_alloc(query, sizeof(Heapfleet__V1__TypeComparison), &memory, why);
        if (status != STATUS_OK)
            break;
        const struct type_side *a = &table->rows[i].side[0];
        const struct type_side *b = &table->rows[i].side[1];
        Heapfleet__V1__TypeComparison *type = memory;
        heapfleet__v1__type_comparison__init(type);
        type->type = (char *)table->rows[i].name;
        type->count_a = a->count;
        type->count_b = b->count;
        type->bytes_a = a->bytes;
        type->bytes_b = b->bytes;
        type->count_per_hour_a = a->count_per_hour;
        type->count_per_hour_b = b->count_per_hour;
        type->bytes_per_hour_a = a->bytes_per_hour;
        type->bytes_per_hour_b = b->bytes_per_hour;
        ret->types[ret->n_types++] = type;
    }
    return status;
}

static enum status answer(struct query *query,
                          const Heapfleet__V1__CompareDeploymentsRequest *asked,
                          struct type_table *table,
                          Heapfleet__V1__CompareDeploymentsResponse *response, struct why *why)
{
    struct fleet fleet;
    struct page_rows page; /* keeps the uptime of the first */
    const struct deployment_row *sides[TYPE_SIDES] = {NULL, NULL};
    enum status status = query_page_rows(asked->limit, asked->page_token, &page, why);
    int64_t uptime_ms = asked->at_uptime_ms;
    if (status == STATUS_OK && uptime_ms == 0)
        uptime_ms = page.place.time_ms;
    if (status == STATUS_OK)
        status = query_read_service(query, asked->service, &fleet, why);
    if (status == STATUS_OK)
        status = query_find_version(&fleet, asked->version_a, &sides[0], why);
    if (status == STATUS_OK)
        status = query_find_version(&fleet, asked->version_b, &sides[1], why);
    if (status == STATUS_OK)
        status = query_read_versions(query, sides[0], sides[1], &fleet, why);
    if (status == STATUS_OK)
        status = choose_uptime(query, &fleet, sides, uptime_ms, &response->at_uptime_ms, why);
    if (status == STATUS_OK)
        status = read_sides(query, &fleet, sides, response->at_uptime_ms, table, why);
    response->instances_a = table->processes[0];
    response->instances_b = table->processes[1];
    uint32_t total = table->count;
    if (status == STATUS_OK)
        status = type_table_rank(table, by_difference, &page, query, why);
    if (status == STATUS_OK)
        status = write_types(query, table, response, why);
    if (status == STATUS_OK)
        status = query_page_next(query, &page, total, response->at_uptime_ms,
                                 &response->next_page_token, why);
    return status;
}

enum status query_compare_deployments(struct query *query, const ProtobufCMessage *request,
                                      ProtobufCMessage **ret, struct why *why)
{
    void *memory = NULL;
    enum status status =
        query_alloc(query, sizeof(Heapfleet__V1__CompareDeploymentsResponse), &memory, why);
    if (status != STATUS_OK)
        return status;
    Heapfleet__V1__CompareDeploymentsResponse *response = memory;
    heapfleet__v1__compare_deployments_response__init(response);
    struct type_table table = {0};
    status = answer(query, (const void *)request, &table, response, why);
    type_table_done(&table);
    if (status == STATUS_OK)
        *ret = &response->base;
    return status;
}
