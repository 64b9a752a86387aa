/*
 * A store in memory: the reading half of store.h, for unit tests of what reads it. The definitions
 * here take the place of the module's own, because a linker takes from a library only what is
 * missing. Included by one test program each, with fake_glance.h.
 *
 *     fake_reset();
 *     int shop = fake_service("shop", "prod", "");
 *     int v1 = fake_deployment(shop, "v1");
 *     int pod = fake_instance(v1, started_ms, "dict", "app.Order", NULL);
 *     fake_snapshot(pod, time_ms, 2, (struct type_value[]){{1, 100}, {2, 200}});
 *
 * Everything is found by index; ids are index + 1. Type ids are shared by all processes.
 */
#ifndef TESTS_SUPPORT_FAKE_STORE_H
#define TESTS_SUPPORT_FAKE_STORE_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "findings.h"
#include "history_ranges.h"
#include "history_type.h"
#include "instance_about.h"
#include "levels.h"
#include "store.h"

enum { FAKE_MAX = 64, FAKE_TYPES = 32, FAKE_SNAPSHOTS = 4096 };

struct fake_snapshot_row {
    int instance;
    int64_t time_ms;
    uint64_t sequence;
    uint32_t types;
    struct type_value values[8];
};

static struct {
    struct service_row services[FAKE_MAX];
    int service_count;
    struct deployment_row deployments[FAKE_MAX];
    int deployment_service[FAKE_MAX];
    int deployment_count;
    struct instance_row instances[FAKE_MAX];
    int32_t type_ids[FAKE_MAX][8];
    int instance_count;
    const char *types[FAKE_TYPES];
    int type_count;
    struct finding_row findings[FAKE_MAX];
    int finding_count;
    struct fake_snapshot_row snapshots[FAKE_SNAPSHOTS]; /* by instance ascending in sequence */
    int snapshot_count;
    int reads_until_failure; /* the n-th read fails; 0: none */
    int walked;              /* snapshots shown to visitors */
    int64_t rolled_until_ms; /* what level_end says */
    int asking_ahead;        /* nothing is answered */
} fake;

static inline void fake_reset(void)
{
    memset(&fake, 0, sizeof(fake));
}

static inline int fake_service(const char *name, const char *environment, const char *space)
{
    int i = fake.service_count++;
    fake.services[i] = (struct service_row){i + 1, name, space, environment};
    return i;
}

static inline int fake_deployment(int service, const char *version)
{
    int i = fake.deployment_count++;
    fake.deployments[i] = (struct deployment_row){.id = i + 1, .version = version};
    fake.deployment_service[i] = service;
    return i;
}

static inline int32_t fake_type(const char *name)
{
    for (int i = 0; i < fake.type_count; i++) {
        if (strcmp(fake.types[i], name) == 0)
            return i + 1;
    }
    fake.types[fake.type_count] = name;
    return ++fake.type_count;
}

/* Types end with NULL. */
static inline int fake_instance(int deployment, int64_t started_ms, ...)
{
    int i = fake.instance_count++;
    struct instance_row *row = &fake.instances[i];
    *row = (struct instance_row){.id = i + 1, .deployment_id = deployment + 1};
    row->started_ms = started_ms;
    memset(row->uuid, i + 1, sizeof(row->uuid));
    va_list args;
    va_start(args, started_ms);
    for (const char *type; (type = va_arg(args, const char *)) != NULL;)
        fake.type_ids[i][row->type_count++] = fake_type(type);
    va_end(args);
    row->type_ids = fake.type_ids[i];
    return i;
}

static inline void fake_snapshot(int instance, int64_t time_ms, uint32_t types,
                                 const struct type_value *values)
{
    struct fake_snapshot_row *row = &fake.snapshots[fake.snapshot_count];
    struct instance_row *of = &fake.instances[instance];
    *row = (struct fake_snapshot_row){
        instance, time_ms, (uint64_t)++fake.snapshot_count, types, {{0, 0}}};
    memcpy(row->values, values, types * sizeof(*values));
    of->interval_ms = of->last_seen_ms == 0 ? 0 : time_ms - of->last_seen_ms;
    of->last_seen_ms = time_ms;
    of->objects = of->bytes = 0;
    for (uint32_t i = 0; i < types; i++) {
        of->objects += values[i].count;
        of->bytes += values[i].bytes;
    }
}

