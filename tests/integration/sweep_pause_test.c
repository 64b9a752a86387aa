/* USES sweep store */
/*
 * A collector may stand still anywhere, and go on when another one has judged its services: then
 * what the other one said stays. It is stopped at each of the pieces that it sends to the database.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "cut_proxy.h"
#include "db.h"
#include "sweep_claims.h"
#include "sweep_scene.h"

enum { OPEN_BIN = 130, CLOSED_BIN = 180, PIECES_EACH = 40, PIECES_STEP = 17 };

static struct cut_proxy proxy;
static char proxy_dsn[PATH_MAX + 64];

static void script(const char *sql)
{
    struct why reason = {""};
    struct pg *pg = pg_new(store.dsn);
    private_store_must(pg_script(pg, sql, &reason), &reason);
    pg_free(pg);
}

/* A text of the database, for assert_string_equal. */
static char *text_of(const char *sql)
{
    struct pg *pg = pg_new(store.dsn);
    struct pg_rows rows;
    OK(pg_run(pg, sql, NULL, &rows, &why));
    char *text = strdup(pg_text(&rows, 0, 0));
    assert_non_null(text);
    pg_rows_done(&rows);
    pg_free(pg);
    return text;
}

static int64_t number_of(const char *sql)
{
    struct pg *pg = pg_new(store.dsn);
    struct pg_rows rows;
    OK(pg_run(pg, sql, NULL, &rows, &why));
    int64_t number = pg_i64(&rows, 0, 0);
    pg_rows_done(&rows);
    pg_free(pg);
    return number;
}

