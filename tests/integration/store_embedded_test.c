/* USES store */
/* The private PostgreSQL: made, killed, found again, refused; each data directory is the test's
 * own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "private_store.h"

static struct private_store place; /* the folder of all data directories */

static int make_place(void **state)
{
    (void)state;
    (void)snprintf(place.folder, sizeof(place.folder), "%s/tests/embedded-XXXXXX", BINARY_ROOT);
    return mkdtemp(place.folder) == NULL || chmod(place.folder, 0711) != 0;
}

static int remove_place(void **state)
{
    (void)state;
    private_store_remove(&place);
    return 0;
}

static const char *below(const char *name)
{
    static char path[4][512];
    static int next;
    char *ret = path[next++ % 4];
    (void)snprintf(ret, sizeof(path[0]), "%s/%s", place.folder, name);
    return ret;
}

static struct embedded *start(const char *data_dir)
{
    struct why why = {""};
    struct embedded *embedded = NULL;
    const char *bin_dir = private_store_variable("HEAPFLEET_POSTGRES_BIN");
    private_store_must(embedded_start(data_dir, bin_dir, &embedded, &why), &why);
    return embedded;
}

static struct db *open_db(const struct embedded *embedded)
{
    struct why why = {""};
    struct db *db = NULL;
    private_store_must(db_open(embedded_dsn(embedded), &db, &why), &why);
    private_store_must(migrate_up(db, &why), &why);
    return db;
}

static pid_t postmaster_pid(const char *data_dir)
{
    char path[600];
    char line[32] = "";
    (void)snprintf(path, sizeof(path), "%s/postgres/postmaster.pid", data_dir);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof(line), file));
    (void)fclose(file);
    return (pid_t)strtol(line, NULL, 10);
}

static void set_water(struct db *db, uint64_t sequence)
{
    struct why why = {""};
    struct write_batch *batch = write_batch_new();
    write_batch_high_water(batch, (const uint8_t[ID_BYTES]){7}, sequence);
    private_store_must(write_batch_commit(db, batch, &why), &why);
    write_batch_free(batch);
}

static uint64_t water(struct db *db)
{
    struct why why = {""};
    uint64_t sequence = 0;
    private_store_must(agent_high_water(db, (const uint8_t[ID_BYTES]){7}, &sequence, &why), &why);
    return sequence;
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void what_was_written_is_there_after_a_restart(void **state)
{
    (void)state;
    for (uint64_t run = 0; run < 2; run++) {
        struct embedded *embedded = start(below("plain/deeper"));
        struct db *db = open_db(embedded);
        assert_int_equal(water(db), run);
        set_water(db, run + 1);
        db_close(db);
        embedded_stop(embedded);
    }
}

static void a_killed_postmaster_is_started_again(void **state)
{
    (void)state;
    const char *data_dir = below("killed");
    struct embedded *embedded = start(data_dir);
    struct db *db = open_db(embedded);
    for (uint64_t round = 1; round <= 3; round++) {
        struct why why = {""};
        set_water(db, round);
        assert_int_equal(kill(postmaster_pid(data_dir), SIGKILL), 0);
        while (embedded_is_running(embedded))
            (void)usleep(1000);
        private_store_must(embedded_restart(embedded, &why), &why);
        assert_int_equal(water(db), round); /* the same handle, connected again */
    }
    db_close(db);
    embedded_stop(embedded);
}

/* After a power cut: a pid file whose process is gone, or is somebody else's by now. */
static void a_stale_pid_file_is_no_obstacle(void **state)
{
    (void)state;
    const char *data_dir = below("stale");
    struct embedded *embedded = start(data_dir);
    struct db *db = open_db(embedded);
    set_water(db, 7);
    db_close(db);
    embedded_stop(embedded);
    static const int pids[] = {1, 4194303}; /* init, which is not ours; nobody */
    for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
        char path[512];
        (void)snprintf(path, sizeof(path), "%s/postgres/postmaster.pid", data_dir);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        (void)fprintf(file, "%d\n%s/postgres\n1700000000\n5432\n\n\n", pids[i], data_dir);
        assert_int_equal(fclose(file), 0);
        struct stat folder;
        (void)snprintf(path, sizeof(path), "%s/postgres", data_dir);
        assert_int_equal(stat(path, &folder), 0);
        (void)snprintf(path, sizeof(path), "%s/postgres/postmaster.pid", data_dir);
        assert_int_equal(chown(path, folder.st_uid, folder.st_gid), 0);
        embedded = start(data_dir);
        db = open_db(embedded);
        assert_int_equal(water(db), 7);
        db_close(db);
        embedded_stop(embedded);
    }
}

/* A whole collector that is killed takes its server along, and the next one waits for that. */
static void the_server_ends_with_a_killed_owner(void **state)
{
    (void)state;
    const char *data_dir = below("owner");
    for (uint64_t round = 1; round <= 3; round++) {
        int ready[2];
        assert_int_equal(pipe(ready), 0);
        pid_t owner = fork();
        if (owner == 0) {
            struct embedded *embedded = start(data_dir);
            set_water(open_db(embedded), round);
            if (write(ready[1], "r", 1) == 1)
                (void)pause();
            _exit(1);
        }
        char byte;
        close(ready[1]);
        assert_int_equal(read(ready[0], &byte, 1), 1);
        close(ready[0]);
        pid_t server = postmaster_pid(data_dir);
        assert_int_equal(kill(owner, SIGKILL), 0);
        assert_int_equal(waitpid(owner, NULL, 0), owner);
        struct embedded *next = start(data_dir);
        assert_int_not_equal(postmaster_pid(data_dir), server);
        struct db *db = open_db(next);
        assert_int_equal(water(db), round);
        db_close(db);
        embedded_stop(next);
    }
}

