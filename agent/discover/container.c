/*
 * /proc/PID/cgroup has one line a hierarchy, "id:controllers:path":
 *
 *     version 1   4:memory:/docker/3f5e...            in /sys/fs/cgroup/memory
 *     version 2   0::/system.slice/docker-3f5e...scope  in /sys/fs/cgroup
 *
 * Both may be there (hybrid); the memory controller is in the one that names it, and in the line
 * of version 2 otherwise. Seen from a sibling container the path begins with "/..": it lies outside
 * our cgroup namespace, and only the target's own mount shows it, as its root.
 */
#include "container.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "parse.h"
#include "regular_file.h"

enum {
    ID_DIGITS = CONTAINER_ID_BYTES - 1,
    PARENTS_MAX = 32,
    VMSTAT_BYTES = 16 * 1024,
};

/* Version 1 says "no limit" with a number close to this, rounded down to a page. */
#define NO_LIMIT ((uint64_t)1 << 62)

struct span {
    const char *text;
    size_t size;
};

/* The bytes before the next `separator` (or all), and what follows it in *rest. */
static struct span take_until(struct span *rest, char separator)
{
    const char *end = rest->size > 0 ? memchr(rest->text, separator, rest->size) : NULL;
    struct span taken = {rest->text, end == NULL ? rest->size : (size_t)(end - rest->text)};
    size_t used = end == NULL ? rest->size : taken.size + 1;
    rest->text += used;
    rest->size -= used;
    return taken;
}

static int is_id(const char *text, size_t size)
{
    if (size < ID_DIGITS)
        return 0;
    for (size_t i = 0; i < ID_DIGITS; i++) {
        if (strchr("0123456789abcdef", text[i]) == NULL || text[i] == '\0')
            return 0;
    }
    return 1;
}

/* "docker-<id>.scope", "crio-<id>", "<id>": the id is what follows the last '-'. */
static int take_id(struct span name, char ret[CONTAINER_ID_BYTES])
{
    const char *dash = memrchr(name.text, '-', name.size);
    const char *first = dash == NULL ? name.text : dash + 1;
    size_t left = name.size - (size_t)(first - name.text);
    if (!is_id(first, left) || (left > ID_DIGITS && first[ID_DIGITS] != '.'))
        return 0;
    memcpy(ret, first, ID_DIGITS);
    ret[ID_DIGITS] = '\0';
    return 1;
}

void container_id_of_cgroup(const char *text, size_t size, char ret[CONTAINER_ID_BYTES])
{
    struct span lines = {text, size};
    ret[0] = '\0';
    while (lines.size > 0) {
        struct span line = take_until(&lines, '\n');
        while (line.size > 0) {
            /* the innermost wins: a container may run in another's group */
            struct span name = take_until(&line, '/');
            if (name.size > 0)
                (void)take_id(name, ret);
        }
        if (ret[0] != '\0')
            return;
    }
}

void container_id_of_mounts(const char *text, size_t size, char ret[CONTAINER_ID_BYTES])
{
    static const char marker[] = "containers/"; /* Podman's is "overlay-containers/" */
    const char *end = text + size;
    ret[0] = '\0';
    for (const char *at = text; at < end;) {
        const char *found = memmem(at, (size_t)(end - at), marker, sizeof(marker) - 1);
        if (found == NULL)
            return;
        at = found + sizeof(marker) - 1;
        if (is_id(at, (size_t)(end - at)) && at + ID_DIGITS < end && at[ID_DIGITS] == '/') {
            memcpy(ret, at, ID_DIGITS);
            ret[ID_DIGITS] = '\0';
            return;
        }
    }
}

/* ----- memory ----- */

static int names_memory(struct span controllers)
{
    while (controllers.size > 0) {
        struct span name = take_until(&controllers, ',');
        if (name.size == 6 && memcmp(name.text, "memory", 6) == 0)
            return 1;
    }
    return 0;
}

static struct span memory_group(const char *text, size_t size, int *ret_version)
{
    struct span lines = {text, size};
    struct span found = {NULL, 0};
    while (lines.size > 0) {
        struct span path = take_until(&lines, '\n');
        struct span id = take_until(&path, ':');
        struct span controllers = take_until(&path, ':');
        if (names_memory(controllers)) {
            *ret_version = 1;
            return path;
        }
        if (id.size == 1 && id.text[0] == '0' && controllers.size == 0) {
            *ret_version = 2;
            found = path;
        }
    }
    return found;
}

