#include "census.h"

#include "attributes.h"
#include "clock.h"
#include "late_size.h"
#include "layout_check.h"
#include "present_map.h"
#include "proc.h"
#include "sweep.h"
#include "type_table.h"

enum {
    COVERAGE_WHOLE = 10000,
    COVERAGE_PARTIAL = 9900, /* below, the result is called partial */
};

struct census {
    struct python_process process;
    struct remote *remote;
    struct remote_regions regions;
    struct present_map present;
    struct type_table *types;
};

enum status census_new_over(struct remote *remote, const struct python_process *process,
                            struct census **ret, struct why *why)
{
    const struct cpython_layout *layout;
    enum status status = layout_check(remote, process, &layout, why);
    if (status != STATUS_OK) {
        remote_close(remote);
        return status;
    }
    struct census *census = calloc(1, sizeof(*census));
    ASSERT(census);
    census->process = *process;
    census->remote = remote;
    present_map_init(&census->present, remote, &census->regions);
    census->types = type_table_new(layout, process, &census->present);
    *ret = census;
    return STATUS_OK;
}

enum status census_new(const struct python_process *process, struct census **ret, struct why *why)
{
    struct remote *remote;
    enum status status = remote_open(process->pid, &remote, why);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_GONE : status;
    return census_new_over(remote, process, ret, why);
}

void census_free(struct census *census)
{
    if (!census)
        return;
    type_table_free(census->types);
    present_map_done(&census->present);
    remote_regions_done(&census->regions);
    remote_close(census->remote);
    free(census);
}

/* Is the pid still the process that we know? */
static enum status check_identity(const struct census *census, struct why *why)
{
    uint64_t start_ticks;
    if (python_process_start_ticks(census->process.pid, &start_ticks) != STATUS_OK ||
        start_ticks != census->process.start_ticks)
        return why_fail(why, STATUS_GONE, "process %d has ended", (int)census->process.pid);
    return STATUS_OK;
}

/* 0 where it cannot be told. */
static uint64_t read_rss_anon(pid_t pid)
{
    struct proc_fs fs;
    struct proc_status found = {0};
    if (proc_fs_open("/proc", &fs, NULL) != STATUS_OK)
        return 0;
    if (proc_status(&fs, pid, &found) != STATUS_OK)
        found.rss_anon_bytes = 0;
    proc_fs_close(&fs);
    return found.rss_anon_bytes;
}

/* All windows; types that are first seen late in memory may have instances before, but a type is
 * recognised by the first of them, wherever its own object lies. */
static void sweep_all(struct census *census, struct sweep *sweep, struct late_sizes *late)
{
    do {
        sweep_run(sweep);
        late_sizes_flush(late);
    } while (census->present.to != UINT64_MAX && remote_state(census->remote) == STATUS_OK &&
             present_map_fill(&census->present, census->present.to));
}

static void fill_values(const struct type_table *types, uint64_t values_bytes,
                        struct census_result *ret)
{
    heap_values_resize(&ret->values, types->rows);
    memset(ret->values.values, 0, types->rows * sizeof(ret->values.values[0]));
    for (uint32_t i = 0; i < types->count; i++) {
        struct type_value *value = &ret->values.values[types->entries[i].row];
        value->count += types->entries[i].count;
        value->bytes += types->entries[i].bytes;
    }
    ret->values.values[TYPE_ROW_VALUES].bytes += values_bytes;
    ret->objects = ret->bytes = 0;
    for (uint32_t i = 0; i < types->rows; i++) {
        struct type_value *value = &ret->values.values[i];
        value->count = value->count < SNAPSHOT_COUNT_MAX ? value->count : SNAPSHOT_COUNT_MAX;
        value->bytes = value->bytes < SNAPSHOT_BYTES_MAX ? value->bytes : SNAPSHOT_BYTES_MAX;
        ret->objects += value->count;
        ret->bytes += value->bytes;
    }
    ret->types_folded = types->folded;
}

static enum status finish(struct census *census, const struct sweep *sweep,
                          struct census_result *ret, struct why *why)
{
    enum status status = remote_state(census->remote);
    if (status == STATUS_OK)
        status = check_identity(census, why);
    else
        why_set(why, "process %d %s", (int)census->process.pid,
                status == STATUS_GONE ? "has ended" : "may not be read any more");
    if (status != STATUS_OK)
        return status;
    uint64_t planned = sweep->read_bytes + sweep->lost_bytes;
    ret->coverage = planned ? (uint32_t)(sweep->read_bytes * COVERAGE_WHOLE / planned) : 0;
    ret->rss_anon_bytes = read_rss_anon(census->process.pid);
    if (ret->coverage < COVERAGE_PARTIAL)
        return why_fail(why, STATUS_PARTIAL, "only %u.%02u %% of process %d's memory could be read",
                        ret->coverage / 100, ret->coverage % 100, (int)census->process.pid);
    return STATUS_OK;
}

enum status census_run(struct census *census, struct census_result *ret, struct why *why)
{
    int64_t start_ns = clock_mono_ns(), start_cpu_ns = clock_cpu_ns();
    struct sweep sweep;
    enum status status = check_identity(census, why);
    if (status != STATUS_OK)
        return status;
    ret->time_ms = clock_wall_ms();
    status = remote_regions(census->remote, &census->regions, why);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_GONE : status;
    if (!present_map_fill(&census->present, 0))
        return why_fail(why, STATUS_GONE, "process %d has no memory", (int)census->process.pid);
    type_table_begin(census->types);

    struct late_sizes *late = late_sizes_new(census->types, &census->present);
    sweep_init(&sweep, census->types, &census->present, late);
    sweep_all(census, &sweep, late);
    fill_values(census->types, sweep.values_bytes, ret);
    ret->pool_bytes = sweep.pool_bytes;
    ret->pool_free_bytes = sweep.pool_free_bytes;
    ret->read_bytes = sweep.read_bytes + late->reader.read_bytes + sweep.asked->read_bytes;
    status = finish(census, &sweep, ret, why);
    type_table_end(census->types);
    sweep_done(&sweep);
    late_sizes_free(late);
    ret->elapsed_ns = clock_mono_ns() - start_ns;
    ret->cpu_ns = clock_cpu_ns() - start_cpu_ns;
    return status;
}

void census_result_done(struct census_result *result)
{
    heap_values_done(&result->values);
}

uint32_t census_type_count(const struct census *census)
{
    return census->types->rows;
}

const char *census_type_name(const struct census *census, uint32_t index)
{
    ASSERT(index < census->types->rows);
    return census->types->names[index];
}
