/*
 * The server is a child that dies with us (PR_SET_PDEATHSIG, a fast shutdown), so that no cluster
 * is left running behind a collector that was killed. A collector that comes back at once may still
 * meet the old server, which is shutting down, or backends of a postmaster that was killed:
 * postgres then refuses to start with one of two well-known sentences, and we try again.
 * postmaster.pid is never touched.
 */
#include "embedded.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "embedded_files.h"
#include "pg.h"

enum {
    START_MS = 60 * 1000,      /* until it answers at all */
    RECOVERY_MS = 3600 * 1000, /* while it says that it is starting */
    FAST_STOP_MS = 20 * 1000,  /* before the immediate shutdown */
    IMMEDIATE_STOP_MS = 5000,  /* before it is killed */
    LOOK_MS = 30,
    RETRY_MS = 200,
};

#define WAL_LZ4 "wal_compression=lz4"

struct embedded {
    struct embedded_files files;
    pid_t pid; /* 0: not running */
    int has_lz4;
    char dsn[PATH_MAX + 64];
};

static void sleep_ms(long ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    (void)nanosleep(&time, NULL);
}

/* ---- what the binary can do ------------------------------------------------------------------ */

/*
 * Behind a checkpoint the first change of a page puts the whole page into the WAL. LZ4 makes less
 * of it, where PostgreSQL is new enough and was built with it: it is asked, for it would not start
 * otherwise.
 */
static enum status ask_compression(struct embedded *embedded, struct why *why)
{
    const struct embedded_files *files = &embedded->files;
    char postgres[PATH_MAX + 16];
    (void)snprintf(postgres, sizeof(postgres), "%s/postgres", files->bin_dir);
    const char *const argv[] = {postgres, "-D", PROGRAM_FOLDER_0,  "-c",
                                WAL_LZ4,  "-C", "wal_compression", NULL};
    int cluster_fd = embedded_open_folder(files->cluster),
        null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (cluster_fd < 0 || null_fd < 0)
        return why_fail(why, STATUS_FAILED, "cannot open %s: %s", files->cluster, strerror(errno));
    struct program program = {
        .argv = argv, .log_fd = null_fd, .folder_fds = {cluster_fd, -1}, .tied = 1};
    pid_t pid = 0;
    enum status status = program_start(&files->user, &program, &pid, why);
    close(cluster_fd);
    close(null_fd);
    if (status == STATUS_OK)
        embedded->has_lz4 = program_wait(pid) == 0;
    return status;
}

/* ---- one attempt ---------------------------------------------------------------------------- */

static enum status start_server(struct embedded *embedded, struct why *why)
{
    const struct embedded_files *files = &embedded->files;
    static const char socket_setting[] = "unix_socket_directories=" PROGRAM_FOLDER_1;
    char postgres[PATH_MAX + 16];
    (void)snprintf(postgres, sizeof(postgres), "%s/postgres", files->bin_dir);
    const char *const argv[] = {
        postgres,
        "-D",
        PROGRAM_FOLDER_0,
        "-c",
        socket_setting,
        "-c",
        "listen_addresses=",
        "-c",
        "port=5432",
        "-c",
        "unix_socket_permissions=0700",
        "-c",
        "logging_collector=off",
        "-c",
        "log_destination=stderr",
        "-c",
        "max_connections=40",
        "-c",
        "shared_buffers=64MB",
        "-c",
        "wal_level=minimal",
        "-c",
        "max_wal_senders=0",
        "-c",
        "synchronous_commit=on",
        "-c",
        "fsync=on",
        "-c",
        "jit=off",
        "-c",
        "max_parallel_workers_per_gather=0",
        "-c",
        /* Pages go into the WAL whole, and to disk, a third as often as by default; recovery has
         * more to do, but no more than max_wal_size, 1 GB. */
        "checkpoint_timeout=15min",
        "-c",
        embedded->has_lz4 ? WAL_LZ4 : "wal_compression=on",
        NULL,
    };
    int cluster_fd = embedded_open_folder(files->cluster);
    if (cluster_fd < 0)
        return why_fail(why, STATUS_FAILED, "cannot open %s: %s", files->cluster, strerror(errno));
    struct program program = {.argv = argv,
                              .log_fd = files->log_fd,
                              .folder_fds = {cluster_fd, files->socket_fd},
                              .tied = 1};
    enum status status = program_start(&files->user, &program, &embedded->pid, why);
    close(cluster_fd);
    return status;
}

int embedded_is_running(struct embedded *embedded)
{
    if (embedded->pid == 0)
        return 0;
    if (waitpid(embedded->pid, NULL, WNOHANG) == 0)
        return 1;
    embedded->pid = 0;
    return 0;
}

/* The predecessor has not quite gone: worth another attempt. */
static int is_passing(const char *words)
{
    static const char *const sentences[] = {
        "pre-existing shared memory block",
        "lock file 'postmaster.pid' already exists",
        ".s.PGSQL.5432.lock' already exists",
    };
    for (size_t i = 0; i < ARRAY_SIZE(sentences); i++) {
        if (strstr(words, sentences[i]) != NULL)
            return 1;
    }
    return 0;
}

