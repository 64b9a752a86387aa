/* USES sweep replay store */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "alerts.h"
#include "replayer.h"
#include "sweep_claims.h"
#include "sweep_scene.h"

/* ---- tests, in this order ----------------------------------------------------------------------
 */

static void test_an_empty_database_has_nothing_to_say(void **state)
{
    (void)state;
    struct arena arena;
    struct finding_row *rows;
    arena_init(&arena, 1 << 20);
    sweep_at(0);
    assert_int_equal(list(&arena, &rows), 0);
    arena_done(&arena);
}

static void test_a_leak_is_found_and_dated(void **state)
{
    (void)state;
    struct arena arena;
    struct finding_row *rows;
    arena_init(&arena, 1 << 20);
    for (int i = 0; i < 2; i++) {
        add_process("shop", "v1", 0, 60, 0);
        add_process("shop", "v2", 60, 60, 10);
        add_process("search", "v1", 0, 120, 0);
    }
    sweep_at(120);
    assert_int_equal(list(&arena, &rows), 1);
    assert_string_equal(rows[0].service, "shop");
    assert_string_equal(rows[0].type, "shop.Cart");
    assert_string_equal(rows[0].introduced_in, "v2");
    assert_string_equal(rows[0].severity, "confirmed");
    assert_string_equal(rows[0].companions_json, "[\"dict\"]");
    assert_int_equal(rows[0].instances, 2);
    /* 10 a bin of 0.1 s; 4 MB of room at 48 bytes each: a quarter of an hour */
    assert_true(rows[0].count_per_hour > 340000 && rows[0].count_per_hour < 380000);
    assert_true(rows[0].bytes_per_hour > 340000 * 48 && rows[0].bytes_per_hour < 380000 * 48);
    assert_true(rows[0].until_limit_ms > 800000 && rows[0].until_limit_ms < 950000);
    arena_done(&arena);
}

static void test_a_second_sweep_says_the_same(void **state)
{
    (void)state;
    struct arena arena;
    struct finding_row *rows;
    arena_init(&arena, 1 << 20);
    assert_int_equal(list(&arena, &rows), 1);
    int64_t first_seen_ms = rows[0].first_seen_ms;
    double confidence = rows[0].confidence;
    sweep_at(121);
    assert_int_equal(list(&arena, &rows), 1);
    assert_int_equal(rows[0].first_seen_ms, first_seen_ms);
    assert_true(rows[0].confidence >= confidence && rows[0].confidence <= confidence);
    arena_done(&arena);
}

static void test_a_service_that_is_gone_keeps_its_findings(void **state)
{
    (void)state;
    struct arena arena;
    struct finding_row *rows;
    arena_init(&arena, 1 << 20);
    sweep_at(120 + SWEEP_HORIZONS * HORIZON_BINS + 1);
    assert_int_equal(list(&arena, &rows), 1);
    arena_done(&arena);
}

static void test_a_version_that_is_clean_closes_it(void **state)
{
    (void)state;
    struct arena arena;
    struct finding_row *rows;
    arena_init(&arena, 1 << 20);
    add_process("shop", "v3", 120, 10, 0);
    sweep_at(130);
    assert_int_equal(list(&arena, &rows), 1);
    add_process("shop", "v3", 120, 60, 0);
    sweep_at(180);
    assert_int_equal(list(&arena, &rows), 0);
    arena_done(&arena);
}

/* ---- several collectors ------------------------------------------------------------------------
 */

static struct sweep *collector(uint8_t number, int64_t lease_ms)
{
    struct sweep_config other = config;
    other.collector_id[0] = number;
    other.lease_ms = lease_ms;
    return sweep_new(&other);
}

/* As if its lease had been over for long. */
static void expire(uint8_t number)
{
    char sql[256];
    struct why why = {""};
    struct pg *pg = pg_new(store.dsn);
    (void)snprintf(sql, sizeof(sql),
                   "UPDATE heapfleet.sweep_claim SET claimed_until = now() - interval '1 s' "
                   "WHERE collector_id::text LIKE '%02x%%'; "
                   "UPDATE heapfleet.sweep_collector SET alive_until = now() - interval '1 s' "
                   "WHERE collector_id::text LIKE '%02x%%'",
                   number, number);
    private_store_must(pg_script(pg, sql, &why), &why);
    pg_free(pg);
}

