/*
 * Snapshots come in the order of their numbers, so that one row of the two lowest values of each
 * type is all that is held besides the floors themselves. A clock that was set back makes a
 * snapshot fall into a bin that is done: it is left out.
 */
#include "life_reader.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

enum { TORN_FROM = 4 }; /* snapshots in a bin, from which on the lowest is not believed */

struct lowest_pair {
    double low, second;
};

struct type_lows {
    struct lowest_pair count, bytes;
};

struct reading {
    const struct life_request *request;
    struct detect_floor *floors;
    struct type_lows *lows; /* of the bin, by index of the process's types */
    uint32_t bin;           /* relative to the span; span.bins: none yet */
    uint32_t snapshots;     /* in it */
    struct life_memory memory;
};

struct life_span life_span_of(const struct instance_row *instance, double bin_ms, uint32_t bins_max)
{
    double uptime_ms = (double)instance->last_seen_ms - (double)instance->started_ms;
    if (instance->last_seen_ms <= 0 || !(uptime_ms > 0) || uptime_ms / bin_ms >= UINT32_MAX)
        return (struct life_span){0, 0};
    uint32_t bins = (uint32_t)(uptime_ms / bin_ms);
    uint32_t first = bins > bins_max ? bins - bins_max : 0;
    return (struct life_span){.first_bin = first, .bins = bins - first};
}

static void lowest_add(struct lowest_pair *pair, double value)
{
    pair->second = fmin(pair->second, fmax(pair->low, value));
    pair->low = fmin(pair->low, value);
}

static double floor_of(const struct lowest_pair *pair, uint32_t snapshots)
{
    return snapshots >= TORN_FROM ? pair->second : pair->low;
}

/* The bin is complete: its floors take their place. */
static void finish_bin(struct reading *reading)
{
    const struct life_request *request = reading->request;
    if (reading->snapshots == 0)
        return;
    for (uint32_t i = 0; i < request->instance->type_count; i++) {
        const struct type_lows *lows = &reading->lows[i];
        size_t cell = (size_t)request->rows[i] * request->span.bins + reading->bin;
        reading->floors[cell] = (struct detect_floor){
            .count = floor_of(&lows->count, reading->snapshots),
            .bytes = floor_of(&lows->bytes, reading->snapshots),
        };
    }
    reading->snapshots = 0;
}

static void begin_bin(struct reading *reading, uint32_t bin)
{
    const struct life_request *request = reading->request;
    const struct lowest_pair none = {DBL_MAX, DBL_MAX};
    reading->bin = bin;
    for (uint32_t i = 0; i < request->instance->type_count; i++)
        reading->lows[i] = (struct type_lows){none, none};
    for (uint32_t row = 0; row < request->type_count; row++)
        reading->floors[(size_t)row * request->span.bins + bin] = (struct detect_floor){0, 0};
}

static void add_values(struct reading *reading, const struct heap_values *values)
{
    for (uint32_t i = 0; i < reading->request->instance->type_count; i++) {
        const struct type_value none = {0, 0};
        const struct type_value *value = i < values->types ? &values->values[i] : &none;
        lowest_add(&reading->lows[i].count, (double)value->count);
        lowest_add(&reading->lows[i].bytes, (double)value->bytes);
    }
    reading->snapshots++;
}

static enum status visit(void *user, const struct history_snapshot *snapshot)
{
    struct reading *reading = user;
    const struct life_request *request = reading->request;
    reading->memory =
        (struct life_memory){snapshot->container_usage_bytes, snapshot->container_limit_bytes};
    double uptime_ms = (double)snapshot->time_ms - (double)request->instance->started_ms;
    double place = floor(uptime_ms / request->bin_ms) - request->span.first_bin;
    int is_first = reading->bin == request->span.bins;
    if (!(place >= 0) || place >= request->span.bins || (!is_first && place < reading->bin))
        return STATUS_OK;
    if (is_first || place > reading->bin) {
        finish_bin(reading);
        begin_bin(reading, (uint32_t)place);
    }
    add_values(reading, snapshot->values);
    return STATUS_OK;
}

enum status life_read_floors(struct db *db, const struct life_request *request,
                             struct detect_floor *floors, struct life_memory *ret, struct why *why)
{
    const struct instance_row *instance = request->instance;
    struct reading reading = {
        .request = request,
        .floors = floors,
        .bin = request->span.bins,
        .lows = calloc((size_t)instance->type_count + 1, sizeof(struct type_lows)),
    };
    ASSERT(reading.lows != NULL);
    for (size_t i = 0; i < (size_t)request->type_count * request->span.bins; i++)
        floors[i] = (struct detect_floor){NAN, NAN};
    int64_t from_ms = instance->started_ms + (int64_t)(request->span.first_bin * request->bin_ms);
    enum status status = history_walk(db, request->service_id, instance->id, from_ms,
                                      instance->last_seen_ms, visit, &reading, why);
    finish_bin(&reading);
    free(reading.lows);
    if (status == STATUS_OK)
        *ret = reading.memory;
    return status;
}
