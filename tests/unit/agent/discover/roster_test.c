#include "roster.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* A /proc of our own, and a `look` whose answers are set per pid. */

enum { PIDS = ROSTER_WATCHED_MAX + 64 };
#define SECOND ((int64_t)1000)

struct world {
    char root[64];
    struct proc_fs fs;
    struct roster *roster;
    int64_t now_ms;
    enum status answer[PIDS];
    int looks[PIDS], firsts[PIDS], retries[PIDS], ends[PIDS], replaced[PIDS];
};

static enum status look(void *user, const struct roster_look *looked)
{
    struct world *world = user;
    assert_in_range(looked->stat.pid, 1, PIDS - 1);
    world->looks[looked->stat.pid]++;
    world->firsts[looked->stat.pid] += looked->first;
    world->retries[looked->stat.pid] += looked->retry;
    return world->answer[looked->stat.pid];
}

static void ended(void *user, pid_t pid, int replaced)
{
    struct world *world = user;
    world->ends[pid]++;
    world->replaced[pid] += replaced;
}

static void run(struct world *world, int pid, int64_t started_ms, unsigned image, char state)
{
    char path[128], text[256];
    snprintf(path, sizeof(path), "%s/%d", world->root, pid);
    (void)mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/%d/stat", world->root, pid);
    long ticks = (long)(started_ms * sysconf(_SC_CLK_TCK) / 1000);
    snprintf(text, sizeof(text),
             "%d (x) %c 1 1 1 0 -1 0 1 2 3 4 50 25 6 7 20 0 1 0 %ld 1 1 1 1 1 %u", pid, state,
             ticks, image);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void stop(struct world *world, int pid)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%d/stat", world->root, pid);
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof(path), "%s/%d", world->root, pid);
    assert_int_equal(rmdir(path), 0);
}

static void scan_after(struct world *world, int64_t ms)
{
    world->now_ms += ms;
    assert_int_equal(roster_scan(world->roster, world->now_ms, NULL), STATUS_OK);
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    snprintf(world->root, sizeof(world->root), "/tmp/roster_test.XXXXXX");
    if (mkdtemp(world->root) == NULL || proc_fs_open(world->root, &world->fs, NULL) != STATUS_OK)
        return -1;
    static const struct roster_events events = {.look = look, .ended = ended};
    world->roster = roster_new(&world->fs, &events, world);
    world->now_ms = 1000 * SECOND;
    for (int i = 0; i < PIDS; i++)
        world->answer[i] = STATUS_UNSUPPORTED;
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    roster_free(world->roster);
    proc_fs_close(&world->fs);
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", world->root);
    int result = system(command); /* NOLINT(cert-env33-c) */
    free(world);
    return result;
}

static void looks_once_at_what_is_not_ours(void **state)
{
    struct world *world = *state;
    run(world, 5, 10 * SECOND, 1, 'S');
    for (int i = 0; i < 200; i++)
        scan_after(world, SECOND);
    assert_int_equal(world->looks[5], 1);
    stop(world, 5);
    scan_after(world, SECOND);
    assert_int_equal(world->ends[5], 0); /* it never was under watch */
}

static void follows_a_life(void **state)
{
    struct world *world = *state;
    world->answer[5] = STATUS_OK;
    run(world, 5, 10 * SECOND, 1, 'S');
    scan_after(world, 1);
    scan_after(world, SECOND);
    assert_int_equal(world->looks[5], 1);
    assert_int_equal(roster_watched(world->roster), 1);
    stop(world, 5);
    scan_after(world, SECOND);
    assert_int_equal(world->ends[5], 1);
    assert_int_equal(world->replaced[5], 0);
    assert_int_equal(roster_watched(world->roster), 0);
}