static uint64_t services_of(uint8_t number)
{
    const uint8_t collector_id[ID_BYTES] = {number};
    struct arena arena;
    struct sweep_claim *claims;
    size_t count;
    arena_init(&arena, 1 << 20);
    OK(sweep_claims_renew(store.db, collector_id, 60000, &arena, &claims, &count, &why));
    arena_done(&arena);
    return count;
}

/* Hand over in the middle of a leak: the next one must not begin again. */
static void test_another_collector_goes_on(void **state)
{
    (void)state;
    struct arena arena;
    struct finding_row *rows;
    arena_init(&arena, 1 << 20);
    for (int i = 0; i < 2; i++)
        add_process("relay", "v1", 200, 60, 10);
    for (uint32_t bin = 200; bin < 240; bin += 3)
        sweep_at(bin);
    OK(sweep_end(sweep, store.db, &why));
    sweep_free(sweep);
    sweep = collector(2, 60000);
    for (uint32_t bin = 240; bin <= 260; bin += 3)
        sweep_at(bin);
    assert_int_equal(list(&arena, &rows), 1);
    assert_string_equal(rows[0].service, "relay");
    assert_string_equal(rows[0].severity, "confirmed");
    arena_done(&arena);
}

static void test_collectors_share_and_take_over(void **state)
{
    (void)state;
    struct sweep *second = collector(3, 60000);
    OK(sweep_run(second, store.db, day_ms + (int64_t)260 * BIN_MS, &why)); /* nothing is free */
    sweep_at(260); /* gives its surplus up */
    uint64_t services = services_of(2);
    OK(sweep_run(second, store.db, day_ms + (int64_t)260 * BIN_MS, &why));
    uint64_t half = services_of(3);
    assert_true(services > 0 && half > 0);
    assert_true(services - half <= 1 || half - services <= 1);
    sweep_free(second); /* killed: it has not said so, and its lease is over soon */
    struct arena arena;
    struct finding_row *rows;
    arena_init(&arena, 1 << 20);
    expire(3);
    assert_int_equal(services_of(2), services + half);
    sweep_at(261);
    assert_int_equal(list(&arena, &rows), 1);
    arena_done(&arena);
}

/* ---- the same data from a file ------------------------------------------------------------------
 */

struct told {
    uint32_t count;
    struct verdict verdict;
    char type[64], companion[64], introduced_in[64];
};

static void note(void *user, const char *service, const struct verdict *verdict)
{
    struct told *told = user;
    assert_string_equal(service, "twin");
    told->count++;
    told->verdict = *verdict;
    (void)snprintf(told->type, sizeof(told->type), "%s", verdict->type);
    (void)snprintf(told->companion, sizeof(told->companion), "[\"%s\"]", verdict->companions[0]);
    (void)snprintf(told->introduced_in, sizeof(told->introduced_in), "%s", verdict->introduced_in);
}

static void write_line(struct buf *file, uint32_t bin, const char *version, uint32_t pod,
                       uint32_t uptime, double leak)
{
    struct heap_values values = HEAP_VALUES_INIT;
    values_at(uptime, leak, &values);
    for (uint32_t i = 0; i < TYPES; i++)
        buf_printf(file, "%lld,twin,%s,pod-%u,%s,%llu,%llu\n",
                   (long long)day_ms + (long long)bin * BIN_MS, version, pod, names[i],
                   (unsigned long long)values.values[i].count,
                   (unsigned long long)values.values[i].bytes);
    buf_printf(file, "%lld,twin,%s,pod-%u,@container,%d,%d,box-%s\n",
               (long long)day_ms + (long long)bin * BIN_MS, version, pod, CONTAINER_USAGE,
               CONTAINER_LIMIT, version);
    heap_values_done(&values);
}

static void replay_twin(struct told *told)
{
    const struct replay_config replay_config = {
        .detect = config.detect, .user = told, .tell = note};
    struct replay *replay = replay_new(&replay_config);
    struct buf file = BUF_INIT;
    for (uint32_t bin = 300; bin <= 430; bin++)
        for (uint32_t pod = 0; pod < 2; pod++) {
            if (bin <= 360)
                write_line(&file, bin, "v1", pod, bin - 300, 0);
            if (bin >= 360)
                write_line(&file, bin, "v2", pod + 2, bin - 360, 10);
        }
    OK(replay_feed(replay, (char *)file.data, file.size, &why));
    OK(replay_finish(replay, &why));
    replay_free(replay);
    buf_done(&file);
}

