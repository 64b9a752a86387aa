#include "query.h"

enum status query_alloc(struct query *query, size_t size, void **ret, struct why *why)
{
    void *memory = arena_alloc(query->arena, size);
    if (memory == NULL)
        return why_fail(why, STATUS_LIMIT,
                        "the answer takes more than %zu MB of memory; ask for less at a time",
                        query->arena->cap_bytes / 1000000);
    memset(memory, 0, size);
    *ret = memory;
    return STATUS_OK;
}

enum status query_check_span(int64_t from_ms, int64_t to_ms, int64_t now_ms, struct why *why)
{
    const int64_t time_max_ms = 253402300800000; /* the year 10000 */
    const int64_t ahead_ms = 60000;              /* of a clock that is a little fast */
    if (from_ms < 0 || to_ms < 0)
        return why_fail(why, STATUS_INVALID, "times cannot be negative");
    if (to_ms > time_max_ms)
        return why_fail(why, STATUS_INVALID, "times end with the year 9999");
    if (from_ms >= to_ms)
        return why_fail(why, STATUS_INVALID, "the span ends before it begins");
    if (from_ms > now_ms + ahead_ms)
        return why_fail(why, STATUS_INVALID, "the span begins in the future");
    return STATUS_OK;
}

int64_t query_interval_ms(const struct instance_row *instance)
{
    return instance->interval_ms > 0 ? instance->interval_ms : QUERY_INTERVAL_DEFAULT_MS;
}

int query_is_live(const struct instance_row *instance, int64_t now_ms)
{
    if (instance->ended_ms != 0 || instance->last_seen_ms == 0)
        return 0;
    int64_t seen_ms = instance->last_seen_ms + instance->clock_behind_ms;
    return (now_ms - seen_ms - QUERY_GRACE_MS) / 3 <= query_interval_ms(instance);
}
