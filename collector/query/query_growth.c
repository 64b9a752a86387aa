/*
 * GetGrowth: every type of a service at the beginning of a span and at its end.
 *
 *     from_ms                                                            to_ms
 *     |--nothing--|==first window==|----------- ... -----------|==last window==|
 *
 * In a window all snapshots of all processes count alike. A window is a tenth of the span, and
 * narrower where so many processes would have to be read that an answer took long. When a tenth is
 * more than an hour, windows are whole hours of UTC, read from the rollups where they are: the hour
 * of from_ms, or the first after it that has a snapshot, and the last that has ended by to_ms, or
 * the last before it that has one.
 */
#include <inttypes.h>

#include "history_ranges.h"
#include "levels.h"
#include "query_find.h"
#include "query_page.h"
#include "query_types.h"

enum {
    WINDOWS_A_SPAN = 10,
    WINDOW_MS_MAX = 3600 * 1000,
    SNAPSHOTS_MAX = 20000, /* of a window */
    SIDE_FROM = 0,
    SIDE_TO = 1,
};

struct growth {
    struct query *query;
    const Heapfleet__V1__GetGrowthRequest *asked;
    struct fleet fleet;
    const struct deployment_row *deployment; /* NULL: all */
    int64_t from_ms, to_ms, window_ms, asked_to_ms;
    int64_t bearable_ms;   /* that much can be read of so many processes */
    int is_hourly;         /* windows are whole hours */
    struct page_rows page; /* keeps to_ms of the first */
    struct type_table table;
    uint32_t instances[TYPE_SIDES];
};

/* ---- times ---------------------------------------------------------------------------------- */

static enum status check_times(struct growth *growth, struct why *why)
{
    const Heapfleet__V1__GetGrowthRequest *asked = growth->asked;
    int64_t to_ms = asked->to_ms;
    if (to_ms == 0)
        to_ms =
            growth->page.place.time_ms != 0 ? growth->page.place.time_ms : growth->query->now_ms;
    growth->from_ms = asked->from_ms;
    growth->to_ms = growth->asked_to_ms = to_ms;
    return query_check_span(asked->from_ms, to_ms, growth->query->now_ms, why);
}

static int is_chosen(const struct growth *growth, const struct instance_row *instance)
{
    return instance->last_seen_ms != 0 &&
           (growth->deployment == NULL || instance->deployment_id == growth->deployment->id);
}

/* Leave out the time before the first process and behind the last snapshot. */
static enum status clip(struct growth *growth, struct why *why)
{
    int64_t first_ms = INT64_MAX, last_ms = 0, interval_ms = INT64_MAX;
    uint64_t processes = 0;
    for (size_t i = 0; i < growth->fleet.instance_count; i++) {
        const struct instance_row *row = &growth->fleet.instances[i];
        if (!is_chosen(growth, row) || row->last_seen_ms < growth->from_ms ||
            row->started_ms > growth->to_ms)
            continue;
        processes++;
        if (row->started_ms < first_ms)
            first_ms = row->started_ms;
        if (row->last_seen_ms > last_ms)
            last_ms = row->last_seen_ms;
        if (query_interval_ms(row) < interval_ms)
            interval_ms = query_interval_ms(row);
    }
    if (processes == 0)
        return why_fail(why, STATUS_NOT_FOUND, "service '%s' has no snapshot in this span",
                        growth->fleet.service.name);
    if (first_ms > growth->from_ms)
        growth->from_ms = first_ms;
    if (last_ms < growth->to_ms)
        growth->to_ms = last_ms;
    int64_t width_ms = (growth->to_ms - growth->from_ms) / WINDOWS_A_SPAN;
    growth->is_hourly = width_ms >= WINDOW_MS_MAX;
    growth->bearable_ms = (int64_t)(SNAPSHOTS_MAX / processes) * interval_ms;
    if (growth->bearable_ms < 2 * interval_ms)
        growth->bearable_ms = 2 * interval_ms;
    growth->window_ms = growth->is_hourly ? WINDOW_MS_MAX : width_ms;
    if (growth->window_ms > growth->bearable_ms && !growth->is_hourly)
        growth->window_ms = growth->bearable_ms;
    return STATUS_OK;
}

