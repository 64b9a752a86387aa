/* USES store */
/* The life of a finding in the database: seen, seen again, acknowledged, muted, resolved. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "alerts.h"
#include "db.h"
#include "findings_scene.h"
#include "forget.h"
#include "pg.h"
#include "private_store.h"

static struct private_store store;
static struct why why;
static struct arena arena;

#define OK(call)                                                                                   \
    do {                                                                                           \
        why = (struct why){""};                                                                    \
        if ((call) != STATUS_OK)                                                                   \
            fail_msg("%s: %s", #call, why.text);                                                   \
    } while (0)

static int start(void **state)
{
    (void)state;
    private_store_start(&store);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    private_store_stop(&store);
    return 0;
}

/* A service of its own for each test. */
static int64_t service_of(const char *name)
{
    struct pg *pg = pg_new(store.dsn);
    struct pg_params params = PG_PARAMS_INIT;
    struct pg_rows rows;
    pg_param_text(&params, name);
    OK(pg_run(pg,
              "INSERT INTO heapfleet.service (name, service_namespace, environment) "
              "VALUES ($1, '', '') RETURNING id",
              &params, &rows, &why));
    int64_t id = pg_i64(&rows, 0, 0);
    pg_rows_done(&rows);
    pg_free(pg);
    return id;
}

static struct finding_row row_of(const char *type, const char *severity, const char *version)
{
    return (struct finding_row){.type = type,
                                .severity = severity,
                                .version = version,
                                .introduced_in = "v1",
                                .bytes_per_hour = type[0],
                                .companions_json = "[\"dict\"]"};
}

/* Open and closed, what is only watched, too. */
static struct finding_row *list(int64_t service_id, int64_t now_ms, size_t *ret_count)
{
    const struct finding_filter filter = {
        .service_id = service_id, .closed_from_ms = 1, .is_watch_wanted = 1};
    struct finding_row *rows = NULL;
    arena_reset(&arena);
    OK(findings_list(store.db, &filter, now_ms, &arena, &rows, ret_count, &why));
    return rows;
}

/* "opened severity resolved" */
static const char *events_of(const struct finding_row *finding)
{
    static char text[512];
    struct finding_event *events = NULL;
    size_t count = 0;
    OK(finding_events(store.db, finding, &arena, &events, &count, &why));
    text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(text);
        (void)snprintf(text + used, sizeof(text) - used, "%s%s", i > 0 ? " " : "", events[i].event);
    }
    return text;
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void found_again_keeps_its_first_sight(void **state)
{
    (void)state;
    int64_t service = service_of("again");
    const struct finding_row first[] = {row_of("a", "suspect", "v1"),
                                        row_of("b", "confirmed", "v1")};
    const struct finding_row second[] = {row_of("a", "confirmed", "v2")};
    size_t count = 0;
    OK(replace_findings(store.db, service, first, 2, NULL, 0, 100, &why));
    OK(replace_findings(store.db, service, second, 1, NULL, 0, 200, &why));
    const struct finding_row *rows = list(service, 200, &count);
    assert_int_equal(count, 2);
    assert_string_equal(rows[0].type, "a"); /* open ones first */
    assert_int_equal(rows[0].first_seen_ms, 100);
    assert_int_equal(rows[0].last_seen_ms, 200);
    assert_string_equal(rows[0].severity, "confirmed");
    assert_string_equal(rows[0].version, "v2");
    assert_string_equal(rows[0].kind, "objects");
    assert_string_equal(rows[0].service, "again");
    assert_string_equal(rows[0].companions_json, "[\"dict\"]");
    assert_int_equal(strlen(rows[0].id), 8);
    assert_int_equal(rows[0].state, FINDING_OPEN);
    assert_int_equal(rows[1].state, FINDING_RESOLVED);
    assert_int_equal(rows[1].closed_ms, 200);
    assert_string_equal(events_of(&rows[0]), "opened version severity");
    assert_string_equal(events_of(&rows[1]), "opened resolved");
}

static void comes_back_as_another(void **state)
{
    (void)state;
    int64_t service = service_of("back");
    const struct finding_row row = row_of("a", "confirmed", "v1");
    size_t count = 0;
    OK(replace_findings(store.db, service, &row, 1, NULL, 0, 100, &why));
    OK(replace_findings(store.db, service, NULL, 0, NULL, 0, 200, &why));
    OK(replace_findings(store.db, service, &row, 1, NULL, 0, 300, &why));
    const struct finding_row *rows = list(service, 300, &count);
    assert_int_equal(count, 2);
    assert_int_equal(rows[0].first_seen_ms, 300);
    assert_int_equal(rows[1].first_seen_ms, 100);
    assert_string_not_equal(rows[0].id, rows[1].id);
}

