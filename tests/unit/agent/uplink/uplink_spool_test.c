/* What one run of the agent left in its folder, the next one delivers. */
#include "uplink.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent_day.h"
#include "scratch_folder.h"

enum { DAY_FACTS = 1 + DAY_SNAPSHOTS + 2 * (DAY_SNAPSHOTS - 2), FILES_MAX = 64 };

static struct day *day_in(const char *folder)
{
    struct day *day = day_new();
    day->spool_dir = folder;
    return day;
}

/* A day without a collector. */
static void leave_day(const char *folder, int snapshots)
{
    struct day *day = day_in(folder);
    day->starts_alone = 1;
    day->flush_ms = 0;
    day->snapshots = snapshots;
    day_run(day);
    assert_int_equal(day->pending, day->restored + (size_t)(1 + snapshots + 2 * (snapshots - 2)));
    free(day);
}

/* A day begins whose number is by as much later as the run before left numbers. */
static struct day *next_day(const char *folder, int runs)
{
    struct day *day = day_in(folder);
    day->now_ms += runs;
    return day;
}

static void assert_no_error(const struct day *day)
{
    if (day->fake.error[0] != '\0')
        fail_msg("%s", day->fake.error);
}

/* Facts of processes above `base`, with sequences in a range: each is as it was made. */
static int count_between(const struct day *day, uint32_t base, uint64_t first, uint64_t last)
{
    int count = 0;
    for (int i = 0; i < day->fake.fact_count; i++) {
        const struct fake_fact *fact = &day->fake.facts[i];
        if (fact->process <= base || fact->process > base + DAY_PROCESSES ||
            fact->sequence < first || fact->sequence > last)
            continue;
        struct heap_values heap = HEAP_VALUES_INIT;
        heap_of(fact->process - base, (int)fact->time_ms - 1, &heap);
        assert_true(fact->ended || fact->fingerprint == fake_fingerprint(&heap));
        heap_values_done(&heap);
        count++;
    }
    return count;
}

/* Of the run whose processes' numbers begin above `base`. */
static int count_right(const struct day *day, uint32_t base)
{
    return count_between(day, base, 0, UINT64_MAX);
}

/* Where a damaged run has lost some of its numbers, the present one uses them again. */
static int count_former(const struct day *day)
{
    return count_between(day, 0, 0, (uint64_t)day->now_ms * 1024);
}

static int count_present(const struct day *day)
{
    return count_between(day, day->base, (uint64_t)day->now_ms * 1024, UINT64_MAX);
}

static void the_next_run_delivers_what_was_left(void **state)
{
    const char *folder = *state;
    leave_day(folder, DAY_SNAPSHOTS);
    struct day *day = next_day(folder, 1);
    day_run(day);
    assert_no_error(day);
    assert_int_equal(day->restored, DAY_FACTS);
    assert_int_equal(day->base, DAY_PROCESSES);
    assert_int_equal(day->pending, 0);
    assert_int_equal(count_right(day, 0), DAY_FACTS);
    assert_int_equal(count_right(day, day->base), DAY_FACTS);
    assert_int_equal(day->fake.streams, 2);
    assert_int_equal(day->fake.run_count, 2);
    assert_int_equal(day->fake.repeats, 0);
    assert_int_equal(day->disconnected, 0); /* turning to the next run is no trouble */
    free(day);
    assert_int_equal(scratch_count(folder), 1); /* the lock */
}

static void any_number_of_runs_may_have_left_something(void **state)
{
    const char *folder = *state;
    enum { RUNS = 4 };
    for (int i = 0; i < RUNS - 1; i++)
        leave_day(folder, DAY_SNAPSHOTS); /* by the same clock: numbers rise all the same */
    struct day *day = day_in(folder);
    day_run(day);
    assert_no_error(day);
    for (uint32_t i = 0; i < RUNS; i++)
        assert_int_equal(count_right(day, i * DAY_PROCESSES), DAY_FACTS);
    assert_int_equal(day->fake.streams, RUNS);
    assert_int_equal(day->pending, 0);
    free(day);
}

/* ----- a folder that is put back for each of many tries ----- */

struct picture {
    int count;
    char names[FILES_MAX][16];
    struct buf bytes[FILES_MAX];
};

