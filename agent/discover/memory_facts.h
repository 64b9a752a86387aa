/*
 * What the kernel says of a process's memory beside its objects: private, swapped, its share of
 * what it shares, and the container around it.
 */
#ifndef AGENT_DISCOVER_MEMORY_FACTS_H
#define AGENT_DISCOVER_MEMORY_FACTS_H

#include <stdint.h>
#include <sys/types.h>

#include "container.h"
#include "proc.h"
#include "status.h"

/* Up to so much private memory the kernel's walk through the page tables, which the proportional
 * set size takes, stays below a few milliseconds. */
#define MEMORY_PSS_ABOVE_BYTES ((uint64_t)512 << 20)

struct memory_facts {
    uint64_t rss_anon_bytes, swap_bytes;
    uint64_t pss_bytes; /* 0: not asked, or cannot tell */
    struct container_memory container;
};

/* GONE: the process has ended. What else cannot be told is 0. */
enum status memory_facts_read(const struct proc_fs *fs, pid_t pid,
                              struct memory_facts *ret) MUST_CHECK;

/* The proportional set size of a process with so much private memory; 0: too much of it to ask, or
 * it cannot be told. */
uint64_t memory_facts_pss(const struct proc_fs *fs, pid_t pid, uint64_t rss_anon_bytes) MUST_CHECK;

/* The number of KiB behind "Pss:" at the start of a line, in bytes; 0 if there is none. */
uint64_t memory_facts_parse_pss(const char *text, size_t size);

#endif