/* ---- windows -------------------------------------------------------------------------------- */

struct window_walk {
    struct growth *growth;
    const struct instance_row **instances; /* of the ranges */
    size_t newest_range;                   /* + 1; the one whose snapshots come now */
    int side;
    uint64_t snapshots;
    struct why *why;
};

static enum status see(void *user, size_t range, const struct history_snapshot *snapshot)
{
    struct window_walk *walk = user;
    walk->snapshots++;
    if (walk->newest_range != range + 1)
        walk->growth->instances[walk->side]++;
    walk->newest_range = range + 1;
    return type_table_add_values(&walk->growth->table, walk->instances[range], snapshot->values,
                                 walk->side, walk->why);
}

/* The first and the last of what was seen. */
struct edges {
    int64_t first_ms, last_ms;
};

static enum status see_edges(void *user, size_t range, const struct history_snapshot *snapshot)
{
    (void)range;
    struct edges *edges = user;
    if (snapshot->time_ms < edges->first_ms)
        edges->first_ms = snapshot->time_ms;
    if (snapshot->time_ms > edges->last_ms)
        edges->last_ms = snapshot->time_ms;
    return STATUS_OK;
}

/* The processes that may have a snapshot in the window, with the window as their range. */
static enum status make_ranges(struct growth *growth, int64_t from_ms, int64_t to_ms,
                               struct history_range **ret,
                               const struct instance_row ***ret_instances, size_t *ret_count,
                               struct why *why)
{
    void *ranges = NULL, *instances = NULL;
    size_t most = growth->fleet.instance_count + 1;
    enum status status = query_alloc(growth->query, most * sizeof(**ret), &ranges, why);
    if (status == STATUS_OK)
        status = query_alloc(growth->query, most * sizeof(void *), &instances, why);
    if (status != STATUS_OK)
        return status;
    *ret = ranges;
    *ret_instances = instances;
    *ret_count = 0;
    for (size_t i = 0; i < growth->fleet.instance_count; i++) {
        const struct instance_row *row = &growth->fleet.instances[i];
        if (!is_chosen(growth, row) || row->last_seen_ms < from_ms || row->started_ms > to_ms)
            continue;
        (*ret)[*ret_count] = (struct history_range){row->id, from_ms, to_ms};
        (*ret_instances)[(*ret_count)++] = row;
    }
    return STATUS_OK;
}

/* From the snapshots, as many as can be read. */
static enum status read_window(struct growth *growth, int side, int64_t from_ms, uint64_t *ret,
                               struct why *why)
{
    struct history_range *ranges = NULL;
    size_t count = 0;
    struct window_walk walk = {.growth = growth, .side = side, .why = why};
    int64_t width_ms =
        growth->window_ms < growth->bearable_ms ? growth->window_ms : growth->bearable_ms;
    int64_t to_ms = from_ms + width_ms - growth->is_hourly;
    enum status status = make_ranges(growth, from_ms, to_ms, &ranges, &walk.instances, &count, why);
    if (status == STATUS_OK)
        status = history_walk_ranges(growth->query->db, growth->fleet.service.id, ranges, count,
                                     see, &walk, why);
    type_table_divide(&growth->table, side, (double)walk.snapshots);
    *ret = walk.snapshots;
    return status;
}

static enum status find_edges(struct growth *growth, int64_t from_ms, int64_t to_ms,
                              struct edges *ret, struct why *why)
{
    struct history_range *ranges = NULL;
    const struct instance_row **instances = NULL;
    size_t count = 0;
    enum status status = make_ranges(growth, from_ms, to_ms, &ranges, &instances, &count, why);
    *ret = (struct edges){INT64_MAX, INT64_MIN};
    if (status == STATUS_OK)
        status = history_walk_ranges(growth->query->db, growth->fleet.service.id, ranges, count,
                                     see_edges, ret, why);
    return status == STATUS_OK && ret->last_ms == INT64_MIN ? STATUS_NOT_FOUND : status;
}

