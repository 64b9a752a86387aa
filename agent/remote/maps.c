/*
 * A line:  7f1c00000000-7f1c00021000 rw-p 00000000 00:00 0      [heap]
 *          start        end          perm offset   dev   inode  name
 */
#include "maps.h"

#include <errno.h>
#include <unistd.h>

#include "attributes.h"
#include "proc_file.h"

enum status maps_open(pid_t pid, struct maps *ret, struct why *why)
{
    int fd = -1;
    enum status status = proc_file_open(pid, "maps", &fd, why);
    if (status != STATUS_OK)
        return status;
    *ret = (struct maps){.fd = fd};
    return STATUS_OK;
}

void maps_close(struct maps *maps)
{
    if (maps->fd >= 0)
        close(maps->fd);
    maps->fd = -1;
}

static const char *hex(const char *at, const char *end, uint64_t *ret)
{
    uint64_t value = 0;
    const char *begin = at;
    for (; at < end && at - begin < 16; at++) {
        int digit = *at >= '0' && *at <= '9'   ? *at - '0'
                    : *at >= 'a' && *at <= 'f' ? *at - 'a' + 10
                                               : -1;
        if (digit < 0)
            break;
        value = value << 4 | (uint64_t)digit;
    }
    *ret = value;
    return at > begin ? at : NULL;
}

static const char *decimal(const char *at, const char *end, uint64_t *ret)
{
    uint64_t value = 0;
    const char *begin = at;
    for (; at < end && at - begin < 19 && *at >= '0' && *at <= '9'; at++)
        value = value * 10 + (uint64_t)(*at - '0');
    *ret = value;
    return at > begin ? at : NULL;
}

/* Behind `character`, which must be at `at`; NULL otherwise. NULL in, NULL out. */
static const char *skip(const char *at, const char *end, char character)
{
    return at && at < end && *at == character ? at + 1 : NULL;
}

int maps_parse_line(const char *line, size_t size, struct maps_entry *ret, size_t *ret_name)
{
    const char *end = line + size, *at;
    struct maps_entry entry = {.name = ""};
    uint64_t major, minor;

    at = skip(hex(line, end, &entry.start), end, '-');
    at = at ? skip(hex(at, end, &entry.end), end, ' ') : NULL;
    if (!at || end - at < 5 || entry.start >= entry.end)
        return 0;
    entry.readable = at[0] == 'r';
    entry.writable = at[1] == 'w';
    entry.executable = at[2] == 'x';
    entry.shared = at[3] == 's';
    at = skip(at + 4, end, ' ');
    at = at ? skip(hex(at, end, &entry.offset), end, ' ') : NULL;
    at = at ? skip(hex(at, end, &major), end, ':') : NULL;
    at = at ? skip(hex(at, end, &minor), end, ' ') : NULL;
    at = at ? decimal(at, end, &entry.inode) : NULL;
    if (!at)
        return 0;
    entry.device = major << 32 | minor;
    while (at < end && *at == ' ')
        at++;
    *ret_name = (size_t)(at - line);
    *ret = entry;
    return 1;
}

/* Make sure that a whole line is in the buffer. 0 at the end of the file. */
static int fill(struct maps *maps)
{
    if (memchr(maps->text + maps->begin, '\n', maps->end - maps->begin))
        return 1;
    memmove(maps->text, maps->text + maps->begin, maps->end - maps->begin);
    maps->end -= maps->begin;
    maps->begin = 0;
    while (!maps->at_end && maps->end < sizeof(maps->text)) {
        ssize_t got = read(maps->fd, maps->text + maps->end, sizeof(maps->text) - maps->end);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            maps->at_end = 1;
        else
            maps->end += (size_t)got;
        if (got > 0 && memchr(maps->text + maps->end - got, '\n', (size_t)got))
            return 1;
    }
    return maps->end > 0;
}

int maps_next(struct maps *maps, struct maps_entry *ret)
{
    while (fill(maps)) {
        const char *line = maps->text + maps->begin;
        size_t left = maps->end - maps->begin, name_at;
        const char *newline = memchr(line, '\n', left);
        size_t size = newline ? (size_t)(newline - line) : left;
        maps->begin += newline ? size + 1 : size;
        if (!maps_parse_line(line, size, ret, &name_at))
            continue;
        size_t name_size = size - name_at;
        if (name_size >= sizeof(maps->name))
            name_size = sizeof(maps->name) - 1;
        memcpy(maps->name, line + name_at, name_size);
        maps->name[name_size] = '\0';
        ret->name = maps->name;
        return 1;
    }
    return 0;
}
