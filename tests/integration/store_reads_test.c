/* USES store */
/* What is read of many processes at once is what each of them has, wherever a read is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "glance.h"
#include "heap_model.h"
#include "history_batch.h"
#include "keep_house.h"
#include "old_chunk_rows.h"

#define MINUTE_MS ((int64_t)60 * 1000)
#define HOUR_MS (60 * MINUTE_MS)
#define SLOT_MS (4 * HOUR_MS)
#define DAY_MS (24 * HOUR_MS)
#define MIDNIGHT (20000 * DAY_MS) /* some day in 2024 */

static void keep(int64_t now_ms)
{
    struct keep_house_report report;
    struct keep_house_config config = KEEP_HOUSE_DEFAULT;
    OK(keep_house(store.db, &config, now_ms, &report, &why));
    assert_int_equal(report.lost, 0);
}

/* A process of its own service. */
static void begin(struct model *model, const char *service, uint32_t number)
{
    struct process_identity identity = identity_of(service, "v1", number);
    model_init(model, &identity, number);
}

static void snap(struct model *model, int64_t from_ms, int64_t step_ms, int count)
{
    for (int i = 0; i < count; i++)
        model_snap(model, from_ms + i * step_ms);
    model_commit(model, model->written, model->count);
}

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

/* Each range has what was written between its times, once and in order. */
static void assert_ranges(const struct model *const *models, const struct history_range *ranges,
                          size_t count)
{
    struct range_check check = {.range = 0};
    for (size_t i = 0; i < count; i++)
        check.of[i] = (struct model_check){models[i], ranges[i].from_ms, ranges[i].to_ms, 0};
    OK(history_walk_ranges(store.db, models[0]->at.service_id, ranges, count, see_range, &check,
                           &why));
    for (size_t i = 0; i < count; i++) {
        model_skip(&check.of[i]);
        if (check.of[i].next != models[i]->written)
            fail_msg("range %zu lacks snapshot %zu", i, check.of[i].next);
    }
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

/* ---- at a glance ---------------------------------------------------------------------------- */

static struct model make_process(const char *service, uint32_t number, int64_t behind_ms)
{
    struct process_identity identity = identity_of(service, "v1", number);
    identity.clock_behind_ms = behind_ms;
    struct model model;
    model_init(&model, &identity, number);
    return model;
}

static void end_process(const struct model *model, int64_t time_ms)
{
    struct write_batch *batch = write_batch_new();
    write_batch_end(batch, model->at.service_id, model->at.instance_id, time_ms, "exited");
    OK(write_batch_commit(store.db, batch, &why));
    write_batch_free(batch);
}

/* A process of each kind, as of `now_ms`. */
static void make_kinds(const char *service, uint32_t number, int64_t now_ms)
{
    static const struct {
        int64_t first_ms, step_ms; /* before now */
        int count;
        int64_t ended_ms; /* before now; 0: not ended */
        int64_t behind_ms;
    } kinds[] = {
        {5 * HOUR_MS, MINUTE_MS, 300, 0, 0},                           /* lives */
        {MINUTE_MS, MINUTE_MS, 1, 0, 0},                               /* its first snapshot */
        {5 * HOUR_MS, MINUTE_MS, 60, 4 * HOUR_MS, 0},                  /* ended */
        {5 * HOUR_MS, MINUTE_MS, 295, 3 * HOUR_MS, 0},                 /* an end that was none */
        {3 * DAY_MS, 10 * MINUTE_MS, 432, 2 * DAY_MS, 0},              /* and days ago */
        {30 * HOUR_MS, HOUR_MS, 30, 0, 0},                             /* seldom */
        {30 * HOUR_MS, HOUR_MS, 31, 0, 0},                             /* the same, just now */
        {0, 0, 0, 0, 0},                                               /* nothing yet */
        {3 * HOUR_MS + 20 * MINUTE_MS, MINUTE_MS, 20, 0, 3 * HOUR_MS}, /* its clock is behind */
        {2 * HOUR_MS, MINUTE_MS, 240, 0, -2 * HOUR_MS},                /* and ahead */
        {2 * DAY_MS, MINUTE_MS, 60, 0, 0},                             /* silent */
        {9 * DAY_MS, HOUR_MS, 20, 0, 0},                               /* for longer */
        {9 * DAY_MS, HOUR_MS, 20, 8 * DAY_MS, 0},
        {9 * HOUR_MS, MINUTE_MS, 9 * 60 - 8, 2 * MINUTE_MS, 0}, /* ended just now */
    };
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        struct model model = make_process(service, number + (uint32_t)i, kinds[i].behind_ms);
        snap(&model, now_ms - kinds[i].first_ms, kinds[i].step_ms, kinds[i].count);
        if (kinds[i].ended_ms != 0)
            end_process(&model, now_ms - kinds[i].ended_ms);
        model_done(&model);
    }
}

