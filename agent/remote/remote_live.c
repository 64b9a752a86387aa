/*
 * process_vm_readv copies page by page out of the other process's page tables: nothing of the
 * other process runs, waits or is changed by it.
 */
#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#include "attributes.h"
#include "file_data.h"
#include "maps.h"
#include "pagemap.h"
#include "proc_file.h"
#include "remote_ops.h"

enum { STACK_GUARD_BYTES_MAX = 1 << 20 };

struct live {
    struct remote base;
    pid_t pid;
    struct pagemap pagemap;
    struct file_data files;
};

static void note_failure(struct live *live, int error)
{
    if (error == ESRCH)
        live->base.state = STATUS_GONE;
    else if (error == EPERM || error == ENOSYS)
        live->base.state = STATUS_DENIED;
}

static size_t live_gather(struct remote *remote, const struct remote_range *ranges, size_t count,
                          void *to)
{
    struct live *live = (struct live *)remote;
    struct iovec theirs[REMOTE_GATHER_MAX];
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        theirs[i].iov_base =
            (void *)(uintptr_t)ranges[i].start; // NOLINT(performance-no-int-to-ptr)
        theirs[i].iov_len = (size_t)(ranges[i].end - ranges[i].start);
        size += theirs[i].iov_len;
    }
    struct iovec ours = {to, size};
    ssize_t got = process_vm_readv(live->pid, &ours, 1, theirs, count, 0);
    if (got < 0)
        note_failure(live, errno);
    return got < 0 ? 0 : (size_t)got;
}

static enum status live_quiet(struct remote *remote, struct remote_range range, void *to,
                              int as_linked)
{
    struct live *live = (struct live *)remote;
    size_t size = (size_t)(range.end - range.start);
    switch (pagemap_page(&live->pagemap, range.start)) {
    case PAGE_PRESENT:
        return remote_read(remote, range.start, to, size);
    case PAGE_SWAPPED:
        return as_linked ? file_data_read(&live->files, range.start, to, size) : STATUS_UNAVAILABLE;
    case PAGE_ABSENT:
        return file_data_read(&live->files, range.start, to, size);
    case PAGE_GONE:
        break;
    }
    remote->state = STATUS_GONE;
    return STATUS_GONE;
}

/*
 * The stack of a thread lies right above its guard, an inaccessible mapping of a page or a few. It
 * holds stale words of every kind and no objects; but the kernel may have merged it with what lies
 * above it, an arena say.
 */
static int looks_like_stack(const struct maps_entry *entry, const struct maps_entry *below)
{
    return entry->inode == 0 && entry->name[0] == '\0' && below->end == entry->start &&
           !below->readable && !below->writable &&
           below->end - below->start < STACK_GUARD_BYTES_MAX;
}

/* Worth reading? */
static int is_heap_like(const struct maps_entry *entry)
{
    static const char *const skipped[] = {"[stack", "[v", "/dev/"};
    if (!entry->readable || !entry->writable || entry->shared)
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(skipped); i++) {
        if (strncmp(entry->name, skipped[i], strlen(skipped[i])) == 0)
            return strncmp(entry->name, "/dev/zero", 9) == 0;
    }
    return 1;
}

static enum status live_regions(struct remote *remote, struct remote_regions *ret, struct why *why)
{
    struct live *live = (struct live *)remote;
    struct maps maps;
    struct maps_entry entry, below = {0};
    enum status status = maps_open(live->pid, &maps, why);
    if (status != STATUS_OK)
        return status;
    file_data_clear(&live->files); /* as old as the list of regions, at most */
    while (maps_next(&maps, &entry)) {
        int is_file = entry.inode != 0;
        int is_bss = !is_file && !entry.name[0] && below.inode && entry.start == below.end;
        uint32_t flags = (is_file ? REMOTE_FILE : 0u) | (is_bss ? REMOTE_BSS : 0u) |
                         (strcmp(entry.name, "[heap]") == 0 ? REMOTE_BRK : 0u) |
                         (looks_like_stack(&entry, &below) ? REMOTE_STACK : 0u);
        if (is_heap_like(&entry))
            remote_regions_add(ret, (struct remote_region){entry.start, entry.end, flags});
        below = entry;
    }
    maps_close(&maps);
    if (ret->count == 0)
        return why_fail(why, STATUS_GONE, "process %d has no memory: it has ended", (int)live->pid);
    return STATUS_OK;
}

static size_t live_present(struct remote *remote, addr_t start, addr_t end,
                           struct remote_range *ret, size_t capacity, addr_t *ret_next,
                           int with_file_pages)
{
    struct pagemap *pagemap = &((struct live *)remote)->pagemap;
    pagemap->with_file_pages = with_file_pages;
    return pagemap_present(pagemap, start, end, ret, capacity, ret_next);
}

static void live_close(struct remote *remote)
{
    file_data_clear(&((struct live *)remote)->files);
    close(((struct live *)remote)->pagemap.fd);
    free(remote);
}

static const struct remote_ops live_ops = {
    .gather = live_gather,
    .quiet = live_quiet,
    .regions = live_regions,
    .present = live_present,
    .close = live_close,
};

enum status remote_open(pid_t pid, struct remote **ret, struct why *why)
{
    int fd = -1;
    enum status status = proc_file_open(pid, "pagemap", &fd, why);
    if (status != STATUS_OK)
        return status;
    struct live *live = calloc(1, sizeof(*live));
    ASSERT(live);
    live->base.ops = &live_ops;
    live->pid = pid;
    file_data_init(&live->files, pid);
    live->pagemap.fd = fd;
    *ret = &live->base;
    return STATUS_OK;
}
