#include "pagemap.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "attributes.h"

/* <linux/fs.h> of Linux 6.7; spelled out here because we build against older headers too. */
struct scan_found {
    uint64_t start, end, categories;
};
struct scan_request {
    uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
    uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define SCAN_CALL _IOWR('f', 16, struct scan_request)
enum { SCAN_FILE = 1 << 2, SCAN_PRESENT = 1 << 3, SCAN_ZERO_PAGE = 1 << 5, SCAN_BATCH = 512 };

/* /proc/PID/pagemap, one word a page. */
#define ENTRY_PRESENT ((uint64_t)1 << 63)
#define ENTRY_SWAPPED ((uint64_t)1 << 62)
#define ENTRY_FILE ((uint64_t)1 << 61)
enum { ENTRY_BATCH = 2048 };

static size_t append(struct remote_range *ranges, size_t count, addr_t start, addr_t end)
{
    if (count && ranges[count - 1].end == start) {
        ranges[count - 1].end = end;
        return count;
    }
    ranges[count] = (struct remote_range){start, end};
    return count + 1;
}

/* Returns -1 when the kernel does not know the call. */
static int scan(struct pagemap *pagemap, addr_t start, addr_t end, struct remote_range *ret,
                size_t capacity, size_t *ret_count, addr_t *ret_next)
{
    struct scan_found found[SCAN_BATCH];
    uint64_t unwanted = SCAN_ZERO_PAGE | (pagemap->with_file_pages ? 0 : SCAN_FILE);
    size_t count = 0;
    while (start < end && count < capacity) {
        size_t room = capacity - count < SCAN_BATCH ? capacity - count : SCAN_BATCH;
        struct scan_request request = {
            .size = sizeof(request),
            .start = start,
            .end = end,
            .vec = (uint64_t)(uintptr_t)found,
            .vec_len = room,
            .category_mask = SCAN_PRESENT | unwanted,
            .category_inverted = unwanted,
            .return_mask = SCAN_PRESENT,
        };
        int got = ioctl(pagemap->fd, SCAN_CALL, &request);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && (errno == ENOTTY || errno == EINVAL))
            return -1;
        if (got < 0 || request.walk_end <= start)
            break;
        for (int i = 0; i < got; i++)
            count = append(ret, count, found[i].start, found[i].end);
        start = request.walk_end;
    }
    *ret_count = count;
    *ret_next = count < capacity ? end : start;
    return 0;
}

static size_t read_entries(struct pagemap *pagemap, addr_t start, addr_t end,
                           struct remote_range *ret, size_t capacity, addr_t *ret_next)
{
    uint64_t entries[ENTRY_BATCH];
    uint64_t unwanted = pagemap->with_file_pages ? 0 : ENTRY_FILE;
    size_t count = 0;
    for (addr_t at = start; at < end;) {
        size_t pages = (size_t)((end - at) / REMOTE_PAGE_BYTES);
        size_t wanted = (pages < ENTRY_BATCH ? pages : ENTRY_BATCH) * sizeof(entries[0]);
        ssize_t got = pread(pagemap->fd, entries, wanted,
                            (off_t)(at / REMOTE_PAGE_BYTES * sizeof(entries[0])));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < (ssize_t)sizeof(entries[0]))
            break;
        for (size_t i = 0; i < (size_t)got / sizeof(entries[0]); i++, at += REMOTE_PAGE_BYTES) {
            if (!(entries[i] & ENTRY_PRESENT) || (entries[i] & unwanted))
                continue;
            if (count == capacity && ret[count - 1].end != at) {
                *ret_next = at;
                return count;
            }
            count = append(ret, count, at, at + REMOTE_PAGE_BYTES);
        }
    }
    *ret_next = end;
    return count;
}

size_t pagemap_present(struct pagemap *pagemap, addr_t start, addr_t end, struct remote_range *ret,
                       size_t capacity, addr_t *ret_next)
{
    size_t count;
    start &= ~(addr_t)(REMOTE_PAGE_BYTES - 1);
    end = (end + REMOTE_PAGE_BYTES - 1) & ~(addr_t)(REMOTE_PAGE_BYTES - 1);
    if (!pagemap->without_scan) {
        if (scan(pagemap, start, end, ret, capacity, &count, ret_next) == 0)
            return count;
        pagemap->without_scan = 1;
    }
    return read_entries(pagemap, start, end, ret, capacity, ret_next);
}

/* pread of the word of a page. */
static ssize_t read_entry(const struct pagemap *pagemap, addr_t at, uint64_t *ret)
{
    ssize_t got;
    do
        got = pread(pagemap->fd, ret, sizeof(*ret), (off_t)(at / REMOTE_PAGE_BYTES * sizeof(*ret)));
    while (got < 0 && errno == EINTR);
    return got;
}

enum page pagemap_page(const struct pagemap *pagemap, addr_t at)
{
    uint64_t entry;
    ssize_t got = read_entry(pagemap, at, &entry);
    if (got == 0) /* at the end of what there is: of all memory, or of what addresses may be */
        return read_entry(pagemap, 0, &entry) == 0 ? PAGE_GONE : PAGE_ABSENT;
    if (got != (ssize_t)sizeof(entry))
        return PAGE_ABSENT;
    return entry & ENTRY_PRESENT   ? PAGE_PRESENT
           : entry & ENTRY_SWAPPED ? PAGE_SWAPPED
                                   : PAGE_ABSENT;
}