static void two_owners_are_one_too_many(void **state)
{
    (void)state;
    const char *data_dir = below("two");
    struct embedded *first = start(data_dir), *second = NULL;
    struct why why = {""};
    assert_int_equal(embedded_start(data_dir, NULL, &second, &why), STATUS_CONFLICT);
    char pid[32];
    (void)snprintf(pid, sizeof(pid), "pid %d", (int)getpid());
    assert_non_null(strstr(why.text, pid));
    embedded_stop(first);
    embedded_stop(start(data_dir));
}

static void an_interrupted_initdb_is_begun_again(void **state)
{
    (void)state;
    assert_int_equal(mkdir(below("torn"), 0711), 0);
    assert_int_equal(mkdir(below("torn/postgres.tmp"), 0700), 0);
    assert_int_equal(mkdir(below("torn/postgres.tmp/base"), 0700), 0);
    int fd = open(below("torn/postgres.tmp/PG_VERSION"), O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, "15\n", 3), 3);
    close(fd);
    embedded_stop(start(below("torn")));
}

static void a_path_too_long_for_a_socket_name_is_no_obstacle(void **state)
{
    (void)state;
    char data_dir[512], name[101];
    memset(name, 'x', 100);
    name[100] = '\0';
    (void)snprintf(data_dir, sizeof(data_dir), "%s/%s", below("long"), name);
    struct embedded *embedded = start(data_dir);
    assert_null(strstr(embedded_dsn(embedded), name));
    db_close(open_db(embedded));
    embedded_stop(embedded);
}

/* A clone in /root, or in a home: the service user cannot pass there, and need not. */
static void parents_closed_to_the_service_user_are_no_obstacle(void **state)
{
    (void)state;
    char parent[256], data_dir[300];
    (void)snprintf(parent, sizeof(parent), "%s", below("closed"));
    assert_int_equal(mkdir(parent, 0700), 0);
    (void)snprintf(data_dir, sizeof(data_dir), "%s/data", parent);
    struct embedded *embedded = start(data_dir);
    db_close(open_db(embedded));
    embedded_stop(embedded);
    assert_int_equal(chmod(data_dir, 0700), 0);
    embedded = start(data_dir);
    db_close(open_db(embedded));
    embedded_stop(embedded);
}

static void odd_names_are_quoted(void **state)
{
    (void)state;
    struct embedded *embedded = start(below("it's \\ odd"));
    db_close(open_db(embedded));
    embedded_stop(embedded);
}

static void another_major_version_is_not_touched(void **state)
{
    (void)state;
    assert_int_equal(mkdir(below("old"), 0711), 0);
    assert_int_equal(mkdir(below("old/postgres"), 0700), 0);
    int fd = open(below("old/postgres/PG_VERSION"), O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, "9\n", 2), 2);
    close(fd);
    struct embedded *embedded = NULL;
    struct why why = {""};
    assert_int_equal(embedded_start(below("old"), NULL, &embedded, &why), STATUS_FAILED);
    assert_non_null(strstr(why.text, "PostgreSQL 9"));
    assert_non_null(strstr(why.text, "postgresql-9"));
    assert_int_not_equal(access(below("old/postgres/postgresql.conf"), F_OK), 0);
}

static void missing_binaries_name_the_way_out(void **state)
{
    (void)state;
    struct embedded *embedded = NULL;
    struct why why = {""};
    assert_int_equal(embedded_start(below("none"), "/nonexistent", &embedded, &why), STATUS_FAILED);
    assert_non_null(strstr(why.text, "/nonexistent"));
}

static void a_place_that_cannot_be_written_is_named(void **state)
{
    (void)state;
    struct embedded *embedded = NULL;
    struct why why = {""};
    assert_int_not_equal(embedded_start("/proc/heapfleet", NULL, &embedded, &why), STATUS_OK);
    assert_non_null(strstr(why.text, "/proc/heapfleet"));
}

static void a_spoiled_cluster_says_what_postgres_said(void **state)
{
    (void)state;
    embedded_stop(start(below("spoiled")));
    assert_int_equal(truncate(below("spoiled/postgres/global/pg_control"), 0), 0);
    struct embedded *embedded = NULL;
    struct why why = {""};
    const char *bin_dir = private_store_variable("HEAPFLEET_POSTGRES_BIN");
    assert_int_equal(embedded_start(below("spoiled"), bin_dir, &embedded, &why), STATUS_FAILED);
    assert_non_null(strstr(why.text, "pg_control"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_there_after_a_restart),
        cmocka_unit_test(a_killed_postmaster_is_started_again),
        cmocka_unit_test(a_stale_pid_file_is_no_obstacle),
        cmocka_unit_test(the_server_ends_with_a_killed_owner),
        cmocka_unit_test(two_owners_are_one_too_many),
        cmocka_unit_test(an_interrupted_initdb_is_begun_again),
        cmocka_unit_test(a_path_too_long_for_a_socket_name_is_no_obstacle),
        cmocka_unit_test(parents_closed_to_the_service_user_are_no_obstacle),
        cmocka_unit_test(odd_names_are_quoted),
        cmocka_unit_test(another_major_version_is_not_touched),
        cmocka_unit_test(missing_binaries_name_the_way_out),
        cmocka_unit_test(a_place_that_cannot_be_written_is_named),
        cmocka_unit_test(a_spoiled_cluster_says_what_postgres_said),
    };
    return cmocka_run_group_tests(tests, make_place, remove_place);
}
