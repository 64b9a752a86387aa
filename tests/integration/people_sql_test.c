/* USES query store */
/*
 * The functions of schema/0004_people.sql give the answers of the Query service: over a generated
 * history, part of which is chunks and rollups and part is hot, for types, times and steps drawn at
 * random.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "old_chunk_rows.h"
#include "people_scene.h"

enum { ROUNDS = 5 };

/* ---- asking both ---------------------------------------------------------------------------- */

static int near(double a, double b)
{
    return fabs(a - b) <= 0.51 + 1e-6 * fabs(b);
}

struct span {
    const char *type;
    char *version; /* "": all */
    int64_t from_ms, to_ms, step_ms;
    Heapfleet__V1__Resolution resolution;
};

static const char *const resolutions[] = {"auto", "minute", "hour", "day"};

static void series_agree(const struct span *span)
{
    Heapfleet__V1__GetHistoryRequest request = HEAPFLEET__V1__GET_HISTORY_REQUEST__INIT;
    request.service = shop();
    request.type = (char *)span->type;
    request.version = span->version;
    request.from_ms = span->from_ms;
    request.to_ms = span->to_ms;
    request.step_ms = span->step_ms;
    request.resolution = span->resolution;
    const Heapfleet__V1__GetHistoryResponse *answer = ask(query_get_history, &request);
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_text(&params, span->type);
    pg_param_i64(&params, span->from_ms);
    pg_param_i64(&params, span->to_ms);
    pg_param_i64(&params, span->step_ms);
    pg_param_text(&params, resolutions[span->resolution]);
    pg_param_text(&params, span->version);
    struct pg_rows rows = run(
        "SELECT heapfleet.to_ms(time), count, bytes, instances FROM heapfleet.series('shop', $1, "
        "heapfleet.from_ms($2), heapfleet.from_ms($3), $4 * interval '1 millisecond', $5, "
        "nullif($6, '')) ORDER BY 1",
        &params);
    if (rows.count != (int)answer->n_points)
        fail_msg("%s %s: %d rows, %zu points", span->type, resolutions[span->resolution],
                 rows.count, answer->n_points);
    for (int i = 0; i < rows.count; i++) {
        const Heapfleet__V1__HistoryPoint *point = answer->points[i];
        if (pg_i64(&rows, i, 0) != point->time_ms ||
            !near((double)point->count, pg_f64(&rows, i, 1)) ||
            !near((double)point->bytes, pg_f64(&rows, i, 2)) ||
            !near(point->instances, pg_f64(&rows, i, 3)))
            fail_msg(
                "%s %s '%s' of %lld ms, row %d of %d at %lld: %.2f %.2f %.2f, not %llu %llu %u "
                "at %lld",
                span->type, resolutions[span->resolution], span->version, (long long)span->step_ms,
                i, rows.count, (long long)(pg_i64(&rows, i, 0) - world.from_ms),
                pg_f64(&rows, i, 1), pg_f64(&rows, i, 2), pg_f64(&rows, i, 3),
                (unsigned long long)point->count, (unsigned long long)point->bytes,
                point->instances, (long long)(point->time_ms - world.from_ms));
    }
    pg_rows_done(&rows);
    arena_reset(&world.arena);
}

static struct span draw_span(Heapfleet__V1__Resolution resolution, int64_t unit_ms)
{
    static char *const versions[] = {"", "", "v1", "v2"};
    struct span span = {.type = world.names[draw(MODEL_TYPES)],
                        .version = versions[draw(ARRAY_SIZE(versions))],
                        .resolution = resolution};
    span.from_ms = world.from_ms - hour_ms + (int64_t)draw(HOURS * 3600) * 1000;
    span.to_ms = span.from_ms + 1000 + (int64_t)draw(HOURS * 3600) * 1000;
    if (span.to_ms > world.now_ms - 10000)
        span.to_ms = world.now_ms - 10000;
    if (span.from_ms >= span.to_ms)
        span.from_ms = span.to_ms - hour_ms;
    span.step_ms = unit_ms * (int64_t)(1 + draw(5));
    return span;
}