static enum status nothing_there(const struct growth *growth, enum status status, struct why *why)
{
    if (status != STATUS_NOT_FOUND)
        return status;
    return why_fail(why, STATUS_NOT_FOUND, "service '%s' has no snapshot in this span",
                    growth->fleet.service.name);
}

/* The collector may have been off at from_ms: look ever further for a snapshot. */
static enum status find_first(struct growth *growth, int64_t *ret, struct why *why)
{
    int64_t from_ms = growth->from_ms, width_ms = growth->window_ms + 1;
    enum status status = STATUS_NOT_FOUND;
    struct edges edges;
    while (status == STATUS_NOT_FOUND && from_ms <= growth->to_ms) {
        int64_t end_ms = from_ms + width_ms < growth->to_ms ? from_ms + width_ms : growth->to_ms;
        status = find_edges(growth, from_ms, end_ms, &edges, why);
        from_ms += width_ms;
        width_ms *= 2;
    }
    if (status == STATUS_OK)
        *ret = edges.first_ms;
    return nothing_there(growth, status, why);
}

/* Or before the end, or the processes have ended before: ever further back. */
static enum status find_last(struct growth *growth, int64_t to_ms, int64_t *ret, struct why *why)
{
    int64_t width_ms = growth->window_ms + 1;
    enum status status = STATUS_NOT_FOUND;
    struct edges edges;
    while (status == STATUS_NOT_FOUND && to_ms >= growth->from_ms) {
        int64_t from_ms = to_ms - growth->from_ms > width_ms ? to_ms - width_ms : growth->from_ms;
        status = find_edges(growth, from_ms, to_ms, &edges, why);
        to_ms -= width_ms;
        width_ms *= 2;
    }
    if (status == STATUS_OK)
        *ret = edges.last_ms;
    return nothing_there(growth, status, why);
}

static enum status read_first(struct growth *growth, struct why *why)
{
    uint64_t snapshots = 0;
    enum status status = read_window(growth, SIDE_FROM, growth->from_ms, &snapshots, why);
    if (status != STATUS_OK || snapshots > 0)
        return status;
    int64_t first_ms = 0;
    status = find_first(growth, &first_ms, why);
    if (status != STATUS_OK)
        return status;
    growth->from_ms = growth->is_hourly ? first_ms - first_ms % WINDOW_MS_MAX : first_ms;
    return read_window(growth, SIDE_FROM, growth->from_ms, &snapshots, why);
}

/* Of whole hours the last that has ended, unless only the one that goes on has a snapshot. */
static enum status find_end(struct growth *growth, int64_t *end_ms, struct why *why)
{
    int64_t last_ms = growth->to_ms;
    if (!growth->is_hourly)
        return find_last(growth, last_ms, end_ms, why);
    if (last_ms >= *end_ms)
        last_ms = *end_ms - 1;
    enum status status = find_last(growth, last_ms, end_ms, why);
    if (status == STATUS_NOT_FOUND)
        status = find_last(growth, growth->to_ms, end_ms, why);
    if (status == STATUS_OK)
        *end_ms += WINDOW_MS_MAX - *end_ms % WINDOW_MS_MAX;
    return status;
}

static enum status read_last(struct growth *growth, int64_t end_ms, struct why *why)
{
    uint64_t snapshots = 0;
    enum status status = read_window(growth, SIDE_TO, end_ms - growth->window_ms, &snapshots, why);
    if (status == STATUS_OK && snapshots == 0) {
        status = find_end(growth, &end_ms, why);
        if (status == STATUS_OK)
            status = read_window(growth, SIDE_TO, end_ms - growth->window_ms, &snapshots, why);
    }
    growth->to_ms = end_ms;
    return status;
}

/* ---- hours that are rolled up --------------------------------------------------------------- */

