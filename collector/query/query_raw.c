/*
 * History as it came: every snapshot a point, in pages by time. A page reads slices of the span,
 * each of about as many snapshots as are still missing, so that memory follows the page and not the
 * span. The token is the time of the page's last point, and how many points of that very time have
 * been given.
 */
#include <stdlib.h>

#include "history_ranges.h"
#include "query_history.h"
#include "query_page.h"

enum { PAGE_USUAL = 10000, PAGE_MOST = 50000, SLICE_POINTS_MAX = 1000000 };

struct raw_point {
    int64_t time_ms;
    uint64_t sequence;
    struct type_value value;
    uint32_t instance; /* index into chosen */
};

struct raw_walk {
    struct history *history;
    struct buf points; /* of struct raw_point */
    uint32_t *indices; /* [ranges]: where each one's process has the type */
    uint32_t *chosen;  /* [ranges]: index into history->chosen */
    struct history_range *ranges;
    size_t range_count;
};

/* ---- a slice -------------------------------------------------------------------------------- */

static enum status see_raw(void *user, size_t range, const struct history_snapshot *snapshot)
{
    struct raw_walk *walk = user;
    struct raw_point point = {snapshot->time_ms, snapshot->sequence,
                              history_value(walk->history, snapshot, walk->indices[range]),
                              walk->chosen[range]};
    if (walk->points.size / sizeof(point) == SLICE_POINTS_MAX)
        return STATUS_LIMIT;
    buf_append(&walk->points, &point, sizeof(point));
    return STATUS_OK;
}

static int in_time(const void *left, const void *right)
{
    const struct raw_point *a = left;
    const struct raw_point *b = right;
    if (a->time_ms != b->time_ms)
        return a->time_ms < b->time_ms ? -1 : 1;
    if (a->instance != b->instance)
        return a->instance < b->instance ? -1 : 1;
    return (a->sequence > b->sequence) - (a->sequence < b->sequence);
}

static enum status read_slice(struct raw_walk *walk, int64_t from_ms, int64_t to_ms,
                              struct why *why)
{
    const struct history *history = walk->history;
    size_t before = walk->points.size;
    walk->range_count = 0;
    for (uint32_t i = 0; i < history->chosen_count; i++) {
        const struct instance_row *row = history->chosen[i];
        if (row->last_seen_ms < from_ms || row->started_ms > to_ms)
            continue;
        walk->ranges[walk->range_count] = (struct history_range){row->id, from_ms, to_ms};
        walk->indices[walk->range_count] = row->type_index;
        walk->chosen[walk->range_count++] = i;
    }
    enum status status = history_walk_ranges(history->query->db, history->fleet.service.id,
                                             walk->ranges, walk->range_count, see_raw, walk, why);
    if (status == STATUS_LIMIT)
        return why_fail(why, STATUS_LIMIT, "more than %d snapshots lie too close together",
                        SLICE_POINTS_MAX);
    if (walk->points.size > before)
        qsort(walk->points.data + before, (walk->points.size - before) / sizeof(struct raw_point),
              sizeof(struct raw_point), in_time);
    return status;
}

/* Until there are `wanted` points, or the span ends. */
static enum status read_slices(struct raw_walk *walk, int64_t from_ms, size_t wanted,
                               struct why *why)
{
    const struct history *history = walk->history;
    int64_t interval_ms = 0;
    enum status status = history_interval(history, &interval_ms, why);
    while (status == STATUS_OK && from_ms <= history->to_ms) {
        size_t have = walk->points.size / sizeof(struct raw_point);
        if (have >= wanted)
            break;
        int64_t width_ms = (int64_t)((wanted - have) / history->chosen_count + 1) * interval_ms;
        int64_t end_ms = history->to_ms - from_ms > width_ms ? from_ms + width_ms : history->to_ms;
        status = read_slice(walk, from_ms, end_ms, why);
        from_ms = end_ms + 1;
        if (walk->points.size / sizeof(struct raw_point) == have)
            interval_ms *= 2; /* a gap: stride over it */
    }
    return status;
}

