/* USES discover remote */
/* The text of /proc/PID/stat, status and maps. */
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "maps.h"
#include "memory_facts.h"
#include "proc.h"

static void check_stat(const char *text, size_t size)
{
    struct proc_stat stat;
    if (proc_parse_stat(text, size, &stat) != STATUS_OK)
        return;
    ASSERT(stat.pid > 0 && stat.parent >= 0);
    ASSERT(memchr(stat.comm, '\0', sizeof(stat.comm)) != NULL);
    ASSERT(proc_ticks_ms(stat.start_ticks) >= 0);
}

static void check_status(const char *text, size_t size)
{
    struct proc_status status;
    proc_parse_status(text, size, &status);
    ASSERT(status.uid >= -1 && status.uid <= UINT32_MAX);
    ASSERT(status.namespace_pid >= 0 && status.seccomp >= 0);
}

/* Through a file of memory, for the buffer that the lines are read through. */
static void check_maps(const char *text, size_t size)
{
    struct maps maps = {.fd = memfd_create("maps", MFD_CLOEXEC)};
    struct maps_entry entry;
    ASSERT(maps.fd >= 0 && write(maps.fd, text, size) == (ssize_t)size);
    ASSERT(lseek(maps.fd, 0, SEEK_SET) == 0);
    size_t count = 0;
    while (maps_next(&maps, &entry)) {
        ASSERT(entry.start < entry.end);
        ASSERT(memchr(entry.name, '\0', MAPS_NAME_BYTES) != NULL);
        count++;
    }
    ASSERT(count <= size);
    maps_close(&maps);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct maps_entry entry;
    size_t name = 0;
    check_stat(text, size);
    check_status(text, size);
    check_maps(text, size);
    (void)memory_facts_parse_pss(text, size);
    if (maps_parse_line(text, size, &entry, &name))
        ASSERT(name <= size);
    return 0;
}
