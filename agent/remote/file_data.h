/*
 * What the file behind a mapping holds, read from the file: for pages that a process has not made
 * present, and that reading its memory would.
 *
 * The file is looked for in the process's own tree and in ours, and believed only if the kernel
 * calls it what it calls the mapping's: one that was deleted, replaced, or mapped in another tree
 * cannot be told.
 * Nor is one that FUSE may be behind asked for: mounts.h.
 */
#ifndef AGENT_REMOTE_FILE_DATA_H
#define AGENT_REMOTE_FILE_DATA_H

#include <stddef.h>
#include <sys/types.h>

#include "addr.h"
#include "status.h"

enum {
    FILE_DATA_OPEN_MAX = 8,
    FILE_DATA_LOOKS_MAX = 128, /* into /proc/PID/maps: a process can make that dear */
};

struct file_mapping {
    addr_t start, end; /* end is exclusive; both 0: none */
    uint64_t offset;
    int fd; /* -1: its file cannot be read */
};

struct file_data {
    pid_t pid;
    unsigned looks;
    unsigned next; /* of `mappings`, to be replaced */
    struct file_mapping mappings[FILE_DATA_OPEN_MAX];
};

void file_data_init(struct file_data *data, pid_t pid);

/* Forget what was mapped where; the data stay usable. */
void file_data_clear(struct file_data *data);

/* INVALID: no private mapping of a file lies at all of at..at+size. UNAVAILABLE: its file cannot be
 * read. */
enum status file_data_read(struct file_data *data, addr_t at, void *to, size_t size) MUST_CHECK;

#endif
