#include "swarm_watch.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>

/* The first number of task/TID/schedstat: nanoseconds on a CPU. */
static uint64_t thread_cpu_ns(int pid, const char *thread)
{
    char path[64];
    uint64_t ns = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/task/%.16s/schedstat", pid, thread);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%" SCNu64, &ns) != 1) // NOLINT(cert-err34-c): the kernel wrote it
        ns = 0;
    (void)fclose(file);
    return ns;
}

static double cpu_s(int pid)
{
    char path[64];
    uint64_t ns = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/task", pid);
    DIR *folder = opendir(path);
    if (folder == NULL)
        return 0;
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (entry->d_name[0] != '.')
            ns += thread_cpu_ns(pid, entry->d_name);
    }
    closedir(folder);
    return (double)ns / 1e9;
}

static void read_memory(int pid, struct swarm_watch *watch)
{
    char path[64], line[128];
    (void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return;
    uint64_t kilobytes = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        if (sscanf(line, "VmRSS: %" SCNu64, &kilobytes) == 1) // NOLINT(cert-err34-c)
            watch->rss_bytes = kilobytes * 1024;
        if (sscanf(line, "VmHWM: %" SCNu64, &kilobytes) == 1) // NOLINT(cert-err34-c)
            watch->rss_peak_bytes = kilobytes * 1024;
    }
    (void)fclose(file);
}

struct swarm_watch swarm_watch_now(int pid)
{
    struct swarm_watch watch = {.cpu_s = 0};
    if (pid <= 0)
        return watch;
    watch.cpu_s = cpu_s(pid);
    read_memory(pid, &watch);
    return watch;
}