static struct picture picture;

static void take_file(const char *folder, const char *name)
{
    if (strcmp(name, "lock") == 0)
        return;
    assert_true(picture.count < FILES_MAX);
    snprintf(picture.names[picture.count], sizeof(picture.names[0]), "%s", name);
    scratch_read(folder, name, &picture.bytes[picture.count++]);
}

static void take_picture(const char *folder)
{
    picture.count = 0;
    (void)scratch_each(folder, take_file);
}

static void put_back(const char *folder)
{
    scratch_remove_files(folder);
    for (int i = 0; i < picture.count; i++)
        scratch_write(folder, picture.names[i], picture.bytes[i].data, picture.bytes[i].size);
}

static void drop_picture(void)
{
    for (int i = 0; i < picture.count; i++)
        buf_done(&picture.bytes[i]);
}

static void a_cut_at_every_step_of_former_runs(void **state)
{
    const char *folder = *state;
    leave_day(folder, 4);
    leave_day(folder, 4);
    take_picture(folder);
    int cuts = 1;
    for (int at = 1; cuts > 0; at++) {
        put_back(folder);
        struct day *day = next_day(folder, 2);
        day->snapshots = 4;
        day->fake.commit_every = 2;
        day->fake.cut_at = at;
        day_run(day);
        cuts = day->fake.cuts;
        assert_no_error(day);
        for (uint32_t i = 0; i < 3; i++)
            assert_int_equal(count_right(day, i * DAY_PROCESSES), 1 + 4 + 2 * 2);
        assert_int_equal(day->pending, 0);
        free(day);
    }
    drop_picture();
}

/* Whatever happened to the files, only true facts arrive, and the present run whole. */
static void deliver_damaged(const char *folder)
{
    struct day *day = next_day(folder, 1);
    day->snapshots = 3;
    day_run(day);
    assert_no_error(day);
    assert_int_equal(count_former(day), day->restored);
    assert_int_equal(count_present(day), 1 + 3 + 2);
    assert_int_equal(day->pending, 0);
    free(day);
}

static void restore_damaged(const char *folder)
{
    struct day *day = next_day(folder, 1);
    const struct uplink_options options = {.channel = {.target = "127.0.0.1:1"},
                                           .host = "here",
                                           .spool_bytes = 1 << 20,
                                           .spool_dir = folder,
                                           .spool_disk_bytes = 1 << 20,
                                           .now_ms = day->now_ms};
    assert_int_equal(uplink_new(day->loop, &options, &day_events, day, &day->uplink, NULL),
                     STATUS_OK);
    uplink_free(day->uplink);
    loop_free(day->loop);
    free(day);
}

static void any_byte_may_be_damaged(void **state)
{
    const char *folder = *state;
    leave_day(folder, 4);
    take_picture(folder);
    assert_int_equal(picture.count, 1);
    struct buf *bytes = &picture.bytes[0];
    for (size_t at = 0; at < bytes->size; at++) {
        bytes->data[at] ^= (uint8_t)(1u << at % 8);
        put_back(folder);
        if (at % 32 == 0)
            deliver_damaged(folder);
        else
            restore_damaged(folder);
        bytes->data[at] ^= (uint8_t)(1u << at % 8);
    }
    drop_picture();
}

/* The disk is full from some byte on, so that part of the facts lay in memory and is lost. */
static void the_disk_may_be_full_at_any_byte(void **state)
{
    const char *folder = *state;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, SIG_IGN);
    int before = 0;
    for (rlim_t room = 0; room < 4000; room += 131) {
        const struct rlimit full = {.rlim_cur = room, .rlim_max = limit.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
        leave_day(folder, DAY_SNAPSHOTS);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        struct day *day = next_day(folder, 1);
        day->snapshots = 3;
        day_run(day);
        assert_no_error(day);
        int kept = count_former(day);
        assert_true(kept >= before && kept <= DAY_FACTS);
        before = kept;
        free(day);
        scratch_remove_files(folder);
    }
    assert_int_equal(before, DAY_FACTS);
}

