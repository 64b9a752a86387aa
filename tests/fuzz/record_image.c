/* USES census discover remote */
/*
 * record_image PID FILE <ADDRESSES: makes a small image (tests/support/heap_image.h) of a live
 * CPython, of the objects at the addresses on standard input, one hexadecimal number a line.
 *
 * A census runs over the process through a remote that notes what it reads. The pages of the
 * objects are shown to its sweep, all others as zeros; what it asks for beside the sweep, types and
 * their names, is real. All that was read, and those pages, are the image.
 */
#include "buf.h"
#include "census.h"
#include "heap_image.h"
#include "remote_ops.h"

enum { RANGES_MAX = 65536, ZEROS_MIN = 5, MARGIN_BYTES = 64, OBJECT_BYTES_MAX = 2048 };

struct ranges {
    struct remote_range items[RANGES_MAX];
    size_t count;
};

struct tracer {
    struct remote base;
    struct remote *live;
    const struct ranges *shown; /* to the sweep; ascending */
    struct ranges *read;
};

static void add(struct ranges *ranges, addr_t start, addr_t end)
{
    ASSERT(ranges->count < RANGES_MAX);
    ranges->items[ranges->count++] = (struct remote_range){start, end};
}

static int by_start(const void *left, const void *right)
{
    addr_t a = ((const struct remote_range *)left)->start;
    addr_t b = ((const struct remote_range *)right)->start;
    return a < b ? -1 : a > b;
}

/* Ascending and disjoint. */
static void tidy(struct ranges *ranges)
{
    size_t kept = 0;
    qsort(ranges->items, ranges->count, sizeof(ranges->items[0]), by_start);
    for (size_t i = 0; i < ranges->count; i++) {
        struct remote_range range = ranges->items[i];
        struct remote_range *last = kept > 0 ? &ranges->items[kept - 1] : NULL;
        if (last == NULL || range.start > last->end)
            ranges->items[kept++] = range;
        else if (range.end > last->end)
            last->end = range.end;
    }
    ranges->count = kept;
}

/* Clear what lies outside of the ranges that are shown. */
static void hide(const struct tracer *tracer, addr_t from, uint8_t *bytes, size_t size)
{
    addr_t at = from;
    for (size_t i = 0; i < tracer->shown->count && at < from + size; i++) {
        struct remote_range shown = tracer->shown->items[i];
        if (shown.end <= at)
            continue;
        addr_t end = shown.start < from + size ? shown.start : from + size;
        if (end > at)
            memset(bytes + (at - from), 0, (size_t)(end - at));
        at = shown.end;
    }
    if (at < from + size)
        memset(bytes + (at - from), 0, (size_t)(from + size - at));
}

/* ---- the remote -------------------------------------------------------------------------------
 */

/* The sweep reads whole pages, all others read parts of some. */
static int is_of_sweep(struct remote_range range)
{
    return range.start % REMOTE_PAGE_BYTES == 0 && range.end % REMOTE_PAGE_BYTES == 0;
}

static size_t trace_gather(struct remote *remote, const struct remote_range *ranges, size_t count,
                           void *to)
{
    struct tracer *tracer = (struct tracer *)remote;
    size_t got = remote_gather(tracer->live, ranges, count, to);
    uint8_t *bytes = to;
    for (size_t i = 0; i < count; i++) {
        size_t size = (size_t)(ranges[i].end - ranges[i].start);
        if (is_of_sweep(ranges[i]))
            hide(tracer, ranges[i].start, bytes, size);
        else
            add(tracer->read, ranges[i].start, ranges[i].end);
        bytes += size;
    }
    remote->state = remote_state(tracer->live);
    return got;
}

static enum status trace_regions(struct remote *remote, struct remote_regions *ret, struct why *why)
{
    return remote_regions(((struct tracer *)remote)->live, ret, why);
}

static size_t trace_present(struct remote *remote, addr_t start, addr_t end,
                            struct remote_range *ret, size_t capacity, addr_t *ret_next,
                            int with_file_pages)
{
    struct remote *live = ((struct tracer *)remote)->live;
    if (with_file_pages)
        return remote_present_data(live, start, end, ret, capacity, ret_next);
    return remote_present(live, start, end, ret, capacity, ret_next);
}

static void trace_close(struct remote *remote)
{
    (void)remote;
}

static enum status trace_quiet(struct remote *remote, struct remote_range range, void *to,
                               int as_linked)
{
    struct tracer *tracer = (struct tracer *)remote;
    size_t size = (size_t)(range.end - range.start);
    enum status status = as_linked ? remote_read_linked(tracer->live, range.start, to, size)
                                   : remote_read_quietly(tracer->live, range.start, to, size);
    add(tracer->read, range.start, range.end);
    remote->state = remote_state(tracer->live);
    return status;
}

static const struct remote_ops trace_ops = {
    .gather = trace_gather,
    .quiet = trace_quiet,
    .regions = trace_regions,
    .present = trace_present,
    .close = trace_close,
};

/* ---- the file ---------------------------------------------------------------------------------
 */

static void put(FILE *file, uint64_t word)
{
    ASSERT(fwrite(&word, sizeof(word), 1, file) == 1);
}

/* A stretch of zeros that is worth its four bytes, or the end. */
static size_t find_zeros(const struct buf *bytes, size_t at)
{
    static const uint8_t zeros[ZEROS_MIN] = {0};
    while (at < bytes->size && (bytes->size - at < sizeof(zeros) ||
                                memcmp(bytes->data + at, zeros, sizeof(zeros)) != 0))
        at++;
    return at;
}