static void all_series_agree(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        struct span minutes = draw_span(HEAPFLEET__V1__RESOLUTION__RESOLUTION_EXACT, 37 * 1000);
        struct span hours = draw_span(HEAPFLEET__V1__RESOLUTION__RESOLUTION_HOUR, hour_ms);
        struct span days = draw_span(HEAPFLEET__V1__RESOLUTION__RESOLUTION_DAY, 24 * hour_ms);
        series_agree(&minutes);
        series_agree(&hours);
        series_agree(&days);
        hours.from_ms = days.from_ms = 0; /* all there is */
        series_agree(&hours);
        series_agree(&days);
    }
}

static void snapshots_agree(void)
{
    Heapfleet__V1__GetHistoryRequest request = HEAPFLEET__V1__GET_HISTORY_REQUEST__INIT;
    request.service = shop();
    request.type = world.names[draw(MODEL_TYPES)];
    request.raw = 1;
    request.page_size = 50000;
    request.from_ms = world.from_ms;
    request.to_ms = world.now_ms;
    const Heapfleet__V1__GetHistoryResponse *answer = ask(query_get_history, &request);
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_text(&params, request.type);
    pg_param_i64(&params, request.from_ms);
    pg_param_i64(&params, request.to_ms);
    struct pg_rows rows =
        run("SELECT heapfleet.to_ms(time), count, bytes, version FROM heapfleet.snapshots('shop', "
            "$1, heapfleet.from_ms($2), heapfleet.from_ms($3)) ORDER BY 1, 2, 3",
            &params);
    assert_int_equal(rows.count, answer->n_points);
    assert_true(rows.count > 3000);
    uint64_t sums[4] = {0};
    for (int i = 0; i < rows.count; i++) {
        assert_int_equal(pg_i64(&rows, i, 0), answer->points[i]->time_ms);
        sums[0] += (uint64_t)pg_i64(&rows, i, 1) * (uint64_t)(pg_i64(&rows, i, 0) % 1000003);
        sums[1] += (uint64_t)pg_i64(&rows, i, 2) * (uint64_t)(pg_i64(&rows, i, 0) % 1000003);
        sums[2] += answer->points[i]->count * (uint64_t)(answer->points[i]->time_ms % 1000003);
        sums[3] += answer->points[i]->bytes * (uint64_t)(answer->points[i]->time_ms % 1000003);
    }
    assert_int_equal(sums[0], sums[2]);
    assert_int_equal(sums[1], sums[3]);
    pg_rows_done(&rows);
    arena_reset(&world.arena);
}

/* Rows of (type, four numbers), both by name: an order of equal differences is nobody's promise. */
static void comparisons_agree(int64_t uptime_ms)
{
    Heapfleet__V1__CompareDeploymentsRequest request =
        HEAPFLEET__V1__COMPARE_DEPLOYMENTS_REQUEST__INIT;
    request.service = shop();
    request.version_a = "v1";
    request.version_b = "v2";
    request.at_uptime_ms = uptime_ms;
    request.limit = 1000;
    const Heapfleet__V1__CompareDeploymentsResponse *answer =
        ask(query_compare_deployments, &request);
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, uptime_ms);
    struct pg_rows rows =
        run("SELECT type, count_a, count_b, bytes_a, bytes_b, (extract(epoch FROM "
            "uptime) * 1000)::bigint, instances_a, instances_b FROM "
            "heapfleet.compare('shop', 'v1', 'v2', nullif($1, 0) * interval "
            "'1 millisecond')",
            &params);
    assert_int_equal(rows.count, answer->n_types);
    assert_true(rows.count > 10);
    for (int i = 0; i < rows.count; i++) {
        const Heapfleet__V1__TypeComparison *type = NULL;
        for (size_t k = 0; k < answer->n_types && type == NULL; k++) {
            if (strcmp(answer->types[k]->type, pg_text(&rows, i, 0)) == 0)
                type = answer->types[k];
        }
        assert_non_null(type);
        assert_true(near(type->count_a, pg_f64(&rows, i, 1)));
        assert_true(near(type->count_b, pg_f64(&rows, i, 2)));
        assert_true(near(type->bytes_a, pg_f64(&rows, i, 3)));
        assert_true(near(type->bytes_b, pg_f64(&rows, i, 4)));
        assert_int_equal(pg_i64(&rows, i, 5), answer->at_uptime_ms);
        assert_int_equal(pg_i64(&rows, i, 6), answer->instances_a);
        assert_int_equal(pg_i64(&rows, i, 7), answer->instances_b);
    }
    pg_rows_done(&rows);
    arena_reset(&world.arena);
}

