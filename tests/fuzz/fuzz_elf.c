/* USES discover remote */
/* A module whose bytes lie at `base` of a process: headers, dynamic section and both hash tables.
 */
#include "elf.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const addr_t base = 0x400000;
    const struct remote_range present = {base, base + size};
    const struct remote_image image = {.present = &present, .present_count = 1, .bytes = data};
    struct remote *remote = remote_open_image(&image);
    struct elf_module module;
    if (elf_open(remote, base, &module) == STATUS_OK) {
        struct elf_module sysv = module;
        sysv.gnu_hash = 0;
        addr_t found = elf_symbol(&module, remote, "PyType_Type");
        found |= elf_symbol(&module, remote, "_PyRuntime");
        if (sysv.sysv_hash != 0)
            found |= elf_symbol(&sysv, remote, "PyType_Type");
        (void)found;
    }
    remote_close(remote);
    return 0;
}
