#include "file_data.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "attributes.h"
#include "maps.h"
#include "mounts.h"
#include "regular_file.h"
#include "remote.h"

void file_data_init(struct file_data *data, pid_t pid)
{
    *data = (struct file_data){.pid = pid};
    for (size_t i = 0; i < ARRAY_SIZE(data->mappings); i++)
        data->mappings[i].fd = -1;
}

static void forget(struct file_mapping *mapping)
{
    if (mapping->fd >= 0)
        close(mapping->fd);
    *mapping = (struct file_mapping){.fd = -1};
}

void file_data_clear(struct file_data *data)
{
    for (size_t i = 0; i < ARRAY_SIZE(data->mappings); i++)
        forget(&data->mappings[i]);
    data->looks = 0;
}

/* The line of /proc/PID/maps that `at` is in; 1 and `maps` open, or 0. */
static int find_line(pid_t pid, addr_t at, struct maps *maps, struct maps_entry *ret)
{
    if (maps_open(pid, maps, NULL) != STATUS_OK)
        return 0;
    while (maps_next(maps, ret) && ret->start <= at) {
        if (at < ret->end)
            return 1;
    }
    maps_close(maps);
    return 0;
}

/* Is it the file of that mapping? On a stacked file system stat() has other numbers than maps: so
 * it is mapped here, too, without access, and the same words are compared. */
static int is_file_of(int fd, const struct maps_entry *theirs)
{
    struct maps maps;
    struct maps_entry ours;
    void *mapped = mmap(NULL, REMOTE_PAGE_BYTES, PROT_NONE, MAP_PRIVATE, fd, 0);
    if (mapped == MAP_FAILED)
        return 0;
    int found = find_line(getpid(), (addr_t)(uintptr_t)mapped, &maps, &ours);
    if (found)
        maps_close(&maps);
    munmap(mapped, REMOTE_PAGE_BYTES);
    return found && ours.inode == theirs->inode && ours.device == theirs->device;
}

/* The name is as seen from our root, or from the process's if that is out of our sight. */
static int open_file(pid_t pid, const struct maps_entry *entry)
{
    const pid_t roots[] = {pid, getpid()};
    if (mounts_may_wait(pid, entry->device))
        return -1;
    for (size_t i = 0; i < ARRAY_SIZE(roots); i++) {
        int fd = regular_file_open_in_root(roots[i], entry->name, 1);
        if (fd >= 0 && is_file_of(fd, entry))
            return fd;
        if (fd >= 0)
            close(fd);
    }
    return -1;
}

/* NULL: nothing there is a private mapping of a file, or too much was asked. */
static const struct file_mapping *find_mapping(struct file_data *data, addr_t at)
{
    struct maps maps;
    struct maps_entry entry;
    for (size_t i = 0; i < ARRAY_SIZE(data->mappings); i++) {
        if (data->mappings[i].start <= at && at < data->mappings[i].end)
            return &data->mappings[i];
    }
    if (data->looks == FILE_DATA_LOOKS_MAX)
        return NULL;
    data->looks++;
    if (!find_line(data->pid, at, &maps, &entry))
        return NULL;
    struct file_mapping *found = NULL;
    if (entry.inode != 0 && entry.readable && !entry.shared) {
        found = &data->mappings[data->next++ % ARRAY_SIZE(data->mappings)];
        forget(found);
        *found = (struct file_mapping){entry.start, entry.end, entry.offset,
                                       open_file(data->pid, &entry)};
    }
    maps_close(&maps);
    return found;
}

enum status file_data_read(struct file_data *data, addr_t at, void *to, size_t size)
{
    const struct file_mapping *mapping = find_mapping(data, at);
    if (!mapping || size > mapping->end - at)
        return STATUS_INVALID;
    if (mapping->fd < 0)
        return STATUS_UNAVAILABLE;
    ssize_t got = pread(mapping->fd, to, size, (off_t)(mapping->offset + (at - mapping->start)));
    return got == (ssize_t)size ? STATUS_OK : STATUS_UNAVAILABLE;
}