/* Of hours that are rolled up, which are all that SQL has. */
static void growth_agrees(int64_t to_ms, char *version)
{
    Heapfleet__V1__GetGrowthRequest request = HEAPFLEET__V1__GET_GROWTH_REQUEST__INIT;
    request.service = shop();
    request.from_ms = world.from_ms - hour_ms;
    request.to_ms = to_ms;
    request.version = version;
    request.page_size = 1000;
    const Heapfleet__V1__GetGrowthResponse *answer = ask(query_get_growth, &request);
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, request.from_ms);
    pg_param_i64(&params, request.to_ms);
    pg_param_text(&params, version);
    struct pg_rows rows =
        run("SELECT type, count_from, count_to, bytes_from, bytes_to, heapfleet.to_ms(from_hour), "
            "heapfleet.to_ms(to_hour) + 3600000 FROM heapfleet.top_growth('shop', "
            "heapfleet.from_ms($1), heapfleet.from_ms($2), nullif($3, ''))",
            &params);
    assert_int_equal(rows.count, answer->n_types);
    assert_true(rows.count > 10);
    for (int i = 0; i < rows.count; i++) {
        const Heapfleet__V1__TypeGrowth *type = answer->types[i];
        assert_string_equal(type->type, pg_text(&rows, i, 0));
        assert_true(near(type->count_from, pg_f64(&rows, i, 1)));
        assert_true(near(type->count_to, pg_f64(&rows, i, 2)));
        assert_true(near(type->bytes_from, pg_f64(&rows, i, 3)));
        assert_true(near(type->bytes_to, pg_f64(&rows, i, 4)));
        assert_int_equal(answer->from_ms, pg_i64(&rows, i, 5));
        assert_int_equal(answer->to_ms, pg_i64(&rows, i, 6));
    }
    pg_rows_done(&rows);
    arena_reset(&world.arena);
}

static void all_agrees(void)
{
    all_series_agree();
    snapshots_agree();
    comparisons_agree(0);
    comparisons_agree(3 * hour_ms + 12345);
}

static void hot_history_agrees(void **state)
{
    (void)state;
    all_agrees();
}

static void history_half_compacted_agrees(void **state)
{
    (void)state;
    keep(world.now_ms - 9 * hour_ms);
    all_agrees();
    growth_agrees(world.now_ms - 14 * hour_ms, "");
    assert_true(old_chunks_make(store.db) > 5); /* what is hot may build on an old chunk */
    all_agrees();
}

static void compacted_history_agrees(void **state)
{
    (void)state;
    keep(world.now_ms);
    keep(world.now_ms); /* days, of what the first round made */
    all_agrees();
    growth_agrees(world.now_ms - 9 * hour_ms, "");
    growth_agrees(world.now_ms - 6 * hour_ms, "v2");
    growth_agrees(world.now_ms - 10 * hour_ms - 1234567, "v1");
}

/* Every other slot is of the first format, as after an upgrade. */
static void history_of_both_formats_agrees(void **state)
{
    (void)state;
    assert_true(old_chunks_make(store.db) > 0);
    all_agrees();
    struct pg_rows rows = run("SELECT count(DISTINCT format) FROM heapfleet.heap_chunk", NULL);
    assert_int_equal(pg_i64(&rows, 0, 0), 2);
    pg_rows_done(&rows);
}

/* ---- what else is promised ------------------------------------------------------------------ */