static const struct process_glance *find_glance(const struct process_glance *list, size_t count,
                                                int64_t service_id, int64_t id)
{
    for (size_t i = 0; i < count; i++) {
        assert_true(i == 0 || list[i].service_id >= list[i - 1].service_id);
        if (list[i].service_id == service_id && list[i].instance.id == id)
            return &list[i];
    }
    fail_msg("process %lld is missing", (long long)id);
    return NULL;
}

/* All that is said of a process is what the list of its service says, but for those that ended and
 * were not seen last. */
static void assert_same(const struct instance_row *is, const struct instance_row *should,
                        int64_t last_seen_ms)
{
    assert_int_equal(is->deployment_id, should->deployment_id);
    assert_int_equal(is->started_ms, should->started_ms);
    assert_int_equal(is->clock_behind_ms, should->clock_behind_ms);
    if (is->ended_ms != 0 && is->last_seen_ms == 0 && should->last_seen_ms < last_seen_ms)
        return;
    assert_int_equal(is->ended_ms, should->ended_ms);
    assert_int_equal(is->last_seen_ms, should->last_seen_ms);
    assert_int_equal(is->interval_ms, should->interval_ms);
    assert_int_equal(is->objects, should->objects);
    assert_int_equal(is->bytes, should->bytes);
}

static void assert_listed(const struct process_glance *list, size_t count, struct arena *arena)
{
    struct service_row *services = NULL;
    size_t service_count = 0, listed = 0;
    OK(service_list(store.db, arena, &services, &service_count, &why));
    for (size_t s = 0; s < service_count; s++) {
        struct instance_row *instances = NULL;
        size_t instance_count = 0;
        int64_t last_seen_ms = 0;
        OK(instance_list(store.db, services[s].id, 0, arena, &instances, &instance_count, &why));
        for (size_t i = 0; i < instance_count; i++) {
            if (instances[i].last_seen_ms > last_seen_ms)
                last_seen_ms = instances[i].last_seen_ms;
        }
        for (size_t i = 0; i < instance_count; i++)
            assert_same(&find_glance(list, count, services[s].id, instances[i].id)->instance,
                        &instances[i], last_seen_ms);
        listed += instance_count;
    }
    assert_int_equal(count, listed);
}

static void assert_glance(int64_t now_ms)
{
    struct arena arena;
    struct process_glance *list = NULL;
    size_t count = 0;
    arena_init(&arena, 16 << 20);
    OK(glance_processes(store.db, now_ms, &arena, &list, &count, &why));
    assert_listed(list, count, &arena);
    OK(glance_by_service(store.db, &arena, &list, &count, &why));
    assert_listed(list, count, &arena);
    arena_done(&arena);
}

static void a_glance_is_what_the_lists_say(void **state)
{
    (void)state;
    int64_t now_ms = MIDNIGHT + 100 * DAY_MS + 9 * HOUR_MS;
    struct model last = make_process("glance, ended", 99, 0);
    snap(&last, now_ms - 3 * HOUR_MS, MINUTE_MS, 60);
    end_process(&last, now_ms - 2 * HOUR_MS);
    model_done(&last);
    make_kinds("glance", 100, now_ms);
    make_kinds("glance again", 200, now_ms - 10 * DAY_MS); /* all are silent */
    assert_glance(now_ms);
    assert_glance(now_ms + 7 * MINUTE_MS);
    keep(now_ms);
    assert_glance(now_ms);
    assert_glance(now_ms + 20 * MINUTE_MS);
    keep(now_ms + DAY_MS);
    assert_glance(now_ms);
    assert_glance(now_ms + 2 * DAY_MS);
    assert_glance(now_ms + 20 * DAY_MS);
}