static enum status read_hour(struct growth *growth, int side, int64_t hour_ms, struct why *why)
{
    struct level_hour hour = {0};
    int64_t wanted = growth->deployment != NULL ? growth->deployment->id : 0;
    double snapshots = 0;
    enum status status = level_hour_read(growth->query->db, growth->fleet.service.id, hour_ms,
                                         growth->query->arena, &hour, why);
    for (size_t i = 0; i < hour.deployment_count && status == STATUS_OK; i++) {
        const struct level_deployment *at = &hour.deployments[i];
        if (wanted != 0 && at->deployment_id != wanted)
            continue;
        snapshots += at->snapshots;
        growth->instances[side] += at->instances;
        for (size_t k = 0; k < hour.type_count && status == STATUS_OK; k++) {
            const struct level_type *type = &hour.types[k];
            if (type->deployment_id == at->deployment_id)
                status = type_table_add_type(&growth->table, type->type_id, side, type->count,
                                             type->bytes, at->snapshots, why);
        }
    }
    type_table_divide(&growth->table, side, snapshots);
    return status;
}

static enum status find_hour(const struct growth *growth, int64_t from_ms, int64_t to_ms, int last,
                             int64_t *ret, struct why *why)
{
    int64_t wanted = growth->deployment != NULL ? growth->deployment->id : 0;
    return level_find_hour(growth->query->db, growth->fleet.service.id, wanted, from_ms, to_ms,
                           last, ret, why);
}

static enum status read_hours(struct growth *growth, struct why *why)
{
    int64_t rolled_ms = 0, first_ms = -1, last_ms = -1;
    int64_t begin_ms = growth->from_ms - growth->from_ms % WINDOW_MS_MAX;
    int64_t end_ms = growth->asked_to_ms - growth->asked_to_ms % WINDOW_MS_MAX;
    enum status status = level_end(growth->query->db, growth->fleet.service.id,
                                   growth->query->now_ms, &rolled_ms, why);
    int64_t known_ms = end_ms < rolled_ms ? end_ms : rolled_ms;
    if (status == STATUS_OK)
        status = find_hour(growth, begin_ms, known_ms, 0, &first_ms, why);
    if (status == STATUS_OK && (end_ms <= rolled_ms || growth->to_ms < rolled_ms))
        status = find_hour(growth, begin_ms, known_ms, 1, &last_ms, why);
    if (status != STATUS_OK)
        return status;
    growth->from_ms = first_ms >= 0 ? first_ms : begin_ms;
    status = first_ms >= 0 ? read_hour(growth, SIDE_FROM, first_ms, why) : read_first(growth, why);
    if (status != STATUS_OK)
        return status;
    if (last_ms < 0)
        return read_last(growth, end_ms, why);
    growth->to_ms = last_ms + WINDOW_MS_MAX;
    return read_hour(growth, SIDE_TO, last_ms, why);
}

static enum status read_windows(struct growth *growth, struct why *why)
{
    if (growth->is_hourly)
        return read_hours(growth, why);
    enum status status = read_first(growth, why);
    return status == STATUS_OK ? read_last(growth, growth->to_ms, why) : status;
}

/* ---- the answer ----------------------------------------------------------------------------- */

static double by_bytes(const struct type_row *row)
{
    return row->side[SIDE_TO].bytes - row->side[SIDE_FROM].bytes;
}

static double by_count(const struct type_row *row)
{
    return row->side[SIDE_TO].count - row->side[SIDE_FROM].count;
}

/* Types that were there at neither time are nobody's concern. */
static void drop_absent(struct type_table *table)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < table->count; i++) {
        const struct type_side *from = &table->rows[i].side[SIDE_FROM];
        const struct type_side *to = &table->rows[i].side[SIDE_TO];
        if (from->count > 0 || from->bytes > 0 || to->count > 0 || to->bytes > 0)
            table->rows[kept++] = table->rows[i];
    }
    table->count = kept;
}