/* Set `ret` to mount[/memory]group if that folder exists. */
static int try_folder(const char *mount, int version, struct span group,
                      struct container_memory_path *ret)
{
    struct container_memory_path path = {.version = version};
    int root = snprintf(path.path, sizeof(path.path), "%s%s", mount, version == 1 ? "/memory" : "");
    if (root < 0 || (size_t)root + group.size >= sizeof(path.path))
        return 0;
    path.root_length = (size_t)root;
    memcpy(path.path + root, group.text, group.size);
    path.path[(size_t)root + group.size] = '\0';
    if (access(path.path, X_OK) != 0)
        return 0;
    *ret = path;
    return 1;
}

void container_find_memory(const char *text, size_t size, const char *mount,
                           const char *target_mount, struct container_memory_path *ret)
{
    *ret = (struct container_memory_path){0};
    int version = 0;
    struct span group = memory_group(text, size, &version);
    if (group.size == 0 || group.text[0] != '/' || memchr(group.text, '\0', group.size) != NULL)
        return;
    int outside = memmem(group.text, group.size, "/..", 3) != NULL;
    if (!outside && try_folder(mount, version, group, ret))
        return;
    ret->is_through_target = try_folder(target_mount, version, (struct span){"", 0}, ret);
}

static enum status read_file(const char *folder, const char *name, char *ret, size_t capacity)
{
    char path[CONTAINER_PATH_BYTES + 64];
    if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path))
        return STATUS_LIMIT;
    int fd = regular_file_open(path);
    if (fd < 0)
        return errno == ENOENT ? STATUS_GONE : STATUS_DENIED;
    ssize_t size = read(fd, ret, capacity - 1);
    close(fd);
    if (size < 0)
        return STATUS_GONE;
    ret[size] = '\0';
    return STATUS_OK;
}

/* One number; "max" and what cannot be read are `otherwise`. */
static uint64_t read_number(const char *folder, const char *name, uint64_t otherwise)
{
    char text[64];
    uint64_t value = 0;
    if (read_file(folder, name, text, sizeof(text)) != STATUS_OK)
        return otherwise;
    text[strcspn(text, "\n")] = '\0';
    return parse_u64(text, 0, UINT64_MAX, &value) == STATUS_OK ? value : otherwise;
}

/* The number behind `key` and a blank at the start of a line; 0 if there is none. */
static uint64_t keyed(const char *text, const char *key)
{
    size_t length = strlen(key);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) == 0 && line[length] == ' ') {
            uint64_t value = 0;
            for (const char *c = line + length + 1; *c >= '0' && *c <= '9'; c++)
                value = value * 10 + (uint64_t)(*c - '0');
            return value;
        }
    }
    return 0;
}

static uint64_t read_keyed(const char *folder, const char *name, const char *key)
{
    char text[1024];
    return read_file(folder, name, text, sizeof(text)) == STATUS_OK ? keyed(text, key) : 0;
}

uint64_t container_machine_oom_kills(const struct proc_fs *fs)
{
    char text[VMSTAT_BYTES + 1];
    size_t size = 0;
    if (proc_read(fs, 0, "vmstat", text, VMSTAT_BYTES, &size) != STATUS_OK)
        return 0;
    text[size] = '\0';
    return keyed(text, "oom_kill");
}

struct memory_files {
    const char *usage, *limit, *events;
};

static const struct memory_files files_of[] = {
    [1] = {"memory.usage_in_bytes", "memory.limit_in_bytes", "memory.oom_control"},
    [2] = {"memory.current", "memory.max", "memory.events"},
};

enum status container_read_memory(const struct container_memory_path *path,
                                  struct container_memory *ret)
{
    if (path->version != 1 && path->version != 2)
        return STATUS_NOT_FOUND;
    const struct memory_files *files = &files_of[path->version];
    char folder[CONTAINER_PATH_BYTES];
    memcpy(folder, path->path, sizeof(folder));
    if (access(folder, X_OK) != 0)
        return STATUS_GONE;

    struct container_memory memory = {
        .usage_bytes = read_number(folder, files->usage, 0),
        .oom_kills = read_keyed(folder, files->events, "oom_kill"),
    };
    for (int depth = 0; depth < PARENTS_MAX; depth++) {
        uint64_t limit = read_number(folder, files->limit, NO_LIMIT);
        if (limit < NO_LIMIT) {
            memory.limit_bytes = limit;
            memory.usage_bytes = read_number(folder, files->usage, 0);
            break;
        }
        char *slash = strrchr(folder, '/');
        if (slash == NULL || (size_t)(slash - folder) < path->root_length)
            break;
        *slash = '\0';
    }
    *ret = memory;
    return STATUS_OK;
}

enum status container_read_memory_after(const struct container_memory_path *path,
                                        struct container_memory *ret)
{
    return path->is_through_target ? STATUS_GONE : container_read_memory(path, ret);
}
