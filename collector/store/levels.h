/*
 * Reading heapfleet.deployment_hour, hour_group and heap_day: means over all snapshots that the
 * processes of a deployment had in an hour or a day of UTC.
 */
#ifndef COLLECTOR_STORE_LEVELS_H
#define COLLECTOR_STORE_LEVELS_H

#include "store.h"

struct level_row {
    int64_t time_ms; /* where the hour or day begins */
    int64_t deployment_id;
    double count, bytes; /* of a snapshot, mean; 0 when the type was not there */
    uint32_t instances;  /* processes with a snapshot in it; 0: a day does not know */
};

/*
 * What begins at this time or later is not rolled up yet, or not wholly: it must be read from the
 * snapshots themselves. A multiple of four hours; 0 when nothing is.
 */
enum status level_end(struct db *db, int64_t service_id, int64_t now_ms, int64_t *ret,
                      struct why *why) MUST_CHECK;

/* Days that begin at this time or later are to be made, or made anew, of hours; INT64_MAX: none. */
enum status level_days_end(struct db *db, int64_t service_id, int64_t *ret,
                           struct why *why) MUST_CHECK;

struct level_span {
    int64_t service_id;
    int32_t type_id;        /* 0: all types together */
    int64_t from_ms, to_ms; /* of beginnings: from_ms <= time < to_ms */
};

/* The hours, or days, of a type that begin within the span, by time, in the arena. LIMIT: they do
 * not fit. */
typedef enum status level_read_fn(struct db *db, const struct level_span *span, struct arena *arena,
                                  struct level_row **ret, size_t *ret_count, struct why *why);
MUST_CHECK level_read_fn level_hours;
MUST_CHECK level_read_fn level_days;

/*
 * The first hour, or with `last` the last, that begins at from_ms <= time < to_ms and in which the
 * deployment (0: any) had a snapshot; -1: there is none that is rolled up.
 */
enum status level_find_hour(struct db *db, int64_t service_id, int64_t deployment_id,
                            int64_t from_ms, int64_t to_ms, int last, int64_t *ret,
                            struct why *why) MUST_CHECK;

struct level_type {
    int32_t type_id;
    int64_t deployment_id;
    double count, bytes; /* as above */
};

/* A deployment in one hour. */
struct level_deployment {
    int64_t deployment_id;
    uint32_t instances, snapshots;
};

/* One whole hour of every type and deployment of a service, in the arena. No deployment: nobody
 * had a snapshot in it. */
struct level_hour {
    struct level_deployment *deployments;
    size_t deployment_count;
    struct level_type *types;
    size_t type_count;
};
enum status level_hour_read(struct db *db, int64_t service_id, int64_t hour_ms, struct arena *arena,
                            struct level_hour *ret, struct why *why) MUST_CHECK;

#endif
