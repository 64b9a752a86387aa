#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "clock.h"
#include "metrics.h"

static double cpu_seconds(void *arg)
{
    (void)arg;
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0;
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* /proc/self/statm: size and resident pages. */
static double resident_bytes(void *arg)
{
    (void)arg;
    uint64_t size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%" SCNu64 " %" SCNu64, &size, &resident) != 2) // NOLINT(cert-err34-c)
        resident = 0;
    (void)fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

/* Entries of a folder of /proc/self, the two with dots aside. */
static double entries(const char *path, double ours)
{
    double count = -2 - ours;
    DIR *folder = opendir(path);
    if (folder == NULL)
        return 0;
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

static double open_files(void *arg)
{
    (void)arg;
    return entries("/proc/self/fd", 1);
}

static double threads(void *arg)
{
    (void)arg;
    return entries("/proc/self/task", 0);
}

static double files_max(void *arg)
{
    (void)arg;
    struct rlimit limit = {0, 0};
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    return (double)limit.rlim_cur;
}

void metrics_add_process(struct metrics *metrics)
{
    metrics_computed(metrics, 1, "process_cpu_seconds_total", NULL,
                     "Total user and system CPU time spent in seconds.", cpu_seconds, NULL);
    metrics_computed(metrics, 0, "process_resident_memory_bytes", NULL,
                     "Resident memory size in bytes.", resident_bytes, NULL);
    metrics_computed(metrics, 0, "process_open_fds", NULL, "Number of open file descriptors.",
                     open_files, NULL);
    metrics_computed(metrics, 0, "process_max_fds", NULL,
                     "Maximum number of open file descriptors.", files_max, NULL);
    metrics_computed(metrics, 0, "process_threads", NULL, "Number of threads.", threads, NULL);
    struct metric *start = metrics_gauge(metrics, "process_start_time_seconds", NULL,
                                         "Start time of the process since unix epoch in seconds.");
    metric_set(start, clock_wall_ms() / 1000);
}