static void put_packed(FILE *file, const struct buf *bytes)
{
    for (size_t at = 0; at < bytes->size;) {
        size_t begin = at;
        while (at < bytes->size && bytes->data[at] == 0 && at - begin < UINT16_MAX)
            at++;
        size_t end = find_zeros(bytes, at);
        if (end - at > UINT16_MAX)
            end = at + UINT16_MAX;
        const uint16_t sizes[2] = {(uint16_t)(at - begin), (uint16_t)(end - at)};
        ASSERT(fwrite(sizes, sizeof(sizes), 1, file) == 1);
        ASSERT(fwrite(bytes->data + at, 1, end - at, file) == end - at);
        at = end;
    }
}

static void put_regions(FILE *file, struct remote *live, const struct ranges *present)
{
    struct remote_regions regions = {0};
    ASSERT(remote_regions(live, &regions, NULL) == STATUS_OK);
    size_t kept = 0;
    for (size_t i = 0; i < regions.count; i++) {
        int wanted = 0;
        for (size_t k = 0; k < present->count; k++)
            wanted |= present->items[k].start < regions.items[i].end &&
                      present->items[k].end > regions.items[i].start;
        if (wanted)
            regions.items[kept++] = regions.items[i];
    }
    put(file, kept);
    for (size_t i = 0; i < kept; i++) {
        put(file, regions.items[i].start);
        put(file, regions.items[i].end);
        put(file, regions.items[i].flags);
    }
    remote_regions_done(&regions);
}

/* The pages of what was read, everything else in them zero, which costs nothing in the file. */
static void put_present(FILE *file, struct remote *live, const struct ranges *read)
{
    static struct ranges pages;
    struct buf bytes = BUF_INIT;
    for (size_t i = 0; i < read->count; i++)
        add(&pages, read->items[i].start & ~(addr_t)(REMOTE_PAGE_BYTES - 1),
            (read->items[i].end + REMOTE_PAGE_BYTES - 1) & ~(addr_t)(REMOTE_PAGE_BYTES - 1));
    tidy(&pages);
    put(file, pages.count);
    for (size_t i = 0, k = 0; i < pages.count; i++) {
        struct remote_range range = pages.items[i];
        size_t size = (size_t)(range.end - range.start);
        put(file, range.start);
        put(file, range.end);
        buf_reserve(&bytes, size);
        uint8_t *to = bytes.data + bytes.size;
        memset(to, 0, size);
        for (; k < read->count && read->items[k].start < range.end; k++) {
            struct remote_range piece = read->items[k];
            if (remote_read(live, piece.start, to + (piece.start - range.start),
                            (size_t)(piece.end - piece.start)) != STATUS_OK)
                (void)fprintf(stderr, "%#llx cannot be read\n", (unsigned long long)piece.start);
        }
        bytes.size += size;
    }
    put_packed(file, &bytes);
    buf_done(&bytes);
}

static void write_image(const char *path, struct python_process *process, struct remote *live,
                        struct ranges *present)
{
    addr_t *landmarks[HEAP_IMAGE_LANDMARKS];
    FILE *file = fopen(path, "wb");
    ASSERT(file != NULL);
    put(file, HEAP_IMAGE_MAGIC);
    put(file, process->version_hex);
    heap_image_landmarks(process, landmarks);
    for (int i = 0; i < HEAP_IMAGE_LANDMARKS; i++)
        put(file, *landmarks[i]);
    put_regions(file, live, present);
    put_present(file, live, present);
    ASSERT(fclose(file) == 0);
}

/* -----------------------------------------------------------------------------------------------
 */

static void read_objects(struct ranges *ret)
{
    char line[64];
    while (fgets(line, sizeof(line), stdin) != NULL) {
        char *end = line;
        addr_t at = strtoull(line, &end, 16);
        uint64_t size = strtoull(end, NULL, 16);
        if (at != 0)
            add(ret, at - MARGIN_BYTES,
                at + (size < OBJECT_BYTES_MAX ? size : OBJECT_BYTES_MAX) + MARGIN_BYTES);
    }
    tidy(ret);
}

static enum status record(pid_t pid, const char *path, struct why *why)
{
    static struct ranges shown, read;
    struct python_process process;
    struct tracer tracer = {.base = {.ops = &trace_ops}, .shown = &shown, .read = &read};
    struct census *census = NULL;
    struct census_result result = {0};
    read_objects(&shown);
    enum status status = python_process_find(pid, &process, why);
    if (status == STATUS_OK)
        status = remote_open(pid, &tracer.live, why);
    if (status == STATUS_OK)
        status = census_new_over(&tracer.base, &process, &census, why);
    /* twice, because what is known from before is read otherwise */
    for (int i = 0; i < 2 && status == STATUS_OK; i++)
        status = census_run(census, &result, why);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < shown.count; i++)
        add(&read, shown.items[i].start, shown.items[i].end);
    tidy(&read);
    write_image(path, &process, tracer.live, &read);
    (void)printf("%zu stretches shown, %zu in all, %llu objects of %u types\n", shown.count,
                 read.count, (unsigned long long)result.objects, census_type_count(census));
    census_result_done(&result);
    census_free(census);
    remote_close(tracer.live);
    return STATUS_OK;
}

int main(int argc, char **argv)
{
    struct why why = {""};
    if (argc != 3) {
        (void)fprintf(stderr, "usage: record_image PID FILE <ADDRESSES\n");
        return 2;
    }
    if (record((pid_t)strtol(argv[1], NULL, 10), argv[2], &why) == STATUS_OK)
        return 0;
    (void)fprintf(stderr, "record_image: %s\n", why.text);
    return 1;
}