static inline enum status fake_read(struct why *why)
{
    if (fake.asking_ahead > 0)
        return why_fail(why, STATUS_UNAVAILABLE, "it is only asked");
    if (fake.reads_until_failure > 0 && --fake.reads_until_failure == 0)
        return why_fail(why, STATUS_UNAVAILABLE, "the database is away");
    return STATUS_OK;
}

/* ---- store.h ----------------------------------------------------------------------------------
 */

static inline enum status fake_copy(struct arena *arena, const void *rows, size_t size, void **ret,
                                    struct why *why)
{
    *ret = arena_alloc(arena, size);
    if (*ret == NULL)
        return why_fail(why, STATUS_LIMIT, "the list does not fit");
    memcpy(*ret, rows, size);
    return STATUS_OK;
}

/* One read: the rows as a list, `ret` the place of a pointer to them. */
static inline enum status fake_answer(struct arena *arena, const void *rows, size_t size,
                                      size_t count, void *ret, size_t *ret_count, struct why *why)
{
    enum status status = fake_read(why);
    void *list = NULL;
    if (status == STATUS_OK)
        status = fake_copy(arena, rows, size, &list, why);
    if (status != STATUS_OK)
        return status;
    memcpy(ret, &list, sizeof(list));
    *ret_count = count;
    return STATUS_OK;
}

enum status service_list(struct db *db, struct arena *arena, struct service_row **ret,
                         size_t *ret_count, struct why *why)
{
    (void)db;
    return fake_answer(arena, fake.services, sizeof(fake.services), (size_t)fake.service_count, ret,
                       ret_count, why);
}

enum status deployment_versions(struct db *db, int64_t service_id, struct arena *arena,
                                struct deployment_row **ret, size_t *ret_count, struct why *why)
{
    (void)db;
    struct deployment_row found[FAKE_MAX];
    size_t count = 0;
    for (int i = 0; i < fake.deployment_count; i++) {
        if (fake.deployment_service[i] + 1 == service_id)
            found[count++] = fake.deployments[i];
    }
    return fake_answer(arena, found, count * sizeof(*found), count, ret, ret_count, why);
}

static inline int fake_is_one_of(const struct instance_filter *filter, int64_t deployment_id)
{
    for (size_t i = 0; i < filter->deployment_count; i++) {
        if (filter->deployment_ids[i] == deployment_id)
            return 1;
    }
    return filter->deployment_count == 0;
}

static inline struct instance_row fake_of_type(struct instance_row row,
                                               const struct instance_filter *filter)
{
    int32_t type_id = filter->of_type;
    row.type_index = UINT32_MAX;
    for (uint32_t i = row.type_count; i > 0; i--) {
        if (row.type_ids[i - 1] == type_id && row.last_seen_ms >= filter->of_type_from_ms)
            row.type_index = i - 1;
    }
    if (type_id != 0)
        row.type_count = 0;
    return row;
}

enum status instance_list_some(struct db *db, int64_t service_id,
                               const struct instance_filter *filter, struct arena *arena,
                               struct instance_row **ret, size_t *ret_count, struct why *why)
{
    (void)db;
    struct instance_row found[FAKE_MAX];
    size_t count = 0;
    for (int i = 0; i < fake.instance_count; i++) {
        const struct instance_row *row = &fake.instances[i];
        if (fake.deployment_service[row->deployment_id - 1] + 1 == service_id &&
            fake_is_one_of(filter, row->deployment_id) &&
            (filter->seen_from_ms == 0 || row->last_seen_ms >= filter->seen_from_ms))
            found[count++] = fake_of_type(*row, filter);
    }
    return fake_answer(arena, found, count * sizeof(*found), count, ret, ret_count, why);
}

enum status type_id_find(struct db *db, const char *name, int32_t *ret, struct why *why)
{
    (void)db;
    enum status status = fake_read(why);
    if (status != STATUS_OK)
        return status;
    for (int i = 0; i < fake.type_count; i++) {
        if (strcmp(fake.types[i], name) == 0) {
            *ret = i + 1;
            return STATUS_OK;
        }
    }
    return why_fail(why, STATUS_NOT_FOUND, "no such type");
}

