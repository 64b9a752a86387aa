#include "attributes.h"
#include "remote_ops.h"

struct image {
    struct remote base;
    struct remote_image image;
    size_t *offsets; /* of each present range in image.bytes */
};

/* Index of the first present range that ends behind `at`. */
static size_t find_range(const struct image *image, addr_t at)
{
    size_t low = 0, high = image->image.present_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (image->image.present[middle].end <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Bytes that could be copied from the start of start..end. */
static size_t copy(const struct image *image, addr_t start, addr_t end, uint8_t *to)
{
    addr_t at = start;
    for (size_t i = find_range(image, at); at < end && i < image->image.present_count; i++) {
        struct remote_range range = image->image.present[i];
        if (range.start > at)
            break;
        size_t size = (size_t)((range.end < end ? range.end : end) - at);
        memcpy(to + (at - start), image->image.bytes + image->offsets[i] + (at - range.start),
               size);
        at += size;
    }
    return (size_t)(at - start);
}

static size_t image_gather(struct remote *remote, const struct remote_range *ranges, size_t count,
                           void *to)
{
    const struct image *image = (const struct image *)remote;
    size_t done = 0;
    for (size_t i = 0; i < count; i++) {
        size_t size = copy(image, ranges[i].start, ranges[i].end, (uint8_t *)to + done);
        done += size;
        if (size < ranges[i].end - ranges[i].start)
            break;
    }
    return done;
}

/* All that there is of an image is present. */
static enum status image_quiet(struct remote *remote, struct remote_range range, void *to,
                               int as_linked)
{
    (void)as_linked;
    return remote_read(remote, range.start, to, (size_t)(range.end - range.start));
}

static enum status image_regions(struct remote *remote, struct remote_regions *ret, struct why *why)
{
    const struct image *image = (const struct image *)remote;
    (void)why;
    for (size_t i = 0; i < image->image.region_count; i++)
        remote_regions_add(ret, image->image.regions[i]);
    return STATUS_OK;
}

static size_t image_present(struct remote *remote, addr_t start, addr_t end,
                            struct remote_range *ret, size_t capacity, addr_t *ret_next,
                            int with_file_pages)
{
    (void)with_file_pages;
    const struct image *image = (const struct image *)remote;
    size_t count = 0;
    for (size_t i = find_range(image, start); i < image->image.present_count; i++) {
        struct remote_range range = image->image.present[i];
        if (range.start >= end)
            break;
        if (count == capacity) {
            *ret_next = range.start;
            return count;
        }
        ret[count].start = range.start > start ? range.start : start;
        ret[count++].end = range.end < end ? range.end : end;
    }
    *ret_next = end;
    return count;
}

static void image_close(struct remote *remote)
{
    free(((struct image *)remote)->offsets);
    free(remote);
}

static const struct remote_ops image_ops = {
    .gather = image_gather,
    .quiet = image_quiet,
    .regions = image_regions,
    .present = image_present,
    .close = image_close,
};

struct remote *remote_open_image(const struct remote_image *image)
{
    struct image *made = calloc(1, sizeof(*made));
    ASSERT(made);
    made->base.ops = &image_ops;
    made->image = *image;
    made->offsets = calloc(image->present_count + 1, sizeof(made->offsets[0]));
    ASSERT(made->offsets);
    size_t offset = 0;
    for (size_t i = 0; i < image->present_count; i++) {
        made->offsets[i] = offset;
        offset += (size_t)(image->present[i].end - image->present[i].start);
    }
    return &made->base;
}
