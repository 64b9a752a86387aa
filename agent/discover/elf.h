/*
 * The dynamic symbols of a loaded ELF module, read from the memory of the process that runs it, so
 * that a deleted, replaced or foreign (other mount namespace) binary makes no difference, and
 * neither does `strip`. Only pages that are not present there are read from the file.
 *
 * 64-bit little-endian modules. All that is read is outside input: bounded, checked, never trusted.
 */
#ifndef AGENT_DISCOVER_ELF_H
#define AGENT_DISCOVER_ELF_H

#include "remote.h"
#include "status.h"

struct elf_module {
    addr_t bias; /* to add to the addresses in the file */
    addr_t symbols, strings;
    addr_t gnu_hash, sysv_hash; /* either may be 0 */
    uint16_t machine;           /* EM_X86_64 .. */
};

/* The module whose first page lies at `base`. STATUS_INVALID: not such a module; UNSUPPORTED: one
 * without dynamic symbols; otherwise like remote_read. */
enum status elf_open(struct remote *remote, addr_t base, struct elf_module *ret) MUST_CHECK;

/* Where the symbol that the module defines lies in the process; 0 when it defines no such one. */
addr_t elf_symbol(const struct elf_module *module, struct remote *remote,
                  const char *name) MUST_CHECK;

#endif
