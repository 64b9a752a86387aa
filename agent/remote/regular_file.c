#include "regular_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ONLY_CACHED = 0x20 }; /* RESOLVE_CACHED; headers of before 5.12 lack it */

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

int regular_file_open_in_root(pid_t pid, const char *path, int if_cached)
{
    char root_path[64];
    snprintf(root_path, sizeof(root_path), "/proc/%d/root", (int)pid);
    int root = open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return -1;
    struct open_how how = {
        .flags = O_PATH | O_CLOEXEC,
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | (if_cached ? ONLY_CACHED : 0u),
    };
    long handle = syscall(SYS_openat2, root, path, &how, sizeof(how));
    if (handle < 0 && errno == EINVAL && if_cached) {
        how.resolve &= ~(uint64_t)ONLY_CACHED;
        handle = syscall(SYS_openat2, root, path, &how, sizeof(how));
    }
    close(root);
    return regular_file_reopen((int)handle);
}
