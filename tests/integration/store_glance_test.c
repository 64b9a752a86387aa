/* USES store */
/* Lists of processes, and the fleet at a glance: the newest snapshot of each, wherever it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "glance.h"
#include "reads_scene.h"

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
    return NULL;
}

/* All that is said of a process is what the list of its service says. One that ended, though its
 * end may be belied, is left out or not looked at if another one was seen later and it was not seen
 * since `near_ms`. */
static void assert_same(const struct process_glance *glance, const struct instance_row *should,
                        int64_t last_seen_ms, int64_t near_ms)
{
    if (glance == NULL) {
        assert_true(should->last_seen_ms < last_seen_ms && should->last_seen_ms < near_ms);
        return;
    }
    const struct instance_row *is = &glance->instance;
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

/* Of a service that has one version. */
static void assert_version(int64_t service_id, const struct instance_row *instances, size_t count,
                           struct arena *arena)
{
    struct version_glance *versions = NULL;
    size_t version_count = 0, seen = 0;
    OK(glance_versions(store.db, arena, &versions, &version_count, &why));
    for (size_t i = 0; i < version_count; i++) {
        if (versions[i].service_id != service_id)
            continue;
        assert_int_equal(versions[i].instances, count);
        assert_int_equal(versions[i].first_seen_ms, count > 0 ? instances[0].started_ms : 0);
        seen++;
    }
    assert_int_equal(seen, 1);
}

static void assert_listed(const struct process_glance *list, size_t count, int64_t near_ms,
                          struct arena *arena)
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
        for (size_t i = 0; i < instance_count; i++) {
            const struct process_glance *glance =
                find_glance(list, count, services[s].id, instances[i].id);
            assert_same(glance, &instances[i], last_seen_ms, near_ms);
            listed += glance != NULL;
        }
        assert_version(services[s].id, instances, instance_count, arena);
    }
    assert_int_equal(count, listed);
}

static void assert_glance(int64_t now_ms)
{
    struct arena arena;
    struct process_glance *list = NULL;
    size_t count = 0;
    struct service_row *services = NULL;
    size_t service_count = 0;
    arena_init(&arena, 16 << 20);
    OK(service_list(store.db, &arena, &services, &service_count, &why));
    OK(glance_processes(store.db, now_ms, services, service_count, &arena, &list, &count, &why));
    assert_listed(list, count, now_ms - 15 * MINUTE_MS, &arena);
    OK(glance_by_service(store.db, &arena, &list, &count, &why));
    assert_listed(list, count, now_ms - 15 * MINUTE_MS, &arena);
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

/* Processes of every kind beside each other, in an order that nobody chose: who has hot rows is
 * found from who has not ended, and between two of these there may be none or many that did. */
static void neighbours_are_all_seen(void **state)
{
    (void)state;
    int64_t now_ms = MIDNIGHT + 300 * DAY_MS + 4 * HOUR_MS + 7 * MINUTE_MS; /* a slot began */
    uint32_t random = 4711;
    for (uint32_t i = 0; i < 48; i++) {
        random = random * 1664525 + 1013904223;
        uint32_t kind = (random >> 16) % 6, snapshots = 1 + (random >> 24) % 3;
        const char *service = (random >> 20) % 2 == 0 ? "next to" : "each other";
        struct model model = make_process(service, 600 + i, 0);
        int64_t first_ms = kind == 0 ? now_ms + 3 * HOUR_MS + 50 * MINUTE_MS /* a clock ahead */
                                     : now_ms - (random >> 8) % 20 * MINUTE_MS;
        if (kind != 1) /* it has said nothing yet */
            snap(&model, first_ms, 2 * MINUTE_MS, (int)snapshots);
        if (kind >= 4)
            end_process(&model, first_ms + MINUTE_MS); /* some belied by what follows */
        model_done(&model);
    }
    assert_glance(now_ms);
    assert_glance(now_ms + 6 * MINUTE_MS);
    assert_glance(now_ms + 20 * MINUTE_MS);
    assert_glance(now_ms + 4 * HOUR_MS);
    keep(now_ms);
    assert_glance(now_ms);
}

/* Of a type of `one`: where each process has it, and nothing of the others. How many do. */
static size_t assert_type_indices(int64_t service_id, const struct instance_row *one,
                                  const struct instance_row *all, size_t count, struct arena *arena)
{
    struct instance_row *some = NULL;
    size_t some_count = 0, having = 0;
    struct instance_filter filter = {.of_type = one->type_ids[one->type_count - 1]};
    OK(instance_list_some(store.db, service_id, &filter, arena, &some, &some_count, &why));
    assert_int_equal(some_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(some[i].type_count, 0);
        if (some[i].type_index == UINT32_MAX)
            continue;
        assert_int_equal(all[i].type_ids[some[i].type_index], filter.of_type);
        having++;
    }
    struct instance_row *since = NULL;
    filter.of_type_from_ms = one->last_seen_ms;
    OK(instance_list_some(store.db, service_id, &filter, arena, &since, &some_count, &why));
    for (size_t i = 0; i < count; i++) {
        int is_since = all[i].last_seen_ms >= one->last_seen_ms;
        assert_int_equal(since[i].type_index, is_since ? some[i].type_index : UINT32_MAX);
    }
    filter.of_type = INSTANCE_NO_TYPES;
    OK(instance_list_some(store.db, service_id, &filter, arena, &some, &some_count, &why));
    assert_int_equal(some[count - 1].type_count, 0);
    assert_int_equal(some[count - 1].type_index, UINT32_MAX);
    return having;
}

/* What was compacted is told once more. */
static void the_newest_is_hot_and_compacted(void **state)
{
    (void)state;
    struct arena arena;
    struct instance_row *rows = NULL;
    size_t count = 0;
    struct model model = make_process("newest", 350, 0);
    snap(&model, MIDNIGHT, MINUTE_MS, 30);
    keep(MIDNIGHT + DAY_MS);
    arena_init(&arena, 16 << 20);
    for (size_t first = 30; first > 27; first--) { /* none, the newest, two of them */
        model_commit(&model, first, 30);
        OK(instance_list(store.db, model.at.service_id, 0, &arena, &rows, &count, &why));
        assert_int_equal(count, 1);
        assert_int_equal(rows[0].last_seen_ms, MIDNIGHT + 29 * MINUTE_MS);
        assert_int_equal(rows[0].interval_ms, MINUTE_MS);
        assert_int_equal(rows[0].bytes, model_last(&model)->row.bytes);
    }
    model_snap(&model, MIDNIGHT + 31 * MINUTE_MS);
    model_commit(&model, model.written, model.count);
    OK(instance_list(store.db, model.at.service_id, 0, &arena, &rows, &count, &why));
    assert_int_equal(rows[0].interval_ms, 2 * MINUTE_MS);
    arena_done(&arena);
    model_done(&model);
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
    size_t having = assert_type_indices(other.service_id, &all[count - 1], all, count, &arena);
    assert_in_range(having, 1, count - 1); /* the first has no types */
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
        cmocka_unit_test(a_glance_is_what_the_lists_say),
        cmocka_unit_test(neighbours_are_all_seen),
        cmocka_unit_test(the_newest_is_hot_and_compacted),
        cmocka_unit_test(some_processes_are_of_all),
        cmocka_unit_test(versions_and_findings_at_a_glance),
    };
    return cmocka_run_group_tests(tests, store_scene_start, store_scene_stop);
}
