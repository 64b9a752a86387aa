/* USES sweep store */
/*
 * Containers that live for minutes and are replaced, by the thousand: of a service with far more
 * processes than could be listed with all their types, some are looked at, and those that matter
 * are among them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "service_sweep.h"
#include "sweep_scene.h"

enum { SHORT = 20000, LISTED_MAX = 2048, STATE_BYTES_MAX = 2 << 20, BINS = 100 };

/* What ended within the newest bins, compacted; each has 4,000 types. */
static const char shorts_sql[] =
    "INSERT INTO heapfleet.instance (service_id, deployment_id, uuid, host, pod, container_id, "
    "    image, runtime, runtime_version, pid, started_ms, ended_ms, end_reason, attributes, "
    "    type_ids) SELECT 1, d.id, gen_random_uuid(), 'node', '', '', '', 'cpython', '3.11.2', n, "
    "    $1 - n % 5000 - 50, $1 - n % 5000, 'exited', '{}', array_fill(1, ARRAY[4000]) "
    "FROM generate_series(1, $2) n, "
    "    (SELECT min(id) AS id FROM heapfleet.deployment WHERE service_id = 1) d";
static const char lasts_sql[] =
    "INSERT INTO heapfleet.instance_last (service_id, instance_id, sequence, time_ms, interval_ms, "
    "    process, body) SELECT 1, i.id, 1, i.ended_ms, 0, h.process, '' FROM heapfleet.instance i, "
    "    (SELECT process FROM heapfleet.snap_delta LIMIT 1) h "
    "WHERE i.service_id = 1 AND i.ended_ms IS NOT NULL ON CONFLICT DO NOTHING";

static void add_short_ones(int64_t at_ms)
{
    struct pg *pg = pg_new(store.dsn);
    struct pg_params params = PG_PARAMS_INIT;
    pg_param_i64(&params, at_ms);
    pg_param_i64(&params, SHORT);
    OK(pg_run(pg, shorts_sql, &params, NULL, &why));
    OK(pg_run(pg, lasts_sql, NULL, NULL, &why));
    OK(pg_script(pg, "ANALYZE", &why));
    pg_free(pg);
}

static enum status go_on(void *user, struct why *why)
{
    (void)user;
    (void)why;
    return STATUS_OK;
}

static void test_what_leaks_is_found_among_short_ones(void **state)
{
    (void)state;
    struct buf saved = BUF_INIT;
    uint32_t count = 0;
    int passed;
    const struct sweep_keeper keeper = {go_on, NULL};
    add_process("churn", "v1", 0, BINS, 10);
    add_process("churn", "v1", 0, BINS, 10);
    add_short_ones(day_ms + (int64_t)BINS * BIN_MS);
    struct service_sweep *service =
        service_sweep_new(&config.detect, 1, SWEEP_AHEAD_BYTES, NULL, 0);
    OK(service_sweep_read(service, store.db, day_ms + (int64_t)BINS * BIN_MS, &keeper, &passed,
                          &why));
    const struct verdict *verdicts = detector_verdicts(service_sweep_detector(service), &count);
    assert_int_equal(count, 1);
    assert_string_equal(verdicts[0].type, "shop.Cart");
    assert_int_equal(verdicts[0].tier, VERDICT_CONFIRMED);
    service_sweep_save(service, &saved);
    assert_true(saved.size < STATE_BYTES_MAX);
    buf_done(&saved);
    service_sweep_free(service);
}

static const struct instance_row *row_of(const struct instance_row *rows, size_t count, int64_t id)
{
    for (size_t i = 0; i < count; i++)
        if (rows[i].id == id)
            return &rows[i];
    return NULL;
}

static size_t list_judged(const int64_t *kept, size_t kept_count, uint32_t max, struct arena *arena,
                          struct instance_row **ret)
{
    const int64_t now_ms = day_ms + (int64_t)BINS * BIN_MS;
    const struct judged_filter filter = {.from_ms = day_ms,
                                         .living_from_ms = now_ms - BIN_MS,
                                         .kept_ids = kept,
                                         .kept_count = kept_count,
                                         .max = max};
    size_t count = 0;
    OK(instance_list_judged(store.db, 1, &filter, arena, ret, &count, &why));
    return count;
}

/* Processes 1 and 2 live; those behind them have ended, the oldest of which are not looked for. */
static void test_those_that_are_kept_or_live_come_first(void **state)
{
    (void)state;
    struct arena arena;
    struct instance_row *rows;
    const int64_t kept = 3;
    arena_init(&arena, 16 << 20);
    assert_int_equal(list_judged(NULL, 0, LISTED_MAX, &arena, &rows), LISTED_MAX);
    assert_non_null(row_of(rows, LISTED_MAX, 1));
    assert_non_null(row_of(rows, LISTED_MAX, 2));
    assert_null(row_of(rows, LISTED_MAX, kept));
    assert_int_equal(list_judged(&kept, 1, 2, &arena, &rows), 2);
    assert_non_null(row_of(rows, 2, 1));
    assert_non_null(row_of(rows, 2, kept));
    assert_int_equal(row_of(rows, 2, 1)->type_count, 0);
    struct instance_row *const wanted[] = {&rows[1], &rows[0]};
    OK(instance_list_types(store.db, 1, wanted, 2, &arena, &why));
    assert_int_equal(row_of(rows, 2, 1)->type_count, TYPES);
    assert_int_equal(row_of(rows, 2, kept)->type_count, 4000);
    arena_done(&arena);
}

/* A version that has just begun is not overlooked beside the one before. */
static void test_versions_share_what_is_listed(void **state)
{
    (void)state;
    enum { MAX = 4 };
    struct arena arena;
    struct instance_row *rows;
    arena_init(&arena, 16 << 20);
    add_process("churn", "v2", BINS - 2, 2, 0);
    assert_int_equal(list_judged(NULL, 0, MAX, &arena, &rows), MAX);
    assert_non_null(row_of(rows, MAX, SHORT + 3));
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_leaks_is_found_among_short_ones),
        cmocka_unit_test(test_those_that_are_kept_or_live_come_first),
        cmocka_unit_test(test_versions_share_what_is_listed),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
