#include "memory_facts.h"

#include <stdio.h>
#include <string.h>

enum { GROUP_BYTES = 16 * 1024, ROLLUP_BYTES = 4096 };

uint64_t memory_facts_parse_pss(const char *text, size_t size)
{
    static const char key[] = "\nPss:";
    const char *end = text + size;
    const char *at = memmem(text, size, key, sizeof(key) - 1);
    uint64_t kib = 0;
    if (at == NULL)
        return 0;
    at += sizeof(key) - 1;
    while (at < end && *at == ' ')
        at++;
    for (; at < end && *at >= '0' && *at <= '9' && kib < UINT64_MAX / 20480; at++)
        kib = kib * 10 + (uint64_t)(*at - '0');
    return kib * 1024;
}

static void read_container(const struct proc_fs *fs, pid_t pid, struct container_memory *ret)
{
    char text[GROUP_BYTES];
    char target_mount[64];
    size_t size = 0;
    struct container_memory_path path;
    if (proc_read(fs, pid, "cgroup", text, sizeof(text), &size) != STATUS_OK)
        return;
    (void)snprintf(target_mount, sizeof(target_mount), "/proc/%d/root/sys/fs/cgroup", (int)pid);
    container_find_memory(text, size, "/sys/fs/cgroup", target_mount, &path);
    if (container_read_memory(&path, ret) != STATUS_OK)
        *ret = (struct container_memory){0};
}

uint64_t memory_facts_pss(const struct proc_fs *fs, pid_t pid, uint64_t rss_anon_bytes)
{
    char text[ROLLUP_BYTES];
    size_t size = 0;
    if (rss_anon_bytes > MEMORY_PSS_ABOVE_BYTES ||
        proc_read(fs, pid, "smaps_rollup", text, sizeof(text), &size) != STATUS_OK)
        return 0;
    return memory_facts_parse_pss(text, size);
}

enum status memory_facts_read(const struct proc_fs *fs, pid_t pid, struct memory_facts *ret)
{
    struct proc_status status;
    enum status outcome = proc_status(fs, pid, &status);
    if (outcome != STATUS_OK)
        return outcome;
    struct memory_facts facts = {.rss_anon_bytes = status.rss_anon_bytes,
                                 .swap_bytes = status.swap_bytes};
    facts.pss_bytes = memory_facts_pss(fs, pid, facts.rss_anon_bytes);
    read_container(fs, pid, &facts.container);
    *ret = facts;
    return STATUS_OK;
}
