/* USES store */
/* What is read of many processes at once is what each of them has, wherever a read is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "history_batch.h"
#include "history_type.h"
#include "old_chunk_rows.h"
#include "reads_scene.h"

/* ---- many ranges ---------------------------------------------------------------------------- */

enum { RANGES_MAX = 200 };

struct range_check {
    struct model_check of[RANGES_MAX];
    size_t range;
    const char *sql; /* run at the first snapshot; NULL: nothing */
};

static enum status see_range(void *user, size_t range, const struct history_snapshot *snapshot)
{
    struct range_check *check = user;
    assert_true(range >= check->range); /* in their order */
    check->range = range;
    if (check->sql != NULL)
        must_run(store.dsn, check->sql);
    check->sql = NULL;
    return model_see(&check->of[range], snapshot);
}

typedef enum status walk_fn(struct db *db, int64_t service_id, const struct history_range *ranges,
                            size_t count, history_range_visit_fn *visit, void *user,
                            struct why *why);

/* Each range has what was written between its times, once and in order. */
static void assert_walked(walk_fn *walk, const struct model *const *models,
                          const struct history_range *ranges, size_t count)
{
    struct range_check check = {.range = 0};
    for (size_t i = 0; i < count; i++)
        check.of[i] = (struct model_check){models[i], ranges[i].from_ms, ranges[i].to_ms, 0};
    OK(walk(store.db, models[0]->at.service_id, ranges, count, see_range, &check, &why));
    for (size_t i = 0; i < count; i++) {
        model_skip(&check.of[i]);
        if (check.of[i].next != models[i]->written)
            fail_msg("range %zu lacks snapshot %zu", i, check.of[i].next);
    }
}

struct type_check {
    struct model_check of[RANGES_MAX];
    uint32_t index;
};

static enum status see_type(void *user, size_t range, int64_t time_ms, struct type_value value)
{
    struct type_check *check = user;
    struct model_check *of = &check->of[range];
    model_skip(of);
    assert_true(of->next < of->model->written);
    const struct model_snapshot *known = &of->model->snapshots[of->next++];
    struct type_value expected = {0};
    if (check->index < known->values.types)
        expected = known->values.values[check->index];
    assert_int_equal(time_ms, known->row.time_ms);
    assert_int_equal(value.count, expected.count);
    assert_int_equal(value.bytes, expected.bytes);
    return STATUS_OK;
}

/* The same of one type, wherever it stands. */
static void assert_types(const struct model *all, size_t count, int64_t from_ms, int64_t to_ms)
{
    const struct type_span span = {
        .service_id = all[0].at.service_id, .from_ms = from_ms, .to_ms = to_ms, .now_ms = to_ms};
    for (uint32_t index = 0; index <= MODEL_TYPES; index += 6) {
        struct type_check check = {.index = index};
        struct type_range ranges[RANGES_MAX];
        for (size_t i = 0; i < count; i++) {
            check.of[i] = (struct model_check){&all[i], from_ms, to_ms, 0};
            ranges[i] = (struct type_range){all[i].at.instance_id, index};
        }
        OK(history_walk_type(store.db, &span, ranges, count, see_type, &check, &why));
        for (size_t i = 0; i < count; i++) {
            model_skip(&check.of[i]);
            assert_int_equal(check.of[i].next, all[i].written);
        }
    }
}

static void assert_ranges(const struct model *const *models, const struct history_range *ranges,
                          size_t count)
{
    assert_walked(history_walk_ranges, models, ranges, count);
}

static struct history_range range_of(const struct model *model, int64_t from_ms, int64_t to_ms)
{
    return (struct history_range){model->at.instance_id, from_ms, to_ms};
}

static void a_range_has_more_rows_than_are_read_of_one(void **state)
{
    (void)state;
    struct model large, small;
    begin(&large, "rows", 1);
    begin(&small, "rows", 2);
    snap(&large, MIDNIGHT, 1000, 2 * BATCH_PAGE_ROWS + 500);
    snap(&small, MIDNIGHT, 1000, 10);
    const struct model *models[] = {&large, &small, &large, &small, &large};
    const struct history_range ranges[] = {
        range_of(&large, 0, INT64_MAX),
        range_of(&small, 0, INT64_MAX),
        range_of(&large, MIDNIGHT + 900 * 1000, MIDNIGHT + 2300 * 1000),
        range_of(&small, MIDNIGHT + HOUR_MS, MIDNIGHT + DAY_MS),
        /* exactly as many as are read */
        range_of(&large, MIDNIGHT, MIDNIGHT + (BATCH_PAGE_ROWS - 1) * 1000),
    };
    assert_ranges(models, ranges, ARRAY_SIZE(ranges));
    model_done(&large);
    model_done(&small);
}

