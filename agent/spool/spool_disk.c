#include "spool_disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"

enum {
    SEGMENT_SHARE = 8, /* of the limit */
    SEGMENT_BYTES_MAX = 16 << 20,
    WRITE_BYTES_MAX = 32 << 20,
    RETRY_MS = 1000,
    NAME_BYTES = 16,
    NOT_OURS = -1,
};

struct file {
    uint32_t number;
    uint32_t crc; /* of its header */
    uint64_t bytes;
    int64_t facts;
};

struct spool_disk {
    int folder, lock;
    uint64_t limit_bytes, segment_bytes, bytes;
    struct file *files; /* ascending by number */
    size_t count;

    struct segment_header header; /* of the current segment; number 0: there is none */
    int writing;                  /* its file; -1: not made yet */
    struct buf noted, out;
    int64_t again_at_ms; /* after a failure */
    uint32_t highest;    /* number ever given or seen */

    int reading; /* a file that was read last; -1: none */
    uint32_t reading_number;
    struct buf in;
};

static void name_of(uint32_t number, char ret[NAME_BYTES])
{
    (void)snprintf(ret, NAME_BYTES, "%08x.spool", number);
}

static enum status disk_failure(struct why *why, const char *what, const char *folder)
{
    int error = errno;
    return why_fail(why, STATUS_UNAVAILABLE, "cannot %s %s: %s", what, folder, strerror(error));
}

/* ---- the folder ----------------------------------------------------------------------------- */