/*
 * Until the server answers. UNAVAILABLE: it ended for a passing reason. FAILED: it ended for
 * another, or was silent for too long.
 */
static enum status wait_ready(struct embedded *embedded, off_t log_from, struct why *why)
{
    int64_t began = clock_mono_ms();
    for (;;) {
        enum pg_answer answer = pg_probe(embedded->dsn);
        if (answer == PG_ANSWERS)
            return STATUS_OK;
        if (!embedded_is_running(embedded)) {
            char words[400];
            embedded_log_words(&embedded->files, log_from, words, sizeof(words));
            return why_fail(why, is_passing(words) ? STATUS_UNAVAILABLE : STATUS_FAILED,
                            "PostgreSQL did not start on %s: %s", embedded->files.cluster, words);
        }
        if (clock_mono_ms() - began > (answer == PG_STARTING ? RECOVERY_MS : START_MS))
            return why_fail(why, STATUS_FAILED, "PostgreSQL on %s does not answer; see %s",
                            embedded->files.cluster, "postgres.log beside it");
        sleep_ms(LOOK_MS);
    }
}

static enum status start_and_wait(struct embedded *embedded, struct why *why)
{
    int64_t began = clock_mono_ms();
    for (;;) {
        off_t log_from = embedded_log_size(&embedded->files);
        enum status status = start_server(embedded, why);
        if (status == STATUS_OK)
            status = wait_ready(embedded, log_from, why);
        if (status != STATUS_UNAVAILABLE)
            return status;
        if (clock_mono_ms() - began > START_MS)
            return STATUS_FAILED;
        sleep_ms(RETRY_MS);
    }
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* A value of a connection string: quotes and backslashes escaped. */
static void append_quoted(char *dsn, size_t size, const char *value)
{
    size_t used = strlen(dsn);
    for (const char *c = value; *c != '\0' && used + 3 < size; c++) {
        if (*c == '\'' || *c == '\\')
            dsn[used++] = '\\';
        dsn[used++] = *c;
    }
    dsn[used] = '\0';
}

static void make_dsn(struct embedded *embedded)
{
    (void)snprintf(embedded->dsn, sizeof(embedded->dsn),
                   "port=5432 user=heapfleet dbname=postgres host='");
    char near[64];
    (void)snprintf(near, sizeof(near), "/proc/self/fd/%d", embedded->files.socket_fd);
    const char *socket_dir = embedded->files.socket_dir;
    append_quoted(embedded->dsn, sizeof(embedded->dsn) - 1,
                  strlen(socket_dir) <= EMBEDDED_SOCKET_DIR_MAX ? socket_dir : near);
    size_t used = strlen(embedded->dsn);
    (void)snprintf(embedded->dsn + used, sizeof(embedded->dsn) - used, "'");
}

static enum status prepare(struct embedded *embedded, const char *bin_dir, struct why *why)
{
    enum status status = embedded_find_binaries(&embedded->files, bin_dir, why);
    if (status == STATUS_OK)
        status = embedded_make_cluster(&embedded->files, why);
    if (status == STATUS_OK)
        status = embedded_write_access(&embedded->files, why);
    if (status == STATUS_OK)
        status = ask_compression(embedded, why);
    return status;
}

enum status embedded_start(const char *data_dir, const char *bin_dir, struct embedded **ret,
                           struct why *why)
{
    struct embedded *embedded = calloc(1, sizeof(*embedded));
    ASSERT(embedded != NULL);
    enum status status = embedded_files_open(data_dir, &embedded->files, why);
    if (status != STATUS_OK) {
        free(embedded);
        return status;
    }
    make_dsn(embedded);
    status = prepare(embedded, bin_dir, why);
    if (status == STATUS_OK)
        status = start_and_wait(embedded, why);
    if (status != STATUS_OK) {
        embedded_stop(embedded);
        return status;
    }
    *ret = embedded;
    return STATUS_OK;
}

enum status embedded_restart(struct embedded *embedded, struct why *why)
{
    if (embedded_is_running(embedded))
        return STATUS_OK;
    return start_and_wait(embedded, why);
}

const char *embedded_dsn(const struct embedded *embedded)
{
    return embedded->dsn;
}

static int gone_within(struct embedded *embedded, int64_t limit_ms)
{
    int64_t began = clock_mono_ms();
    while (embedded_is_running(embedded)) {
        if (clock_mono_ms() - began > limit_ms)
            return 0;
        sleep_ms(LOOK_MS);
    }
    return 1;
}

/* The immediate shutdown needs recovery at the next start; a server that is frozen needs more. */
static void stop_now(struct embedded *embedded)
{
    (void)kill(embedded->pid, SIGQUIT);
    if (gone_within(embedded, IMMEDIATE_STOP_MS))
        return;
    (void)kill(embedded->pid, SIGKILL);
    (void)program_wait(embedded->pid);
    embedded->pid = 0;
}

void embedded_stop(struct embedded *embedded)
{
    if (embedded == NULL)
        return;
    if (embedded_is_running(embedded)) {
        (void)kill(embedded->pid, SIGINT);
        if (!gone_within(embedded, FAST_STOP_MS))
            stop_now(embedded);
    }
    embedded_files_close(&embedded->files);
    free(embedded);
}
