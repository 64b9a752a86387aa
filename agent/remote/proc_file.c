#include "proc_file.h"

#include <errno.h>
#include <fcntl.h>

#include "attributes.h"

static enum status failed(pid_t pid, const char *name, int error, struct why *why)
{
    switch (error) {
    case ENOENT:
    case ESRCH:
        return why_fail(why, STATUS_NOT_FOUND, "there is no process %d", (int)pid);
    case EMFILE:
        return why_fail(why, STATUS_LIMIT,
                        "cannot open /proc/%d/%s: this program has as many files open as it may; "
                        "raise its limit (ulimit -n, LimitNOFILE= of a systemd unit)",
                        (int)pid, name);
    case ENFILE:
        return why_fail(why, STATUS_LIMIT,
                        "cannot open /proc/%d/%s: this machine has as many files open as it may; "
                        "raise the sysctl fs.file-max",
                        (int)pid, name);
    case EACCES:
    case EPERM:
        return why_fail(why, STATUS_DENIED,
                        "cannot read /proc/%d/%s: %s; run as the same user as the process, or with "
                        "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH",
                        (int)pid, name, strerror(error));
    default:
        return why_fail(why, STATUS_FAILED, "cannot open /proc/%d/%s: %s", (int)pid, name,
                        strerror(error));
    }
}

enum status proc_file_open(pid_t pid, const char *name, int *ret, struct why *why)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return failed(pid, name, errno, why);
    *ret = fd;
    return STATUS_OK;
}
