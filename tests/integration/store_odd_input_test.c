/* USES store */
/* What a fleet may send that nobody expects: each is stored, or refused with a clear line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "heap_model.h"
#include "keep_house.h"

#define HOUR_MS ((int64_t)3600 * 1000)
#define DAY_MS (24 * HOUR_MS)
#define MIDNIGHT (20000 * DAY_MS)

static void keep(int64_t now_ms)
{
    const struct keep_house_config config = KEEP_HOUSE_DEFAULT;
    struct keep_house_report report;
    OK(keep_house(store.db, &config, now_ms, &report, &why));
    assert_int_equal(report.lost, 0);
}

static void a_type_name_may_hold_any_character(void **state)
{
    (void)state;
    struct process_identity identity = identity_of("names", "v1", 1);
    struct instance_state at = open_instance(&identity);
    char texts[127][16];
    const char *names[127 + 3];
    uint32_t places[ARRAY_SIZE(names)];
    for (int i = 1; i <= 127; i++) {
        (void)snprintf(texts[i - 1], sizeof(texts[0]), "a%cb%c", i, i);
        names[i - 1] = texts[i - 1];
    }
    names[127] = "\xf0\x9f\x90\x8d.\xc3\xa9";
    names[128] = "\xe2\x80\xae\xef\xbf\xbf"; /* right to left, a character that is none */
    names[129] = "";
    OK(instance_types_add(store.db, at.service_id, at.instance_id, names, ARRAY_SIZE(names), places,
                          &why));
    instance_state_done(&at);
    at = open_instance(&identity);
    assert_int_equal(at.type_count, ARRAY_SIZE(names));
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_string_equal(at.type_names[places[i]], names[i]);
    instance_state_done(&at);
}

static void a_name_that_is_no_text_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"\xff", "a\xc3", "\xed\xa0\x80", "\xc0\x80",
                                        "\xf4\x90\x80\x80"};
    struct process_identity identity = identity_of("no text", "v1", 2);
    struct instance_state at = open_instance(&identity);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct why why = {""};
        uint32_t place;
        assert_int_equal(
            instance_types_add(store.db, at.service_id, at.instance_id, &wrong[i], 1, &place, &why),
            STATUS_INVALID);
        assert_non_null(strstr(why.text, "UTF8"));
        assert_null(strchr(why.text, '\n'));
    }
    uint32_t place;
    const char *name = "right";
    OK(instance_types_add(store.db, at.service_id, at.instance_id, &name, 1, &place, &why));
    instance_state_done(&at);
}

static void ten_thousand_types_are_many_and_no_trouble(void **state)
{
    (void)state;
    enum { TYPES = 10000 };
    struct process_identity identity = identity_of("wide", "v1", 3);
    struct model model;
    model_init(&model, &identity, 3);
    char(*texts)[24] = malloc(TYPES * sizeof(*texts));
    const char **names = malloc(TYPES * sizeof(*names));
    uint32_t *places = malloc(TYPES * sizeof(*places));
    assert_true(texts != NULL && names != NULL && places != NULL);
    for (int i = 0; i < TYPES; i++) {
        (void)snprintf(texts[i], sizeof(texts[0]), "wide.Type%d", i);
        names[i] = texts[i];
    }
    OK(instance_types_add(store.db, model.at.service_id, model.at.instance_id, names, TYPES, places,
                          &why));
    for (int i = 0; i < 12; i++) {
        model_snap(&model, MIDNIGHT + i * HOUR_MS / 2);
        struct model_snapshot *snapshot = &model.snapshots[i];
        heap_values_resize(&snapshot->values, TYPES);
        for (uint32_t t = (uint32_t)i; t < TYPES; t += 3)
            snapshot->values.values[t] = (struct type_value){t + (uint32_t)i, t * 100};
        snapshot->row.types = TYPES;
    }
    model_commit(&model, 0, 12);
    model_assert(&model, 0, INT64_MAX);
    keep(MIDNIGHT + 3 * DAY_MS);
    model_assert(&model, 0, INT64_MAX);
    model_assert_end(&model, &identity);
    assert_true(number_of(store.dsn, "SELECT count(DISTINCT type_id) FROM heapfleet.heap_hour") >=
                TYPES - 1);
    free(texts);
    free(names);
    free(places);
    model_done(&model);
}