static enum status write_types(struct growth *growth, Heapfleet__V1__GetGrowthResponse *ret,
                               struct why *why)
{
    const struct type_table *table = &growth->table;
    void *memory = NULL;
    enum status status =
        query_alloc(growth->query, (table->count + 1) * sizeof(void *), &memory, why);
    ret->types = memory;
    for (uint32_t i = 0; i < table->count && status == STATUS_OK; i++) {
        status = query_alloc(growth->query, sizeof(Heapfleet__V1__TypeGrowth), &memory, why);
        if (status != STATUS_OK)
            break;
        const struct type_row *row = &table->rows[i];
        Heapfleet__V1__TypeGrowth *type = memory;
        heapfleet__v1__type_growth__init(type);
        type->type = (char *)row->name;
        type->count_from = row->side[SIDE_FROM].count;
        type->count_to = row->side[SIDE_TO].count;
        type->bytes_from = row->side[SIDE_FROM].bytes;
        type->bytes_to = row->side[SIDE_TO].bytes;
        ret->types[ret->n_types++] = type;
    }
    return status;
}

/* A first window of a whole hour may begin before the span. */
static enum status read_processes(struct growth *growth, struct why *why)
{
    struct instance_filter filter = {0};
    if (growth->from_ms > WINDOW_MS_MAX)
        filter.seen_from_ms = growth->from_ms - WINDOW_MS_MAX;
    return query_read_processes(growth->query, &filter, &growth->fleet, why);
}

static enum status prepare(struct growth *growth, struct why *why)
{
    const Heapfleet__V1__GetGrowthRequest *asked = growth->asked;
    if ((uint32_t)asked->order > HEAPFLEET__V1__TOP_ORDER__TOP_ORDER_GROWTH)
        return why_fail(why, STATUS_INVALID, "there is no order %d", (int)asked->order);
    enum status status = query_page_rows(asked->page_size, asked->page_token, &growth->page, why);
    if (status == STATUS_OK)
        status = check_times(growth, why);
    if (status == STATUS_OK)
        status = query_read_service(growth->query, asked->service, &growth->fleet, why);
    if (status == STATUS_OK)
        status = read_processes(growth, why);
    if (status == STATUS_OK && *asked->version != '\0')
        status = query_find_version(&growth->fleet, asked->version, &growth->deployment, why);
    return status == STATUS_OK ? clip(growth, why) : status;
}

static enum status answer(struct growth *growth, Heapfleet__V1__GetGrowthResponse *response,
                          struct why *why)
{
    enum status status = prepare(growth, why);
    if (status == STATUS_OK)
        status = read_windows(growth, why);
    if (status != STATUS_OK)
        return status;
    drop_absent(&growth->table);
    uint32_t total = growth->table.count;
    int by = growth->asked->order == HEAPFLEET__V1__TOP_ORDER__TOP_ORDER_COUNT;
    status = type_table_rank(&growth->table, by ? by_count : by_bytes, &growth->page, growth->query,
                             why);
    if (status == STATUS_OK)
        status = write_types(growth, response, why);
    if (status == STATUS_OK)
        status = query_page_next(growth->query, &growth->page, total, growth->asked_to_ms,
                                 &response->next_page_token, why);
    response->from_ms = growth->from_ms;
    response->to_ms = growth->to_ms;
    response->window_ms = growth->window_ms;
    response->instances_from = growth->instances[SIDE_FROM];
    response->instances_to = growth->instances[SIDE_TO];
    return status;
}

enum status query_get_growth(struct query *query, const ProtobufCMessage *request,
                             ProtobufCMessage **ret, struct why *why)
{
    struct growth growth = {.query = query, .asked = (const void *)request};
    void *memory = NULL;
    enum status status = query_alloc(query, sizeof(Heapfleet__V1__GetGrowthResponse), &memory, why);
    if (status != STATUS_OK)
        return status;
    Heapfleet__V1__GetGrowthResponse *response = memory;
    heapfleet__v1__get_growth_response__init(response);
    status = answer(&growth, response, why);
    type_table_done(&growth.table);
    if (status == STATUS_OK)
        *ret = &response->base;
    return status;
}
