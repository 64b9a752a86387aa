#include "rollup_row.h"

#include <stdlib.h>

static enum status remove_old(struct db *db, const char *sql, int64_t service_id, int64_t slot_ms,
                              struct why *why)
{
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, service_id);
    pg_param_i64(&params, slot_ms);
    return pg_run(db->pg, sql, &params, NULL, why);
}

static uint64_t snapshots_of(const struct rollup_deployment *deployment)
{
    uint64_t snapshots = 0;
    for (int h = 0; h < ROLLUP_HOURS; h++)
        snapshots += deployment->hours[h].snapshots;
    return snapshots;
}

/* ---- types ---------------------------------------------------------------------------------- */

enum { GROUP_TYPES = 32 };

static void append_means(struct buf *array, const struct rollup_deployment *deployment,
                         const double *sums)
{
    for (int h = 0; h < ROLLUP_HOURS; h++) {
        uint32_t snapshots = deployment->hours[h].snapshots;
        if (snapshots > 0)
            pg_array_f32(array, (float)(sums[h] / snapshots));
        else
            pg_array_null(array);
    }
}

/* Whether any process had it. */
static int is_seen(const struct rollup_type *type)
{
    double bytes = 0;
    for (int h = 0; h < ROLLUP_HOURS; h++)
        bytes += type->bytes[h];
    return type->count_max > 0 || bytes > 0;
}

/* A type that some process had. */
struct seen_type {
    const struct rollup_type *type;
};

static int compare_types(const void *a, const void *b)
{
    int32_t left = ((const struct seen_type *)a)->type->type_id;
    int32_t right = ((const struct seen_type *)b)->type->type_id;
    return (left > right) - (left < right);
}

static int32_t group_of(struct seen_type seen)
{
    return seen.type->type_id / GROUP_TYPES;
}

/* The columns of one row. */
struct group_arrays {
    struct buf ids, count_avg, count_min, count_max, bytes_avg;
};

static void fill_arrays(struct group_arrays *arrays, const struct rollup_deployment *deployment,
                        const struct seen_type *types, size_t count)
{
    uint64_t snapshots = snapshots_of(deployment);
    pg_array_begin(&arrays->ids, PG_I32, count);
    pg_array_begin(&arrays->count_avg, PG_F32, count * ROLLUP_HOURS);
    pg_array_begin(&arrays->count_min, PG_I64, count);
    pg_array_begin(&arrays->count_max, PG_I64, count);
    pg_array_begin(&arrays->bytes_avg, PG_F32, count * ROLLUP_HOURS);
    for (size_t i = 0; i < count; i++) {
        const struct rollup_type *type = types[i].type;
        pg_array_i32(&arrays->ids, type->type_id);
        append_means(&arrays->count_avg, deployment, type->count);
        pg_array_i64(&arrays->count_min,
                     type->snapshots < snapshots ? 0 : (int64_t)type->count_min);
        pg_array_i64(&arrays->count_max, (int64_t)type->count_max);
        append_means(&arrays->bytes_avg, deployment, type->bytes);
    }
}

static void append_array(struct buf *copy, const struct buf *array)
{
    pg_array_bytes(copy, array->data, array->size);
}

/* `types` ascend. */
static void append_groups(struct buf *copy, int64_t service_id, int64_t slot_ms,
                          const struct rollup_deployment *deployment, const struct seen_type *types,
                          size_t count)
{
    struct group_arrays arrays = {.ids = BUF_INIT};
    for (size_t i = 0, end = 0; i < count; i = end) {
        while (end < count && group_of(types[end]) == group_of(types[i]))
            end++;
        fill_arrays(&arrays, deployment, types + i, end - i);
        pg_copy_row(copy, 9);
        pg_array_i64(copy, service_id);
        pg_array_i64(copy, slot_ms);
        pg_array_i64(copy, deployment->id);
        pg_array_i32(copy, group_of(types[i]));
        append_array(copy, &arrays.ids);
        append_array(copy, &arrays.count_avg);
        append_array(copy, &arrays.count_min);
        append_array(copy, &arrays.count_max);
        append_array(copy, &arrays.bytes_avg);
    }
    buf_done(&arrays.ids);
    buf_done(&arrays.count_avg);
    buf_done(&arrays.count_min);
    buf_done(&arrays.count_max);
    buf_done(&arrays.bytes_avg);
}

