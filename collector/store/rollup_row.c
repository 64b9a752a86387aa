#include "rollup_row.h"

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

static void append_means(struct buf *copy, struct buf *array,
                         const struct rollup_deployment *deployment, const double *sums)
{
    pg_array_begin(array, PG_F32, ROLLUP_HOURS);
    for (int h = 0; h < ROLLUP_HOURS; h++) {
        uint32_t snapshots = deployment->hours[h].snapshots;
        if (snapshots > 0)
            pg_array_f32(array, (float)(sums[h] / snapshots));
        else
            pg_array_null(array);
    }
    pg_array_bytes(copy, array->data, array->size);
}

/* Whether any process had it. */
static int is_seen(const struct rollup_type *type)
{
    double bytes = 0;
    for (int h = 0; h < ROLLUP_HOURS; h++)
        bytes += type->bytes[h];
    return type->count_max > 0 || bytes > 0;
}

static void append_types(struct buf *copy, int64_t service_id, int64_t slot_ms,
                         const struct rollup_deployment *deployment)
{
    uint64_t snapshots = snapshots_of(deployment);
    struct buf array = BUF_INIT;
    for (uint32_t i = 0; i < deployment->type_count; i++) {
        const struct rollup_type *type = &deployment->types[i];
        if (!is_seen(type))
            continue;
        pg_copy_row(copy, 8);
        pg_array_i64(copy, service_id);
        pg_array_i64(copy, slot_ms);
        pg_array_i32(copy, type->type_id);
        pg_array_i64(copy, deployment->id);
        append_means(copy, &array, deployment, type->count);
        pg_array_i64(copy, type->snapshots < snapshots ? 0 : (int64_t)type->count_min);
        pg_array_i64(copy, (int64_t)type->count_max);
        append_means(copy, &array, deployment, type->bytes);
    }
    buf_done(&array);
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
    {append_types, "DELETE FROM heapfleet.heap_hour WHERE service_id = $1 AND slot_ms = $2",
     "COPY heapfleet.heap_hour (service_id, slot_ms, type_id, deployment_id, count_avg, count_min, "
     "count_max, bytes_avg) FROM STDIN (FORMAT binary)"},
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
