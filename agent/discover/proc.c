#include "proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "parse.h"

enum {
    NAME_BYTES = 64,            /* "4194304/" and the longest file name we ask for */
    DEPTH_MAX = 256,            /* of a chain of parents */
    STAT_FIELDS = 28,           /* up to start_stack */
    KERNEL_THREAD = 0x00200000, /* PF_KTHREAD, include/linux/sched.h */
};

enum status proc_fs_open(const char *root, struct proc_fs *ret, struct why *why)
{
    int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE))
        return why_fail(why, STATUS_LIMIT,
                        "cannot open %s: %s; raise the limit (ulimit -n, LimitNOFILE= of a systemd "
                        "unit; of the whole machine: the sysctl fs.file-max)",
                        root, strerror(errno));
    if (fd < 0)
        return why_fail(why, STATUS_FAILED, "cannot open %s: %s; mount it", root, strerror(errno));
    ret->fd = fd;
    return STATUS_OK;
}

void proc_fs_close(struct proc_fs *fs)
{
    if (fs->fd >= 0)
        close(fs->fd);
    fs->fd = -1;
}

static enum status status_of_errno(int error)
{
    switch (error) {
    case ENOENT:
    case ESRCH:
    case ENOTDIR:
        return STATUS_GONE;
    case EACCES:
    case EPERM:
        return STATUS_DENIED;
    case EMFILE:
    case ENFILE:
        return STATUS_LIMIT;
    default:
        return STATUS_FAILED;
    }
}

static void make_path(pid_t pid, const char *name, char *ret)
{
    int length = pid == 0 ? snprintf(ret, NAME_BYTES, "%s", name)
                          : snprintf(ret, NAME_BYTES, "%d/%s", (int)pid, name);
    ASSERT(length > 0 && length < NAME_BYTES);
}