static void a_zombie_has_ended(void **state)
{
    struct world *world = *state;
    world->answer[5] = STATUS_OK;
    run(world, 5, 10 * SECOND, 1, 'S');
    scan_after(world, 1);
    run(world, 5, 10 * SECOND, 0, 'Z');
    scan_after(world, SECOND);
    scan_after(world, SECOND);
    assert_int_equal(world->ends[5], 1);
    assert_int_equal(world->looks[5], 1);
}

static void looks_again_at_the_young(void **state)
{
    struct world *world = *state;
    run(world, 5, world->now_ms, 1, 'S'); /* still a shell, about to exec python */
    scan_after(world, 200);
    assert_int_equal(world->looks[5], 1);
    world->answer[5] = STATUS_OK;
    scan_after(world, 200);
    assert_int_equal(world->looks[5], 2);
    assert_int_equal(roster_watched(world->roster), 1);
}

static void notices_exec_of_a_foreign_process(void **state)
{
    struct world *world = *state;
    run(world, 5, 10 * SECOND, 1, 'S');
    scan_after(world, 1);
    world->answer[5] = STATUS_OK;
    run(world, 5, 10 * SECOND, 2, 'S');
    for (int i = 0; i < 31; i++)
        scan_after(world, SECOND);
    assert_int_equal(roster_watched(world->roster), 1);
    assert_int_equal(world->firsts[5], 2);
}

static void notices_exec_and_reuse_of_a_watched_pid(void **state)
{
    struct world *world = *state;
    world->answer[5] = STATUS_OK;
    run(world, 5, 10 * SECOND, 1, 'S');
    scan_after(world, 1);
    run(world, 5, 10 * SECOND, 2, 'S');
    scan_after(world, SECOND);
    assert_int_equal(world->ends[5], 1);
    assert_int_equal(world->replaced[5], 1);
    assert_int_equal(world->looks[5], 2);
    run(world, 5, 20 * SECOND, 3, 'S');
    scan_after(world, SECOND);
    assert_int_equal(world->ends[5], 2);
    assert_int_equal(world->replaced[5], 1); /* another process, not another program */
    assert_int_equal(world->looks[5], 3);
}

static void losing_sight_is_not_an_exec(void **state)
{
    struct world *world = *state;
    world->answer[5] = STATUS_OK;
    run(world, 5, 10 * SECOND, 7, 'S');
    scan_after(world, 1);
    run(world, 5, 10 * SECOND, 0, 'S');
    scan_after(world, SECOND);
    run(world, 5, 10 * SECOND, 7, 'S');
    scan_after(world, SECOND);
    assert_int_equal(world->ends[5], 0);
}

static void asks_again_where_it_was_denied(void **state)
{
    struct world *world = *state;
    world->answer[5] = STATUS_DENIED;
    run(world, 5, 10 * SECOND, 0, 'S');
    for (int i = 0; i < 3600; i++)
        scan_after(world, SECOND);
    assert_in_range(world->looks[5], 8, 16); /* pauses grow to ten minutes */
    assert_int_equal(world->firsts[5], 1);
    assert_int_equal(world->retries[5], world->looks[5] - 1);
    assert_int_equal(roster_denied(world->roster), 1);
    world->answer[5] = STATUS_OK;
    for (int i = 0; i < 601; i++)
        scan_after(world, SECOND);
    assert_int_equal(roster_watched(world->roster), 1);
}

static void forgets_on_demand(void **state)
{
    struct world *world = *state;
    world->answer[5] = STATUS_OK;
    run(world, 5, 10 * SECOND, 1, 'S');
    scan_after(world, 1);
    roster_forget(world->roster, 5, world->now_ms, 10 * SECOND);
    scan_after(world, SECOND);
    assert_int_equal(world->looks[5], 1);
    scan_after(world, 10 * SECOND);
    assert_int_equal(world->looks[5], 2);
    assert_int_equal(world->ends[5], 0);
    roster_forget(world->roster, 6, world->now_ms, 0); /* nobody */
}