static void says_why_it_ended(void **state)
{
    (void)state;
    int64_t service = service_of("why");
    const struct finding_row both[] = {row_of("a", "confirmed", "v1"), row_of("b", "watch", "v1")};
    const struct finding_end ends[] = {{"b", "flat in v3", "v3"}, {"never there", "x", ""}};
    size_t count = 0;
    OK(replace_findings(store.db, service, both, 2, NULL, 0, 100, &why));
    OK(replace_findings(store.db, service, NULL, 0, ends, 2, 200, &why));
    const struct finding_row *rows = list(service, 200, &count);
    assert_int_equal(count, 2);
    assert_string_equal(rows[0].type, "b");
    assert_string_equal(rows[0].closed_reason, "flat in v3");
    assert_string_equal(rows[0].fixed_in, "v3");
    assert_string_equal(rows[1].closed_reason, "it does not grow any more");
    assert_string_equal(rows[1].fixed_in, "");
}

/* ---- watches -------------------------------------------------------------------------------- */

static void a_watch_is_listed_when_asked_for(void **state)
{
    (void)state;
    int64_t service = service_of("watched");
    const struct finding_row both[] = {row_of("a", "watch", "v1"), row_of("b", "suspect", "v1")};
    const struct finding_filter without = {.service_id = service, .closed_from_ms = 1};
    size_t count = 0;
    OK(replace_findings(store.db, service, both, 2, NULL, 0, 100, &why));
    const struct finding_row *rows = list(service, 100, &count);
    assert_int_equal(count, 2);
    const struct finding_filter by_id = {.id = rows[1].id};
    assert_string_equal(rows[1].type, "a");
    struct finding_row *some = NULL;
    OK(findings_list(store.db, &without, 100, &arena, &some, &count, &why));
    assert_int_equal(count, 1);
    assert_string_equal(some[0].type, "b");
    OK(findings_list(store.db, &by_id, 100, &arena, &some, &count, &why));
    assert_int_equal(count, 1);
    struct pg *pg = pg_new(store.dsn);
    struct pg_rows found;
    OK(pg_run(pg, "SELECT findings FROM heapfleet.services WHERE service = 'watched'", NULL, &found,
              &why));
    assert_int_equal(pg_i64(&found, 0, 0), 1);
    pg_rows_done(&found);
    pg_free(pg);
}

static void an_event_says_what_moved_it(void **state)
{
    (void)state;
    int64_t service = service_of("moved");
    struct finding_row row = row_of("a", "watch", "v1");
    struct finding_event *events = NULL;
    size_t count = 0;
    row.evidence_json = "{\"why\": \"it grows\"}";
    OK(replace_findings(store.db, service, &row, 1, NULL, 0, 100, &why));
    row.severity = "suspect";
    row.evidence_json = "{\"why\": \"in a line\"}";
    OK(replace_findings(store.db, service, &row, 1, NULL, 0, 200, &why));
    OK(replace_findings(store.db, service, &row, 1, NULL, 0, 300, &why));
    row.severity = "watch";
    row.evidence_json = NULL;
    OK(replace_findings(store.db, service, &row, 1, NULL, 0, 400, &why));
    OK(replace_findings(store.db, service, NULL, 0, NULL, 0, 500, &why));
    const struct finding_row *rows = list(service, 500, &count);
    assert_int_equal(count, 1);
    OK(finding_events(store.db, rows, &arena, &events, &count, &why));
    assert_int_equal(count, 4);
    assert_string_equal(events[0].detail, "watch");
    assert_string_equal(events[1].detail, "watch to suspect: in a line");
    assert_string_equal(events[2].detail, "suspect to watch");
    assert_string_equal(events[3].event, "resolved");
}

static int64_t number(const char *sql, int64_t service)
{
    struct pg *pg = pg_new(store.dsn);
    struct pg_params params = PG_PARAMS_INIT;
    struct pg_rows rows;
    pg_param_i64(&params, service);
    OK(pg_run(pg, sql, &params, &rows, &why));
    int64_t ret = pg_i64(&rows, 0, 0);
    pg_rows_done(&rows);
    pg_free(pg);
    return ret;
}