enum status type_names(struct db *db, const int32_t *ids, size_t count, struct arena *arena,
                       const char ***ret, struct why *why)
{
    (void)db;
    enum status status = fake_read(why);
    if (status != STATUS_OK)
        return status;
    const char **names = arena_alloc(arena, count * sizeof(*names));
    if (names == NULL)
        return why_fail(why, STATUS_LIMIT, "the names do not fit");
    for (size_t i = 0; i < count; i++)
        names[i] = fake.types[ids[i] - 1];
    *ret = names;
    return STATUS_OK;
}

enum status history_walk(struct db *db, int64_t service_id, int64_t instance_id, int64_t from_ms,
                         int64_t to_ms, history_visit_fn *visit, void *user, struct why *why)
{
    (void)db;
    (void)service_id;
    enum status status = fake_read(why);
    for (int i = 0; i < fake.snapshot_count && status == STATUS_OK; i++) {
        struct fake_snapshot_row *row = &fake.snapshots[i];
        if (row->instance + 1 != instance_id || row->time_ms < from_ms || row->time_ms > to_ms)
            continue;
        struct heap_values values = {row->values, row->types, row->types};
        struct history_snapshot snapshot = {
            .sequence = row->sequence, .time_ms = row->time_ms, .values = &values};
        for (uint32_t k = 0; k < row->types; k++) {
            snapshot.objects += row->values[k].count;
            snapshot.bytes += row->values[k].bytes;
        }
        fake.walked++;
        status = visit(user, &snapshot);
    }
    return status;
}

/* ---- history_ranges.h, instance_about.h, levels.h --------------------------------------------
 */

struct fake_range {
    history_range_visit_fn *visit;
    void *user;
    size_t range;
};

static inline enum status fake_visit_range(void *user, const struct history_snapshot *snapshot)
{
    const struct fake_range *one = user;
    return one->visit(one->user, one->range, snapshot);
}

enum status history_walk_ranges(struct db *db, int64_t service_id,
                                const struct history_range *ranges, size_t count,
                                history_range_visit_fn *visit, void *user, struct why *why)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        struct fake_range one = {visit, user, i};
        status = history_walk(db, service_id, ranges[i].instance_id, ranges[i].from_ms,
                              ranges[i].to_ms, fake_visit_range, &one, why);
    }
    return status;
}

enum status history_walk_tail(struct db *db, int64_t service_id, const struct history_range *ranges,
                              size_t count, history_range_visit_fn *visit, void *user,
                              struct why *why)
{
    return history_walk_ranges(db, service_id, ranges, count, visit, user, why);
}

enum status history_first_times(struct db *db, int64_t service_id, const int64_t *instance_ids,
                                size_t count, int64_t from_ms, int64_t to_ms, int64_t *ret,
                                struct why *why)
{
    (void)db;
    (void)service_id;
    enum status status = fake_read(why);
    for (size_t k = 0; k < count && status == STATUS_OK; k++) {
        ret[k] = 0;
        for (int i = fake.snapshot_count - 1; i >= 0; i--) {
            const struct fake_snapshot_row *row = &fake.snapshots[i];
            if (row->instance + 1 == instance_ids[k] && row->time_ms >= from_ms &&
                row->time_ms <= to_ms)
                ret[k] = row->time_ms;
        }
    }
    return status;
}

struct fake_type_walk {
    const struct type_range *ranges;
    history_type_visit_fn *visit;
    void *user;
};

static inline enum status fake_visit_type(void *user, size_t range,
                                          const struct history_snapshot *snapshot)
{
    const struct fake_type_walk *walk = user;
    struct type_value value = {0};
    if (walk->ranges[range].index < snapshot->values->types)
        value = snapshot->values->values[walk->ranges[range].index];
    return walk->visit(walk->user, range, snapshot->time_ms, value);
}

enum status history_walk_type(struct db *db, const struct type_span *span,
                              const struct type_range *ranges, size_t count,
                              history_type_visit_fn *visit, void *user, struct why *why)
{
    struct history_range walked[FAKE_MAX];
    for (size_t i = 0; i < count; i++)
        walked[i] = (struct history_range){ranges[i].instance_id, span->from_ms, span->to_ms};
    struct fake_type_walk walk = {ranges, visit, user};
    return history_walk_ranges(db, span->service_id, walked, count, fake_visit_type, &walk, why);
}