/* A process that is told another service name is a process of that service from then on. */
static void a_service_that_is_renamed_keeps_both_histories(void **state)
{
    (void)state;
    struct process_identity before = identity_of("old name", "v1", 4), after = before;
    after.service = "new name";
    struct model first, second;
    model_init(&first, &before, 4);
    model_init(&second, &after, 5);
    assert_true(first.at.service_id != second.at.service_id);
    for (int i = 0; i < 20; i++) {
        model_snap(&first, MIDNIGHT + i * HOUR_MS);
        model_snap(&second, MIDNIGHT + (i + 20) * HOUR_MS);
    }
    model_commit(&first, 0, 20);
    model_commit(&second, 0, 10);
    keep(MIDNIGHT + DAY_MS);
    model_commit(&second, 10, 20);
    keep(MIDNIGHT + 3 * DAY_MS);
    model_assert(&first, 0, INT64_MAX);
    model_assert(&second, 0, INT64_MAX);
    model_done(&first);
    model_done(&second);
}

/* Each time is one that a collector takes: within thirty days. */
static void a_clock_that_jumps_by_weeks_loses_nothing(void **state)
{
    (void)state;
    struct process_identity identity = identity_of("jumps", "v1", 5);
    struct model model;
    model_init(&model, &identity, 6);
    for (int i = 0; i < 60; i++)
        model_snap(&model, MIDNIGHT + (int64_t)model_draw(&model, 29 * 24) * HOUR_MS);
    for (size_t i = 0; i < 60; i += 10) {
        model_commit(&model, i, i + 10);
        keep(MIDNIGHT + 29 * DAY_MS);
        model_assert(&model, 0, INT64_MAX);
        model_assert_end(&model, &identity);
    }
    model_done(&model);
}

/* ---- a name with two times ------------------------------------------------------------------- */

/* The key that hot partitions had before schema 17, which Citus's tables of then keep. */
static const char old_key_sql[] =
    "SELECT heapfleet.make_partition('snap_delta', 1728000000000);"
    "ALTER TABLE heapfleet.snap_delta_20241004_00 DROP CONSTRAINT snap_delta_20241004_00_pkey;"
    "ALTER TABLE heapfleet.snap_delta_20241004_00 "
    "    ADD PRIMARY KEY (service_id, instance_id, sequence, time_ms)";

static const char again_sql[] =
    "INSERT INTO heapfleet.snap_delta SELECT service_id, instance_id, sequence, time_ms + 1, "
    "base_sequence, process, body FROM heapfleet.snap_delta "
    "WHERE time_ms BETWEEN 1728000000000 AND 1728014399999";

static enum status count_one(void *user, const struct history_snapshot *seen)
{
    (void)seen;
    ++*(size_t *)user;
    return STATUS_OK;
}

static size_t count_shown(const struct model *model)
{
    size_t count = 0;
    OK(history_walk(store.db, model->at.service_id, model->at.instance_id, 0, INT64_MAX, count_one,
                    &count, &why));
    return count;
}

static void a_name_with_two_times_is_one_snapshot(void **state)
{
    (void)state;
    struct process_identity identity = identity_of("two times", "v1", 6);
    struct model model;
    model_init(&model, &identity, 8);
    for (int i = 0; i < 30; i++)
        model_snap(&model, MIDNIGHT + (int64_t)i * 60000);
    for (size_t i = 0; i < 30; i += 15) { /* the second time beside a chunk */
        must_run(store.dsn, old_key_sql);
        model_commit(&model, i, i + 15);
        must_run(store.dsn, again_sql);
        assert_int_equal(count_shown(&model), i + 15);
        keep(MIDNIGHT + DAY_MS);
        assert_int_equal(count_shown(&model), i + 15);
        assert_int_equal(number_of(store.dsn, "SELECT count(*) FROM heapfleet.partition "
                                              "WHERE name = 'snap_delta_20241004_00'"),
                         0);
    }
    model_done(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_type_name_may_hold_any_character),
        cmocka_unit_test(a_name_that_is_no_text_is_refused),
        cmocka_unit_test(ten_thousand_types_are_many_and_no_trouble),
        cmocka_unit_test(a_service_that_is_renamed_keeps_both_histories),
        cmocka_unit_test(a_clock_that_jumps_by_weeks_loses_nothing),
        cmocka_unit_test(a_name_with_two_times_is_one_snapshot),
    };
    return cmocka_run_group_tests(tests, store_scene_start, store_scene_stop);
}
