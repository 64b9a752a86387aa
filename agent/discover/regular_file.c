#include "regular_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int regular_file_reopen(int handle)
{
    if (handle < 0)
        return -1;
    struct stat facts;
    char path[64];
    int fd = -1;
    int error = EINVAL;
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", handle);
    if (fstat(handle, &facts) == 0 && S_ISREG(facts.st_mode)) {
        fd = open(path, O_RDONLY | O_CLOEXEC);
        error = errno;
    }
    close(handle);
    if (fd < 0)
        errno = error;
    return fd;
}

int regular_file_open(const char *path)
{
    return regular_file_reopen(open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC));
}
