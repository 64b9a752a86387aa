/* Which questions go to the database together, and how they part when it has no answer. The store
 * and the workers are those below. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "clock.h"
#include "ingest_opener.h"

enum { LOOKUPS = 44, PAUSE_LEAST_MS = 100 };

static struct ingest_opener *opener;
static struct ingest_lookup lookups[LOOKUPS];
static int answers[LOOKUPS]; /* how often */

/* ---- the workers ---------------------------------------------------------------------------- */

static struct {
    call_fn *fn;
    void *arg;
} posted[OPENER_LANES];
static int posted_count;

void worker_post(struct worker *worker, call_fn *fn, void *arg)
{
    (void)worker;
    assert_true(posted_count < OPENER_LANES);
    posted[posted_count].fn = fn;
    posted[posted_count++].arg = arg;
}

/* What was posted first. */
static void run_one(void)
{
    assert_true(posted_count > 0);
    call_fn *fn = posted[0].fn;
    void *arg = posted[0].arg;
    memmove(posted, posted + 1, (size_t)--posted_count * sizeof(posted[0]));
    fn(arg);
}

static void post(void *user, call_fn *fn, void *arg)
{
    (void)user;
    fn(arg);
}

/* ---- the database --------------------------------------------------------------------------- */

static uint32_t stuck; /* the process that waits for a lock, until the time is over */
static size_t last_group;
static int kept_back;    /* groups of more than one in which it was */
static int64_t alone_ms; /* when it was asked by itself last; 0: never */
static int hasty;        /* asked by itself again sooner than the shortest pause */

void instance_open_all(struct db *db, struct instance_opening *openings, size_t count)
{
    (void)db;
    int is_stuck = 0;
    for (size_t i = 0; i < count; i++)
        is_stuck |= openings[i].identity->pid == stuck;
    for (size_t i = 0; i < count; i++)
        openings[i].status = is_stuck ? STATUS_UNAVAILABLE : STATUS_OK;
    kept_back += is_stuck && count > 1;
    if (is_stuck && count == 1) {
        int64_t now_ms = clock_mono_ms();
        hasty += alone_ms > 0 && now_ms - alone_ms < PAUSE_LEAST_MS;
        alone_ms = now_ms;
    }
    last_group = count;
}

enum status agent_high_waters(struct db *db, const uint8_t (*agent_ids)[ID_BYTES], size_t count,
                              uint64_t *ret, struct why *why)
{
    (void)db, (void)agent_ids, (void)why;
    memset(ret, 0, count * sizeof(*ret));
    return STATUS_OK;
}

void instance_types_add_all(struct db *db, struct types_addition *additions, size_t count)
{
    (void)db, (void)additions, (void)count;
    fail();
}

void instance_state_done(struct instance_state *state)
{
    (void)state;
}

/* ---- the streams ---------------------------------------------------------------------------- */

static void answered(void *user, struct ingest_lookup *lookup)
{
    (void)user;
    answers[lookup - lookups]++;
}

static void ask(int first, int end)
{
    for (int i = first; i < end; i++) {
        struct process_identity identity = {.service = "",
                                            .service_namespace = "",
                                            .environment = "",
                                            .version = "",
                                            .host = "",
                                            .pod = "",
                                            .container_id = "",
                                            .image = "",
                                            .runtime = "",
                                            .runtime_version = "",
                                            .pid = (uint32_t)i,
                                            .attributes_json = "{}"};
        uint8_t agent_id[ID_BYTES] = {(uint8_t)i};
        ingest_opener_ask_process(opener, &lookups[i], agent_id, &identity);
    }
}

static int start(void **state)
{
    (void)state;
    struct ingest_opener_options options = {.post = post, .answered = answered};
    opener = ingest_opener_new(&options);
    memset(answers, 0, sizeof(answers));
    posted_count = kept_back = hasty = 0;
    alone_ms = 0;
    stuck = UINT32_MAX;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    ingest_opener_cancel(opener);
    while (posted_count > 0)
        run_one();
    ingest_opener_free(opener);
    for (int i = 0; i < LOOKUPS; i++)
        assert_true(answers[i] <= 1);
    return 0;
}

static void wait_for_the_pause(void)
{
    while (posted_count == 0)
        ingest_opener_tick(opener);
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void lanes_share_what_waits(void **state)
{
    (void)state;
    ask(0, OPENER_LANES); /* one each, at once */
    assert_int_equal(posted_count, OPENER_LANES);
    ask(OPENER_LANES, OPENER_LANES + 8);
    run_one();
    assert_int_equal(last_group, 1);
    assert_int_equal(answers[0], 1);
    for (int i = 1; i < OPENER_LANES; i++)
        run_one();
    run_one();
    assert_int_equal(last_group, 2);
    while (posted_count > 0)
        run_one();
    for (int i = 0; i < OPENER_LANES + 8; i++)
        assert_int_equal(answers[i], 1);
}

/* One that waits for a lock keeps those that were asked with it from their answer once. */
static void a_group_that_fails_is_asked_one_by_one(void **state)
{
    (void)state;
    ask(0, OPENER_LANES);
    stuck = OPENER_LANES;
    ask(OPENER_LANES, LOOKUPS);
    for (int i = 0; i < OPENER_LANES + 1; i++)
        run_one();
    assert_int_equal(last_group, (LOOKUPS - OPENER_LANES) / OPENER_LANES);
    assert_int_equal(answers[stuck + 1], 0);
    for (int round = 0; round < 3; round++) {
        while (posted_count > 0)
            run_one();
        wait_for_the_pause();
    }
    assert_int_equal(kept_back, 1);
    for (uint32_t i = 0; i < LOOKUPS; i++)
        assert_int_equal(answers[i], i != stuck);
    stuck = UINT32_MAX;
    run_one();
    assert_int_equal(answers[OPENER_LANES], 1);
}

/* Whoever is answered meanwhile: that the others' pause is over is no news of it. */
static void one_that_fails_for_ever_waits_by_itself(void **state)
{
    (void)state;
    stuck = 0;
    for (int i = 0; i < LOOKUPS; i++) {
        ask(i, i + 1);
        while (posted_count > 0)
            run_one();
        while (answers[i] == 0 && (uint32_t)i != stuck) {
            ingest_opener_tick(opener);
            while (posted_count > 0)
                run_one();
        }
    }
    assert_int_equal(hasty, 0);
    stuck = UINT32_MAX;
    wait_for_the_pause();
    run_one();
    assert_int_equal(answers[0], 1);
}

static void nothing_waits_behind_a_cancel(void **state)
{
    (void)state;
    stuck = 1;
    ask(0, LOOKUPS);
    ingest_opener_cancel(opener);
    assert_int_equal(lookups[LOOKUPS - 1].status, STATUS_CANCELED);
    while (posted_count > 0)
        run_one();
    assert_int_equal(lookups[0].status, STATUS_OK);
    assert_int_equal(lookups[1].status, STATUS_CANCELED);
    for (int i = 0; i < LOOKUPS; i++)
        assert_int_equal(answers[i], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lanes_share_what_waits, start, stop),
        cmocka_unit_test_setup_teardown(a_group_that_fails_is_asked_one_by_one, start, stop),
        cmocka_unit_test_setup_teardown(one_that_fails_for_ever_waits_by_itself, start, stop),
        cmocka_unit_test_setup_teardown(nothing_waits_behind_a_cancel, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