/* Whatever comes and goes: what was more than watched, or taken on, stays. */
static void watches_that_closed_are_few(void **state)
{
    (void)state;
    int64_t service = service_of("churn");
    const struct finding_row was_suspect[] = {row_of("suspect", "suspect", "v1"),
                                              row_of("taken on", "watch", "v1")};
    struct finding_row row = row_of("suspect", "watch", "v1");
    const struct finding_word word = {"ann", "mine", 1};
    const struct finding_filter open = {.service_id = service, .is_watch_wanted = 1};
    struct finding_row *rows = NULL;
    size_t count = 0;
    OK(replace_findings(store.db, service, was_suspect, 2, NULL, 0, 1, &why));
    OK(findings_list(store.db, &open, 1, &arena, &rows, &count, &why));
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].type, "taken on") == 0)
            OK(finding_acknowledge(store.db, &rows[i], &word, &why));
    OK(replace_findings(store.db, service, &row, 1, NULL, 0, 2, &why));
    for (int i = 0; i < 3 * FINDING_WATCHES_KEPT; i++) {
        row = row_of("watched", "watch", "v1");
        OK(replace_findings(store.db, service, &row, 1, NULL, 0, 10 + 2 * i, &why));
        OK(replace_findings(store.db, service, NULL, 0, NULL, 0, 11 + 2 * i, &why));
    }
    assert_int_equal(number("SELECT count(*) FROM heapfleet.finding WHERE service_id = $1 "
                            "AND type = 'watched'",
                            service),
                     FINDING_WATCHES_KEPT);
    assert_int_equal(number("SELECT count(*) FROM heapfleet.finding_event WHERE service_id = $1 "
                            "AND type = 'watched'",
                            service),
                     2 * FINDING_WATCHES_KEPT);
    assert_int_equal(
        number("SELECT max(first_seen_ms) FROM heapfleet.finding WHERE service_id = $1", service),
        10 + 2 * (3 * FINDING_WATCHES_KEPT - 1));
    assert_int_equal(number("SELECT count(*) FROM heapfleet.finding WHERE service_id = $1 "
                            "AND type <> 'watched'",
                            service),
                     2);
}

static void a_silent_service_is_not_watched(void **state)
{
    (void)state;
    int64_t service = service_of("silent");
    const struct finding_row both[] = {row_of("a", "watch", "v1"), row_of("b", "suspect", "v1")};
    size_t count = 0;
    OK(replace_findings(store.db, service, both, 2, NULL, 0, 100, &why));
    OK(end_watches(store.db, service, 200, &why));
    const struct finding_row *rows = list(service, 200, &count);
    assert_int_equal(count, 2);
    assert_int_equal(rows[0].state, FINDING_OPEN);
    assert_int_equal(rows[1].state, FINDING_RESOLVED);
    assert_string_equal(rows[1].type, "a");
    assert_string_equal(events_of(&rows[1]), "opened resolved");
}

static void is_found_by_the_beginning_of_its_id(void **state)
{
    (void)state;
    int64_t service = service_of("id");
    const struct finding_row row = row_of("a", "confirmed", "v1");
    size_t count = 0;
    OK(replace_findings(store.db, service, &row, 1, NULL, 0, 100, &why));
    OK(replace_findings(store.db, service, NULL, 0, NULL, 0, 200, &why));
    char id[9];
    (void)snprintf(id, sizeof(id), "%s", list(service, 0, &count)->id);
    id[6] = '\0';
    const struct finding_filter filter = {.id = id};
    struct finding_row *rows = NULL;
    OK(findings_list(store.db, &filter, 0, &arena, &rows, &count, &why));
    assert_int_equal(count, 1);
    assert_int_equal(rows[0].service_id, service);
}