static void test_live_and_replay_say_the_same(void **state)
{
    (void)state;
    struct told told = {.count = 0};
    struct arena arena;
    struct finding_row *rows;
    arena_init(&arena, 1 << 20);
    for (int i = 0; i < 2; i++) {
        container_id = "box of v1";
        add_process("twin", "v1", 300, 60, 0);
        container_id = "box of v2";
        add_process("twin", "v2", 360, 70, 10);
    }
    container_id = "";
    for (uint32_t bin = 300; bin <= 430; bin += 7)
        sweep_at(bin);
    sweep_at(430);
    replay_twin(&told);
    size_t count = list(&arena, &rows);
    const struct finding_row *row = NULL;
    for (size_t i = 0; i < count; i++)
        row = strcmp(rows[i].service, "twin") == 0 ? &rows[i] : row;
    assert_non_null(row);
    assert_int_equal(told.count, 1);
    assert_string_equal(told.type, row->type);
    assert_string_equal(told.introduced_in, row->introduced_in);
    assert_string_equal(told.companion, row->companions_json);
    assert_string_equal(verdict_rule_name(told.verdict.rule), row->rule);
    /* as in the test above, but two fill one container */
    assert_true(row->until_limit_ms > 400000 && row->until_limit_ms < 475000);
    assert_true(told.verdict.until_limit_ms > 400000 && told.verdict.until_limit_ms < 475000);
    arena_done(&arena);
}

/* Only the newest horizons of a life are read, and they are enough. */
static void test_a_long_life_is_read_from_its_end(void **state)
{
    (void)state;
    struct arena arena;
    struct finding_row *rows;
    arena_init(&arena, 1 << 20);
    size_t before = list(&arena, &rows);
    add_process("old", "v1", 0, 3 * SWEEP_HORIZONS * HORIZON_BINS, 10);
    sweep_at(3 * SWEEP_HORIZONS * HORIZON_BINS);
    assert_int_equal(list(&arena, &rows), before + 1);
    const struct finding_row *old = NULL;
    for (size_t i = 0; i <= before; i++)
        old = strcmp(rows[i].service, "old") == 0 ? &rows[i] : old;
    assert_non_null(old);
    assert_string_equal(old->service, "old");
    assert_string_equal(old->introduced_in, "");
    arena_done(&arena);
}

/* What an older program saved means something else: history says it again. */
static void test_a_state_of_another_program_is_made_anew(void **state)
{
    (void)state;
    struct why reason = {""};
    struct arena arena;
    struct pg *pg = pg_new(store.dsn);
    arena_init(&arena, 1 << 20);
    int64_t first_seen_ms = finding_of(&arena, "old")->first_seen_ms;
    OK(sweep_end(sweep, store.db, &why));
    private_store_must(pg_script(pg,
                                 "UPDATE heapfleet.sweep_state SET piece = set_byte(piece, 0, "
                                 "get_byte(piece, 0) # 1)",
                                 &reason),
                       &reason);
    pg_free(pg);
    sweep_at(3 * SWEEP_HORIZONS * HORIZON_BINS + 1);
    const struct finding_row *row = finding_of(&arena, "old");
    assert_string_equal(row->severity, "confirmed");
    assert_int_equal(row->state, FINDING_OPEN);
    assert_int_equal(row->first_seen_ms, first_seen_ms);
    arena_done(&arena);
}

/* ---- watches ----------------------------------------------------------------------------------
 */

/* How many of a service's findings an alerter of this severity would tell of. */
static size_t alerts_of(const char *service, const char *severity)
{
    const struct alert_wish wish = {.receiver = severity, .severity = severity, .count_max = 100};
    struct arena arena;
    struct alert_row *rows;
    size_t count = 0;
    size_t found = 0;
    arena_init(&arena, 1 << 20);
    OK(alerts_claim(store.db, &wish, day_ms * 2, &arena, &rows, &count, &why));
    for (size_t i = 0; i < count; i++)
        found += strcmp(rows[i].finding.service, service) == 0;
    arena_done(&arena);
    return found;
}

static void assert_event(const struct finding_event *event, const char *name, const char *detail)
{
    assert_string_equal(event->event, name);
    assert_memory_equal(event->detail, detail, strlen(detail));
}