static void add_process(const char *version, uint32_t number, int64_t started_ms, int64_t behind_ms,
                        int64_t seen_ms)
{
    struct process_identity identity = identity_of("late", version, number);
    struct model model;
    identity.started_ms = started_ms;
    identity.clock_behind_ms = behind_ms;
    model_init(&model, &identity, number);
    model_snap(&model, seen_ms);
    model_commit(&model, 0, model.count);
    model_done(&model);
}

/* A version that went on is not the latest because one of its processes was restarted, and a host
 * whose clock is two hours behind is there all the same. */
static void services_agree(void **state)
{
    (void)state;
    const int64_t now_ms = clock_wall_ms();
    add_process("v1", 201, now_ms - 5 * hour_ms, 0, now_ms - 4 * hour_ms);
    add_process("v2", 202, now_ms - 4 * hour_ms, 0, now_ms - 1000);
    add_process("v1", 203, now_ms - 3 * hour_ms, 2 * hour_ms, now_ms - 2 * hour_ms);
    const Heapfleet__V1__ListServicesRequest request = HEAPFLEET__V1__LIST_SERVICES_REQUEST__INIT;
    const Heapfleet__V1__ListServicesResponse *answer = ask(query_list_services, &request);
    struct pg_rows rows = run("SELECT service, latest_version, live, instances, "
                              "heapfleet.to_ms(last_seen) FROM heapfleet.services ORDER BY 1",
                              NULL);
    assert_int_equal(rows.count, answer->n_services);
    for (int i = 0; i < rows.count; i++) {
        const Heapfleet__V1__Service *service = answer->services[i];
        assert_string_equal(pg_text(&rows, i, 0), service->name);
        assert_string_equal(pg_text(&rows, i, 1), service->latest_version);
        assert_int_equal(pg_i64(&rows, i, 2), service->live_instances);
        assert_int_equal(pg_i64(&rows, i, 3), service->instances);
        assert_int_equal(pg_i64(&rows, i, 4), service->last_seen_ms);
    }
    assert_string_equal(answer->services[0]->latest_version, "v2");
    assert_int_equal(answer->services[0]->live_instances, 2);
    pg_rows_done(&rows);
    arena_reset(&world.arena);
}

/* A plan that leaves a partition out does not lock it. */
static void bounds_reach_the_partitions(void **state)
{
    (void)state;
    if (store.server == NULL)
        skip(); /* Citus locks them where the plan is made, whatever the plan */
    struct pg_rows all = run("SELECT FROM heapfleet.partition WHERE level = 'heap_chunk'", NULL);
    assert_true(all.count >= 2);
    pg_rows_done(&all);
    pg_free(world.pg); /* plans that are kept know no bounds; they leave partitions out later */
    world.pg = pg_new(store.dsn);
    OK(pg_begin(world.pg, &why));
    OK(pg_script(world.pg, "SET LOCAL plan_cache_mode = auto", &why)); /* people's is */
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, world.now_ms - 12 * hour_ms);
    pg_param_i64(&params, world.now_ms - 11 * hour_ms);
    struct pg_rows rows =
        run("SELECT count(*) FROM heapfleet.raw_type(1, 1, $1, $2, NULL)", &params);
    pg_rows_done(&rows);
    pg_param_i64(&params, (world.now_ms - 16 * hour_ms) / 86400000);
    pg_param_i64(&params, (world.now_ms - 11 * hour_ms) / 86400000);
    rows = run("SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation "
               "JOIN heapfleet.partition p ON p.name = c.relname AND p.level = 'heap_chunk' "
               "AND $1 > 0 AND $2 > 0 WHERE l.pid = pg_backend_pid() "
               "AND p.from_ms / 86400000 NOT BETWEEN $3 AND $4",
               &params);
    assert_int_equal(pg_i64(&rows, 0, 0), 0);
    pg_rows_done(&rows);
    pg_rollback(world.pg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hot_history_agrees),
        cmocka_unit_test(history_half_compacted_agrees),
        cmocka_unit_test(compacted_history_agrees),
        cmocka_unit_test(history_of_both_formats_agrees),
        cmocka_unit_test(bounds_reach_the_partitions),
        cmocka_unit_test(services_agree),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