static void is_acknowledged_until_it_ends(void **state)
{
    (void)state;
    int64_t service = service_of("ack");
    const struct finding_row row = row_of("a", "confirmed", "v1");
    const struct finding_word word = {"ann", "on it", 150};
    size_t count = 0;
    OK(replace_findings(store.db, service, &row, 1, NULL, 0, 100, &why));
    OK(finding_acknowledge(store.db, list(service, 0, &count), &word, &why));
    OK(replace_findings(store.db, service, &row, 1, NULL, 0, 200, &why));
    const struct finding_row *rows = list(service, 200, &count);
    assert_int_equal(rows[0].state, FINDING_ACKNOWLEDGED);
    assert_string_equal(rows[0].acknowledged_by, "ann");
    assert_string_equal(rows[0].note, "on it");
    assert_string_equal(events_of(&rows[0]), "opened acknowledged");
    OK(replace_findings(store.db, service, NULL, 0, NULL, 0, 300, &why));
    rows = list(service, 300, &count);
    assert_int_equal(rows[0].state, FINDING_RESOLVED);
    assert_int_equal(finding_acknowledge(store.db, rows, &word, &why), STATUS_NOT_FOUND);
}

static void a_mute_holds_until_its_end(void **state)
{
    (void)state;
    int64_t service = service_of("mute");
    const struct finding_row both[] = {row_of("a", "confirmed", "v1"),
                                       row_of("b", "confirmed", "v1")};
    const struct mute_row mute = {.service_id = service,
                                  .type = "b",
                                  .actor = "bob",
                                  .reason = "a cache",
                                  .created_ms = 150,
                                  .until_ms = 250};
    size_t count = 0;
    OK(replace_findings(store.db, service, both, 2, NULL, 0, 100, &why));
    OK(mute_put(store.db, &mute, &why));
    const struct finding_row *rows = list(service, 200, &count);
    assert_int_equal(rows[0].state, FINDING_MUTED);
    assert_string_equal(rows[0].muted_because, "a cache");
    assert_int_equal(rows[0].muted_until_ms, 250);
    assert_int_equal(rows[1].state, FINDING_OPEN);
    assert_string_equal(events_of(&rows[0]), "opened muted");
    assert_string_equal(events_of(&rows[1]), "opened");
    struct mute_row *mutes = NULL;
    OK(mute_list(store.db, 200, &arena, &mutes, &count, &why));
    assert_int_equal(count, 1);
    assert_string_equal(mutes[0].service, "mute");
    assert_string_equal(mutes[0].actor, "bob");
    rows = list(service, 250, &count);
    assert_int_equal(rows[0].state, FINDING_OPEN);
    OK(mute_list(store.db, 250, &arena, &mutes, &count, &why));
    assert_int_equal(count, 0);
}

static void a_service_is_muted_as_a_whole(void **state)
{
    (void)state;
    int64_t service = service_of("whole");
    const struct finding_row row = row_of("a", "confirmed", "v1");
    const struct mute_row mute = {
        .service_id = service, .type = "", .actor = "bob", .reason = "old", .created_ms = 150};
    const struct finding_word word = {"ann", "", 300};
    size_t count = 0;
    OK(replace_findings(store.db, service, &row, 1, NULL, 0, 100, &why));
    OK(mute_put(store.db, &mute, &why));
    assert_int_equal(list(service, 200, &count)->state, FINDING_MUTED);
    assert_int_equal(mute_remove(store.db, service, "a", &word, &why), STATUS_NOT_FOUND);
    OK(mute_remove(store.db, service, "", &word, &why));
    const struct finding_row *rows = list(service, 300, &count);
    assert_int_equal(rows[0].state, FINDING_OPEN);
    assert_string_equal(events_of(&rows[0]), "opened muted unmuted");
}

/* ---- alerts --------------------------------------------------------------------------------- */

struct claimer {
    pthread_t thread;
    const char *receiver;
    size_t claimed;
};

static void *claim(void *user)
{
    struct claimer *claimer = user;
    const struct alert_wish wish = {
        .receiver = claimer->receiver, .severity = "suspect", .count_max = 100};
    struct why reason = {""};
    struct alert_row *rows = NULL;
    struct arena room;
    struct db *db = NULL;
    arena_init(&room, 1 << 20);
    if (db_open(store.dsn, &db, &reason) != STATUS_OK ||
        alerts_claim(db, &wish, 200, &room, &rows, &claimer->claimed, &reason) != STATUS_OK)
        claimer->claimed = SIZE_MAX;
    db_close(db);
    arena_done(&room);
    return NULL;
}

static void wait_for_a_lock(struct pg *pg)
{
    struct pg_rows rows;
    int64_t waiting = 0;
    for (int i = 0; waiting == 0; i++) {
        assert_true(i < 6000);
        (void)usleep(10000);
        OK(pg_run(pg,
                  "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
                  "AND query LIKE '%heapfleet.alert%'",
                  NULL, &rows, &why));
        waiting = pg_i64(&rows, 0, 0);
        pg_rows_done(&rows);
    }
}

