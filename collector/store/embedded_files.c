/*
 * The cluster appears by a rename at the end: what initdb left behind when it was killed is removed
 * on the next start and never mistaken for a cluster.
 */
#include "embedded_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "buf.h"
#include "embedded_words.h"
#include "parse.h"

#define BINARIES_ROOT "/usr/lib/postgresql"

enum { LOG_BYTES_MAX = 16 * 1024 * 1024, LOG_READ_BYTES = 16 * 1024 };

static enum status cannot(struct why *why, const char *verb, const char *path)
{
    enum status status =
        errno == EACCES || errno == EPERM || errno == EROFS ? STATUS_DENIED : STATUS_FAILED;
    return why_fail(why, status, "cannot %s %s: %s", verb, path, strerror(errno));
}

static enum status join(char *ret, const char *folder, const char *name, struct why *why)
{
    int size = snprintf(ret, PATH_MAX, "%s/%s", folder, name);
    if (size < 0 || size >= PATH_MAX)
        return why_fail(why, STATUS_FAILED, "the path of the data directory is too long");
    return STATUS_OK;
}

/* ---- directories ---------------------------------------------------------------------------- */

static enum status make_parents(char *path, struct why *why)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int failed = mkdir(path, 0755) != 0 && errno != EEXIST;
        enum status status = failed ? cannot(why, "make", path) : STATUS_OK;
        *slash = '/';
        if (failed)
            return status;
    }
    return STATUS_OK;
}

static enum status make_data_dir(const char *data_dir, struct embedded_files *files,
                                 struct why *why)
{
    char path[PATH_MAX];
    int size = snprintf(path, sizeof(path), "%s", data_dir);
    if (size <= 0 || (size_t)size >= sizeof(path))
        return why_fail(why, STATUS_USAGE, "the data directory has no name, or too long a one");
    enum status status = make_parents(path, why);
    if (status != STATUS_OK)
        return status;
    if (mkdir(path, 0711) != 0 && errno != EEXIST)
        return cannot(why, "make", path);
    if (realpath(path, files->data_dir) == NULL)
        return cannot(why, "open", path);
    return join(files->cluster, files->data_dir, "postgres", why);
}

/* A directory of the service user's, for nobody else. */
static enum status make_private(const struct service_user *user, const char *path, struct why *why)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return cannot(why, "make", path);
    if (user->drop && chown(path, user->uid, user->gid) != 0)
        return cannot(why, "hand over", path);
    return STATUS_OK;
}

int embedded_open_folder(const char *path)
{
    return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static enum status make_socket_dir(struct embedded_files *files, struct why *why)
{
    enum status status = join(files->socket_dir, files->data_dir, "socket", why);
    if (status == STATUS_OK)
        status = make_private(&files->user, files->socket_dir, why);
    if (status != STATUS_OK)
        return status;
    files->socket_fd = embedded_open_folder(files->socket_dir);
    return files->socket_fd >= 0 ? STATUS_OK : cannot(why, "open", files->socket_dir);
}

/* ---- lock and log --------------------------------------------------------------------------- */

static void name_holder(int fd, struct why *why, const char *path)
{
    char holder[32] = "";
    ssize_t size = pread(fd, holder, sizeof(holder) - 1, 0);
    uint64_t pid = 0;
    holder[size > 0 ? size : 0] = '\0';
    holder[strcspn(holder, "\n")] = '\0';
    if (parse_u64(holder, 1, INT32_MAX, &pid) == STATUS_OK)
        why_set(why,
                "another collector (pid %d) uses %s: stop it, or give this one another "
                "--data-dir",
                (int)pid, path);
    else
        why_set(why, "another collector uses %s: stop it, or give this one another --data-dir",
                path);
}

static enum status take_lock(struct embedded_files *files, struct why *why)
{
    char path[PATH_MAX];
    enum status status = join(path, files->data_dir, "lock", why);
    if (status != STATUS_OK)
        return status;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return cannot(why, "open", path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        name_holder(fd, why, files->data_dir);
        close(fd);
        return STATUS_CONFLICT;
    }
    char text[32];
    int size = snprintf(text, sizeof(text), "%d\n", (int)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)size, 0) != size) {
        status = cannot(why, "write", path);
        close(fd);
        return status;
    }
    files->lock_fd = fd;
    return STATUS_OK;
}