static void start_proxy(void)
{
    char path[PATH_MAX];
    char server[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/proxy", store.folder);
    if (mkdir(path, 0700) != 0)
        abort();
    (void)snprintf(proxy_dsn, sizeof(proxy_dsn), "host=%s user=heapfleet dbname=postgres", path);
    (void)snprintf(path, sizeof(path), "%s/proxy/.s.PGSQL.5432", store.folder);
    private_store_socket(&store, server, sizeof(server));
    cut_proxy_start(&proxy, path, server);
}

static int start_paused(void **state)
{
    (void)start(state);
    start_proxy();
    return 0;
}

static int stop_paused(void **state)
{
    cut_proxy_stop(&proxy);
    return stop(state);
}

static struct sweep *collector(uint8_t number, int64_t lease_ms)
{
    struct sweep_config other = config;
    other.collector_id[0] = number;
    other.lease_ms = lease_ms;
    return sweep_new(&other);
}

/* All leases are over, but of who is writing just now. */
static const char expire[] =
    "UPDATE heapfleet.sweep_claim SET claimed_until = now() - interval '1 s' WHERE service_id IN "
    "(SELECT service_id FROM heapfleet.sweep_claim FOR UPDATE SKIP LOCKED);"
    "UPDATE heapfleet.sweep_collector SET alive_until = now() - interval '1 s'";

/* ---- a round that stands still -----------------------------------------------------------------
 */

struct round {
    struct sweep *sweep;
    struct db *db;
    pthread_t thread;
    enum status status;
    struct why why;
    atomic_int done;
};

static void *run_round(void *arg)
{
    struct round *round = arg;
    round->status =
        sweep_run(round->sweep, round->db, day_ms + (int64_t)OPEN_BIN * BIN_MS, &round->why);
    atomic_store(&round->done, 1);
    return NULL;
}

/* Returns 1 when it stands still before the piece, 0 when it sends fewer. */
static int round_start(struct round *round, int piece)
{
    atomic_store(&proxy.pieces, piece);
    if (pthread_create(&round->thread, NULL, run_round, round) != 0)
        abort();
    while (!atomic_load(&proxy.held) && !atomic_load(&round->done))
        usleep(1000);
    return atomic_load(&proxy.held);
}

static void round_finish(struct round *round)
{
    cut_proxy_mend(&proxy);
    pthread_join(round->thread, NULL);
    if (round->status != STATUS_OK)
        fail_msg("%s: %s", status_name(round->status), round->why.text);
}

/* All that sweeps write, in one text. */
static const char all_sql[] =
    "SELECT (SELECT coalesce(string_agg(f::text, '|' ORDER BY f::text), '') "
    "FROM heapfleet.finding f) || (SELECT coalesce(string_agg(e::text, '|' ORDER BY e::text), '') "
    "FROM heapfleet.finding_event e) || (SELECT coalesce(string_agg(md5(s.piece), '|' "
    "ORDER BY s.service_id, s.place), '') FROM heapfleet.sweep_state s) || "
    "(SELECT string_agg(c.collector_id::text || c.epoch, '|' ORDER BY c.service_id) "
    "FROM heapfleet.sweep_claim c)";

/* Returns how often it found out in time that somebody else has it; -1: it sends fewer pieces. */
static int stand_still_at(int piece)
{
    struct round round = {.sweep = collector(1, 60000)};
    struct sweep *other = collector(2, 60000);
    script("DELETE FROM heapfleet.finding; DELETE FROM heapfleet.finding_event;"
           "DELETE FROM heapfleet.sweep_claim; DELETE FROM heapfleet.sweep_state;"
           "DELETE FROM heapfleet.sweep_collector");
    OK(db_open(proxy_dsn, &round.db, &why));
    OK(sweep_run(round.sweep, round.db, day_ms + (int64_t)(OPEN_BIN - 20) * BIN_MS, &why));
    int is_held = round_start(&round, piece);
    script(expire);
    OK(sweep_run(other, store.db, day_ms + (int64_t)CLOSED_BIN * BIN_MS, &why));
    int is_others = number_of("SELECT count(*) FROM heapfleet.sweep_claim "
                              "WHERE collector_id::text LIKE '02%'") == 1;
    char *said = text_of(all_sql);
    round_finish(&round);
    char *kept = text_of(all_sql);
    if (is_others)
        assert_string_equal(said, kept);
    else /* it was about to commit: it may, and the other one's turn is after it */
        assert_int_equal(sweep_lost(round.sweep), 0);
    script(expire);
    OK(sweep_run(other, store.db, day_ms + (int64_t)CLOSED_BIN * BIN_MS, &why));
    assert_int_equal(number_of("SELECT count(*) FROM heapfleet.finding WHERE closed_ms IS NULL"),
                     0);
    int lost = (int)sweep_lost(round.sweep);
    free(said);
    free(kept);
    db_close(round.db);
    sweep_free(round.sweep);
    sweep_free(other);
    return is_held ? lost : -1;
}

static void test_who_stood_still_says_nothing(void **state)
{
    (void)state;
    int lost = 0;
    int stops = 0;
    for (int i = 0; i < 2; i++) {
        add_process("shop", "v1", 0, 60, 0);
        add_process("shop", "v2", 60, 60, 10);
        add_process("shop", "v3", 120, 60, 0);
    }
    for (int piece = 0;; piece += piece < PIECES_EACH ? 1 : PIECES_STEP) {
        int found = stand_still_at(piece);
        if (found < 0)
            break;
        lost += found;
        stops++;
    }
    assert_true(stops > 10);
    assert_true(lost > 3);
}

/* ---- a round that is ended ---------------------------------------------------------------------
 */

/* What is said of the service, but for when. */
static const char said_sql[] =
    "SELECT coalesce(string_agg(concat_ws(' ', type, severity, rule, introduced_in, evidence, "
    "confidence), '|' ORDER BY type), '') FROM heapfleet.finding WHERE closed_ms IS NULL";

/* Somebody else goes on where it was ended. NULL: it sends fewer pieces. */
static char *end_at(int piece)
{
    struct round round = {.sweep = collector(1, 60000)};
    struct sweep *other = collector(2, 60000);
    struct why reason = {""};
    script("DELETE FROM heapfleet.finding; DELETE FROM heapfleet.finding_event;"
           "DELETE FROM heapfleet.sweep_claim; DELETE FROM heapfleet.sweep_state;"
           "DELETE FROM heapfleet.sweep_collector");
    OK(db_open(proxy_dsn, &round.db, &why));
    int is_held = round_start(&round, piece);
    sweep_interrupt(round.sweep);
    cut_proxy_mend(&proxy);
    pthread_join(round.thread, NULL);
    OK(sweep_end(round.sweep, round.db, &reason));
    OK(sweep_run(other, store.db, day_ms + (int64_t)OPEN_BIN * BIN_MS, &why));
    char *said = text_of(said_sql);
    db_close(round.db);
    sweep_free(round.sweep);
    sweep_free(other);
    if (is_held)
        return said;
    free(said);
    return NULL;
}

static void test_who_is_ended_loses_nothing(void **state)
{
    (void)state;
    struct sweep *alone = collector(1, 60000);
    script("DELETE FROM heapfleet.sweep_claim; DELETE FROM heapfleet.sweep_state;"
           "DELETE FROM heapfleet.sweep_collector; DELETE FROM heapfleet.finding");
    OK(sweep_run(alone, store.db, day_ms + (int64_t)OPEN_BIN * BIN_MS, &why));
    char *expected = text_of(said_sql);
    assert_non_null(strstr(expected, "shop.Cart confirmed"));
    char *said;
    for (int piece = 0; (said = end_at(piece)) != NULL; piece++) {
        assert_string_equal(said, expected);
        free(said);
    }
    free(expected);
    sweep_free(alone);
}

/* What was judged and could not be written is said by who goes on, though the service never sends
 * again, neither at once nor when it has been silent for long. */
static void test_what_was_not_said_is_said_by_the_next(void **state)
{
    (void)state;
    static const int later[] = {0, 3 * HORIZON_BINS};
    struct arena arena;
    struct why reason = {""};
    arena_init(&arena, 4 << 20);
    for (size_t i = 0; i < ARRAY_SIZE(later); i++) {
        struct sweep *one = collector(31, 60000);
        struct sweep *other = collector(32, 60000);
        char service[16];
        (void)snprintf(service, sizeof(service), "unsaid %zu", i);
        script("DELETE FROM heapfleet.sweep_claim; DELETE FROM heapfleet.sweep_collector;"
               "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
               "RAISE query_canceled; END $$;"
               "CREATE TRIGGER refuse BEFORE INSERT ON heapfleet.finding FOR EACH ROW "
               "EXECUTE FUNCTION refuse()");
        add_process(service, "v1", 30000, 100, 10);
        const int64_t at_ms = day_ms + (int64_t)30100 * BIN_MS;
        assert_int_equal(sweep_run(one, store.db, at_ms, &reason), STATUS_UNAVAILABLE);
        OK(sweep_end(one, store.db, &reason));
        script("DROP TRIGGER refuse ON heapfleet.finding; DROP FUNCTION refuse");
        assert_null(finding_of(&arena, service));
        OK(sweep_run(other, store.db, at_ms + later[i] * BIN_MS, &reason));
        const struct finding_row *found = finding_of(&arena, service);
        assert_non_null(found);
        assert_string_equal(found->severity, "confirmed");
        assert_int_equal(found->closed_ms, 0);
        sweep_free(one);
        sweep_free(other);
    }
    arena_done(&arena);
}

/* Without its state, and the history that it was found by, a leak is not taken for resolved; but at
 * some time it is over. */
static void test_what_was_found_outlives_its_state(void **state)
{
    (void)state;
    enum {
        BEGIN = 40000,
        ENDED = BEGIN + 100,
        YOUNG = ENDED + 2 * HORIZON_BINS,
        LATE = YOUNG + 200
    };
    struct arena arena;
    struct sweep *one = collector(41, 60000);
    struct sweep *other = collector(42, 60000);
    arena_init(&arena, 4 << 20);
    script("DELETE FROM heapfleet.sweep_claim; DELETE FROM heapfleet.sweep_collector");
    for (int i = 0; i < 2; i++) {
        add_process("outlived", "v1", BEGIN - 60, 60, 0);
        add_process("outlived", "v2", BEGIN, 100, 10);
    }
    OK(sweep_run(one, store.db, day_ms + (int64_t)ENDED * BIN_MS, &why));
    assert_string_equal(finding_of(&arena, "outlived")->severity, "confirmed");
    assert_string_equal(finding_of(&arena, "outlived")->introduced_in, "v2");
    sweep_free(one);
    script("DELETE FROM heapfleet.sweep_claim; DELETE FROM heapfleet.sweep_state;"
           "DELETE FROM heapfleet.sweep_collector; DELETE FROM heapfleet.snap_delta WHERE "
           "service_id = (SELECT id FROM heapfleet.service WHERE name = 'outlived')");
    add_process("outlived", "v2", ENDED, 40, 10); /* a little of it is watched, and then gone */
    OK(sweep_run(other, store.db, day_ms + (int64_t)(ENDED + 40) * BIN_MS, &why));
    assert_int_equal(finding_of(&arena, "outlived")->last_seen_ms,
                     day_ms + (int64_t)(ENDED + 40) * BIN_MS);
    assert_string_equal(finding_of(&arena, "outlived")->severity, "confirmed");
    add_process("outlived", "v2", ENDED + 40, YOUNG - ENDED - 40, 0);
    OK(sweep_run(other, store.db, day_ms + (int64_t)YOUNG * BIN_MS, &why));
    assert_int_equal(finding_of(&arena, "outlived")->closed_ms, 0);
    assert_string_equal(finding_of(&arena, "outlived")->severity, "confirmed");
    assert_string_equal(finding_of(&arena, "outlived")->introduced_in, "v2");
    add_process("outlived", "v2", YOUNG, LATE - YOUNG, 0);
    OK(sweep_run(other, store.db, day_ms + (int64_t)LATE * BIN_MS, &why));
    assert_int_not_equal(finding_of(&arena, "outlived")->closed_ms, 0);
    sweep_free(other);
    arena_done(&arena);
}

/* Who brought it stays known when the version before is too old to be read again. */
static void test_a_leak_keeps_its_date(void **state)
{
    (void)state;
    enum { BEGIN = 50000, ENDED = BEGIN + 100 };
    struct arena arena;
    struct sweep *one = collector(43, 60000);
    struct sweep *other = collector(44, 60000);
    arena_init(&arena, 4 << 20);
    script("DELETE FROM heapfleet.sweep_claim; DELETE FROM heapfleet.sweep_collector");
    for (int i = 0; i < 2; i++) {
        add_process("dated", "v1", BEGIN - 60, 60, 0);
        add_process("dated", "v2", BEGIN, 100, 10);
    }
    OK(sweep_run(one, store.db, day_ms + (int64_t)ENDED * BIN_MS, &why));
    sweep_free(one);
    script("DELETE FROM heapfleet.sweep_claim; DELETE FROM heapfleet.sweep_state;"
           "DELETE FROM heapfleet.sweep_collector; DELETE FROM heapfleet.snap_delta s USING "
           "heapfleet.instance i JOIN heapfleet.deployment d ON d.id = i.deployment_id JOIN "
           "heapfleet.service v ON v.id = i.service_id WHERE v.name = 'dated' AND d.version = 'v1' "
           "AND s.service_id = i.service_id AND s.instance_id = i.id");
    OK(sweep_run(other, store.db, day_ms + (int64_t)ENDED * BIN_MS + 1, &why));
    const struct finding_row *found = finding_of(&arena, "dated");
    assert_int_equal(found->last_seen_ms, day_ms + (int64_t)ENDED * BIN_MS + 1);
    assert_string_equal(found->introduced_in, "v2");
    sweep_free(other);
    arena_done(&arena);
}

/* ---- claims ------------------------------------------------------------------------------------
 */

static struct sweep_claim claim_of(uint8_t number)
{
    const uint8_t collector_id[ID_BYTES] = {number};
    struct arena arena;
    struct sweep_claim *claims = NULL;
    size_t count = 0;
    arena_init(&arena, 1 << 20);
    OK(sweep_claims_renew(store.db, collector_id, 60000, &arena, &claims, &count, &why));
    assert_true(count > 0);
    struct sweep_claim claim = claims[0];
    arena_done(&arena);
    return claim;
}

static enum status write_with(uint8_t number, const struct sweep_claim *claim)
{
    const uint8_t collector_id[ID_BYTES] = {number};
    struct why reason = {""};
    enum status status = sweep_write_begin(store.db, collector_id, claim, 60000, &reason);
    sweep_write_end(store.db);
    return status;
}

/* It is ours once more, but somebody else had it in between. */
static void test_a_claim_that_was_away_is_another_one(void **state)
{
    (void)state;
    const uint8_t five[ID_BYTES] = {5};
    const uint8_t six[ID_BYTES] = {6};
    script("DELETE FROM heapfleet.sweep_claim; DELETE FROM heapfleet.sweep_collector");
    struct sweep_claim first = claim_of(5);
    assert_int_equal(claim_of(5).epoch, first.epoch);
    assert_int_equal(write_with(5, &first), STATUS_OK);
    OK(sweep_claims_release(store.db, five, &why));
    assert_int_equal(write_with(5, &first), STATUS_GONE);
    struct sweep_claim others = claim_of(6);
    assert_int_equal(write_with(5, &others), STATUS_GONE);
    OK(sweep_claims_release(store.db, six, &why));
    struct sweep_claim again = claim_of(5);
    assert_true(again.epoch > others.epoch && others.epoch > first.epoch);
    assert_int_equal(write_with(5, &first), STATUS_GONE);
    assert_int_equal(write_with(5, &again), STATUS_OK);
    OK(sweep_claims_release(store.db, five, &why));
}

/* Nor does it hold up those whose lease is not over, if it stands still in the middle of writing.
 */
static void test_who_writes_is_passed_over(void **state)
{
    (void)state;
    const uint8_t five[ID_BYTES] = {5};
    const uint8_t six[ID_BYTES] = {6};
    struct db *other;
    struct arena arena;
    struct sweep_claim *claims = NULL;
    size_t count = 1;
    arena_init(&arena, 1 << 20);
    script("DELETE FROM heapfleet.sweep_claim; DELETE FROM heapfleet.sweep_collector");
    struct sweep_claim claim = claim_of(5);
    script(expire);
    OK(sweep_write_begin(store.db, five, &claim, 60000, &why));
    OK(db_open(store.dsn, &other, &why));
    pg_set_deadline(other->pg, 2000);
    OK(sweep_claims_renew(other, six, 60000, &arena, &claims, &count, &why));
    assert_int_equal(count, 0);
    OK(sweep_write_commit(store.db, &why));
    OK(sweep_claims_renew(other, six, 60000, &arena, &claims, &count, &why));
    assert_int_equal(count, 0); /* it was renewed with what was written */
    db_close(other);
    arena_done(&arena);
}

/* Longer than a statement may take, however short the lease. */
static void test_a_claim_is_kept_while_it_is_read(void **state)
{
    (void)state;
    static const char left_sql[] =
        "SELECT floor(extract(epoch FROM max(claimed_until) - now()))::int "
        "FROM heapfleet.sweep_claim";
    script("DELETE FROM heapfleet.sweep_claim; DELETE FROM heapfleet.sweep_collector;"
           "DELETE FROM heapfleet.sweep_state");
    struct sweep *hasty = collector(7, 1);
    OK(sweep_run(hasty, store.db, day_ms + (int64_t)CLOSED_BIN * BIN_MS, &why));
    assert_true(number_of(left_sql) > PG_STATEMENT_MS / 1000 / 2);
    assert_int_equal(sweep_lost(hasty), 0);
    sweep_free(hasty);
}

/* A service goes while it is claimed: nobody keeps a claim of it. */
static void test_a_forgotten_service_is_no_claim(void **state)
{
    (void)state;
    script("DELETE FROM heapfleet.sweep_claim; DELETE FROM heapfleet.sweep_collector;"
           "INSERT INTO heapfleet.sweep_claim (service_id, collector_id, claimed_until) "
           "VALUES (424242, '08000000-0000-0000-0000-000000000000', now() + interval '1 h')");
    (void)claim_of(8);
    assert_int_equal(
        number_of("SELECT count(*) FROM heapfleet.sweep_claim WHERE service_id = 424242"), 0);
}

/* ---- clocks and queues -----------------------------------------------------------------------
 */

static struct sweep_claim renew_for(uint8_t number, int64_t lease_ms, struct arena *arena)
{
    const uint8_t id[ID_BYTES] = {number};
    struct sweep_claim *claims = NULL;
    size_t count = 0;
    OK(sweep_claims_renew(store.db, id, lease_ms, arena, &claims, &count, &why));
    return count > 0 ? claims[0] : (struct sweep_claim){0};
}

/* The database's clock was a year ahead for a while, and who claimed then is no more. */
static void test_a_clock_that_was_ahead_keeps_no_claim(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    (void)renew_for(21, 60000, &arena);
    script("UPDATE heapfleet.sweep_collector SET alive_until = now() + interval '1 year';"
           "UPDATE heapfleet.sweep_claim SET claimed_until = now() + interval '1 year', "
           "    collector_id = '15000000-0000-0000-0000-000000000000'");
    int64_t all = number_of("SELECT count(*) FROM heapfleet.service");
    const struct sweep_claim claim = renew_for(22, 60000, &arena);
    assert_int_equal(number_of("SELECT count(*) FROM heapfleet.sweep_claim "
                               "WHERE collector_id = '16000000-0000-0000-0000-000000000000'"),
                     all);
    const uint8_t id[ID_BYTES] = {22};
    script("UPDATE heapfleet.sweep_claim SET claimed_until = now() + interval '1 year'");
    OK(sweep_claim_hold(store.db, id, &claim, 60000, &why));
    assert_int_equal(number_of("SELECT count(*) FROM heapfleet.sweep_claim "
                               "WHERE claimed_until < now() + interval '2 min'"),
                     1);
    script(expire);
    arena_done(&arena);
}

/* Two that take too long in each round end it, as if the database were away: not for the others. */
static void test_what_is_behind_slow_services_is_judged(void **state)
{
    (void)state;
    struct arena arena;
    struct why reason = {""};
    struct sweep *one = collector(23, 60000);
    arena_init(&arena, 4 << 20);
    script("DELETE FROM heapfleet.sweep_claim; DELETE FROM heapfleet.sweep_collector");
    add_process("slow a", "v1", 20000, 100, 10);
    add_process("slow b", "v1", 20000, 100, 10);
    add_process("quick", "v1", 20000, 100, 10);
    script("CREATE FUNCTION cancel() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
           "IF (SELECT name FROM heapfleet.service WHERE id = NEW.service_id) LIKE 'slow%' "
           "THEN RAISE query_canceled; END IF; RETURN NEW; END $$;"
           "CREATE TRIGGER cancel BEFORE INSERT ON heapfleet.finding FOR EACH ROW "
           "EXECUTE FUNCTION cancel()");
    const int64_t at_ms = day_ms + (int64_t)20100 * BIN_MS;
    assert_int_equal(sweep_run(one, store.db, at_ms, &reason), STATUS_UNAVAILABLE);
    assert_null(finding_of(&arena, "quick"));
    assert_int_equal(sweep_run(one, store.db, at_ms, &reason), STATUS_UNAVAILABLE);
    assert_non_null(finding_of(&arena, "quick"));
    assert_string_equal(finding_of(&arena, "quick")->severity, "confirmed");
    script("DROP TRIGGER cancel ON heapfleet.finding");
    OK(sweep_run(one, store.db, at_ms, &reason));
    assert_string_equal(finding_of(&arena, "slow a")->severity, "confirmed");
    sweep_free(one);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_stood_still_says_nothing),
        cmocka_unit_test(test_who_is_ended_loses_nothing),
        cmocka_unit_test(test_a_claim_that_was_away_is_another_one),
        cmocka_unit_test(test_who_writes_is_passed_over),
        cmocka_unit_test(test_a_claim_is_kept_while_it_is_read),
        cmocka_unit_test(test_a_forgotten_service_is_no_claim),
        cmocka_unit_test(test_a_clock_that_was_ahead_keeps_no_claim),
        cmocka_unit_test(test_what_is_behind_slow_services_is_judged),
        cmocka_unit_test(test_what_was_not_said_is_said_by_the_next),
        cmocka_unit_test(test_what_was_found_outlives_its_state),
        cmocka_unit_test(test_a_leak_keeps_its_date),
    };
    return cmocka_run_group_tests(tests, start_paused, stop_paused);
}