/* Both found it due; when the second one's claim comes to the row, the first has told it. */
static void what_was_told_meanwhile_is_not_claimed(void **state)
{
    (void)state;
    int64_t service = service_of("raced");
    const struct finding_row row = row_of("a", "confirmed", "v1");
    struct claimer second = {.receiver = "raced"};
    struct claimer third = second;
    struct db *first = NULL;
    OK(replace_findings(store.db, service, &row, 1, NULL, 0, 100, &why));
    OK(db_open(store.dsn, &first, &why));
    OK(pg_script(first->pg, "BEGIN", &why));
    const struct alert_wish wish = {.receiver = "raced", .severity = "suspect", .count_max = 100};
    struct alert_row *rows = NULL;
    size_t count = 0;
    OK(alerts_claim(first, &wish, 200, &arena, &rows, &count, &why));
    assert_true(count >= 1); /* other tests' findings, too */
    for (size_t i = 0; i < count; i++)
        OK(alert_told(first, "raced", &rows[i], 200, &why));

    assert_int_equal(pthread_create(&second.thread, NULL, claim, &second), 0);
    wait_for_a_lock(store.db->pg);
    OK(pg_script(first->pg, "COMMIT", &why));
    assert_int_equal(pthread_join(second.thread, NULL), 0);
    assert_int_equal(second.claimed, 0);
    (void)claim(&third);
    assert_int_equal(third.claimed, 0);
    db_close(first);
}

static const char *least_told = "watch";
static size_t claim_for(const char *receiver, int64_t now_ms, uint32_t count_max,
                        struct alert_row **ret)
{
    const struct alert_wish wish = {
        .receiver = receiver, .severity = least_told, .remind_ms = 60, .count_max = count_max};
    size_t count = 0;
    OK(alerts_claim(store.db, &wish, now_ms, &arena, ret, &count, &why));
    return count;
}

static void tell_all(const char *receiver, int64_t now_ms)
{
    struct alert_row *rows = NULL;
    size_t count = claim_for(receiver, now_ms, 1000, &rows);
    for (size_t i = 0; i < count; i++)
        OK(alert_told(store.db, receiver, &rows[i], now_ms, &why));
}

/* Were the reminders of what is old always first, the new would never be told. */
static void what_is_new_is_told_before_reminders(void **state)
{
    (void)state;
    int64_t service = service_of("crowded");
    const struct finding_row rows[] = {row_of("old", "confirmed", "v1"),
                                       row_of("new", "confirmed", "v1")};
    struct alert_row *alerts = NULL;
    OK(replace_findings(store.db, service, rows, 1, NULL, 0, 100, &why));
    tell_all("reminded", 1000);
    OK(replace_findings(store.db, service, rows, 2, NULL, 0, 1100, &why));
    assert_int_equal(claim_for("reminded", 2000, 1, &alerts), 1);
    assert_string_equal(alerts[0].finding.type, "new");
}

/* Nobody hears twice that it is confirmed because it was a suspect, or a watch, for a while. */
static void reminded_of_what_was_told(void **state)
{
    (void)state;
    static const char *const wavering[] = {"confirmed", "suspect", "watch", "confirmed"};
    int64_t service = service_of("wavering");
    least_told = "suspect";
    for (int i = 0; i < 4; i++) {
        const struct finding_row row = row_of("w", wavering[i], "v1");
        struct alert_row *alerts = NULL;
        int64_t now_ms = 100 * (i + 1);
        OK(replace_findings(store.db, service, &row, 1, NULL, 0, now_ms, &why));
        size_t at = claim_for("wavering", now_ms, 1000, &alerts);
        do
            assert_true(at > 0);
        while (alerts[--at].finding.service_id != service);
        assert_string_equal(alerts[at].state, "confirmed");
        assert_string_equal(alerts[at].told, i == 0 ? "" : "confirmed");
        OK(alert_told(store.db, "wavering", &alerts[at], now_ms, &why));
    }
    least_told = "watch";
}

