/* USES discover */
/* The text of /proc/PID/cgroup and mountinfo: an id is 64 hexadecimal digits or none, and a path
 * stays below the folder that we gave. */
#include "container.h"
#include "fuzz.h"

static void check_id(const char *id)
{
    size_t size = strlen(id);
    ASSERT(size == 0 || (size == CONTAINER_ID_BYTES - 1 && strspn(id, "0123456789abcdef") == size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char mount[] = "/proc/self";
    const char *text = (const char *)data;
    char id[CONTAINER_ID_BYTES];
    container_id_of_cgroup(text, size, id);
    check_id(id);
    container_id_of_mounts(text, size, id);
    check_id(id);
    struct container_memory_path path;
    container_find_memory(text, size, mount, "/proc/self/task", &path);
    ASSERT(path.version >= 0 && path.version <= 2);
    ASSERT(path.version == 0 || strncmp(path.path, mount, sizeof(mount) - 1) == 0);
    ASSERT(strstr(path.path, "/..") == NULL && path.root_length <= strlen(path.path));
    return 0;
}