enum status proc_read(const struct proc_fs *fs, pid_t pid, const char *name, char *ret,
                      size_t capacity, size_t *ret_size)
{
    char path[NAME_BYTES];
    make_path(pid, name, path);
    int fd = openat(fs->fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return status_of_errno(errno);
    size_t size = 0;
    ssize_t got = 1;
    while (size < capacity && got != 0) {
        got = read(fd, ret + size, capacity - size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            int error = errno;
            close(fd);
            return status_of_errno(error);
        }
        size += (size_t)got;
    }
    close(fd);
    *ret_size = size;
    return STATUS_OK;
}

enum status proc_read_link(const struct proc_fs *fs, pid_t pid, const char *name, char *ret,
                           size_t capacity)
{
    char path[NAME_BYTES];
    make_path(pid, name, path);
    ssize_t size = readlinkat(fs->fd, path, ret, capacity - 1);
    if (size < 0)
        return status_of_errno(errno);
    ret[size] = '\0';
    return STATUS_OK;
}

enum status proc_fs_check(const struct proc_fs *fs, struct why *why)
{
    char self[32];
    char expected[32];
    snprintf(expected, sizeof(expected), "%d", (int)getpid());
    if (proc_read_link(fs, 0, "self", self, sizeof(self)) != STATUS_OK)
        return why_fail(why, STATUS_FAILED,
                        "cannot see any process in /proc: mount the proc file system there");
    if (strcmp(self, expected) != 0)
        return why_fail(why, STATUS_FAILED,
                        "/proc belongs to another PID namespace, where this is process %s and not "
                        "%s: mount the proc file system anew",
                        self, expected);
    return STATUS_OK;
}

enum status proc_list(const struct proc_fs *fs, proc_visit_fn *fn, void *user)
{
    int fd = openat(fs->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    if (directory == NULL) {
        if (fd >= 0)
            close(fd);
        return STATUS_FAILED;
    }
    const struct dirent *entry = NULL;
    int stop = 0;
    while (!stop && (entry = readdir(directory)) != NULL) {
        uint64_t pid = 0;
        if (parse_u64(entry->d_name, 1, INT_MAX, &pid) == STATUS_OK)
            stop = fn(user, (pid_t)pid);
    }
    closedir(directory);
    return STATUS_OK;
}

/* ----- stat ----- */

/* A decimal number at *at, which moves behind it and one blank. A minus is skipped: fields that can
 * be negative are of no interest here. */
static int take_number(const char **at, const char *end, uint64_t *ret)
{
    const char *c = *at;
    uint64_t value = 0;
    if (c < end && *c == '-')
        c++;
    const char *first = c;
    for (; c < end && *c >= '0' && *c <= '9'; c++)
        value = value * 10 + (uint64_t)(*c - '0'); /* wraps for absurd input, harmlessly */
    if (c == first)
        return 0;
    *at = c < end ? c + 1 : c;
    *ret = value;
    return 1;
}

/*
 * "pid (comm) S ppid ...": the name may hold blanks and parentheses, so that the last ')' is its
 * end; all that follows is numbers.
 */
enum status proc_parse_stat(const char *text, size_t size, struct proc_stat *ret)
{
    const char *end = text + size;
    const char *open = memchr(text, '(', size);
    const char *shut = memrchr(text, ')', size);
    if (open == NULL || shut == NULL || shut < open || end - shut < 4)
        return STATUS_INVALID;

    uint64_t field[STAT_FIELDS + 1] = {0}; /* numbered from 1, as in proc(5) */
    const char *at = text;
    if (!take_number(&at, open, &field[1]) || field[1] == 0 || field[1] > INT_MAX)
        return STATUS_INVALID;
    at = shut + 4; /* ") S " */
    for (size_t i = 4; i <= STAT_FIELDS; i++) {
        if (!take_number(&at, end, &field[i]))
            return STATUS_INVALID;
    }
    if (field[4] > INT_MAX)
        return STATUS_INVALID;

    struct proc_stat stat = {
        .pid = (pid_t)field[1],
        .parent = (pid_t)field[4],
        .state = shut[2],
        .kernel_thread = (field[9] & KERNEL_THREAD) != 0,
        .cpu_ticks = field[14] + field[15],
        .start_ticks = field[22],
        .image = field[28] == 0 ? 0 : field[28] ^ (field[26] << 16 | field[26] >> 48),
    };
    size_t length = (size_t)(shut - open - 1);
    if (length >= sizeof(stat.comm))
        length = sizeof(stat.comm) - 1;
    memcpy(stat.comm, open + 1, length);
    *ret = stat;
    return STATUS_OK;
}

enum status proc_stat(const struct proc_fs *fs, pid_t pid, struct proc_stat *ret)
{
    char text[PROC_SMALL_BYTES];
    size_t size = 0;
    enum status status = proc_read(fs, pid, "stat", text, sizeof(text), &size);
    if (status != STATUS_OK)
        return status;
    return size == 0 ? STATUS_GONE : proc_parse_stat(text, size, ret);
}

/* ----- status ----- */

enum status_kind { KIND_UIDS, KIND_LAST_PID, KIND_KIB, KIND_HEX, KIND_INT };

struct status_line {
    const char *name; /* with its colon */
    enum status_kind kind;
    size_t offset; /* in struct proc_status */
};

#define LINE(name, kind, member)                                                                   \
    {                                                                                              \
        name, kind, offsetof(struct proc_status, member)                                           \
    }
static const struct status_line status_lines[] = {
    LINE("Uid:", KIND_UIDS, uid),
    LINE("NSpid:", KIND_LAST_PID, namespace_pid),
    LINE("RssAnon:", KIND_KIB, rss_anon_bytes),
    LINE("VmSwap:", KIND_KIB, swap_bytes),
    LINE("CapEff:", KIND_HEX, capabilities),
    LINE("Seccomp:", KIND_INT, seccomp),
    LINE("NoNewPrivs:", KIND_INT, no_new_privileges),
};
#undef LINE

/* The decimal numbers of a line, at most `most`; returns how many. */
static size_t take_numbers(const char *at, const char *end, uint64_t *ret, size_t most)
{
    size_t count = 0;
    while (count < most && at < end) {
        while (at < end && (*at == ' ' || *at == '\t'))
            at++;
        if (!take_number(&at, end, &ret[count]))
            break;
        count++;
    }
    return count;
}

static uint64_t take_hex(const char *at, const char *end)
{
    uint64_t value = 0;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    for (; at < end; at++) {
        int digit = *at >= '0' && *at <= '9' ? *at - '0' : *at - 'a' + 10;
        if (digit < 0 || digit > 15)
            break;
        value = value << 4 | (uint64_t)digit;
    }
    return value;
}

static void take_status_line(const struct status_line *line, const char *at, const char *end,
                             struct proc_status *ret)
{
    void *target = (char *)ret + line->offset;
    uint64_t numbers[32]; /* PID namespaces nest 32 deep */
    size_t count = take_numbers(at, end, numbers, ARRAY_SIZE(numbers));
    if (line->kind == KIND_HEX) {
        *(uint64_t *)target = take_hex(at, end);
    } else if (count == 0) {
        return;
    } else if (line->kind == KIND_UIDS) {
        ret->uid = (int64_t)(uint32_t)numbers[0];
        ret->effective_uid = (int64_t)(uint32_t)numbers[count > 1 ? 1 : 0];
    } else if (line->kind == KIND_LAST_PID) {
        *(pid_t *)target = (pid_t)(numbers[count - 1] & INT_MAX);
    } else if (line->kind == KIND_KIB) {
        *(uint64_t *)target = numbers[0] > UINT64_MAX / 1024 ? 0 : numbers[0] * 1024;
    } else {
        *(int *)target = (int)(numbers[0] & INT_MAX);
    }
}

void proc_parse_status(const char *text, size_t size, struct proc_status *ret)
{
    *ret = (struct proc_status){.uid = -1, .effective_uid = -1};
    const char *end = text + size;
    while (text < end) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));
        if (line_end == NULL)
            line_end = end;
        for (size_t i = 0; i < ARRAY_SIZE(status_lines); i++) {
            size_t length = strlen(status_lines[i].name);
            if ((size_t)(line_end - text) > length &&
                memcmp(text, status_lines[i].name, length) == 0)
                take_status_line(&status_lines[i], text + length, line_end, ret);
        }
        text = line_end + 1;
    }
}

enum status proc_status(const struct proc_fs *fs, pid_t pid, struct proc_status *ret)
{
    char text[PROC_SMALL_BYTES];
    size_t size = 0;
    enum status status = proc_read(fs, pid, "status", text, sizeof(text), &size);
    if (status == STATUS_OK)
        proc_parse_status(text, size, ret);
    return status;
}

/* ----- relations and clocks ----- */

int proc_descends(const struct proc_fs *fs, pid_t pid, pid_t ancestor)
{
    struct proc_stat stat;
    for (int depth = 0; depth < DEPTH_MAX && pid > 1; depth++) {
        if (proc_stat(fs, pid, &stat) != STATUS_OK)
            return 0;
        pid = stat.parent;
        if (pid == ancestor)
            return 1;
    }
    return 0;
}

int64_t proc_ticks_ms(uint64_t ticks)
{
    long per_second = sysconf(_SC_CLK_TCK);
    uint64_t hz = per_second > 0 ? (uint64_t)per_second : 100;
    if (ticks > INT64_MAX / 1000)
        return INT64_MAX;
    return (int64_t)(ticks * 1000 / hz);
}

int64_t proc_boot_now_ms(void)
{
    struct timespec now;
    ASSERT(clock_gettime(CLOCK_BOOTTIME, &now) == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