/* No range is too long for itself, all of them together are. */
static void ranges_have_more_rows_than_are_read_at_once(void **state)
{
    (void)state;
    enum { EACH = 900, COUNT = BATCH_ROWS / EACH + 4 };
    struct model model;
    begin(&model, "rows together", 3);
    snap(&model, MIDNIGHT, 1000, EACH);
    const struct model *models[COUNT];
    struct history_range ranges[COUNT];
    for (int i = 0; i < COUNT; i++) {
        models[i] = &model;
        ranges[i] = range_of(&model, MIDNIGHT, MIDNIGHT + HOUR_MS);
    }
    assert_ranges(models, ranges, COUNT);
    model_done(&model);
}

static void more_ranges_than_a_statement_takes(void **state)
{
    (void)state;
    enum { PROCESSES = 5, COUNT = 2 * BATCH_RANGES + 7 };
    struct model all[PROCESSES];
    const struct model *models[COUNT];
    struct history_range ranges[COUNT];
    for (uint32_t i = 0; i < PROCESSES; i++) {
        begin(&all[i], "ranges", 10 + i);
        snap(&all[i], MIDNIGHT + i, 10 * MINUTE_MS, 60);
    }
    for (int i = 0; i < COUNT; i++) {
        int64_t from_ms = MIDNIGHT + (i * 37 % 500) * MINUTE_MS;
        models[i] = &all[i % PROCESSES];
        ranges[i] = range_of(models[i], from_ms, from_ms + (i % 9) * 20 * MINUTE_MS);
    }
    assert_ranges(models, ranges, COUNT);
    keep(MIDNIGHT + DAY_MS); /* the same of chunks, and of both */
    for (int i = 0; i < PROCESSES; i++)
        snap(&all[i], MIDNIGHT + 11 * HOUR_MS, 10 * MINUTE_MS, 10);
    assert_ranges(models, ranges, COUNT);
    for (int i = 0; i < COUNT; i++)
        ranges[i].to_ms = MIDNIGHT + DAY_MS;
    assert_ranges(models, ranges, COUNT);
    for (int i = 0; i < PROCESSES; i++)
        model_done(&all[i]);
}

enum { SLOTS = 40 }; /* more chunks than are fetched at once */

static void begin_chunks(struct model *model, const char *service, uint32_t number)
{
    begin(model, service, number);
    snap(model, MIDNIGHT, HOUR_MS, SLOTS * 4);
    keep(MIDNIGHT + SLOTS * SLOT_MS + DAY_MS);
    assert_int_equal(number_of(store.dsn, "SELECT count(*) FROM heapfleet.snap_delta"), 0);
}

static void more_chunks_than_are_fetched_at_once(void **state)
{
    (void)state;
    struct model model;
    begin_chunks(&model, "chunks", 20);
    const struct model *models[] = {&model, &model, &model};
    const struct history_range ranges[] = {
        range_of(&model, 0, INT64_MAX),
        range_of(&model, MIDNIGHT + 3 * DAY_MS, MIDNIGHT + 4 * DAY_MS),
        range_of(&model, MIDNIGHT, MIDNIGHT + SLOTS * SLOT_MS - 1),
    };
    assert_ranges(models, ranges, ARRAY_SIZE(ranges));
    assert_true(old_chunks_make(store.db) >= SLOTS / 2); /* as after an upgrade */
    assert_ranges(models, ranges, ARRAY_SIZE(ranges));
    model_done(&model);
}

/* Between the list of chunks and their bodies: what is left is shown. */
static void a_chunk_that_goes_meanwhile_is_left_out(void **state)
{
    (void)state;
    enum { GONE = 36 }; /* not among the first that are fetched */
    struct model model;
    char sql[160];
    begin_chunks(&model, "dropped", 21);
    (void)snprintf(sql, sizeof(sql),
                   "DELETE FROM heapfleet.heap_chunk WHERE instance_id = %lld AND slot_ms = %lld",
                   (long long)model.at.instance_id, (long long)(MIDNIGHT + GONE * SLOT_MS));
    struct range_check check = {.of = {{&model, 0, MIDNIGHT + GONE * SLOT_MS - 1, 0},
                                       {&model, MIDNIGHT + (GONE + 1) * SLOT_MS, INT64_MAX, 0}},
                                .sql = sql};
    const struct history_range ranges[] = {
        range_of(&model, 0, MIDNIGHT + (GONE + 1) * SLOT_MS - 1),
        range_of(&model, MIDNIGHT + GONE * SLOT_MS, INT64_MAX),
    };
    OK(history_walk_ranges(store.db, model.at.service_id, ranges, 2, see_range, &check, &why));
    for (int i = 0; i < 2; i++) {
        model_skip(&check.of[i]);
        assert_int_equal(check.of[i].next, model.written);
    }
    assert_int_equal(number_of(store.dsn, "SELECT count(*) FROM heapfleet.heap_chunk c "
                                          "JOIN heapfleet.service s ON s.id = c.service_id "
                                          "WHERE s.name = 'dropped'"),
                     SLOTS - 1);
    model_done(&model);
}

/* ---- what is not compacted ------------------------------------------------------------------ */

