/* GetTop: what a version of a service consists of, and what of it grows. */
#include <math.h>

#include "query_find.h"
#include "query_types.h"

static double by_bytes(const struct type_row *row)
{
    return row->side[0].bytes;
}

static double by_count(const struct type_row *row)
{
    return row->side[0].count;
}

static double by_growth(const struct type_row *row)
{
    return row->side[0].bytes_per_hour;
}

static double (*const orders[])(const struct type_row *row) = {
    [HEAPFLEET__V1__TOP_ORDER__TOP_ORDER_BYTES] = by_bytes,
    [HEAPFLEET__V1__TOP_ORDER__TOP_ORDER_COUNT] = by_count,
    [HEAPFLEET__V1__TOP_ORDER__TOP_ORDER_GROWTH] = by_growth,
};

struct top {
    struct query *query;
    const Heapfleet__V1__GetTopRequest *asked;
    struct fleet fleet;
    const struct deployment_row *deployment;
    struct page_rows page; /* keeps the moment when the first was asked for */
    int64_t at_ms;         /* that moment */
    const struct life_wanted *wanted;
    struct type_table table;
};

/* ---- what there was at the moment ----------------------------------------------------------- */

/* The newest version that had begun. */
static const struct deployment_row *latest(const struct top *top)
{
    size_t i = top->fleet.deployment_count;
    while (i > 1 && top->fleet.deployments[i - 1].first_seen_ms > top->at_ms)
        i--;
    return i > 0 ? &top->fleet.deployments[i - 1] : NULL;
}

static int was_live(const struct top *top, const struct instance_row *instance)
{
    struct instance_row then = *instance;
    if (then.ended_ms + then.clock_behind_ms > top->at_ms)
        then.ended_ms = 0;
    return query_is_live(&then, top->at_ms);
}

static int any_live(const struct top *top)
{
    for (size_t i = 0; i < top->fleet.instance_count; i++) {
        const struct instance_row *instance = &top->fleet.instances[i];
        if (instance->deployment_id == top->deployment->id && was_live(top, instance))
            return 1;
    }
    return 0;
}

static enum status see_life(void *user, size_t index, struct life *life, struct why *why)
{
    struct top *top = user;
    if (life->newest_ms == 0)
        return STATUS_OK; /* it began since */
    return type_table_add(&top->table, top->wanted[index].instance, life, 0, why);
}

/* The live processes of the version; all of them when none is. */
static enum status add_version(struct top *top, struct why *why)
{
    int only_live = any_live(top);
    void *memory = NULL;
    size_t count = 0;
    enum status status = query_alloc(
        top->query, (top->fleet.instance_count + 1) * sizeof(struct life_wanted), &memory, why);
    if (status != STATUS_OK)
        return status;
    struct life_wanted *wanted = memory;
    for (size_t i = 0; i < top->fleet.instance_count; i++) {
        const struct instance_row *instance = &top->fleet.instances[i];
        int64_t until_ms = top->at_ms - instance->clock_behind_ms;
        if (instance->deployment_id == top->deployment->id && instance->last_seen_ms != 0 &&
            (!only_live || was_live(top, instance)))
            wanted[count++] = (struct life_wanted){
                instance, until_ms < instance->last_seen_ms ? until_ms : instance->last_seen_ms};
    }
    top->wanted = wanted;
    status = life_read_all(top->query, top->fleet.service.id, wanted, count, see_life, top, why);
    if (status == STATUS_OK)
        type_table_finish(&top->table, 0, 0);
    return status;
}

/* ---- the answer ----------------------------------------------------------------------------- */

/* Types that have gone are nobody's concern. */
static void drop_gone(struct type_table *table)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < table->count; i++) {
        const struct type_side *sum = &table->rows[i].side[0];
        if (sum->count > 0 || sum->bytes > 0 || fabs(sum->bytes_per_hour) > 0)
            table->rows[kept++] = table->rows[i];
    }
    table->count = kept;
}

static enum status write_types(struct query *query, const struct type_table *table,
                               Heapfleet__V1__GetTopResponse *ret, struct why *why)
{
    void *memory = NULL;
    enum status status = query_alloc(query, (table->count + 1) * sizeof(void *), &memory, why);
    ret->types = memory;
    for (uint32_t i = 0; i < table->count && status == STATUS_OK; i++) {
        const struct type_row *row = &table->rows[i];
        const struct type_side *sum = &row->side[0];
        status = query_alloc(query, sizeof(Heapfleet__V1__TypeTotal), &memory, why);
        if (status != STATUS_OK)
            break;
        Heapfleet__V1__TypeTotal *total = memory;
        heapfleet__v1__type_total__init(total);
        total->type = (char *)row->name;
        total->count = (uint64_t)sum->count;
        total->bytes = (uint64_t)sum->bytes;
        total->count_per_hour = sum->count_per_hour;
        total->bytes_per_hour = sum->bytes_per_hour;
        ret->types[ret->n_types++] = total;
    }
    return status;
}

static enum status prepare(struct top *top, struct why *why)
{
    const Heapfleet__V1__GetTopRequest *asked = top->asked;
    if ((uint32_t)asked->order >= ARRAY_SIZE(orders))
        return why_fail(why, STATUS_INVALID, "there is no order %d", (int)asked->order);
    enum status status = query_page_rows(asked->limit, asked->page_token, &top->page, why);
    if (status == STATUS_OK)
        status = query_read_service(top->query, asked->service, &top->fleet, why);
    if (status != STATUS_OK)
        return status;
    top->at_ms = top->page.place.time_ms != 0 ? top->page.place.time_ms : top->query->now_ms;
    if (*asked->version == '\0')
        top->deployment = latest(top);
    if (top->deployment == NULL)
        status = query_find_version(&top->fleet, asked->version, &top->deployment, why);
    if (status == STATUS_OK)
        status =
            query_read_versions(top->query, top->deployment, top->deployment, &top->fleet, why);
    return status;
}

static enum status answer(struct top *top, Heapfleet__V1__GetTopResponse *response, struct why *why)
{
    enum status status = prepare(top, why);
    if (status == STATUS_OK)
        status = add_version(top, why);
    if (status != STATUS_OK)
        return status;
    drop_gone(&top->table);
    uint32_t total = top->table.count;
    response->version = (char *)top->deployment->version;
    response->instances = top->table.processes[0];
    status = type_table_rank(&top->table, orders[top->asked->order], &top->page, top->query, why);
    if (status == STATUS_OK)
        status = write_types(top->query, &top->table, response, why);
    if (status == STATUS_OK)
        status = query_page_next(top->query, &top->page, total, top->at_ms,
                                 &response->next_page_token, why);
    return status;
}

enum status query_get_top(struct query *query, const ProtobufCMessage *request,
                          ProtobufCMessage **ret, struct why *why)
{
    struct top top = {.query = query, .asked = (const void *)request};
    void *memory = NULL;
    enum status status = query_alloc(query, sizeof(Heapfleet__V1__GetTopResponse), &memory, why);
    if (status != STATUS_OK)
        return status;
    Heapfleet__V1__GetTopResponse *response = memory;
    heapfleet__v1__get_top_response__init(response);
    status = answer(&top, response, why);
    type_table_done(&top.table);
    if (status == STATUS_OK)
        *ret = &response->base;
    return status;
}