static enum status take_lock(struct spool_disk *disk, const char *folder, struct why *why)
{
    disk->lock = openat(disk->folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (disk->lock < 0)
        return disk_failure(why, "write into the folder", folder);
    char pid[16] = "";
    if (flock(disk->lock, LOCK_EX | LOCK_NB) != 0) {
        ssize_t got = pread(disk->lock, pid, sizeof(pid) - 1, 0);
        return why_fail(why, STATUS_CONFLICT, "another agent (pid %.*s) uses %s",
                        got > 0 ? (int)strcspn(pid, "\n") : 0, pid, folder);
    }
    int size = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
    if (ftruncate(disk->lock, 0) != 0 || pwrite(disk->lock, pid, (size_t)size, 0) != size)
        return STATUS_OK; /* on a full disk nobody learns who holds it */
    return STATUS_OK;
}

/* The number in a name of ours, or 0. */
static uint32_t number_in(const char *name)
{
    char *end = NULL;
    char own[NAME_BYTES];
    unsigned long number = strtoul(name, &end, 16);
    name_of((uint32_t)number, own);
    return number < UINT32_MAX && strcmp(own, name) == 0 ? (uint32_t)number : 0;
}

static void add_file(struct spool_disk *disk, uint32_t number, uint64_t bytes)
{
    disk->files = realloc(disk->files, (disk->count + 1) * sizeof(*disk->files));
    ASSERT(disk->files != NULL);
    disk->files[disk->count++] = (struct file){.number = number, .bytes = bytes};
    disk->bytes += bytes;
}

static int by_number(const void *a, const void *b)
{
    const struct file *one = a, *other = b;
    return one->number < other->number ? -1 : one->number > other->number;
}

static enum status look_around(struct spool_disk *disk, const char *folder, struct why *why)
{
    int fd = openat(disk->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = fd < 0 ? NULL : fdopendir(fd);
    if (entries == NULL) {
        if (fd >= 0)
            close(fd);
        return disk_failure(why, "look into the folder", folder);
    }
    for (const struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        uint32_t number = number_in(entry->d_name);
        struct stat stat;
        if (number == 0)
            continue;
        disk->highest = number > disk->highest ? number : disk->highest;
        if (fstatat(disk->folder, entry->d_name, &stat, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(stat.st_mode) && stat.st_size <= DISK_SEGMENT_BYTES_MAX)
            add_file(disk, number, (uint64_t)stat.st_size);
    }
    closedir(entries);
    if (disk->count > 0)
        qsort(disk->files, disk->count, sizeof(*disk->files), by_number);
    return STATUS_OK;
}

static enum status open_folder(struct spool_disk *disk, const char *folder, struct why *why)
{
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return disk_failure(why, "make the folder", folder);
    disk->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (disk->folder < 0)
        return disk_failure(why, "open the folder", folder);
    enum status status = take_lock(disk, folder, why);
    return status == STATUS_OK ? look_around(disk, folder, why) : status;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void free_disk(struct spool_disk *disk)
{
    close_fd(&disk->writing);
    close_fd(&disk->reading);
    close_fd(&disk->lock);
    close_fd(&disk->folder);
    buf_done(&disk->noted);
    buf_done(&disk->out);
    buf_done(&disk->in);
    free(disk->files);
    free(disk);
}

enum status spool_disk_open(const char *folder, uint64_t limit_bytes,
                            const uint8_t run[SEGMENT_RUN_BYTES], struct spool_disk **ret,
                            struct why *why)
{
    ASSERT(limit_bytes >= DISK_LIMIT_BYTES_MIN);
    struct spool_disk *disk = calloc(1, sizeof(*disk));
    ASSERT(disk != NULL);
    disk->folder = disk->lock = disk->writing = disk->reading = -1;
    disk->limit_bytes = limit_bytes;
    disk->segment_bytes = limit_bytes / SEGMENT_SHARE;
    if (disk->segment_bytes > SEGMENT_BYTES_MAX)
        disk->segment_bytes = SEGMENT_BYTES_MAX;
    memcpy(disk->header.run, run, SEGMENT_RUN_BYTES);
    enum status status = open_folder(disk, folder, why);
    if (status == STATUS_OK)
        *ret = disk;
    else
        free_disk(disk);
    return status;
}

/* ---- files ---------------------------------------------------------------------------------- */

static struct file *find_file(const struct spool_disk *disk, uint32_t number)
{
    const struct file key = {.number = number};
    struct file *file =
        disk->count == 0 ? NULL : bsearch(&key, disk->files, disk->count, sizeof(key), by_number);
    ASSERT(file != NULL);
    return file;
}

static void drop_file(struct spool_disk *disk, struct file *file)
{
    disk->bytes -= file->bytes;
    if (disk->reading_number == file->number)
        close_fd(&disk->reading);
    size_t at = (size_t)(file - disk->files);
    memmove(file, file + 1, (--disk->count - at) * sizeof(*file));
}

static void remove_file(struct spool_disk *disk, struct file *file)
{
    char name[NAME_BYTES];
    name_of(file->number, name);
    (void)unlinkat(disk->folder, name, 0); /* if it stays, a later run sees what was delivered */
    drop_file(disk, file);
}

void spool_disk_close(struct spool_disk *disk)
{
    if (disk == NULL)
        return;
    for (size_t i = disk->count; i-- > 0;) {
        if (disk->files[i].facts == 0)
            remove_file(disk, &disk->files[i]);
    }
    free_disk(disk);
}

/* 0 when all of it was read. */
static int read_at(int fd, struct buf *ret, size_t size, off_t offset)
{
    buf_clear(ret);
    buf_reserve(ret, size);
    while (ret->size < size) {
        ssize_t got = pread(fd, ret->data + ret->size, size - ret->size, offset + (off_t)ret->size);
        if (got <= 0)
            return -1;
        ret->size += (size_t)got;
    }
    return 0;
}

static int open_file(struct spool_disk *disk, uint32_t number)
{
    if (number == disk->header.number)
        return disk->writing;
    if (disk->reading >= 0 && disk->reading_number == number)
        return disk->reading;
    char name[NAME_BYTES];
    name_of(number, name);
    close_fd(&disk->reading);
    disk->reading = openat(disk->folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    disk->reading_number = number;
    return disk->reading;
}

/* ---- what former runs left ------------------------------------------------------------------ */

size_t spool_disk_segments(const struct spool_disk *disk)
{
    return disk->count;
}

enum status spool_disk_load(struct spool_disk *disk, size_t i, struct segment_header *ret,
                            struct buf *ret_bytes, struct why *why)
{
    struct file *file = &disk->files[i];
    char name[NAME_BYTES];
    name_of(file->number, name);
    int fd = open_file(disk, file->number);
    enum status status = STATUS_OK;
    if (fd < 0 || read_at(fd, ret_bytes, (size_t)file->bytes, 0) != 0)
        status = disk_failure(why, "read", "the file");
    else
        status = ret_bytes->size == 0
                     ? why_fail(why, STATUS_INVALID, "it is empty")
                     : segment_read_header(ret_bytes->data, ret_bytes->size, ret, why);
    if (status == STATUS_OK && ret->number != file->number)
        status = why_fail(why, STATUS_NOT_FOUND, "it was written under another name");
    if (status != STATUS_OK)
        why_prefix(why, "%s", name);
    else
        file->crc = ret->crc;
    return status;
}

void spool_disk_adopt(struct spool_disk *disk, size_t i, int64_t facts)
{
    disk->files[i].facts = facts;
}

void spool_disk_settle(struct spool_disk *disk)
{
    for (size_t i = disk->count; i-- > 0;) {
        if (disk->files[i].facts == 0)
            remove_file(disk, &disk->files[i]);
        else if (disk->files[i].facts == NOT_OURS)
            drop_file(disk, &disk->files[i]);
    }
}

/* ---- writing -------------------------------------------------------------------------------- */

/* Nothing more goes to the current segment. */
static void close_current(struct spool_disk *disk)
{
    if (disk->writing >= 0) {
        struct file *file = find_file(disk, disk->header.number);
        close_fd(&disk->writing);
        if (file->facts == 0)
            remove_file(disk, file);
    }
    disk->header.number = 0;
    buf_clear(&disk->noted);
}

uint32_t spool_disk_prepare(struct spool_disk *disk)
{
    buf_clear(&disk->noted);
    if (disk->writing >= 0 && find_file(disk, disk->header.number)->bytes >= disk->segment_bytes)
        close_current(disk);
    if (disk->header.number != 0)
        return disk->header.number;
    if (disk->highest == UINT32_MAX - 1 ||
        (disk->again_at_ms != 0 && clock_mono_ms() < disk->again_at_ms))
        return 0;
    disk->header.number = ++disk->highest;
    buf_clear(&disk->out);
    segment_put_header(&disk->header, &disk->out); /* for its crc */
    return disk->header.number;
}

void spool_disk_note(struct spool_disk *disk, uint32_t process, const void *data, size_t size)
{
    const struct segment_frame frame = {.process = process, .data = data, .size = (uint32_t)size};
    ASSERT(disk->header.number != 0);
    segment_put_frame(&disk->header, &frame, &disk->noted);
}

int spool_disk_is_full(const struct spool_disk *disk, size_t size)
{
    return disk->bytes + disk->noted.size + size + SEGMENT_HEADER_BYTES + SEGMENT_HEAD_BYTES >
               disk->limit_bytes ||
           disk->count >= DISK_SEGMENTS_MAX;
}

static enum status make_file(struct spool_disk *disk, struct why *why)
{
    char name[NAME_BYTES];
    name_of(disk->header.number, name);
    disk->writing =
        openat(disk->folder, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (disk->writing < 0)
        return disk_failure(why, "make", name);
    add_file(disk, disk->header.number, 0);
    find_file(disk, disk->header.number)->crc = disk->header.crc;
    return STATUS_OK;
}

static enum status write_out(struct spool_disk *disk, uint64_t offset, struct why *why)
{
    enum status status = STATUS_OK;
    size_t done = 0;
    while (done < disk->out.size && status == STATUS_OK) {
        ssize_t put = pwrite(disk->writing, disk->out.data + done, disk->out.size - done,
                             (off_t)(offset + done));
        if (put > 0)
            done += (size_t)put;
        else if (put < 0 && errno != EINTR)
            status = disk_failure(why, "write to", "the spool's folder");
    }
    if (status != STATUS_OK && ftruncate(disk->writing, (off_t)offset) != 0)
        why_prefix(why, "half a fact stays behind"); /* its checksum will tell */
    return status;
}

static enum status write_current(struct spool_disk *disk, const struct segment_frame *fact,
                                 struct disk_place *ret, struct why *why)
{
    if (spool_disk_is_full(disk, fact->size) || disk->noted.size > WRITE_BYTES_MAX)
        return why_fail(why, STATUS_LIMIT, "its bound is too small for what waits");
    enum status status = disk->writing >= 0 ? STATUS_OK : make_file(disk, why);
    if (status != STATUS_OK)
        return status;
    struct file *file = find_file(disk, disk->header.number);
    buf_clear(&disk->out);
    if (file->bytes == 0)
        segment_put_header(&disk->header, &disk->out);
    buf_append(&disk->out, disk->noted.data, disk->noted.size);
    uint64_t offset = file->bytes + disk->out.size;
    segment_put_frame(&disk->header, fact, &disk->out);
    status = write_out(disk, file->bytes, why);
    if (status != STATUS_OK)
        return status;
    file->bytes += disk->out.size;
    file->facts++;
    disk->bytes += disk->out.size;
    *ret = (struct disk_place){file->number, (uint32_t)offset};
    return STATUS_OK;
}

enum status spool_disk_write(struct spool_disk *disk, const struct segment_frame *fact,
                             struct disk_place *ret, struct why *why)
{
    ASSERT(disk->header.number != 0);
    enum status status = write_current(disk, fact, ret, why);
    if (status != STATUS_OK) {
        close_current(disk);
        disk->again_at_ms = clock_mono_ms() + RETRY_MS;
        return status;
    }
    buf_clear(&disk->noted);
    disk->again_at_ms = 0;
    return STATUS_OK;
}

/* ---- reading and forgetting ----------------------------------------------------------------- */

int spool_disk_read(struct spool_disk *disk, const struct disk_place *place, uint32_t size,
                    struct segment_frame *ret)
{
    const struct segment_header header = {.crc = find_file(disk, place->segment)->crc};
    int fd = open_file(disk, place->segment);
    size_t offset = 0;
    return fd >= 0 && read_at(fd, &disk->in, SEGMENT_HEAD_BYTES + size, place->offset) == 0 &&
           segment_next(&header, disk->in.data, disk->in.size, &offset, ret) && ret->data != NULL &&
           ret->size == size;
}

void spool_disk_forget(struct spool_disk *disk, uint32_t segment)
{
    struct file *file = find_file(disk, segment);
    ASSERT(file->facts > 0);
    if (--file->facts == 0 && segment != disk->header.number)
        remove_file(disk, file);
}

uint32_t spool_disk_oldest(const struct spool_disk *disk)
{
    return disk->count == 0 || disk->files[0].number == disk->header.number ? 0
                                                                            : disk->files[0].number;
}

uint64_t spool_disk_bytes(const struct spool_disk *disk)
{
    return disk->bytes;
}