/* What the bound of a former run dropped is said by the one that delivers the rest. */
static void what_was_dropped_is_said_by_the_next_run(void **state)
{
    const char *folder = *state;
    enum { SNAPSHOTS = 60, MADE = SNAPSHOTS + 2 * (SNAPSHOTS - 2) };
    struct day *day = day_in(folder);
    day->starts_alone = 1;
    day->flush_ms = 0;
    day->snapshots = SNAPSHOTS;
    day->spool_disk_bytes = 16384;
    day_run(day);
    int lost = day->lost;
    assert_in_range(lost, 20, MADE - 20);
    free(day);

    day = next_day(folder, 1);
    day->snapshots = 3;
    day_run(day);
    assert_no_error(day);
    int said = 0, kept = 0;
    for (int i = 0; i < day->fake.fact_count; i++) {
        const struct fake_fact *fact = &day->fake.facts[i];
        said += (int)fact->dropped;
        kept += fact->process <= DAY_PROCESSES && !fact->ended;
    }
    assert_int_equal(kept + lost, MADE);
    /* each fact tells its process's losses so far; what it pushed out itself came after that */
    assert_in_range(said, lost - 3 * DAY_PROCESSES, lost);
    free(day);
}

static void a_run_that_is_rejected_is_given_up(void **state)
{
    const char *folder = *state;
    leave_day(folder, DAY_SNAPSHOTS);
    struct day *day = next_day(folder, 1);
    day->fake.reject_first_run = 1;
    day_run(day);
    assert_no_error(day);
    assert_int_equal(day->given_up, DAY_FACTS);
    assert_int_equal(count_right(day, day->base), DAY_FACTS);
    assert_int_equal(day->pending, 0);
    assert_int_equal(day->fake.streams, UPLINK_REJECTIONS_MAX + 1);
    free(day);
}

enum { VANISH = 20 };
static const char *vanishing;

static void on_vanish_tick(void *arg)
{
    struct day *day = arg;
    if (day->made == VANISH && day->fake.server == NULL) {
        scratch_remove_files(vanishing);
        fake_collector_start(&day->fake);
    }
    if (day->made < VANISH || (day->connected > 0 && uplink_pending(day->uplink) == 0))
        on_tick(day);
}

/* Somebody deletes the files: what cannot be read is lost, and what comes after is true. */
static void files_may_vanish_while_they_are_needed(void **state)
{
    vanishing = *state;
    struct day *day = day_in(vanishing);
    fake_collector_start(&day->fake);
    fake_collector_stop(&day->fake); /* only its port is wanted */
    day->starts_alone = 1;
    day->snapshots = 30;
    day->spool_disk_bytes = 8192;
    day->tick = on_vanish_tick;
    day_run(day);
    assert_no_error(day);
    assert_int_equal(day->pending, 0);
    assert_in_range(count_right(day, 0), 20, 60);
    for (uint32_t process = 1; process <= DAY_PROCESSES; process++)
        assert_true(stored(day, process, 29));
    int said = 0;
    for (int i = 0; i < day->fake.fact_count; i++)
        said += (int)day->fake.facts[i].dropped;
    assert_int_equal(said, day->lost);
    free(day);
}

static void a_folder_of_somebody_else_does_no_harm(void **state)
{
    const char *folder = *state;
    scratch_write(folder, "file", "", 0);
    char path[SCRATCH_PATH_BYTES];
    scratch_path(folder, "file", path);
    struct day *day = day_in(path);
    day_run(day);
    assert_no_error(day);
    assert_int_equal(day->spool_troubles, 1);
    assert_int_equal(count_right(day, 0), DAY_FACTS);
    free(day);
}

#define SPOOL_TEST(f) cmocka_unit_test_setup_teardown(f, scratch_make, scratch_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SPOOL_TEST(the_next_run_delivers_what_was_left),
        SPOOL_TEST(any_number_of_runs_may_have_left_something),
        SPOOL_TEST(a_cut_at_every_step_of_former_runs),
        SPOOL_TEST(any_byte_may_be_damaged),
        SPOOL_TEST(the_disk_may_be_full_at_any_byte),
        SPOOL_TEST(what_was_dropped_is_said_by_the_next_run),
        SPOOL_TEST(a_run_that_is_rejected_is_given_up),
        SPOOL_TEST(files_may_vanish_while_they_are_needed),
        SPOOL_TEST(a_folder_of_somebody_else_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
