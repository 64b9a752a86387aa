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

static int any_live(const struct fleet *fleet, int64_t deployment_id, int64_t now_ms)
{
    for (size_t i = 0; i < fleet->instance_count; i++) {
        if (fleet->instances[i].deployment_id == deployment_id &&
            query_is_live(&fleet->instances[i], now_ms))
            return 1;
    }
    return 0;
}

struct top {
    struct type_table *table;
    const struct life_wanted *wanted;
};

static enum status see_life(void *user, size_t index, struct life *life, struct why *why)
{
    const struct top *top = user;
    return type_table_add(top->table, top->wanted[index].instance, life, 0, why);
}

/* The live processes of the version; all of them when none is. */
static enum status add_version(struct query *query, const struct fleet *fleet,
                               const struct deployment_row *deployment, struct type_table *table,
                               uint32_t *ret_instances, struct why *why)
{
    int only_live = any_live(fleet, deployment->id, query->now_ms);
    void *memory = NULL;
    size_t count = 0;
    enum status status =
        query_alloc(query, (fleet->instance_count + 1) * sizeof(struct life_wanted), &memory, why);
    if (status != STATUS_OK)
        return status;
    struct life_wanted *wanted = memory;
    for (size_t i = 0; i < fleet->instance_count; i++) {
        const struct instance_row *instance = &fleet->instances[i];
        if (instance->deployment_id == deployment->id && instance->last_seen_ms != 0 &&
            (!only_live || query_is_live(instance, query->now_ms)))
            wanted[count++] = (struct life_wanted){instance, instance->last_seen_ms};
    }
    struct top top = {table, wanted};
    status = life_read_all(query, fleet->service.id, wanted, count, see_life, &top, why);
    if (status != STATUS_OK)
        return status;
    type_table_finish(table, 0, 0);
    *ret_instances = table->processes[0];
    return STATUS_OK;
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
        if (sum->count <= 0 && sum->bytes <= 0 && !(fabs(sum->bytes_per_hour) > 0))
            continue; /* a type that has gone */
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

static enum status answer(struct query *query, const Heapfleet__V1__GetTopRequest *asked,
                          struct type_table *table, Heapfleet__V1__GetTopResponse *response,
                          struct why *why)
{
    struct fleet fleet;
    uint32_t limit = 0;
    if ((uint32_t)asked->order >= ARRAY_SIZE(orders))
        return why_fail(why, STATUS_INVALID, "there is no order %d", (int)asked->order);
    enum status status = query_check_limit(asked->limit, &limit, why);
    if (status == STATUS_OK)
        status = query_read_service(query, asked->service, &fleet, why);
    if (status != STATUS_OK)
        return status;
    const struct deployment_row *deployment = NULL;
    if (*asked->version == '\0' && fleet.deployment_count > 0)
        deployment = &fleet.deployments[fleet.deployment_count - 1];
    else
        status = query_find_version(&fleet, asked->version, &deployment, why);
    if (status == STATUS_OK)
        status = query_read_versions(query, deployment, deployment, &fleet, why);
    if (status == STATUS_OK)
        status = add_version(query, &fleet, deployment, table, &response->instances, why);
    if (status == STATUS_OK)
        status = type_table_rank(table, orders[asked->order], limit, query, why);
    if (status == STATUS_OK) {
        response->version = (char *)deployment->version;
        status = write_types(query, table, response, why);
    }
    return status;
}

enum status query_get_top(struct query *query, const ProtobufCMessage *request,
                          ProtobufCMessage **ret, struct why *why)
{
    void *memory = NULL;
    enum status status = query_alloc(query, sizeof(Heapfleet__V1__GetTopResponse), &memory, why);
    if (status != STATUS_OK)
        return status;
    Heapfleet__V1__GetTopResponse *response = memory;
    heapfleet__v1__get_top_response__init(response);
    struct type_table table = {0};
    status = answer(query, (const void *)request, &table, response, why);
    type_table_done(&table);
    if (status == STATUS_OK)
        *ret = &response->base;
    return status;
}