static enum status open_log(struct embedded_files *files, struct why *why)
{
    char path[PATH_MAX], older[PATH_MAX];
    enum status status = join(path, files->data_dir, "postgres.log", why);
    if (status == STATUS_OK)
        status = join(older, files->data_dir, "postgres.log.1", why);
    if (status != STATUS_OK)
        return status;
    struct stat info;
    if (stat(path, &info) == 0 && info.st_size > LOG_BYTES_MAX)
        (void)rename(path, older);
    files->log_fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return files->log_fd >= 0 ? STATUS_OK : cannot(why, "open", path);
}

enum status embedded_files_open(const char *data_dir, struct embedded_files *ret, struct why *why)
{
    struct embedded_files files = {.lock_fd = -1, .log_fd = -1, .socket_fd = -1};
    enum status status = make_data_dir(data_dir, &files, why);
    if (status == STATUS_OK)
        status = service_user_find(files.cluster, &files.user, why);
    if (status == STATUS_OK)
        status = take_lock(&files, why);
    if (status == STATUS_OK)
        status = open_log(&files, why);
    if (status == STATUS_OK)
        status = make_socket_dir(&files, why);
    if (status != STATUS_OK) {
        embedded_files_close(&files);
        return status;
    }
    *ret = files;
    return STATUS_OK;
}

void embedded_files_close(struct embedded_files *files)
{
    int *const fds[] = {&files->socket_fd, &files->log_fd, &files->lock_fd};
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
}

off_t embedded_log_size(const struct embedded_files *files)
{
    struct stat info;
    return fstat(files->log_fd, &info) == 0 ? info.st_size : 0;
}

void embedded_log_words(const struct embedded_files *files, off_t from, char *ret, size_t size)
{
    char log[LOG_READ_BYTES + 1];
    off_t end = embedded_log_size(files);
    off_t begin = end - from > LOG_READ_BYTES ? end - LOG_READ_BYTES : from;
    ssize_t got = pread(files->log_fd, log, LOG_READ_BYTES, begin);
    log[got > 0 ? got : 0] = '\0';
    embedded_words(log, ret, size);
}

/* ---- binaries ------------------------------------------------------------------------------- */

static int has_binaries(const char *bin_dir)
{
    char initdb[PATH_MAX + 16], postgres[PATH_MAX + 16];
    (void)snprintf(initdb, sizeof(initdb), "%s/initdb", bin_dir);
    (void)snprintf(postgres, sizeof(postgres), "%s/postgres", bin_dir);
    return access(initdb, X_OK) == 0 && access(postgres, X_OK) == 0;
}

/* The major version that made the cluster; 0: there is none. */
static uint64_t cluster_version(const struct embedded_files *files)
{
    char path[PATH_MAX + 16], text[16] = "";
    (void)snprintf(path, sizeof(path), "%s/PG_VERSION", files->cluster);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t size = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[size > 0 ? size : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    uint64_t version = 0;
    return parse_u64(text, 1, 1000, &version) == STATUS_OK ? version : 0;
}

static uint64_t newest_version(void)
{
    DIR *folder = opendir(BINARIES_ROOT);
    uint64_t newest = 0;
    const struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        uint64_t version = 0;
        char bin_dir[PATH_MAX];
        (void)snprintf(bin_dir, sizeof(bin_dir), BINARIES_ROOT "/%s/bin", entry->d_name);
        if (parse_u64(entry->d_name, 1, 1000, &version) == STATUS_OK && version > newest &&
            has_binaries(bin_dir))
            newest = version;
    }
    if (folder != NULL)
        closedir(folder);
    return newest;
}

enum status embedded_find_binaries(struct embedded_files *files, const char *wanted,
                                   struct why *why)
{
    if (wanted != NULL) {
        (void)snprintf(files->bin_dir, sizeof(files->bin_dir), "%s", wanted);
        if (!has_binaries(files->bin_dir))
            return why_fail(why, STATUS_FAILED, "no initdb and postgres in %s", wanted);
        return STATUS_OK;
    }
    uint64_t made_by = cluster_version(files);
    uint64_t version = made_by > 0 ? made_by : newest_version();
    (void)snprintf(files->bin_dir, sizeof(files->bin_dir), BINARIES_ROOT "/%d/bin", (int)version);
    if (version > 0 && has_binaries(files->bin_dir))
        return STATUS_OK;
    if (made_by > 0)
        return why_fail(why, STATUS_FAILED,
                        "%s was made by PostgreSQL %d, which is not installed: apt install "
                        "postgresql-%d, or give another --data-dir, or a database with --dsn",
                        files->cluster, (int)made_by, (int)made_by);
    return why_fail(why, STATUS_FAILED,
                    "PostgreSQL is not installed below " BINARIES_ROOT
                    ": apt install postgresql, or give a database with --dsn");
}