static void append_types(struct buf *copy, int64_t service_id, int64_t slot_ms,
                         const struct rollup_deployment *deployment)
{
    struct seen_type *types = calloc((size_t)deployment->type_count + 1, sizeof(*types));
    ASSERT(types != NULL);
    size_t count = 0;
    for (uint32_t i = 0; i < deployment->type_count; i++) {
        if (is_seen(&deployment->types[i]))
            types[count++].type = &deployment->types[i];
    }
    qsort(types, count, sizeof(*types), compare_types);
    append_groups(copy, service_id, slot_ms, deployment, types, count);
    free(types);
}

/* ---- deployments ---------------------------------------------------------------------------- */

static void append_hours(struct buf *copy, int64_t service_id, int64_t slot_ms,
                         const struct rollup_deployment *deployment)
{
    for (int h = 0; h < ROLLUP_HOURS; h++) {
        const struct rollup_hour *hour = &deployment->hours[h];
        if (hour->snapshots == 0)
            continue;
        pg_copy_row(copy, 14);
        pg_array_i64(copy, service_id);
        pg_array_i64(copy, slot_ms);
        pg_array_i64(copy, deployment->id);
        pg_array_i32(copy, h + 1);
        pg_array_i32(copy, (int32_t)hour->instances);
        pg_array_i32(copy, (int32_t)hour->snapshots);
        pg_array_f64(copy, hour->objects / hour->snapshots);
        pg_array_f64(copy, hour->bytes / hour->snapshots);
        pg_array_f64(copy, hour->rss_anon / hour->snapshots);
        pg_array_i64(copy, (int64_t)hour->rss_anon_max);
        pg_array_f64(copy, hour->container_usage / hour->snapshots);
        pg_array_i64(copy, (int64_t)hour->container_usage_max);
        pg_array_i64(copy, (int64_t)hour->container_limit_max);
        pg_array_i64(copy, (int64_t)hour->cpu_ms);
    }
}

/* ---- both ----------------------------------------------------------------------------------- */

typedef void append_fn(struct buf *copy, int64_t service_id, int64_t slot_ms,
                       const struct rollup_deployment *deployment);

static const struct {
    append_fn *append;
    const char *remove_sql, *copy_sql;
} tables[] = {
    {append_hours, "DELETE FROM heapfleet.deployment_hour WHERE service_id = $1 AND slot_ms = $2",
     "COPY heapfleet.deployment_hour (service_id, slot_ms, deployment_id, hour, instances, "
     "snapshots, objects_avg, bytes_avg, rss_anon_avg, rss_anon_max, container_usage_avg, "
     "container_usage_max, container_limit_max, cpu_ms) FROM STDIN (FORMAT binary)"},
    {append_types, "DELETE FROM heapfleet.hour_group WHERE service_id = $1 AND slot_ms = $2",
     "COPY heapfleet.hour_group (service_id, slot_ms, deployment_id, type_group, type_ids, "
     "count_avg, count_min, count_max, bytes_avg) FROM STDIN (FORMAT binary)"},
};

enum status rollup_rows_replace(struct db *db, int64_t service_id, int64_t slot_ms,
                                const struct rollup_deployment *deployments, size_t count,
                                struct why *why)
{
    enum status status = STATUS_OK;
    struct buf copy = BUF_INIT;
    for (size_t t = 0; t < ARRAY_SIZE(tables) && status == STATUS_OK; t++) {
        status = remove_old(db, tables[t].remove_sql, service_id, slot_ms, why);
        pg_copy_begin(&copy);
        for (size_t i = 0; i < count; i++)
            tables[t].append(&copy, service_id, slot_ms, &deployments[i]);
        pg_copy_end(&copy);
        if (status == STATUS_OK && count > 0)
            status = pg_copy_in(db->pg, tables[t].copy_sql, &copy, why);
    }
    buf_done(&copy);
    return status;
}
