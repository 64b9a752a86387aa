#include "spool_disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "scratch_folder.h"
#include "spool.h"

/*
 * Facts whose bytes follow from their numbers, so that what comes back can be compared with what
 * must have been: "PROCESS:SEQUENCE " repeated to the fact's size.
 */
enum { FACTS_MAX = 4096, LIMIT_BYTES = 1 << 20 };
static const uint8_t run_id[SEGMENT_RUN_BYTES] = "0123456789abcdef";

static uint32_t process_of(uint64_t sequence)
{
    return (uint32_t)(sequence % 3) + 1;
}

static size_t size_of(uint64_t sequence)
{
    return 20 + sequence * 37 % 100;
}

static void fact_bytes(uint64_t sequence, uint8_t *ret)
{
    char text[64];
    int length = snprintf(text, sizeof(text), "%u:%llu ", process_of(sequence),
                          (unsigned long long)sequence);
    for (size_t i = 0; i < size_of(sequence); i++)
        ret[i] = (uint8_t)text[i % (size_t)length];
}

struct keeper {
    struct spool *spool;
    char seen[FACTS_MAX]; /* restored and kept, by sequence */
    int contexts, damaged, lost, troubles, recoveries;
    uint32_t segment_of[4]; /* in which the process has its context */
    struct spool_restored restored;
    struct why why;
};

static int on_restore(void *user, const uint8_t run[SEGMENT_RUN_BYTES],
                      const struct segment_frame *frame)
{
    struct keeper *keeper = user;
    assert_memory_equal(run, run_id, SEGMENT_RUN_BYTES);
    if (frame->data == NULL) {
        keeper->damaged++;
        return 0;
    }
    if (frame->sequence == 0) {
        assert_memory_equal(frame->data, "context", frame->size);
        keeper->contexts++;
        return 0;
    }
    uint8_t expected[256];
    fact_bytes(frame->sequence, expected);
    assert_true(frame->sequence < FACTS_MAX);
    assert_int_equal(frame->process, process_of(frame->sequence));
    assert_int_equal(frame->size, size_of(frame->sequence));
    assert_memory_equal(frame->data, expected, frame->size);
    assert_false(keeper->seen[frame->sequence]);
    keeper->seen[frame->sequence] = 1;
    return 1;
}

static void on_lost(void *user, const struct spool_fact *fact)
{
    struct keeper *keeper = user;
    keeper->lost++;
    keeper->seen[fact->sequence] = 0;
}

static void on_changed(void *user, const char *reason)
{
    struct keeper *keeper = user;
    keeper->troubles += reason != NULL;
    keeper->recoveries += reason == NULL;
    if (reason != NULL)
        why_set(&keeper->why, "%s", reason);
}

static enum status open_keeper(struct keeper *keeper, const char *path, uint64_t limit_bytes)
{
    *keeper = (struct keeper){.spool = spool_new(8192, on_lost, keeper)};
    const struct spool_folder folder = {.path = path,
                                        .limit_bytes = limit_bytes,
                                        .run = run_id,
                                        .restore = on_restore,
                                        .changed = on_changed};
    return spool_use_folder(keeper->spool, &folder, &keeper->restored, &keeper->why);
}

static void append(struct keeper *keeper, uint64_t sequence)
{
    uint8_t bytes[256];
    uint32_t process = process_of(sequence);
    uint32_t segment = spool_prepare(keeper->spool);
    if (segment != 0 && segment != keeper->segment_of[process])
        spool_note(keeper->spool, process, "context", 7);
    keeper->segment_of[process] = segment;
    fact_bytes(sequence, bytes);
    spool_append(keeper->spool, sequence, process, bytes, size_of(sequence));
}

static int count_seen(const struct keeper *keeper)
{
    int count = 0;
    for (int i = 0; i < FACTS_MAX; i++)
        count += keeper->seen[i];
    return count;
}

/* Everything in the spool can be read back, and is what was written. */
static void assert_readable(struct keeper *keeper)
{
    uint8_t expected[256];
    struct spool_fact fact;
    for (uint64_t after = 0; spool_next(keeper->spool, after, &fact); after = fact.sequence) {
        assert_true(spool_load(keeper->spool, &fact));
        fact_bytes(fact.sequence, expected);
        assert_memory_equal(fact.data, expected, fact.size);
    }
}

