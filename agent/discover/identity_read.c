/* The part of identity.h that looks at live processes. */
#include "identity.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attributes.h"
#include "regular_file.h"

enum {
    ENVIRONMENT_BYTES_MAX = 512 * 1024,
    ARGUMENTS_BYTES_MAX = 16 * 1024,
    CGROUP_BYTES_MAX = 16 * 1024,
    MOUNTS_BYTES_MAX = 256 * 1024,
    VERSION_FILE_BYTES_MAX = 256,
};

/* A file of the process in heap memory, with a zero behind it; "" when it cannot be read. */
static char *read_whole(const struct proc_fs *fs, pid_t pid, const char *name, size_t capacity,
                        size_t *ret_size, enum status *ret_status)
{
    char *text = malloc(capacity + 1);
    ASSERT(text != NULL);
    size_t size = 0;
    *ret_status = proc_read(fs, pid, name, text, capacity, &size);
    if (*ret_status != STATUS_OK)
        size = 0;
    text[size] = '\0';
    /* the kernel ends the blocks with a zero, but a process may have overwritten them */
    *ret_size = size == 0 ? 0 : size + 1;
    return text;
}

/* "file:/app/VERSION": its first line. NULL when it cannot be read. */
static char *read_version_file(pid_t pid, const char *version_from)
{
    if (version_from == NULL || strncmp(version_from, "file:", 5) != 0)
        return NULL;
    int fd = regular_file_open_in_root(pid, version_from + 5, 0);
    if (fd < 0)
        return NULL;
    char *text = calloc(1, VERSION_FILE_BYTES_MAX + 1);
    ASSERT(text != NULL);
    ssize_t size = read(fd, text, VERSION_FILE_BYTES_MAX);
    close(fd);
    text[size > 0 ? size : 0] = '\0';
    text[strcspn(text, "\r\n")] = '\0';
    return text;
}

static void find_container(const struct proc_fs *fs, pid_t pid, char ret_id[CONTAINER_ID_BYTES],
                           struct container_memory_path *ret_memory)
{
    size_t size = 0;
    enum status status = STATUS_OK;
    char *text = read_whole(fs, pid, "cgroup", CGROUP_BYTES_MAX, &size, &status);
    size_t length = size == 0 ? 0 : size - 1;
    char target_mount[64];
    snprintf(target_mount, sizeof(target_mount), "/proc/%d/root/sys/fs/cgroup", (int)pid);
    container_find_memory(text, length, "/sys/fs/cgroup", target_mount, ret_memory);
    container_id_of_cgroup(text, length, ret_id);
    free(text);
    if (ret_id[0] == '\0') {
        text = read_whole(fs, pid, "mountinfo", MOUNTS_BYTES_MAX, &size, &status);
        container_id_of_mounts(text, size == 0 ? 0 : size - 1, ret_id);
        free(text);
    }
}

enum status identity_read(const struct proc_fs *fs, pid_t pid,
                          const struct identity_options *options, struct arena *arena,
                          struct identity *ret, struct container_memory_path *ret_memory)
{
    enum status environment_status = STATUS_OK;
    enum status arguments_status = STATUS_OK;
    char host_name[256] = "";
    (void)gethostname(host_name, sizeof(host_name) - 1);
    char container_id[CONTAINER_ID_BYTES];
    find_container(fs, pid, container_id, ret_memory);

    struct identity_sources sources = {.container_id = container_id, .host_name = host_name};
    char *environment = read_whole(fs, pid, "environ", ENVIRONMENT_BYTES_MAX,
                                   &sources.environment_size, &environment_status);
    char *arguments = read_whole(fs, pid, "cmdline", ARGUMENTS_BYTES_MAX, &sources.arguments_size,
                                 &arguments_status);
    char *version_text = read_version_file(pid, options->version_from);
    sources.environment = environment;
    sources.arguments = arguments;
    sources.version_text = version_text;

    enum status status = STATUS_OK;
    if (environment_status == STATUS_GONE || arguments_status == STATUS_GONE)
        status = STATUS_GONE;
    else
        identity_resolve(options, &sources, arena, ret);
    free(version_text);
    free(arguments);
    free(environment);
    return status;
}

/* ----- instance id: FNV-1a of 128 bits (draft-eastlake-fnv) ----- */

__extension__ typedef unsigned __int128 hash_t;

static hash_t hash_add(hash_t hash, const void *data, size_t size)
{
    const hash_t prime = (hash_t)1 << 88 | 0x13b;
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * prime;
    return hash;
}

void identity_instance_id(const char *boot_id, const char *pid_namespace, pid_t namespace_pid,
                          uint64_t start_ticks, uint64_t image, uint8_t ret[INSTANCE_ID_BYTES])
{
    hash_t hash = (hash_t)0x6c62272e07bb0142u << 64 | 0x62b821756295c58du;
    char text[352];
    int size =
        snprintf(text, sizeof(text), "%.127s\n%.127s\n%d\n%llu\n%llu", boot_id, pid_namespace,
                 (int)namespace_pid, (unsigned long long)start_ticks, (unsigned long long)image);
    hash = hash_add(hash, text, (size_t)size);
    for (size_t i = 0; i < INSTANCE_ID_BYTES; i++)
        ret[i] = (uint8_t)(hash >> (8 * (INSTANCE_ID_BYTES - 1 - i)));
}

enum status identity_read_instance_id(const struct proc_fs *fs, pid_t pid, uint64_t start_ticks,
                                      uint64_t image, uint8_t ret[INSTANCE_ID_BYTES])
{
    char boot_id[64];
    size_t size = 0;
    enum status status =
        proc_read(fs, 0, "sys/kernel/random/boot_id", boot_id, sizeof(boot_id) - 1, &size);
    boot_id[status == STATUS_OK ? size : 0] = '\0';
    boot_id[strcspn(boot_id, "\n")] = '\0';

    char pid_namespace[64] = "";
    status = proc_read_link(fs, pid, "ns/pid", pid_namespace, sizeof(pid_namespace));
    struct proc_status facts;
    if (status == STATUS_OK)
        status = proc_status(fs, pid, &facts);
    if (status != STATUS_OK)
        return status;
    pid_t seen = facts.namespace_pid > 0 ? facts.namespace_pid : pid;
    identity_instance_id(boot_id, pid_namespace, seen, start_ticks, image, ret);
    return STATUS_OK;
}