static void test_a_leak_climbs_from_watch_to_confirmed(void **state)
{
    (void)state;
    enum { BEGIN = 600 };
    struct arena arena;
    struct finding_row *rows;
    struct finding_event *events;
    size_t count = 0;
    arena_init(&arena, 4 << 20);
    size_t before = list(&arena, &rows);
    snapshots_a_bin = 8;
    for (int i = 0; i < 3; i++)
        add_process("climb", "v1", BEGIN, 70, 10);
    snapshots_a_bin = 1;
    for (uint32_t bin = BEGIN; bin <= BEGIN + 14; bin++)
        sweep_at(bin);
    const struct finding_row *row = finding_of(&arena, "climb");
    assert_non_null(row);
    assert_string_equal(row->severity, "watch");
    assert_string_equal(row->rule, "");
    assert_int_equal(list(&arena, &rows), before); /* who does not ask does not see it */
    assert_int_equal(alerts_of("climb", "confirmed"), 0);
    assert_int_equal(alerts_of("climb", "suspect"), 0);
    assert_true(alerts_of("climb", "watch") >= 1);
    for (uint32_t bin = BEGIN + 15; bin <= BEGIN + 70; bin++)
        sweep_at(bin);
    row = finding_of(&arena, "climb");
    assert_string_equal(row->type, "shop.Cart");
    assert_string_equal(row->severity, "confirmed");
    OK(finding_events(store.db, row, &arena, &events, &count, &why));
    assert_int_equal(count, 3);
    assert_event(&events[0], "opened", "watch");
    assert_event(&events[1], "severity", "watch to suspect: it grows in a straight line");
    assert_event(&events[2], "severity", "suspect to confirmed: 3 of 3 lives grow");
    arena_done(&arena);
}

static void test_a_cache_that_fills_is_watched_and_let_go(void **state)
{
    (void)state;
    enum { BEGIN = 700 };
    struct arena arena;
    struct finding_event *events;
    size_t count = 0;
    arena_init(&arena, 4 << 20);
    snapshots_a_bin = 8;
    full_at = 8 * 14;
    for (int i = 0; i < 3; i++)
        add_process("cache", "v1", BEGIN, 120, 10);
    full_at = UINT32_MAX;
    snapshots_a_bin = 1;
    for (uint32_t bin = BEGIN; bin <= BEGIN + 120; bin++)
        sweep_at(bin);
    const struct finding_row *row = finding_of(&arena, "cache");
    assert_non_null(row);
    assert_string_equal(row->severity, "watch");
    assert_int_equal(row->state, FINDING_RESOLVED);
    OK(finding_events(store.db, row, &arena, &events, &count, &why));
    assert_int_equal(count, 2);
    assert_event(&events[0], "opened", "watch");
    assert_event(&events[1], "resolved", "it does not grow any more");
    arena_done(&arena);
}

/* Nothing grows in a service that is gone; what was found there stays. */
static void test_a_service_that_is_gone_is_not_watched(void **state)
{
    (void)state;
    enum { BEGIN = 900 };
    struct arena arena;
    arena_init(&arena, 4 << 20);
    snapshots_a_bin = 8;
    for (int i = 0; i < 3; i++)
        add_process("gone", "v1", BEGIN, 12, 10);
    snapshots_a_bin = 1;
    for (uint32_t bin = BEGIN; bin <= BEGIN + 12; bin++)
        sweep_at(bin);
    const struct finding_row *row = finding_of(&arena, "gone");
    assert_non_null(row);
    assert_string_equal(row->severity, "watch");
    sweep_at(BEGIN + 12 + HORIZON_BINS);
    assert_int_equal(finding_of(&arena, "gone")->state, FINDING_OPEN);
    sweep_at(BEGIN + 12 + HORIZON_BINS + 2);
    row = finding_of(&arena, "gone");
    assert_int_equal(row->state, FINDING_RESOLVED);
    assert_string_equal(row->closed_reason, "the service has not been seen for long");
    arena_done(&arena);
}

/* ---- services in each other's way ------------------------------------------------------------
 */

