#include "memory_return.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#include "log.h"

enum {
    PAUSE_FIRST_MS = 5 * 1000,
    PAUSE_LAST_MS = 10 * 60 * 1000,
    EXCESS_BYTES = 64 << 20, /* code, stacks and what is free between checks */
};

/* Anonymous: /proc/self/statm's resident pages without those of files. */
static uint64_t resident_bytes(void)
{
    uint64_t size = 0, resident = 0, of_files = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return 0;
    int count = fscanf(file, "%" SCNu64 " %" SCNu64 " %" SCNu64, // NOLINT(cert-err34-c)
                       &size, &resident, &of_files);
    (void)fclose(file);
    return count == 3 && resident > of_files ? (resident - of_files) * (uint64_t)getpagesize() : 0;
}

static uint64_t excess_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    uint64_t in_use = info.uordblks + info.hblkhd, resident = resident_bytes();
    return resident > in_use ? resident - in_use : 0;
}

void memory_return_tick(struct memory_return *memory, int64_t now_ms)
{
    if (now_ms < memory->next_ms)
        return;
    uint64_t before = excess_bytes(), after = before;
    if (before > EXCESS_BYTES) {
        (void)malloc_trim(0);
        after = excess_bytes();
        log_event(LOG_DEBUG, "memory.returned", "before_mb=%" PRIu64 " after_mb=%" PRIu64,
                  before >> 20, after >> 20);
    }
    int was_in_vain = before > EXCESS_BYTES && after > before - before / 4;
    memory->pause_ms = was_in_vain ? 2 * memory->pause_ms : PAUSE_FIRST_MS;
    if (memory->pause_ms > PAUSE_LAST_MS)
        memory->pause_ms = PAUSE_LAST_MS;
    memory->next_ms = now_ms + memory->pause_ms;
}