static void close_keeper(struct keeper *keeper)
{
    spool_free(keeper->spool);
}

/* What a killed agent leaves in `path`: facts 1 to `count`. */
static void leave_facts(const char *path, uint64_t count)
{
    pid_t child = fork();
    if (child == 0) {
        struct keeper keeper;
        if (open_keeper(&keeper, path, LIMIT_BYTES) != STATUS_OK)
            _exit(1);
        for (uint64_t i = 1; i <= count; i++)
            append(&keeper, i);
        kill(getpid(), SIGKILL);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* ----- the tests ----- */

static void a_killed_agent_leaves_everything(void **state)
{
    const char *path = *state;
    leave_facts(path, 500);
    struct keeper keeper;
    assert_int_equal(open_keeper(&keeper, path, LIMIT_BYTES), STATUS_OK);
    assert_int_equal(count_seen(&keeper), 500);
    assert_int_equal(keeper.restored.facts, 500);
    assert_int_equal(keeper.restored.refused, 0);
    assert_string_equal(keeper.restored.why.text, "");
    assert_int_equal(spool_last_sequence(keeper.spool), 500);
    for (uint64_t i = 501; i <= 600; i++)
        append(&keeper, i);
    assert_int_equal(spool_count(keeper.spool), 600);
    assert_readable(&keeper);
    close_keeper(&keeper); /* not delivered: it stays */
    assert_int_equal(open_keeper(&keeper, path, LIMIT_BYTES), STATUS_OK);
    assert_int_equal(count_seen(&keeper), 600);
    spool_drop_through(keeper.spool, UINT64_MAX);
    close_keeper(&keeper); /* delivered: nothing but the lock stays */
    assert_int_equal(scratch_count(path), 1);
}

static void what_was_acknowledged_frees_its_segments(void **state)
{
    const char *path = *state;
    struct keeper keeper;
    assert_int_equal(open_keeper(&keeper, path, 8192), STATUS_OK); /* segments of 1 KiB */
    for (uint64_t i = 1; i < FACTS_MAX; i++) {
        append(&keeper, i);
        spool_drop_through(keeper.spool, i - 5);
        assert_true(spool_disk_used(keeper.spool) < 4096);
        assert_in_range(scratch_count(path), 2, 4);
    }
    assert_int_equal(keeper.lost, 0);
    assert_readable(&keeper);
    close_keeper(&keeper);
}

/* The bound holds whatever comes, and what is lost is the oldest, and told. */
static void the_oldest_segments_go_first(void **state)
{
    const char *path = *state;
    struct keeper keeper;
    assert_int_equal(open_keeper(&keeper, path, 8192), STATUS_OK);
    for (uint64_t i = 1; i <= 1000; i++) {
        append(&keeper, i);
        assert_true(spool_disk_used(keeper.spool) <= 8192);
        assert_int_equal(spool_count(keeper.spool) + (size_t)keeper.lost, i);
    }
    assert_in_range(spool_count(keeper.spool), 30, 120);
    assert_int_equal(keeper.troubles, 0);
    assert_readable(&keeper);
    int lost = keeper.lost;
    close_keeper(&keeper);

    assert_int_equal(open_keeper(&keeper, path, 4096), STATUS_OK); /* a smaller bound */
    assert_int_equal((int)keeper.restored.facts, 1000 - lost);
    assert_true(spool_disk_used(keeper.spool) <= 4096);
    assert_true(keeper.lost > 0);
    assert_true(keeper.seen[1000]);
    assert_readable(&keeper);
    close_keeper(&keeper);
}

static void one_agent_a_folder(void **state)
{
    const char *path = *state;
    struct keeper first, second;
    char pid[32];
    assert_int_equal(open_keeper(&first, path, LIMIT_BYTES), STATUS_OK);
    assert_int_equal(open_keeper(&second, path, LIMIT_BYTES), STATUS_CONFLICT);
    snprintf(pid, sizeof(pid), "(pid %d)", (int)getpid());
    assert_non_null(strstr(second.why.text, pid));
    append(&second, 1); /* in memory */
    assert_int_equal(spool_count(second.spool), 1);
    assert_readable(&second);
    close_keeper(&second);
    append(&first, 1);
    close_keeper(&first);
}

static void what_is_not_ours_is_left_alone(void **state)
{
    const char *path = *state;
    leave_facts(path, 10);
    scratch_write(path, "00000007.spool", "somebody's file", 15);
    scratch_write(path, "README", "hello", 5);
    scratch_write(path, "1.spool", "x", 1);
    scratch_write(path, "00000009.spool", "", 0); /* made by us and not written: goes */
    assert_int_equal(mkdirat(open(path, O_DIRECTORY), "0000000a.spool", 0700), 0);
    assert_int_equal(symlinkat("README", open(path, O_DIRECTORY), "0000000b.spool"), 0);
    struct keeper keeper;
    assert_int_equal(open_keeper(&keeper, path, LIMIT_BYTES), STATUS_OK);
    assert_int_equal(count_seen(&keeper), 10);
    assert_non_null(strstr(keeper.restored.why.text, "00000007.spool: it is not a segment"));
    append(&keeper, 11);
    spool_drop_through(keeper.spool, UINT64_MAX);
    close_keeper(&keeper);
    assert_int_equal(scratch_count(path), 6);
}

static void a_folder_that_cannot_be_used_is_named(void **state)
{
    const char *path = *state;
    struct keeper keeper;
    char inner[512];
    scratch_write(path, "file", "", 0);
    static const char *const cases[] = {"file", "file/x", "no/such"};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        snprintf(inner, sizeof(inner), "%s/%s", path, cases[i]);
        assert_int_equal(open_keeper(&keeper, inner, LIMIT_BYTES), STATUS_UNAVAILABLE);
        assert_non_null(strstr(keeper.why.text, inner));
        append(&keeper, 1);
        assert_int_equal(spool_count(keeper.spool), 1);
        close_keeper(&keeper);
    }
    assert_int_equal(open_keeper(&keeper, "/proc/self", LIMIT_BYTES), STATUS_UNAVAILABLE);
    close_keeper(&keeper);
}

/* ----- sweeps ----- */

/* One byte after the other is wrong: nothing wrong is taken for a fact, and little is lost. */
static void any_byte_may_be_damaged(void **state)
{
    const char *path = *state;
    enum { FACTS = 9 };
    leave_facts(path, FACTS);
    struct buf bytes = BUF_INIT;
    scratch_read(path, "00000001.spool", &bytes);
    int one_lost = 0;
    for (size_t at = 0; at < bytes.size; at++) {
        bytes.data[at] ^= (uint8_t)(1u << at % 8);
        scratch_write(path, "00000001.spool", bytes.data, bytes.size);
        bytes.data[at] ^= (uint8_t)(1u << at % 8);
        struct keeper keeper;
        assert_int_equal(open_keeper(&keeper, path, LIMIT_BYTES), STATUS_OK);
        assert_int_equal(count_seen(&keeper), keeper.restored.facts);
        assert_true(keeper.restored.facts < FACTS || keeper.damaged > 0); /* noticed */
        if (keeper.damaged > 0) { /* data: no more than that frame is lost */
            assert_int_equal(keeper.damaged, 1);
            assert_true(keeper.restored.facts >= FACTS - 1);
            one_lost++;
        } else {
            assert_true(keeper.restored.lost_bytes > 0 || at < 8);
            assert_true(keeper.restored.why.text[0] != '\0');
        }
        assert_readable(&keeper);
        close_keeper(&keeper);
    }
    assert_true(one_lost > 300);
    buf_done(&bytes);
}

static void any_tail_may_be_missing(void **state)
{
    const char *path = *state;
    enum { FACTS = 9 };
    leave_facts(path, FACTS);
    struct buf bytes = BUF_INIT;
    scratch_read(path, "00000001.spool", &bytes);
    size_t before = FACTS;
    for (size_t size = bytes.size; size-- > 0;) {
        scratch_write(path, "00000001.spool", bytes.data, size);
        struct keeper keeper;
        assert_int_equal(open_keeper(&keeper, path, LIMIT_BYTES), STATUS_OK);
        for (uint64_t i = 1; i <= keeper.restored.facts; i++)
            assert_true(keeper.seen[i]); /* the first so many */
        assert_true(keeper.restored.facts <= before && keeper.restored.facts + 1 >= before);
        before = keeper.restored.facts;
        append(&keeper, FACTS + 1);
        assert_readable(&keeper);
        spool_drop_through(keeper.spool, UINT64_MAX);
        close_keeper(&keeper);
    }
    assert_int_equal(before, 0);
    buf_done(&bytes);
}

/* The disk is full after any number of bytes, in the middle of any write; later there is room. */
static void the_disk_may_be_full_at_any_byte(void **state)
{
    const char *path = *state;
    enum { FACTS = 12 };
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, SIG_IGN);
    for (rlim_t room = 0; room < 1200; room += 7) {
        struct keeper keeper;
        assert_int_equal(open_keeper(&keeper, path, LIMIT_BYTES), STATUS_OK);
        const struct rlimit full = {.rlim_cur = room, .rlim_max = limit.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
        for (uint64_t i = 1; i <= FACTS; i++)
            append(&keeper, i);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        assert_int_equal(keeper.troubles, 1);
        assert_non_null(strstr(keeper.why.text, "cannot write to"));
        assert_int_equal(spool_count(keeper.spool), FACTS);
        assert_int_equal(keeper.lost, 0);
        assert_readable(&keeper);
        close_keeper(&keeper);
        /* what was on the disk when the agent ended is whole */
        assert_int_equal(open_keeper(&keeper, path, LIMIT_BYTES), STATUS_OK);
        assert_string_equal(keeper.restored.why.text, "");
        spool_drop_through(keeper.spool, UINT64_MAX);
        close_keeper(&keeper);
    }
}

static void a_disk_with_room_again_is_used_again(void **state)
{
    const char *path = *state;
    struct rlimit limit;
    struct keeper keeper;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(open_keeper(&keeper, path, LIMIT_BYTES), STATUS_OK);
    append(&keeper, 1);
    const struct rlimit full = {.rlim_cur = 100, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
    append(&keeper, 2);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    uint64_t sequence = 3;
    for (int i = 0; i < 30 && keeper.recoveries == 0; i++) {
        append(&keeper, sequence++);
        usleep(100000);
    }
    assert_int_equal(keeper.troubles, 1);
    assert_int_equal(keeper.recoveries, 1);
    assert_int_equal(keeper.lost, 0);
    close_keeper(&keeper);
}

/* Somebody deletes or empties what lies there while we need it: lost, not fatal. */
static void files_may_vanish(void **state)
{
    const char *path = *state;
    struct keeper keeper;
    assert_int_equal(open_keeper(&keeper, path, 8192), STATUS_OK);
    for (uint64_t i = 1; i <= 40; i++)
        append(&keeper, i);
    scratch_remove_files(path);
    struct spool_fact fact;
    int readable = 0;
    for (uint64_t after = 0; spool_next(keeper.spool, after, &fact); after = fact.sequence)
        readable += spool_load(keeper.spool, &fact);
    assert_true(readable < 40);
    spool_drop_through(keeper.spool, 20);
    for (uint64_t i = 41; i <= 80; i++)
        append(&keeper, i);
    close_keeper(&keeper);
}

#define SPOOL_TEST(f) cmocka_unit_test_setup_teardown(f, scratch_make, scratch_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SPOOL_TEST(a_killed_agent_leaves_everything),
        SPOOL_TEST(what_was_acknowledged_frees_its_segments),
        SPOOL_TEST(the_oldest_segments_go_first),
        SPOOL_TEST(one_agent_a_folder),
        SPOOL_TEST(what_is_not_ours_is_left_alone),
        SPOOL_TEST(a_folder_that_cannot_be_used_is_named),
        SPOOL_TEST(any_byte_may_be_damaged),
        SPOOL_TEST(any_tail_may_be_missing),
        SPOOL_TEST(the_disk_may_be_full_at_any_byte),
        SPOOL_TEST(a_disk_with_room_again_is_used_again),
        SPOOL_TEST(files_may_vanish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
