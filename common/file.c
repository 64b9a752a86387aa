#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK_BYTES = 4096 };

static enum status explain_open(const char *path, int error, struct why *why)
{
    enum status status = error == EACCES || error == EPERM     ? STATUS_DENIED
                         : error == ENOENT || error == ENOTDIR ? STATUS_USAGE
                                                               : STATUS_FAILED;
    return why_fail(why, status, "cannot open %s: %s", path, strerror(error));
}

/* Up to one byte more than allowed, which tells that there are too many. */
static enum status read_all(int fd, const char *path, size_t bytes_max, struct buf *ret,
                            struct why *why)
{
    size_t total = 0;
    while (total <= bytes_max) {
        uint8_t chunk[CHUNK_BYTES];
        size_t room = bytes_max + 1 - total;
        ssize_t got = read(fd, chunk, room < sizeof(chunk) ? room : sizeof(chunk));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return why_fail(why, STATUS_INVALID, "cannot read %s: %s", path, strerror(errno));
        if (got == 0)
            break;
        buf_append(ret, chunk, (size_t)got);
        total += (size_t)got;
    }
    if (total > bytes_max)
        return why_fail(why, STATUS_LIMIT, "cannot use %s: it has more than %zu bytes", path,
                        bytes_max);
    if (total == 0)
        return why_fail(why, STATUS_INVALID, "cannot use %s: it is empty", path);
    return STATUS_OK;
}

enum status file_read(const char *path, size_t bytes_max, struct buf *ret, struct why *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* not to wait for a FIFO's writer */
    if (fd < 0)
        return explain_open(path, errno, why);
    size_t before = ret->size;
    enum status status = read_all(fd, path, bytes_max, ret, why);
    close(fd);
    if (status != STATUS_OK)
        ret->size = before;
    return status;
}