enum status instance_about_read(struct db *db, int64_t service_id, const int64_t *ids, size_t count,
                                struct arena *arena, struct instance_about **ret, struct why *why)
{
    (void)db;
    (void)service_id;
    enum status status = fake_read(why);
    struct instance_about *list = arena_alloc(arena, (count + 1) * sizeof(*list));
    if (status == STATUS_OK && list == NULL)
        return why_fail(why, STATUS_LIMIT, "the list does not fit");
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        list[i] =
            (struct instance_about){"node-1", "pod", "", "3.11.2", "exited", (uint32_t)ids[i]};
    if (status == STATUS_OK)
        *ret = list;
    return status;
}

enum status level_end(struct db *db, int64_t service_id, int64_t now_ms, int64_t *ret,
                      struct why *why)
{
    (void)db;
    (void)service_id;
    (void)now_ms;
    enum status status = fake_read(why);
    if (status == STATUS_OK)
        *ret = fake.rolled_until_ms;
    return status;
}

enum status level_days_end(struct db *db, int64_t service_id, int64_t *ret, struct why *why)
{
    (void)db;
    (void)service_id;
    enum status status = fake_read(why);
    if (status == STATUS_OK)
        *ret = INT64_MAX;
    return status;
}

/* One row of a deployment: means over its snapshots with from_ms <= time < to_ms. */
static inline struct level_row fake_mean(int deployment, int32_t type_id, int64_t from_ms,
                                         int64_t to_ms)
{
    struct level_row row = {.time_ms = from_ms, .deployment_id = deployment + 1};
    uint64_t snapshots = 0;
    int last = -1;
    for (int i = 0; i < fake.snapshot_count; i++) {
        const struct fake_snapshot_row *at = &fake.snapshots[i];
        const struct instance_row *of = &fake.instances[at->instance];
        if (of->deployment_id != deployment + 1 || at->time_ms < from_ms || at->time_ms >= to_ms)
            continue;
        for (uint32_t k = 0; k < at->types; k++) {
            int wanted = type_id == 0 || of->type_ids[k] == type_id;
            row.count += wanted ? (double)at->values[k].count : 0;
            row.bytes += wanted ? (double)at->values[k].bytes : 0;
        }
        row.instances += at->instance != last;
        last = at->instance;
        snapshots++;
    }
    row.count /= snapshots > 0 ? (double)snapshots : 1;
    row.bytes /= snapshots > 0 ? (double)snapshots : 1;
    return row;
}

static inline enum status fake_rollup(int64_t width_ms, const struct level_span *span,
                                      struct arena *arena, struct level_row **ret,
                                      size_t *ret_count, struct why *why)
{
    struct level_row found[512];
    size_t count = 0;
    int64_t first_ms = (span->from_ms + width_ms - 1) / width_ms * width_ms;
    for (int64_t at_ms = first_ms; at_ms < span->to_ms; at_ms += width_ms) {
        for (int d = 0; d < fake.deployment_count && count < ARRAY_SIZE(found); d++) {
            struct level_row row = fake_mean(d, span->type_id, at_ms, at_ms + width_ms);
            if (fake.deployment_service[d] + 1 == span->service_id && row.instances > 0)
                found[count++] = row;
        }
    }
    return fake_answer(arena, found, count * sizeof(*found), count, ret, ret_count, why);
}

enum status level_hours(struct db *db, const struct level_span *span, struct arena *arena,
                        struct level_row **ret, size_t *ret_count, struct why *why)
{
    (void)db;
    return fake_rollup(3600000, span, arena, ret, ret_count, why);
}

enum status level_days(struct db *db, const struct level_span *span, struct arena *arena,
                       struct level_row **ret, size_t *ret_count, struct why *why)
{
    (void)db;
    return fake_rollup(86400000, span, arena, ret, ret_count, why);
}

