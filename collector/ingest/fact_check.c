#include "fact_check.h"

#include <string.h>

/* Numbers begin at the agent's start time in ms times 1024; one from beyond tomorrow is a lie. */
enum status fact_check_sequence(uint64_t sequence, uint64_t previous,
                                const struct session_limits *limits, int64_t now_ms,
                                struct why *why)
{
    uint64_t most = (uint64_t)(now_ms + limits->sequence_ahead_ms) * 1024;
    if (sequence <= previous)
        return why_fail(why, STATUS_INVALID, "sequence %llu after %llu",
                        (unsigned long long)sequence, (unsigned long long)previous);
    if (sequence > most)
        return why_fail(why, STATUS_INVALID,
                        "sequence %llu is out of range: is the agent's clock "
                        "right?",
                        (unsigned long long)sequence);
    return STATUS_OK;
}

int64_t fact_check_clock(int64_t time_ms, int64_t now_ms)
{
    const int64_t right_ms = 5000, most_ms = (int64_t)10 * 366 * 24 * 3600 * 1000;
    if (time_ms <= 0 || time_ms > now_ms + most_ms || time_ms < now_ms - most_ms)
        return 0;
    int64_t behind_ms = now_ms - time_ms;
    return behind_ms > right_ms || behind_ms < -right_ms ? behind_ms : 0;
}

enum status fact_check_time(int64_t time_ms, const struct session_limits *limits, int64_t now_ms,
                            struct why *why)
{
    double ahead_s = ((double)time_ms - (double)now_ms) / 1000; /* the integers may overflow */
    if (time_ms > now_ms + limits->clock_ahead_ms)
        return why_fail(why, STATUS_INVALID, "its time is %.0f s in the future: set the clock",
                        ahead_s);
    if (time_ms < now_ms - limits->clock_behind_ms)
        return why_fail(why, STATUS_INVALID,
                        "its time is %.0f s (%.1f days) in the past: set the clock, or give the "
                        "collector a longer --max-clock-behind",
                        -ahead_s, -ahead_s / 86400);
    return STATUS_OK;
}

static enum status check_numbers(const Heapfleet__V1__Snapshot *snapshot, struct why *why)
{
    const uint64_t numbers[] = {
        snapshot->base_sequence,
        snapshot->rss_anon_bytes,
        snapshot->swap_bytes,
        snapshot->container_usage_bytes,
        snapshot->container_limit_bytes,
        snapshot->cpu_ms,
        snapshot->not_objects_bytes,
        snapshot->pool_bytes,
        snapshot->pool_free_bytes,
        snapshot->malloc_free_bytes,
        snapshot->objects_error,
        snapshot->bytes_error,
        snapshot->pss_bytes,
    };
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        if (numbers[i] > INT64_MAX)
            return why_fail(why, STATUS_INVALID, "one of its numbers is above 2^63");
    }
    if (snapshot->coverage > 10000 || snapshot->dropped > INT32_MAX)
        return why_fail(why, STATUS_INVALID, "its coverage or count of dropped is out of range");
    return STATUS_OK;
}

static struct snapshot_row row_of(uint64_t sequence, const Heapfleet__V1__Snapshot *snapshot)
{
    return (struct snapshot_row){
        .sequence = sequence,
        .base_sequence = snapshot->base_sequence,
        .time_ms = snapshot->time_ms,
        .rss_anon_bytes = snapshot->rss_anon_bytes,
        .swap_bytes = snapshot->swap_bytes,
        .container_usage_bytes = snapshot->container_usage_bytes,
        .container_limit_bytes = snapshot->container_limit_bytes,
        .cpu_ms = snapshot->cpu_ms,
        .not_objects_bytes = snapshot->not_objects_bytes,
        .coverage = snapshot->coverage,
        .dropped = snapshot->dropped,
        .pool_bytes = snapshot->pool_bytes,
        .pool_free_bytes = snapshot->pool_free_bytes,
        .malloc_free_bytes = snapshot->malloc_free_bytes,
        .pss_bytes = snapshot->pss_bytes,
        .body = snapshot->body.data,
        .body_size = snapshot->body.len,
    };
}

enum status fact_check_snapshot(uint64_t sequence, const Heapfleet__V1__Snapshot *snapshot,
                                struct snapshot_row *ret, struct why *why)
{
    enum status status = check_numbers(snapshot, why);
    if (status == STATUS_OK)
        *ret = row_of(sequence, snapshot);
    return status;
}

enum status fact_check_names(const Heapfleet__V1__TypeDefinitions *types,
                             const struct session_limits *limits, enum ingest_fault *ret_fault,
                             struct why *why)
{
    *ret_fault = FAULT_TYPES;
    if (types->n_names > limits->types_max || types->first_index > limits->types_max ||
        types->first_index + types->n_names > limits->types_max)
        return why_fail(why, STATUS_LIMIT, "the process has more than %u types", limits->types_max);
    *ret_fault = FAULT_NAMES;
    for (size_t i = 0; i < types->n_names; i++) {
        size_t size = strnlen(types->names[i], (size_t)limits->name_bytes_max + 1);
        if (size == 0)
            return why_fail(why, STATUS_INVALID, "type %zu has no name", types->first_index + i);
        if (size > limits->name_bytes_max)
            return why_fail(why, STATUS_LIMIT, "the name of type %zu is longer than %u bytes",
                            types->first_index + i, limits->name_bytes_max);
    }
    return STATUS_OK;
}

const char *fact_end_reason(Heapfleet__V1__EndReason reason)
{
    switch (reason) {
    case HEAPFLEET__V1__END_REASON__END_REASON_EXITED:
        return "exited";
    case HEAPFLEET__V1__END_REASON__END_REASON_OOM_KILLED:
        return "oom_killed";
    case HEAPFLEET__V1__END_REASON__END_REASON_REPLACED:
        return "replaced";
    default:
        return "unknown";
    }
}
