#include "census.h"

#include "attributes.h"
#include "clock.h"
#include "late_size.h"
#include "layout_check.h"
#include "present_map.h"
#include "proc.h"
#include "sampled_sweep.h"
#include "sweep.h"
#include "type_table.h"

enum {
    COVERAGE_WHOLE = 10000,
    COVERAGE_PARTIAL = 9900, /* below, the result is called partial */
    MAP_OLD_NS = 50000000,   /* that a map of what is present is trusted */
    MOVED_BYTES = 128 << 10, /* malloc's least mapping of its own: what large objects lie in */
};

/* A census under way. */
struct run {
    struct sweep sweep;
    struct sampled_sweep *sampled; /* NULL: all is read */
    struct late_sizes *late;
    int has_looked_elsewhere; /* at what moved while it ran */
    int64_t time_ms;          /* wall clock at its begin */
    int64_t start_ns, map_ns, cpu_ns;
    uint64_t rss_anon_bytes;
};

struct census {
    struct python_process process;
    struct remote *remote;
    struct remote_regions regions;
    struct present_map present;
    struct type_table *types;
    uint64_t sample_above_bytes; /* 0: never */
    struct run *run;             /* NULL: no census is under way */
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

static void end_run(struct census *census)
{
    struct run *run = census->run;
    if (!run)
        return;
    type_table_end(census->types);
    sampled_sweep_free(run->sampled);
    sweep_done(&run->sweep);
    late_sizes_free(run->late);
    free(run);
    census->run = NULL;
}

void census_free(struct census *census)
{
    if (!census)
        return;
    end_run(census);
    type_table_free(census->types);
    present_map_done(&census->present);
    remote_regions_done(&census->regions);
    remote_close(census->remote);
    free(census);
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

/* ----- one census ----- */

static enum status find_regions(struct census *census, struct why *why)
{
    enum status status = remote_regions(census->remote, &census->regions, why);
    return status == STATUS_NOT_FOUND ? STATUS_GONE : status;
}

/* A process that ends loses its memory before its name: ask again. */
static enum status nothing_present(struct census *census, struct why *why)
{
    enum status status = find_regions(census, why);
    if (status != STATUS_OK)
        return status;
    return why_fail(
        why, STATUS_UNAVAILABLE,
        "all memory of process %d is swapped out, and is not brought back to be counted",
        (int)census->process.pid);
}

static enum status begin_run(struct census *census, struct why *why)
{
    enum status status = python_process_check(&census->process, why);
    int64_t time_ms = clock_wall_ms(), start_ns = clock_mono_ns();
    if (status != STATUS_OK)
        return status;
    status = find_regions(census, why);
    if (status != STATUS_OK)
        return status;
    if (!present_map_fill(&census->present, 0))
        return nothing_present(census, why);
    struct run *run = calloc(1, sizeof(*run));
    ASSERT(run);
    census->run = run;
    run->time_ms = time_ms;
    run->start_ns = run->map_ns = start_ns;
    run->rss_anon_bytes = read_rss_anon(census->process.pid);
    type_table_begin(census->types);
    run->late = late_sizes_new(census->types, &census->present);
    sweep_init(&run->sweep, census->types, &census->present, run->late);
    run->sweep.without_pools = census->process.debug_allocator;
    if (census->sample_above_bytes && run->rss_anon_bytes > census->sample_above_bytes)
        run->sampled = sampled_sweep_new(&run->sweep, run->rss_anon_bytes,
                                         census->sample_above_bytes, census->process.start_ticks);
    return STATUS_OK;
}

/*
 * A large object has a mapping of its own, and one that is made anew (a text that something is
 * added to, say) moves to another, which no map knows that is older. Where so much vanished in
 * front of the sweep, the mappings are asked for once more, and those that are new are looked at,
 * too: an object that moved there was not counted, as the sweep came to its old place too late. At
 * rest nothing vanishes. 0: there is nothing to look at.
 */
static int look_elsewhere(struct census *census)
{
    struct run *run = census->run;
    struct remote_regions now = {0}, parts = {0};
    if (run->has_looked_elsewhere || run->sampled || run->sweep.gone_bytes < MOVED_BYTES ||
        remote_regions(census->remote, &now, NULL) != STATUS_OK) {
        remote_regions_done(&now);
        return 0;
    }
    run->has_looked_elsewhere = 1;
    sweep_extend_regions(&run->sweep, &census->regions);
    remote_regions_new(&now, &census->regions, &parts);
    remote_regions_done(&census->regions);
    census->regions = now;
    int has_any = present_map_fill_parts(&census->present, &parts);
    remote_regions_done(&parts);
    sweep_restart_elsewhere(&run->sweep);
    run->map_ns = clock_mono_ns();
    return has_any;
}

/* A chunk or a stratum, or the step to the next window. 0: all windows are done. Types that are
 * first seen late in memory may have instances before, but a type is recognised by the first of
 * them, wherever its own object lies. */
static int step(struct census *census)
{
    struct run *run = census->run;
    if (run->sampled ? sampled_sweep_step(run->sampled) : sweep_step(&run->sweep))
        return 1;
    late_sizes_flush(run->late);
    if (remote_state(census->remote) != STATUS_OK)
        return 0;
    if (census->present.to == UINT64_MAX || !present_map_fill(&census->present, census->present.to))
        return look_elsewhere(census);
    run->map_ns = clock_mono_ns();
    sweep_restart(&run->sweep);
    if (run->sampled)
        sampled_sweep_restart(run->sampled);
    return 1;
}

static void limit_value(struct type_value *value)
{
    value->count = value->count < SNAPSHOT_COUNT_MAX ? value->count : SNAPSHOT_COUNT_MAX;
    value->bytes = value->bytes < SNAPSHOT_BYTES_MAX ? value->bytes : SNAPSHOT_BYTES_MAX;
}

static void fill_values(const struct type_table *types, const struct sweep *sweep,
                        struct census_result *ret)
{
    for (uint32_t i = 0; i < types->count; i++) {
        struct type_value *value = &ret->values.values[types->entries[i].row];
        value->count += types->entries[i].count;
        value->bytes += types->entries[i].bytes + types->entries[i].huge_bytes;
    }
    ret->values.values[TYPE_ROW_VALUES].bytes += sweep->values_bytes;
    ret->pool_bytes = sweep->pool_bytes;
    ret->pool_free_bytes = sweep->pool_free_bytes;
    ret->malloc_free_bytes = sweep->malloc.free_bytes;
}

/*
 * Huge objects are too few to be estimated by their neighbours: one that was seen is counted as it
 * is, and what of the anonymous memory no estimate accounts for may be others, of any type whose
 * objects can be huge.
 */
static void add_huge(const struct type_table *types, uint64_t rss_anon_bytes,
                     struct census_result *ret, uint64_t known_bytes)
{
    uint8_t *can_be_huge = calloc(types->rows, sizeof(*can_be_huge));
    ASSERT(can_be_huge);
    for (uint32_t i = 0; i < types->count; i++) {
        const struct type_entry *entry = &types->entries[i];
        can_be_huge[entry->row] |= entry->kind != KIND_PLAIN;
        ret->values.values[entry->row].bytes += entry->huge_bytes;
        known_bytes += entry->huge_bytes;
    }
    uint64_t most = rss_anon_bytes + ret->total_error.bytes;
    uint64_t unseen = most > known_bytes ? most - known_bytes : 0;
    for (uint32_t row = 0; row < types->rows; row++)
        ret->errors.values[row].bytes += can_be_huge[row] ? unseen : 0;
    ret->total_error.bytes += unseen;
    free(can_be_huge);
}

static void fill_estimates(const struct run *run, const struct type_table *types,
                           struct census_result *ret)
{
    const struct sampled_sweep *sampled = run->sampled;
    uint32_t rows = types->rows;
    heap_values_resize(&ret->errors, rows);
    for (uint32_t i = 0; i < rows; i++) {
        struct sample_estimate line = sample_line(&sampled->sample, SAMPLE_LINE_ROWS + i);
        ret->values.values[i] = (struct type_value){line.value[0], line.value[1]};
        ret->errors.values[i] = (struct type_value){line.error[0], line.error[1]};
    }
    struct sample_estimate all = sample_line(&sampled->sample, SAMPLE_LINE_ALL);
    ret->total_error = (struct type_value){all.error[0], all.error[1]};
    struct sample_estimate pools = sample_line(&sampled->sample, SAMPLE_LINE_POOLS);
    ret->malloc_free_bytes = 0; /* blocks cannot be followed through a sample */
    ret->pool_bytes = pools.value[0];
    ret->pool_free_bytes = pools.value[1];
    add_huge(types, run->rss_anon_bytes, ret, all.value[1] + ret->pool_free_bytes);
    for (uint32_t i = 0; i < rows; i++)
        limit_value(&ret->errors.values[i]);
}

static void fill(const struct census *census, struct census_result *ret)
{
    const struct run *run = census->run;
    const struct type_table *types = census->types;
    heap_values_resize(&ret->values, types->rows);
    heap_values_resize(&ret->errors, 0);
    memset(ret->values.values, 0, types->rows * sizeof(ret->values.values[0]));
    ret->is_sample = run->sampled != NULL;
    ret->total_error = (struct type_value){0};
    if (run->sampled)
        fill_estimates(run, types, ret);
    else
        fill_values(types, &run->sweep, ret);
    ret->objects = ret->bytes = 0;
    for (uint32_t i = 0; i < types->rows; i++) {
        limit_value(&ret->values.values[i]);
        ret->objects += ret->values.values[i].count;
        ret->bytes += ret->values.values[i].bytes;
    }
    ret->types_folded = types->folded;
    ret->time_ms = run->time_ms;
    ret->rss_anon_bytes = run->rss_anon_bytes;
    ret->read_bytes =
        run->sweep.read_bytes + run->late->reader.read_bytes + run->sweep.asked->read_bytes;
}

static uint32_t share(uint64_t part, uint64_t whole)
{
    return whole ? (uint32_t)((double)part / (double)whole * COVERAGE_WHOLE) : 0;
}

static enum status finish(const struct census *census, struct census_result *ret, struct why *why)
{
    const struct run *run = census->run;
    enum status status = remote_state(census->remote);
    if (status == STATUS_OK)
        status = python_process_check(&census->process, why);
    else
        why_set(why, "process %d %s", (int)census->process.pid,
                status == STATUS_GONE ? "has ended" : "may not be read any more");
    if (status != STATUS_OK)
        return status;
    fill(census, ret);
    uint32_t found = share(run->sweep.read_bytes, run->sweep.read_bytes + run->sweep.lost_bytes);
    ret->coverage = run->sampled ? share(run->sampled->read_bytes, run->sampled->all_bytes) : found;
    if (census->types->is_cut)
        return why_fail(
            why, STATUS_PARTIAL,
            "process %d has more places that look like objects, or more types, than are "
            "looked into: some types are missing",
            (int)census->process.pid);
    if (found < COVERAGE_PARTIAL)
        return why_fail(why, STATUS_PARTIAL, "only %u.%02u %% of process %d's memory could be read",
                        found / 100, found % 100, (int)census->process.pid);
    return STATUS_OK;
}

enum status census_slice(struct census *census, int64_t cpu_ns, struct census_result *ret,
                         int *ret_more, struct why *why)
{
    int64_t start_cpu_ns = clock_cpu_ns(), spent_ns = 0;
    enum status status = census->run ? STATUS_OK : begin_run(census, why);
    struct run *run = census->run;
    *ret_more = 0;
    if (status != STATUS_OK)
        return status;
    read_ahead_clear(census->types->reader.ahead);
    do { /* on a busy machine one slice may take long, too */
        run->sweep.is_map_old = clock_mono_ns() - run->map_ns > MAP_OLD_NS;
        *ret_more = step(census);
        spent_ns = clock_cpu_ns() - start_cpu_ns;
    } while (*ret_more && spent_ns < cpu_ns);
    if (*ret_more) { /* until the next slice the place may be another object's */
        late_sizes_flush(run->late);
        spent_ns = clock_cpu_ns() - start_cpu_ns;
    }
    run->cpu_ns += spent_ns;
    if (*ret_more)
        return STATUS_OK;
    status = finish(census, ret, why);
    ret->elapsed_ns = clock_mono_ns() - run->start_ns;
    ret->cpu_ns = run->cpu_ns;
    end_run(census);
    return status;
}

enum status census_run(struct census *census, struct census_result *ret, struct why *why)
{
    int more;
    end_run(census);
    enum status status = census_slice(census, INT64_MAX, ret, &more, why);
    ASSERT(!more);
    return status;
}

void census_sample_above(struct census *census, uint64_t bytes)
{
    census->sample_above_bytes = bytes;
}

uint64_t census_not_objects_bytes(const struct census_result *result)
{
    uint64_t rest =
        result->rss_anon_bytes > result->bytes ? result->rss_anon_bytes - result->bytes : 0;
    uint64_t known = result->pool_free_bytes + result->malloc_free_bytes;
    return rest > known ? rest : known;
}

void census_result_done(struct census_result *result)
{
    heap_values_done(&result->values);
    heap_values_done(&result->errors);
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
