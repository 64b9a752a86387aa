/*
 * Which pages of a process are present, from /proc/PID/pagemap, without making any so: by the
 * PAGEMAP_SCAN call where the kernel has it (Linux 6.7), else by reading eight bytes a page.
 */
#ifndef AGENT_REMOTE_PAGEMAP_H
#define AGENT_REMOTE_PAGEMAP_H

#include "remote.h"

struct pagemap {
    int fd;
    int without_scan;    /* 1: the kernel has no PAGEMAP_SCAN */
    int with_file_pages; /* 1: remote_present_data */
};

enum page {
    PAGE_ABSENT, /* of a file, as the file has it; or never touched; or not mapped */
    PAGE_PRESENT,
    PAGE_SWAPPED,
    PAGE_GONE, /* with all of the memory: it ended, or executes another program */
};

/* What is at `at` now. */
enum page pagemap_page(const struct pagemap *pagemap, addr_t at) MUST_CHECK;

/* remote_present or remote_present_data for an open pagemap. */
size_t pagemap_present(struct pagemap *pagemap, addr_t start, addr_t end, struct remote_range *ret,
                       size_t capacity, addr_t *ret_next) MUST_CHECK;

#endif