static void assert_tail(const struct model *all, size_t count, int64_t from_ms, int64_t to_ms)
{
    const struct model *models[RANGES_MAX];
    struct history_range ranges[RANGES_MAX];
    for (size_t i = 0; i < count; i++) {
        models[i] = &all[i];
        ranges[i] = range_of(&all[i], from_ms, to_ms);
    }
    assert_walked(history_walk_tail, models, ranges, count);
    assert_walked(history_walk_ranges, models, ranges, count);
    assert_types(all, count, from_ms, to_ms);
    assert_types(all, count, from_ms + HOUR_MS / 2, to_ms - 1);
}

static void a_tail_builds_on_what_is_compacted(void **state)
{
    (void)state;
    enum { PROCESSES = 4 };
    struct model all[PROCESSES];
    int64_t end_ms = MIDNIGHT + SLOT_MS;
    for (uint32_t i = 0; i < PROCESSES; i++)
        begin(&all[i], "tail", 50 + i);
    snap(&all[0], MIDNIGHT, MINUTE_MS, 300);
    snap(&all[1], MIDNIGHT + HOUR_MS, 3 * MINUTE_MS, 30);
    snap(&all[2], end_ms + HOUR_MS, 1000, BATCH_PAGE_ROWS + 10); /* and of the last one nothing */
    keep(end_ms + HOUR_MS);
    assert_tail(all, PROCESSES, end_ms, end_ms + HOUR_MS);
    assert_tail(all, PROCESSES, end_ms, end_ms + DAY_MS);
    for (int i = 0; i < 5; i++) {
        snap(&all[0], end_ms + 2 * HOUR_MS + i * 20 * MINUTE_MS, MINUTE_MS, 10);
        snap(&all[0], end_ms - HOUR_MS, MINUTE_MS, 1); /* a clock is set back, and put right */
    }
    snap(&all[0], end_ms + 4 * HOUR_MS - 20 * MINUTE_MS, MINUTE_MS, 10);
    assert_tail(all, PROCESSES, end_ms, end_ms + DAY_MS);
    keep(end_ms + SLOT_MS + HOUR_MS); /* the tail has chunks now */
    snap(&all[1], end_ms + SLOT_MS, 3 * MINUTE_MS, 30);
    assert_tail(all, PROCESSES, end_ms, end_ms + DAY_MS);
    for (int i = 0; i < PROCESSES; i++)
        model_done(&all[i]);
}

/* ---- first times ---------------------------------------------------------------------------- */

static int64_t first_of(const struct model *model, int64_t from_ms, int64_t to_ms)
{
    for (size_t i = 0; i < model->written; i++) {
        int64_t time_ms = model->snapshots[i].row.time_ms;
        if (time_ms >= from_ms && time_ms <= to_ms)
            return time_ms;
    }
    return 0;
}

static void assert_firsts(const struct model *models, size_t count)
{
    int64_t ids[8], firsts[8];
    for (size_t i = 0; i < count; i++)
        ids[i] = models[i].at.instance_id;
    for (int64_t from_ms = MIDNIGHT - HOUR_MS; from_ms < MIDNIGHT + DAY_MS;
         from_ms += 11 * MINUTE_MS + 7) {
        int64_t to_ms = from_ms + (from_ms % 3 == 0 ? HOUR_MS : DAY_MS);
        OK(history_first_times(store.db, models[0].at.service_id, ids, count, from_ms, to_ms,
                               firsts, &why));
        for (size_t i = 0; i < count; i++)
            assert_int_equal(firsts[i], first_of(&models[i], from_ms, to_ms));
    }
}

static void first_times_are_the_earliest(void **state)
{
    (void)state;
    struct model models[4];
    for (uint32_t i = 0; i < 4; i++)
        begin(&models[i], "firsts", 30 + i);
    snap(&models[0], MIDNIGHT, MINUTE_MS, 100);
    snap(&models[1], MIDNIGHT + 3 * HOUR_MS, 7 * MINUTE_MS, 100);
    snap(&models[1], MIDNIGHT + 18 * HOUR_MS, 7 * MINUTE_MS, 10);
    snap(&models[2], MIDNIGHT + 5 * HOUR_MS, MINUTE_MS, 1); /* and of the last one nothing */
    assert_firsts(models, 4);
    keep(MIDNIGHT + 9 * HOUR_MS);
    snap(&models[0], MIDNIGHT + 10 * HOUR_MS, MINUTE_MS, 20);
    assert_firsts(models, 4);
    keep(MIDNIGHT + 2 * DAY_MS);
    assert_firsts(models, 4);
    assert_true(old_chunks_make(store.db) > 0);
    assert_firsts(models, 4);
    for (int i = 0; i < 4; i++)
        model_done(&models[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_range_has_more_rows_than_are_read_of_one),
        cmocka_unit_test(ranges_have_more_rows_than_are_read_at_once),
        cmocka_unit_test(more_ranges_than_a_statement_takes),
        cmocka_unit_test(more_chunks_than_are_fetched_at_once),
        cmocka_unit_test(a_chunk_that_goes_meanwhile_is_left_out),
        cmocka_unit_test(a_tail_builds_on_what_is_compacted),
        cmocka_unit_test(first_times_are_the_earliest),
    };
    return cmocka_run_group_tests(tests, store_scene_start, store_scene_stop);
}