/* Who was told of a watch hears of its end, however many end at once; for a day. */
static void a_watch_that_was_told_is_kept_until_its_end_is(void **state)
{
    (void)state;
    enum { COUNT = FINDING_WATCHES_KEPT + 3 };
    int64_t service = service_of("told watches");
    const int64_t next_day_ms = (int64_t)25 * 3600 * 1000;
    struct finding_row rows[COUNT];
    char names[COUNT][8];
    struct alert_row *alerts = NULL;
    size_t resolved = 0;
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "w%02d", i);
        rows[i] = row_of(names[i], "watch", "v1");
    }
    OK(replace_findings(store.db, service, rows, COUNT, NULL, 0, 100, &why));
    tell_all("watcher", 200);
    OK(replace_findings(store.db, service, NULL, 0, NULL, 0, 300, &why));
    size_t count = claim_for("watcher", 301, 1000, &alerts);
    for (size_t i = 0; i < count; i++)
        resolved += alerts[i].finding.service_id == service;
    assert_int_equal(resolved, COUNT);

    OK(replace_findings(store.db, service, rows, 1, NULL, 0, next_day_ms, &why));
    OK(replace_findings(store.db, service, NULL, 0, NULL, 0, next_day_ms + 1, &why));
    assert_int_equal(
        number("SELECT count(*) FROM heapfleet.finding WHERE service_id = $1", service),
        FINDING_WATCHES_KEPT);
}

static void what_fails_is_due_ever_later(void **state)
{
    (void)state;
    int64_t service = service_of("failing");
    const struct finding_row row = row_of("a", "confirmed", "v1");
    static const int64_t due_ms[] = {5000, 10000, 20000, 40000, 60000, 60000};
    struct alert_row *rows = NULL;
    int64_t now_ms = 1000;
    OK(replace_findings(store.db, service, &row, 1, NULL, 0, 100, &why));
    tell_all("failing", now_ms);
    now_ms += 60;
    size_t count = claim_for("failing", now_ms, 1000, &rows);
    size_t mine = 0;
    while (mine < count && rows[mine].finding.service_id != service)
        mine++;
    assert_true(mine < count);
    for (size_t i = 0; i < sizeof(due_ms) / sizeof(*due_ms); i++) {
        OK(alert_failed(store.db, "failing", &rows[mine], "away", now_ms, 60000, &why));
        assert_int_equal(number("SELECT next_ms FROM heapfleet.alert WHERE service_id = $1 AND "
                                "receiver = 'failing'",
                                service),
                         now_ms + due_ms[i]);
    }
}

/* It went while it was judged. */
static void a_service_that_was_forgotten_has_no_findings(void **state)
{
    (void)state;
    int64_t service = service_of("forgotten");
    const struct finding_row row = row_of("a", "confirmed", "v1");
    OK(service_forget(store.db, "forgotten", "", "", &why));
    assert_int_equal(replace_findings(store.db, service, &row, 1, NULL, 0, 100, &why), STATUS_GONE);
    assert_int_equal(
        number("SELECT count(*) FROM heapfleet.finding WHERE service_id = $1", service), 0);
    assert_int_equal(
        number("SELECT count(*) FROM heapfleet.finding_event WHERE service_id = $1", service), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_again_keeps_its_first_sight),
        cmocka_unit_test(comes_back_as_another),
        cmocka_unit_test(says_why_it_ended),
        cmocka_unit_test(a_watch_is_listed_when_asked_for),
        cmocka_unit_test(an_event_says_what_moved_it),
        cmocka_unit_test(watches_that_closed_are_few),
        cmocka_unit_test(a_silent_service_is_not_watched),
        cmocka_unit_test(is_found_by_the_beginning_of_its_id),
        cmocka_unit_test(is_acknowledged_until_it_ends),
        cmocka_unit_test(a_mute_holds_until_its_end),
        cmocka_unit_test(a_service_is_muted_as_a_whole),
        cmocka_unit_test(what_was_told_meanwhile_is_not_claimed),
        cmocka_unit_test(what_is_new_is_told_before_reminders),
        cmocka_unit_test(reminded_of_what_was_told),
        cmocka_unit_test(a_watch_that_was_told_is_kept_until_its_end_is),
        cmocka_unit_test(what_fails_is_due_ever_later),
        cmocka_unit_test(a_service_that_was_forgotten_has_no_findings),
    };
    arena_init(&arena, 1 << 20);
    int failed = cmocka_run_group_tests(tests, start, stop);
    arena_done(&arena);
    return failed;
}