enum status level_find_hour(struct db *db, int64_t service_id, int64_t deployment_id,
                            int64_t from_ms, int64_t to_ms, int last, int64_t *ret, struct why *why)
{
    (void)db;
    (void)service_id;
    int64_t found_ms = -1;
    enum status status = fake_read(why);
    for (int i = 0; i < fake.snapshot_count && status == STATUS_OK; i++) {
        int64_t hour_ms = fake.snapshots[i].time_ms / 3600000 * 3600000;
        int64_t of = fake.instances[fake.snapshots[i].instance].deployment_id;
        if (hour_ms < from_ms || hour_ms >= to_ms || (deployment_id != 0 && of != deployment_id))
            continue;
        if (found_ms < 0 || (last ? hour_ms > found_ms : hour_ms < found_ms))
            found_ms = hour_ms;
    }
    if (status == STATUS_OK)
        *ret = found_ms;
    return status;
}

/* Of at most FAKE_MAX deployments and FAKE_TYPES types. */
enum status level_hour_read(struct db *db, int64_t service_id, int64_t hour_ms, struct arena *arena,
                            struct level_hour *ret, struct why *why)
{
    (void)db;
    struct level_hour hour = {0};
    enum status status = fake_read(why);
    hour.deployments = arena_alloc(arena, FAKE_MAX * sizeof(*hour.deployments));
    hour.types = arena_alloc(arena, (size_t)FAKE_MAX * FAKE_TYPES * sizeof(*hour.types));
    if (status == STATUS_OK && (hour.deployments == NULL || hour.types == NULL))
        return why_fail(why, STATUS_LIMIT, "the hour does not fit");
    for (int d = 0; d < fake.deployment_count && status == STATUS_OK; d++) {
        struct level_row all = fake_mean(d, 0, hour_ms, hour_ms + 3600000);
        if (fake.deployment_service[d] + 1 != service_id || all.instances == 0)
            continue;
        hour.deployments[hour.deployment_count++] =
            (struct level_deployment){d + 1, all.instances, 60 * all.instances};
        for (int t = 0; t < fake.type_count; t++) {
            struct level_row row = fake_mean(d, t + 1, hour_ms, hour_ms + 3600000);
            hour.types[hour.type_count++] = (struct level_type){t + 1, d + 1, row.count, row.bytes};
        }
    }
    if (status == STATUS_OK)
        *ret = hour;
    return status;
}

/* ---- findings ---------------------------------------------------------------------------------
 */

const char *finding_state_name(enum finding_state state)
{
    (void)state;
    return "open";
}

enum status finding_events(struct db *db, const struct finding_row *finding, struct arena *arena,
                           struct finding_event **ret, size_t *ret_count, struct why *why)
{
    (void)db;
    (void)finding;
    (void)arena;
    *ret = NULL;
    *ret_count = 0;
    return fake_read(why);
}

enum status finding_evidence(struct db *db, const struct finding_row *finding, struct arena *arena,
                             struct finding_figure **ret, size_t *ret_count, struct why *why)
{
    (void)db;
    (void)finding;
    (void)arena;
    *ret = NULL;
    *ret_count = 0;
    return fake_read(why);
}

enum status mute_list(struct db *db, int64_t now_ms, struct arena *arena, struct mute_row **ret,
                      size_t *ret_count, struct why *why)
{
    (void)db;
    (void)now_ms;
    (void)arena;
    *ret = NULL;
    *ret_count = 0;
    return fake_read(why);
}

/* By id only; what is asked of a service is the service's already. */
enum status findings_list(struct db *db, const struct finding_filter *filter, int64_t now_ms,
                          struct arena *arena, struct finding_row **ret, size_t *ret_count,
                          struct why *why)
{
    (void)db;
    (void)filter;
    (void)now_ms;
    return fake_answer(arena, fake.findings, sizeof(fake.findings), (size_t)fake.finding_count, ret,
                       ret_count, why);
}

enum status db_open(const char *dsn, struct db **ret, struct why *why)
{
    (void)dsn;
    (void)ret;
    return why_fail(why, STATUS_UNAVAILABLE, "the fake store has no database");
}

void db_close(struct db *db)
{
    (void)db;
}

void db_ask_ahead(struct db *db, int is_on)
{
    (void)db;
    fake.asking_ahead += is_on ? 1 : -1;
}

void db_flush_ahead(struct db *db)
{
    (void)db;
}

void db_forget_ahead(struct db *db)
{
    (void)db;
}

#endif