/* ---- the cluster ---------------------------------------------------------------------------- */

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *place)
{
    (void)info;
    (void)type;
    (void)place;
    return remove(path);
}

static enum status remove_tree(const char *path, struct why *why)
{
    if (access(path, F_OK) != 0)
        return STATUS_OK;
    if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0)
        return cannot(why, "remove", path);
    return STATUS_OK;
}

static enum status run_initdb(const struct embedded_files *files, const char *folder,
                              struct why *why)
{
    char initdb[PATH_MAX + 16];
    (void)snprintf(initdb, sizeof(initdb), "%s/initdb", files->bin_dir);
    const char *const argv[] = {initdb, "-D",   PROGRAM_FOLDER_0, "-U", "heapfleet",
                                "-E",   "UTF8", "--locale=C",     "-A", "peer",
                                NULL};
    int folder_fd = embedded_open_folder(folder);
    if (folder_fd < 0)
        return cannot(why, "open", folder);
    struct program program = {.argv = argv, .log_fd = files->log_fd, .folder_fds = {folder_fd, -1}};
    off_t log_from = embedded_log_size(files);
    pid_t pid = 0;
    enum status status = program_start(&files->user, &program, &pid, why);
    close(folder_fd);
    if (status != STATUS_OK)
        return status;
    if (program_wait(pid) == 0)
        return STATUS_OK;
    char words[300];
    embedded_log_words(files, log_from, words, sizeof(words));
    return why_fail(why, STATUS_FAILED, "initdb could not make %s: %s", folder, words);
}

enum status embedded_make_cluster(struct embedded_files *files, struct why *why)
{
    if (cluster_version(files) > 0)
        return STATUS_OK;
    char folder[PATH_MAX];
    enum status status = join(folder, files->data_dir, "postgres.tmp", why);
    if (status == STATUS_OK)
        status = remove_tree(folder, why);
    if (status == STATUS_OK)
        status = make_private(&files->user, folder, why);
    if (status == STATUS_OK)
        status = run_initdb(files, folder, why);
    if (status == STATUS_OK && rename(folder, files->cluster) != 0)
        status = cannot(why, "make", files->cluster);
    return status;
}

/* ---- access --------------------------------------------------------------------------------- */

/* Replace a file of the cluster, as the service user's own. */
static enum status write_file(const struct embedded_files *files, const char *name,
                              const char *text, struct why *why)
{
    char path[PATH_MAX], temporary[PATH_MAX + 8];
    enum status status = join(path, files->cluster, name, why);
    if (status != STATUS_OK)
        return status;
    (void)snprintf(temporary, sizeof(temporary), "%s.tmp", path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return cannot(why, "write", temporary);
    ssize_t size = (ssize_t)strlen(text);
    int ok = write(fd, text, (size_t)size) == size &&
             (!files->user.drop || fchown(fd, files->user.uid, files->user.gid) == 0) &&
             fsync(fd) == 0 && rename(temporary, path) == 0;
    status = ok ? STATUS_OK : cannot(why, "write", path);
    close(fd);
    return status;
}

enum status embedded_write_access(const struct embedded_files *files, struct why *why)
{
    enum status status = write_file(files, "pg_hba.conf",
                                    "# Written by heapfleet-collector at every start.\n"
                                    "local all all peer map=heapfleet\n",
                                    why);
    if (status != STATUS_OK)
        return status;
    struct buf map = BUF_INIT;
    buf_printf(&map, "# Written by heapfleet-collector at every start.\n"
                     "heapfleet root heapfleet\n");
    if (strcmp(files->user.name, "root") != 0)
        buf_printf(&map, "heapfleet \"%s\" heapfleet\n", files->user.name);
    status = write_file(files, "pg_ident.conf", buf_text(&map), why);
    buf_done(&map);
    return status;
}