static void survives_hostile_stat_files(void **state)
{
    struct world *world = *state;
    run(world, 5, 10 * SECOND, 1, 'S');
    char path[128];
    snprintf(path, sizeof(path), "%s/5/stat", world->root);
    static const char *const texts[] = {"", "5", "5 (", "6 (x) S 1 1", "\xff\xff\xff"};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        int fd = open(path, O_WRONLY | O_TRUNC);
        assert_int_equal(write(fd, texts[i], strlen(texts[i])), (ssize_t)strlen(texts[i]));
        close(fd);
        scan_after(world, SECOND);
    }
    assert_int_equal(world->looks[5], 0);
}

static void many_come_and_go(void **state)
{
    /* the answers are per pid, so watch by their remainder */
    struct world *world = *state;
    for (int round = 0; round < 20; round++) {
        for (int pid = 1; pid < PIDS; pid++) {
            world->answer[pid] = pid % 2 ? STATUS_OK : STATUS_UNSUPPORTED;
            run(world, pid, (round * 20 + 10) * SECOND, 1, 'S');
        }
        scan_after(world, 31 * SECOND);
        assert_int_equal(roster_watched(world->roster), PIDS / 2);
        for (int pid = 1; pid < PIDS; pid++) {
            if (pid % 4 != 3)
                stop(world, pid);
        }
        scan_after(world, SECOND);
        assert_int_equal(roster_watched(world->roster), PIDS / 4);
    }
    assert_int_equal(world->ends[1], 20);
    assert_int_equal(world->ends[3], 19);
}

/* One too many is not forgotten: it is looked at once another one has ended. */
static void has_room_again_when_one_ends(void **state)
{
    struct world *world = *state;
    enum { LAST = ROSTER_WATCHED_MAX + 1 };
    for (int pid = 1; pid <= LAST; pid++) {
        world->answer[pid] = STATUS_OK;
        run(world, pid, 10 * SECOND, 1, 'S');
    }
    scan_after(world, 1);
    assert_int_equal(roster_watched(world->roster), ROSTER_WATCHED_MAX);
    assert_int_equal(roster_denied(world->roster), 1);
    int left = 1; /* in whatever order the folder tells them */
    while (world->looks[left] == 1)
        left++;
    stop(world, left == LAST ? 1 : LAST);
    scan_after(world, 600 * SECOND);
    scan_after(world, 600 * SECOND);
    assert_int_equal(world->looks[left], 1);
    assert_int_equal(roster_denied(world->roster), 0);
}

/* Who can open no more files cannot tell that one has ended. */
static void a_full_table_ends_nobody(void **state)
{
    struct world *world = *state;
    struct rlimit limit;
    world->answer[5] = STATUS_OK;
    run(world, 5, 10 * SECOND, 1, 'S');
    scan_after(world, 1);
    int free_fd = dup(world->fs.fd); /* enough for the list */
    close(free_fd);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const struct rlimit one = {(rlim_t)free_fd + 1, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &one), 0);
    scan_after(world, SECOND);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    scan_after(world, SECOND);
    assert_int_equal(world->ends[5], 0);
    assert_int_equal(world->looks[5], 1);
}

int main(void)
{
#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_WORLD(looks_once_at_what_is_not_ours),
        WITH_WORLD(follows_a_life),
        WITH_WORLD(a_zombie_has_ended),
        WITH_WORLD(looks_again_at_the_young),
        WITH_WORLD(notices_exec_of_a_foreign_process),
        WITH_WORLD(notices_exec_and_reuse_of_a_watched_pid),
        WITH_WORLD(losing_sight_is_not_an_exec),
        WITH_WORLD(asks_again_where_it_was_denied),
        WITH_WORLD(forgets_on_demand),
        WITH_WORLD(survives_hostile_stat_files),
        WITH_WORLD(many_come_and_go),
        WITH_WORLD(a_full_table_ends_nobody),
        WITH_WORLD(has_room_again_when_one_ends),
    };
#undef WITH_WORLD
    return cmocka_run_group_tests(tests, NULL, NULL);
}