/* Those seen since a moment are the ones of all that were, and so with versions. */
static void some_processes_are_of_all(void **state)
{
    (void)state;
    struct arena arena;
    struct instance_row *all = NULL, *some = NULL;
    size_t count = 0, some_count = 0;
    int64_t now_ms = MIDNIGHT + 200 * DAY_MS;
    struct process_identity identity = identity_of("some", "v2", 401);
    struct instance_state other = open_instance(&identity);
    make_kinds("some", 402, now_ms);
    keep(now_ms);
    arena_init(&arena, 16 << 20);
    OK(instance_list(store.db, other.service_id, 0, &arena, &all, &count, &why));
    for (int64_t from_ms = now_ms - 10 * DAY_MS; from_ms < now_ms + DAY_MS; from_ms += HOUR_MS) {
        const struct instance_filter filter = {.seen_from_ms = from_ms};
        OK(instance_list_some(store.db, other.service_id, &filter, &arena, &some, &some_count,
                              &why));
        size_t at = 0;
        for (size_t i = 0; i < count; i++) {
            if (all[i].last_seen_ms >= from_ms)
                assert_int_equal(some[at++].id, all[i].id);
        }
        assert_int_equal(at, some_count);
    }
    struct instance_filter filter = {.deployment_ids = &all[0].deployment_id,
                                     .deployment_count = 1};
    OK(instance_list_some(store.db, other.service_id, &filter, &arena, &some, &some_count, &why));
    assert_int_equal(some_count, 1); /* the one of v2, which started first */
    assert_int_equal(some[0].id, other.instance_id);
    filter.deployment_count = 0;
    OK(instance_list_some(store.db, other.service_id, &filter, &arena, &some, &some_count, &why));
    assert_int_equal(some_count, count);
    instance_state_done(&other);
    arena_done(&arena);
}

static void versions_and_findings_at_a_glance(void **state)
{
    (void)state;
    struct arena arena;
    struct version_glance *versions = NULL;
    struct finding_glance *findings = NULL;
    size_t version_count = 0, finding_count = 9;
    arena_init(&arena, 1 << 20);
    struct process_identity identity = identity_of("versions", "v7", 500);
    struct instance_state at = open_instance(&identity);
    OK(glance_versions(store.db, &arena, &versions, &version_count, &why));
    const struct version_glance *last = &versions[version_count - 1];
    assert_int_equal(last->service_id, at.service_id);
    assert_string_equal(last->version, "v7");
    OK(glance_findings(store.db, &arena, &findings, &finding_count, &why));
    assert_int_equal(finding_count, 0);
    static const char finding_sql[] =
        "INSERT INTO heapfleet.finding (service_id, type, first_seen_ms, last_seen_ms, severity, "
        "introduced_in, count_per_hour, bytes_per_hour, confidence, until_limit_ms, instances, "
        "companions, closed_ms) SELECT %lld, t, 1, 1, "
        "CASE WHEN t = 'd' THEN 'watch' ELSE 'suspect' END, '', 1, 1, 1, 0, 1, '[]', "
        "CASE WHEN t = 'c' THEN 2 END FROM unnest('{a,b,c,d}'::text[]) t";
    char sql[600];
    (void)snprintf(sql, sizeof(sql), finding_sql, (long long)at.service_id);
    must_run(store.dsn, sql);
    OK(glance_findings(store.db, &arena, &findings, &finding_count, &why));
    assert_int_equal(finding_count, 1);
    assert_int_equal(findings[0].service_id, at.service_id);
    assert_int_equal(findings[0].open, 2);
    instance_state_done(&at);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_range_has_more_rows_than_are_read_of_one),
        cmocka_unit_test(ranges_have_more_rows_than_are_read_at_once),
        cmocka_unit_test(more_ranges_than_a_statement_takes),
        cmocka_unit_test(more_chunks_than_are_fetched_at_once),
        cmocka_unit_test(a_chunk_that_goes_meanwhile_is_left_out),
        cmocka_unit_test(first_times_are_the_earliest),
        cmocka_unit_test(a_glance_is_what_the_lists_say),
        cmocka_unit_test(some_processes_are_of_all),
        cmocka_unit_test(versions_and_findings_at_a_glance),
    };
    return cmocka_run_group_tests(tests, store_scene_start, store_scene_stop);
}