/* ---- the page ------------------------------------------------------------------------------- */

/* The names of each process, written once and shared by its points. */
struct point_names {
    char digits[QUERY_INSTANCE_DIGITS + 1];
    const char *version;
};

static enum status write_points(const struct history *history, const struct raw_point *points,
                                size_t count, Heapfleet__V1__GetHistoryResponse *response,
                                struct why *why)
{
    void *memory = NULL;
    enum status status = query_alloc(
        history->query, (history->chosen_count + 1) * sizeof(struct point_names), &memory, why);
    struct point_names *names = memory;
    for (size_t i = 0; i < history->chosen_count && status == STATUS_OK; i++) {
        query_instance_digits(history->chosen[i]->uuid, names[i].digits);
        names[i].version = query_version_of(&history->fleet, history->chosen[i]->deployment_id);
    }
    if (status == STATUS_OK)
        status = history_begin_points(history, count, response, why);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        Heapfleet__V1__HistoryPoint *point = NULL;
        status = history_add_point(history, response, &point, why);
        if (status != STATUS_OK)
            break;
        point->time_ms = points[i].time_ms;
        point->count = points[i].value.count;
        point->bytes = points[i].value.bytes;
        point->instances = 1;
        point->sequence = points[i].sequence;
        point->instance = names[points[i].instance].digits;
        point->version = (char *)names[points[i].instance].version;
    }
    return status;
}

static enum status write_page(const struct raw_walk *walk, size_t skip, uint32_t page_size,
                              Heapfleet__V1__GetHistoryResponse *response, struct why *why)
{
    const struct raw_point *points = (const struct raw_point *)(const void *)walk->points.data;
    size_t have = walk->points.size / sizeof(*points);
    if (have <= skip)
        return STATUS_OK;
    size_t count = have - skip < page_size ? have - skip : page_size;
    enum status status = write_points(walk->history, points + skip, count, response, why);
    if (status != STATUS_OK || have == skip + count)
        return status;
    struct page_place next = {points[skip + count - 1].time_ms, 0};
    for (size_t i = skip + count; i > 0 && points[i - 1].time_ms == next.time_ms; i--)
        next.number++;
    return query_page_token(walk->history->query, next, &response->next_page_token, why);
}

static enum status make_room(struct raw_walk *walk, struct why *why)
{
    struct query *query = walk->history->query;
    size_t count = walk->history->chosen_count;
    void *ranges = NULL, *indices = NULL, *chosen = NULL;
    enum status status = query_alloc(query, count * sizeof(*walk->ranges), &ranges, why);
    if (status == STATUS_OK)
        status = query_alloc(query, count * sizeof(*walk->indices), &indices, why);
    if (status == STATUS_OK)
        status = query_alloc(query, count * sizeof(*walk->chosen), &chosen, why);
    walk->ranges = ranges;
    walk->indices = indices;
    walk->chosen = chosen;
    return status;
}

enum status history_raw(struct history *history, Heapfleet__V1__GetHistoryResponse *response,
                        struct why *why)
{
    struct page_place place;
    uint32_t page_size = 0;
    enum status status =
        query_page_size(history->asked->page_size, PAGE_USUAL, PAGE_MOST, &page_size, why);
    if (status == STATUS_OK)
        status = query_page_parse(history->asked->page_token, &place, why);
    if (status != STATUS_OK || history->chosen_count == 0)
        return status;
    if (place.number > SLICE_POINTS_MAX)
        return why_fail(why, STATUS_INVALID, "'%s' is not a page token of ours",
                        history->asked->page_token);
    struct raw_walk walk = {.history = history};
    int64_t from_ms = place.time_ms > history->from_ms ? place.time_ms : history->from_ms;
    size_t skip = place.time_ms >= history->from_ms ? (size_t)place.number : 0;
    status = make_room(&walk, why);
    if (status == STATUS_OK)
        status = read_slices(&walk, from_ms, skip + page_size + 1, why);
    if (status == STATUS_OK)
        status = write_page(&walk, skip, page_size, response, why);
    buf_done(&walk.points);
    return status;
}
