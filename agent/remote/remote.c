#include "remote.h"

#include "attributes.h"
#include "remote_ops.h"

void remote_close(struct remote *remote)
{
    if (remote)
        remote->ops->close(remote);
}

enum status remote_read(struct remote *remote, addr_t from, void *to, size_t size)
{
    if (size == 0)
        return STATUS_OK;
    if (from + size < from)
        return STATUS_INVALID;
    struct remote_range range = {from, from + size};
    if (remote->ops->gather(remote, &range, 1, to) == size)
        return STATUS_OK;
    return remote->state == STATUS_OK ? STATUS_INVALID : remote->state;
}

/* Page by page: one may be present and the next in the file alone. */
static enum status read_pages(struct remote *remote, addr_t from, void *to, size_t size,
                              int as_linked)
{
    uint8_t *bytes = to;
    enum status status = STATUS_OK;
    if (from + size < from)
        return STATUS_INVALID;
    for (addr_t at = from, end = from + size, next = 0; at < end && status == STATUS_OK;
         at = next) {
        next = (at & ~(addr_t)(REMOTE_PAGE_BYTES - 1)) + REMOTE_PAGE_BYTES;
        next = next > end || next < at ? end : next;
        status = remote->ops->quiet(remote, (struct remote_range){at, next}, bytes + (at - from),
                                    as_linked);
    }
    remote->lacked |= status == STATUS_UNAVAILABLE;
    return status;
}

int remote_lacked(const struct remote *remote)
{
    return remote->lacked;
}

enum status remote_read_quietly(struct remote *remote, addr_t from, void *to, size_t size)
{
    return read_pages(remote, from, to, size, 0);
}

enum status remote_read_linked(struct remote *remote, addr_t from, void *to, size_t size)
{
    return read_pages(remote, from, to, size, 1);
}

size_t remote_gather(struct remote *remote, const struct remote_range *ranges, size_t count,
                     void *to)
{
    ASSERT(count >= 1 && count <= REMOTE_GATHER_MAX);
    return remote->ops->gather(remote, ranges, count, to);
}

enum status remote_state(const struct remote *remote)
{
    return remote->state;
}

enum status remote_regions(struct remote *remote, struct remote_regions *ret, struct why *why)
{
    ret->count = 0;
    ret->cut = 0;
    return remote->ops->regions(remote, ret, why);
}

void remote_regions_add(struct remote_regions *regions, struct remote_region region)
{
    if (regions->count == REMOTE_REGIONS_MAX) {
        regions->cut = 1;
        return;
    }
    if (regions->count == regions->capacity) {
        regions->capacity = regions->capacity ? regions->capacity * 2 : 64;
        regions->items = realloc(regions->items, regions->capacity * sizeof(regions->items[0]));
        ASSERT(regions->items);
    }
    regions->items[regions->count++] = region;
}

size_t remote_regions_index(const struct remote_regions *regions, addr_t at)
{
    size_t low = 0, high = regions->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (regions->items[middle].end <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct remote_region *remote_regions_find(const struct remote_regions *regions, addr_t at)
{
    size_t index = remote_regions_index(regions, at);
    return index < regions->count && regions->items[index].start <= at ? &regions->items[index]
                                                                       : NULL;
}

void remote_regions_new(const struct remote_regions *now, const struct remote_regions *before,
                        struct remote_regions *ret)
{
    ret->count = 0;
    ret->cut = 0;
    for (size_t i = 0; i < now->count; i++) {
        struct remote_region rest = now->items[i];
        for (size_t k = remote_regions_index(before, rest.start);
             k < before->count && before->items[k].start < rest.end && rest.start < rest.end; k++) {
            struct remote_region part = {rest.start, before->items[k].start, rest.flags};
            if (part.start < part.end)
                remote_regions_add(ret, part);
            rest.start = before->items[k].end;
        }
        if (rest.start < rest.end)
            remote_regions_add(ret, rest);
    }
}

void remote_regions_done(struct remote_regions *regions)
{
    free(regions->items);
    *regions = (struct remote_regions){0};
}

size_t remote_present(struct remote *remote, addr_t start, addr_t end, struct remote_range *ret,
                      size_t capacity, addr_t *ret_next)
{
    ASSERT(capacity > 0);
    return remote->ops->present(remote, start, end, ret, capacity, ret_next, 0);
}

size_t remote_present_data(struct remote *remote, addr_t start, addr_t end,
                           struct remote_range *ret, size_t capacity, addr_t *ret_next)
{
    ASSERT(capacity > 0);
    return remote->ops->present(remote, start, end, ret, capacity, ret_next, 1);
}
