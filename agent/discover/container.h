/*
 * The container around a process, as far as its control groups tell: its id, what memory it uses,
 * what it may use, and how often its kernel killed for want of memory. Version 1 and 2, of Docker,
 * containerd, CRI-O and Podman.
 */
#ifndef AGENT_DISCOVER_CONTAINER_H
#define AGENT_DISCOVER_CONTAINER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proc.h"
#include "status.h"

enum {
    CONTAINER_ID_BYTES = 65,
    CONTAINER_PATH_BYTES = 512,
};

/*
 * The id of 64 hexadecimal digits in the text of /proc/PID/cgroup, as "docker-<id>.scope",
 * "cri-containerd-<id>.scope", "/kubepods/.../<id>" and the like. Zero-terminated; empty if none.
 */
void container_id_of_cgroup(const char *text, size_t size, char ret[CONTAINER_ID_BYTES]);

/*
 * The same from /proc/PID/mountinfo (".../containers/<id>/hostname", Podman's
 * ".../overlay-containers/<id>/userdata/hostname"), for a process whose cgroup namespace hides the
 * path.
 */
void container_id_of_mounts(const char *text, size_t size, char ret[CONTAINER_ID_BYTES]);

/* Where the memory controller of a process is to be read. Kept beyond the end of the process, to
 * ask why it ended. */
struct container_memory_path {
    int version;                     /* 1 or 2; 0: not found */
    char path[CONTAINER_PATH_BYTES]; /* the folder */
    size_t root_length;              /* of `path`: the parents to look at end here */
    int is_through_target;           /* of no use once it has ended: the pid may be another's */
};

struct container_memory {
    uint64_t usage_bytes; /* 0: cannot tell */
    uint64_t limit_bytes; /* 0: none */
    uint64_t oom_kills;   /* processes killed in it since it exists */
};

/*
 * Find it below `mount` ("/sys/fs/cgroup") from the text of /proc/PID/cgroup. When that path leads
 * out of our own cgroup namespace, look through `target_mount`, the target's own view
 * ("/proc/PID/root/sys/fs/cgroup").
 */
void container_find_memory(const char *text, size_t size, const char *mount,
                           const char *target_mount, struct container_memory_path *ret);

/*
 * Read it: the nearest group upwards that has a limit, with its usage; without any limit the group
 * itself. GONE when the group has been removed.
 */
enum status container_read_memory(const struct container_memory_path *path,
                                  struct container_memory *ret) MUST_CHECK;

/* The same when the process has ended; GONE too where only the process itself showed it. */
enum status container_read_memory_after(const struct container_memory_path *path,
                                        struct container_memory *ret) MUST_CHECK;

/* How many processes the kernel has killed for want of memory, on the whole machine, since its
 * boot. 0: cannot tell. */
uint64_t container_machine_oom_kills(const struct proc_fs *fs);

#endif
