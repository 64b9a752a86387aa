#include "postgres_cost.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Fields of /proc/PID/stat behind the name in brackets, counted from the state. */
enum { STAT_PARENT = 1, STAT_UTIME = 11, STAT_CSTIME = 14, STAT_FIELDS = 15 };

static int read_stat(const char *pid, long long ret[STAT_FIELDS])
{
    char path[64], text[1024];
    (void)snprintf(path, sizeof(path), "/proc/%s/stat", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    size_t size = fread(text, 1, sizeof(text) - 1, file);
    (void)fclose(file);
    text[size] = '\0';
    char *at = strrchr(text, ')');
    if (at == NULL)
        return 0;
    at += 3; /* ") S": the state is no number */
    ret[0] = 0;
    for (int i = 1; i < STAT_FIELDS; i++)
        ret[i] = strtoll(at, &at, 10);
    return 1;
}

static long long ticks_of(const long long stat[STAT_FIELDS])
{
    long long ticks = 0;
    for (int i = STAT_UTIME; i <= STAT_CSTIME; i++)
        ticks += stat[i];
    return ticks;
}

/* The postmaster, the children that it has buried (in its own numbers), and those alive. */
static double cpu_of_tree(long long postmaster)
{
    long long ticks = 0;
    DIR *proc = opendir("/proc");
    if (proc == NULL)
        return 0;
    for (struct dirent *entry = readdir(proc); entry != NULL; entry = readdir(proc)) {
        long long stat[STAT_FIELDS];
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || !read_stat(entry->d_name, stat))
            continue;
        if (stat[STAT_PARENT] == postmaster || strtoll(entry->d_name, NULL, 10) == postmaster)
            ticks += ticks_of(stat);
    }
    (void)closedir(proc);
    return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

static long long find_postmaster(const char *folder)
{
    char path[PATH_MAX];
    long long pid = 0;
    (void)snprintf(path, sizeof(path), "%s/postgres/postmaster.pid", folder);
    FILE *file = fopen(path, "re");
    char line[32] = "";
    if (file != NULL && fgets(line, sizeof(line), file) != NULL)
        pid = strtoll(line, NULL, 10);
    if (file != NULL)
        (void)fclose(file);
    return pid;
}

enum status postgres_cost(struct pg *pg, const char *folder, struct postgres_cost *ret,
                          struct why *why)
{
    long long postmaster = find_postmaster(folder);
    if (postmaster == 0)
        return why_fail(why, STATUS_FAILED, "no postmaster in %s", folder);
    struct pg_rows rows;
    enum status status = pg_run(pg,
                                "SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint, "
                                "pg_database_size(current_database())",
                                NULL, &rows, why);
    if (status != STATUS_OK)
        return status;
    *ret = (struct postgres_cost){
        .cpu_s = cpu_of_tree(postmaster),
        .wal_bytes = pg_i64(&rows, 0, 0),
        .disk_bytes = pg_i64(&rows, 0, 1),
    };
    pg_rows_done(&rows);
    return STATUS_OK;
}
