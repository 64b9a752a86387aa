/*
 * /proc, read with limits: which processes there are and what the kernel says of each.
 *
 * Everything that a process can choose (its name, its arguments, its environment) is outside input:
 * lengths are bounded, numbers are checked, and nothing is believed to be text. A struct proc_fs is
 * read-only after proc_fs_open and may be used from any thread. Tests open a directory of their
 * own.
 */
#ifndef AGENT_DISCOVER_PROC_H
#define AGENT_DISCOVER_PROC_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "status.h"
#include "why.h"

enum {
    PROC_COMM_BYTES = 64,    /* kernel threads have the longest */
    PROC_SMALL_BYTES = 4096, /* enough for stat and status */
};

struct proc_fs {
    int fd; /* of the directory */
};

/* `root` is "/proc" outside of tests. */
enum status proc_fs_open(const char *root, struct proc_fs *ret, struct why *why) MUST_CHECK;
void proc_fs_close(struct proc_fs *fs);

/* FAILED unless it shows processes, and those of our own PID namespace: a container whose /proc was
 * not mounted anew has neither our pid nor our children in it. */
enum status proc_fs_check(const struct proc_fs *fs, struct why *why) MUST_CHECK;

/*
 * At most `capacity` bytes of a file of one process ("stat", "cgroup"), or of /proc itself with
 * pid 0 ("sys/kernel/random/boot_id"); what is longer is cut. GONE: no such process any more (or no
 * such file); DENIED: may not look; LIMIT: no file can be opened; FAILED: anything else.
 */
enum status proc_read(const struct proc_fs *fs, pid_t pid, const char *name, char *ret,
                      size_t capacity, size_t *ret_size) MUST_CHECK;

/* The target of a link of a process ("exe", "ns/pid"), zero-terminated and cut to `capacity`. */
enum status proc_read_link(const struct proc_fs *fs, pid_t pid, const char *name, char *ret,
                           size_t capacity) MUST_CHECK;

/*
 * fn(user, pid) for every process, in the kernel's order (ascending). fn returns 0 to go on.
 * FAILED when /proc cannot be listed.
 */
typedef int proc_visit_fn(void *user, pid_t pid);
enum status proc_list(const struct proc_fs *fs, proc_visit_fn *fn, void *user) MUST_CHECK;

/* One line of /proc/PID/stat. */
struct proc_stat {
    pid_t pid;
    pid_t parent;
    char comm[PROC_COMM_BYTES]; /* as the process named itself: any bytes but zero */
    char state;                 /* 'R', 'S', 'Z' ... */
    int kernel_thread;
    uint64_t cpu_ticks;   /* user and system, its waited-for children not included */
    uint64_t start_ticks; /* since boot */
    /* Where its code and stack begin: differs after each exec() (addresses are random). 0 when we
     * may not look into the process. */
    uint64_t image;
};

enum status proc_parse_stat(const char *text, size_t size, struct proc_stat *ret) MUST_CHECK;
enum status proc_stat(const struct proc_fs *fs, pid_t pid, struct proc_stat *ret) MUST_CHECK;

/* What we use of /proc/PID/status. Lines that are missing leave zero (-1 for the uids). */
struct proc_status {
    int64_t uid, effective_uid;
    pid_t namespace_pid; /* the last of NSpid: its pid as it sees it itself */
    uint64_t rss_anon_bytes;
    uint64_t swap_bytes;
    uint64_t capabilities; /* CapEff */
    int seccomp;           /* 0 off, 1 strict, 2 filter */
    int no_new_privileges;
};

void proc_parse_status(const char *text, size_t size, struct proc_status *ret);
enum status proc_status(const struct proc_fs *fs, pid_t pid, struct proc_status *ret) MUST_CHECK;

/* Is `pid` a descendant of `ancestor` (not itself)? Follows at most 256 parents. */
int proc_descends(const struct proc_fs *fs, pid_t pid, pid_t ancestor);

/* Clock ticks of /proc in milliseconds. */
int64_t proc_ticks_ms(uint64_t ticks);

/* Milliseconds since boot, suspended time included: the clock of start_ticks. */
int64_t proc_boot_now_ms(void);

#endif
