/*
 * Only segments that are never written: those with relocations hold values that the file does not.
 * The linker's read-only-after-relocation area is part of a writable segment, and so passed by.
 */
#include "footprint.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "attributes.h"

enum { STATM_BYTES = 128 };

static void *pointer(uintptr_t address)
{
    return (void *)address; /* NOLINT(performance-no-int-to-ptr): the loader speaks in numbers */
}

static int has_text_relocations(const struct dl_phdr_info *module)
{
    for (size_t i = 0; i < module->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &module->dlpi_phdr[i];
        if (segment->p_type != PT_DYNAMIC)
            continue;
        const ElfW(Dyn) *entry = pointer(module->dlpi_addr + segment->p_vaddr);
        for (; entry->d_tag != DT_NULL; entry++) {
            if (entry->d_tag == DT_TEXTREL ||
                (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL) != 0))
                return 1;
        }
    }
    return 0;
}

static int advise_module(struct dl_phdr_info *module, size_t size, void *arg)
{
    const int *advice = arg;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    (void)size;
    if (has_text_relocations(module))
        return 0;
    for (size_t i = 0; i < module->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &module->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W) != 0)
            continue;
        uintptr_t start = (module->dlpi_addr + segment->p_vaddr) & ~(page - 1);
        uintptr_t end = module->dlpi_addr + segment->p_vaddr + segment->p_memsz;
        /* advice: a kernel that does not know it changes nothing */
        (void)madvise(pointer(start), (end - start + page - 1) & ~(page - 1), *advice);
    }
    return 0;
}

static void advise(int advice)
{
    (void)dl_iterate_phdr(advise_module, &advice);
}

uint64_t footprint_file_bytes(void)
{
    char text[STATM_BYTES];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        close(fd);
    if (size <= 0)
        return 0;
    text[size] = '\0';
    char *at = text;
    uint64_t field[3] = {0}; /* size, resident, shared; in pages */
    for (size_t i = 0; i < ARRAY_SIZE(field); i++)
        field[i] = strtoull(at, &at, 10);
    return field[2] * (uint64_t)sysconf(_SC_PAGESIZE);
}

void footprint_init(void)
{
    advise(MADV_NOHUGEPAGE);
}

int footprint_trim(void)
{
    if (footprint_file_bytes() <= FOOTPRINT_FILE_BYTES_MAX)
        return 0;
    advise(MADV_DONTNEED);
    return 1;
}