/* The database does not take what is said of one; the others are judged all the same. */
static void test_a_service_that_fails_is_in_nobodys_way(void **state)
{
    (void)state;
    struct why reason = {""};
    struct arena arena;
    struct pg *pg = pg_new(store.dsn);
    arena_init(&arena, 4 << 20);
    add_process("failing", "v1", 10000, 100, 10);
    add_process("later", "v1", 10000, 100, 10);
    private_store_must(
        pg_script(pg,
                  "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                  "IF (SELECT name FROM heapfleet.service WHERE id = NEW.service_id) = 'failing' "
                  "THEN RAISE invalid_text_representation; END IF; RETURN NEW; END $$;"
                  "CREATE TRIGGER refuse BEFORE INSERT ON heapfleet.finding FOR EACH ROW "
                  "EXECUTE FUNCTION refuse()",
                  &reason),
        &reason);
    assert_int_equal(sweep_run(sweep, store.db, day_ms + (int64_t)10100 * BIN_MS, &reason),
                     STATUS_INVALID);
    assert_non_null(strstr(reason.text, "service "));
    assert_null(finding_of(&arena, "failing"));
    assert_string_equal(finding_of(&arena, "later")->severity, "confirmed");
    private_store_must(pg_script(pg, "DROP TRIGGER refuse ON heapfleet.finding", &reason), &reason);
    sweep_at(10101);
    assert_string_equal(finding_of(&arena, "failing")->severity, "confirmed");
    pg_free(pg);
    arena_done(&arena);
}

static int64_t number(struct pg *pg, const char *sql)
{
    struct pg_rows rows;
    OK(pg_run(pg, sql, NULL, &rows, &why));
    int64_t value = pg_i64(&rows, 0, 0);
    pg_rows_done(&rows);
    return value;
}

/* Nor is a state that cannot be written: the others' are, and all claims are given up. */
static void test_a_state_that_fails_is_in_nobodys_way(void **state)
{
    (void)state;
    struct why reason = {""};
    struct pg *pg = pg_new(store.dsn);
    private_store_must(pg_script(pg,
                                 "DELETE FROM heapfleet.sweep_state;"
                                 "CREATE TRIGGER refuse BEFORE INSERT ON heapfleet.sweep_state "
                                 "FOR EACH ROW EXECUTE FUNCTION refuse()",
                                 &reason),
                       &reason);
    int64_t services = number(pg, "SELECT count(*) FROM heapfleet.service");
    assert_int_equal(sweep_end(sweep, store.db, &reason), STATUS_INVALID);
    assert_int_equal(number(pg, "SELECT count(*) FROM heapfleet.sweep_state"), services - 1);
    assert_int_equal(number(pg, "SELECT count(collector_id) FROM heapfleet.sweep_claim"), 0);
    private_store_must(pg_script(pg, "DROP TRIGGER refuse ON heapfleet.sweep_state", &reason),
                       &reason);
    pg_free(pg);
}

/* A version is cut where it has no room, but in no character: the database would take none of it.
 */
static void test_a_long_version_is_cut_between_characters(void **state)
{
    (void)state;
    char version[401] = "";
    struct arena arena;
    arena_init(&arena, 4 << 20);
    for (int i = 0; i < 200; i++)
        (void)snprintf(version + (ptrdiff_t)2 * i, 3, "\u00e9");
    add_process("long", version, 11000, 100, 10);
    sweep_at(11100);
    const struct finding_row *row = finding_of(&arena, "long");
    assert_string_equal(row->severity, "confirmed");
    assert_int_equal(strlen(row->version), 254);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_database_has_nothing_to_say),
        cmocka_unit_test(test_a_leak_is_found_and_dated),
        cmocka_unit_test(test_a_second_sweep_says_the_same),
        cmocka_unit_test(test_a_service_that_is_gone_keeps_its_findings),
        cmocka_unit_test(test_a_version_that_is_clean_closes_it),
        cmocka_unit_test(test_another_collector_goes_on),
        cmocka_unit_test(test_collectors_share_and_take_over),
        cmocka_unit_test(test_live_and_replay_say_the_same),
        cmocka_unit_test(test_a_long_life_is_read_from_its_end),
        cmocka_unit_test(test_a_state_of_another_program_is_made_anew),
        cmocka_unit_test(test_a_leak_climbs_from_watch_to_confirmed),
        cmocka_unit_test(test_a_cache_that_fills_is_watched_and_let_go),
        cmocka_unit_test(test_a_service_that_is_gone_is_not_watched),
        cmocka_unit_test(test_a_service_that_fails_is_in_nobodys_way),
        cmocka_unit_test(test_a_state_that_fails_is_in_nobodys_way),
        cmocka_unit_test(test_a_long_version_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
