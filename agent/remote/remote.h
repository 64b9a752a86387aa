/*
 * The memory of another process: which parts of it exist, which of them are present, and their
 * bytes. Live (process_vm_readv: the process is not stopped, signalled or attached to) or an image
 * of one in our own memory, behind the same calls, so that whatever reads a live process can be
 * replayed, mutated and fuzzed.
 *
 * Everything read here is outside input. Not thread-safe: one owner at a time.
 */
#ifndef AGENT_REMOTE_REMOTE_H
#define AGENT_REMOTE_REMOTE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "addr.h"
#include "status.h"
#include "why.h"

enum {
    REMOTE_PAGE_BYTES = 4096,   /* the unit of what is present; a larger page is a multiple of it */
    REMOTE_GATHER_MAX = 1024,   /* ranges of one remote_gather: the kernel's UIO_MAXIOV */
    REMOTE_REGIONS_MAX = 65536, /* of one process; the kernel's own default is 65,530 */
};

struct remote;

struct remote_range {
    addr_t start, end; /* end is exclusive */
};

enum {
    REMOTE_FILE = 1,  /* private mapping of a file */
    REMOTE_BSS = 2,   /* right behind one: its .bss, and what the kernel merged with that */
    REMOTE_BRK = 4,   /* the [heap] */
    REMOTE_STACK = 8, /* begins with what looks like the stack of a thread */
};

/* A private writable mapping: where a program keeps what it made. */
struct remote_region {
    addr_t start, end;
    uint32_t flags; /* REMOTE_FILE .. */
};

struct remote_regions {
    struct remote_region *items; /* ascending, disjoint; owned until remote_regions_done */
    size_t count;
    size_t capacity;
    int cut; /* 1: there were more than REMOTE_REGIONS_MAX */
};

/* A process in our own memory. The image and what it points to stay the caller's and must outlive
 * the remote. */
struct remote_image {
    const struct remote_region *regions;
    size_t region_count;
    const struct remote_range *present; /* ascending, disjoint */
    size_t present_count;
    const uint8_t *bytes; /* of `present`, one range behind the other */
};

/* Like proc_file_open. The memory itself is not touched yet. */
enum status remote_open(pid_t pid, struct remote **ret, struct why *why) MUST_CHECK;
struct remote *remote_open_image(const struct remote_image *image);
void remote_close(struct remote *remote); /* NULL is fine */

/*
 * All of `size` bytes. STATUS_INVALID: not (all) readable there; GONE: the process has ended;
 * DENIED: not allowed to read it (any more). `to` is undefined on failure.
 *
 * Reading makes a page present that was not: ask remote_present first, or read quietly.
 */
enum status remote_read(struct remote *remote, addr_t from, void *to, size_t size) MUST_CHECK;

/*
 * The same, and no page becomes present by it: what is not, and is nowhere else either, is read
 * from the file that is mapped there. UNAVAILABLE: some of it is swapped out, or its file cannot be
 * read; it may be present later.
 */
enum status remote_read_quietly(struct remote *remote, addr_t from, void *to,
                                size_t size) MUST_CHECK;

/* As it was linked: a page that is swapped out, too, is read from the file, as nothing has changed
 * it yet (no address in it is relocated). */
enum status remote_read_linked(struct remote *remote, addr_t from, void *to,
                               size_t size) MUST_CHECK;

/*
 * Many ranges (1 to REMOTE_GATHER_MAX) with one system call, packed one behind the other into `to`.
 * Returns the bytes that were read before the first byte that could not be; remote_state tells
 * whether the process still exists.
 */
size_t remote_gather(struct remote *remote, const struct remote_range *ranges, size_t count,
                     void *to) MUST_CHECK;

/* 1 if such a read was ever UNAVAILABLE. */
int remote_lacked(const struct remote *remote) MUST_CHECK;

/* OK, GONE or DENIED: what the last failing read said of the process as a whole. */
enum status remote_state(const struct remote *remote);

/* The private writable mappings without [stack] and the kernel's own. Replaces what `ret` held. */
enum status remote_regions(struct remote *remote, struct remote_regions *ret,
                           struct why *why) MUST_CHECK;
void remote_regions_done(struct remote_regions *regions);

/* What of `now` is nowhere in `before`, as parts of regions of `now`. Replaces what `ret` held. */
void remote_regions_new(const struct remote_regions *now, const struct remote_regions *before,
                        struct remote_regions *ret);

/* The region that `at` lies in, or NULL; the index of the first one that ends behind `at`. */
const struct remote_region *remote_regions_find(const struct remote_regions *regions,
                                                addr_t at) MUST_CHECK;
size_t remote_regions_index(const struct remote_regions *regions, addr_t at) MUST_CHECK;

/*
 * The present pages of private memory that the process has written (not swapped out, not the zero
 * page, not the untouched page of a file) in start..end as ascending ranges, at most `capacity`
 * (> 0) of them. *ret_next is where to go on: `end` when all was told. Returns their number.
 */
size_t remote_present(struct remote *remote, addr_t start, addr_t end, struct remote_range *ret,
                      size_t capacity, addr_t *ret_next) MUST_CHECK;

/* The same, and the present pages of files that the process has not written: the data of a program
 * that is loaded where it was linked for holds static objects on such pages. */
size_t remote_present_data(struct remote *remote, addr_t start, addr_t end,
                           struct remote_range *ret, size_t capacity, addr_t *ret_next) MUST_CHECK;

#endif
