/*
 * /proc/PID/maps, one mapping at a time, in the order of addresses. The text is read through a
 * fixed buffer, so a process with any number of mappings costs no more memory than one with ten.
 */
#ifndef AGENT_REMOTE_MAPS_H
#define AGENT_REMOTE_MAPS_H

#include <stddef.h>
#include <sys/types.h>

#include "addr.h"
#include "status.h"
#include "why.h"

enum {
    MAPS_TEXT_BYTES = 16384,
    MAPS_NAME_BYTES = 4096, /* a longer path is cut */
};

struct maps_entry {
    addr_t start, end; /* end is exclusive */
    uint64_t offset;   /* in the file */
    uint64_t device;   /* of the file: major << 32 | minor */
    uint64_t inode;    /* 0: no file */
    int readable, writable, executable, shared;
    const char *name; /* "", "[heap]", a path; " (deleted)" included. Valid until the next call */
};

struct maps {
    int fd;
    size_t begin, end; /* of what is not yet consumed in `text` */
    int at_end;
    char text[MAPS_TEXT_BYTES];
    char name[MAPS_NAME_BYTES];
};

/* Like proc_file_open. */
enum status maps_open(pid_t pid, struct maps *ret, struct why *why) MUST_CHECK;
void maps_close(struct maps *maps);

/* 1 and `ret` filled, or 0 at the end (of the process, too). A line that is no mapping is skipped.
 */
int maps_next(struct maps *maps, struct maps_entry *ret) MUST_CHECK;

/* One line without its newline; the name is left to the caller (*ret_name: its offset in the line).
 * 0 when it is not a mapping. */
int maps_parse_line(const char *line, size_t size, struct maps_entry *ret,
                    size_t *ret_name) MUST_CHECK;

#endif
