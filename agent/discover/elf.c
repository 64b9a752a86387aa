#include "elf.h"

#include <elf.h>

#include "attributes.h"

enum {
    SEGMENTS_MAX = 64,
    DYNAMIC_MAX = 256,
    CHAIN_MAX = 4096, /* symbols of one hash bucket that are looked at */
    NAME_BYTES_MAX = 64,
};

static int read_at(struct remote *remote, addr_t from, void *to, size_t size)
{
    return remote_read_linked(remote, from, to, size) == STATUS_OK;
}

/* glibc rewrites the pointers of the dynamic section to addresses, musl leaves them as they are. */
static addr_t relocated(const struct elf_module *module, uint64_t pointer)
{
    return pointer < module->bias ? pointer + module->bias : pointer;
}

static int read_dynamic(struct remote *remote, addr_t at, uint64_t size, struct elf_module *module)
{
    Elf64_Dyn entries[DYNAMIC_MAX];
    size_t count = (size_t)(size / sizeof(entries[0]));
    if (count > DYNAMIC_MAX)
        count = DYNAMIC_MAX;
    if (!read_at(remote, at, entries, count * sizeof(entries[0])))
        return 0;
    for (size_t i = 0; i < count && entries[i].d_tag != DT_NULL; i++) {
        addr_t pointer = relocated(module, entries[i].d_un.d_ptr);
        switch (entries[i].d_tag) {
        case DT_SYMTAB:
            module->symbols = pointer;
            break;
        case DT_STRTAB:
            module->strings = pointer;
            break;
        case DT_GNU_HASH:
            module->gnu_hash = pointer;
            break;
        case DT_HASH:
            module->sysv_hash = pointer;
            break;
        default:
            break;
        }
    }
    return module->symbols && module->strings && (module->gnu_hash || module->sysv_hash);
}

enum status elf_open(struct remote *remote, addr_t base, struct elf_module *ret)
{
    Elf64_Ehdr header;
    Elf64_Phdr segments[SEGMENTS_MAX];
    enum status status = remote_read_linked(remote, base, &header, sizeof(header));
    if (status != STATUS_OK)
        return status;
    if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_phentsize != sizeof(segments[0]) ||
        header.e_phnum > SEGMENTS_MAX)
        return STATUS_INVALID;
    status = remote_read_linked(remote, base + header.e_phoff, segments,
                                header.e_phnum * sizeof(segments[0]));
    if (status != STATUS_OK)
        return status;

    struct elf_module module = {.machine = header.e_machine};
    const Elf64_Phdr *dynamic = NULL;
    for (size_t i = 0; i < header.e_phnum; i++) {
        if (segments[i].p_type == PT_LOAD && segments[i].p_offset == 0)
            module.bias = base - segments[i].p_vaddr;
        if (segments[i].p_type == PT_DYNAMIC)
            dynamic = &segments[i];
    }
    if (!dynamic ||
        !read_dynamic(remote, module.bias + dynamic->p_vaddr, dynamic->p_memsz, &module))
        return STATUS_UNSUPPORTED;
    *ret = module;
    return STATUS_OK;
}

/* The address if symbol `index` is defined and bears the name, else 0. */
static addr_t check_symbol(const struct elf_module *module, struct remote *remote, uint32_t index,
                           const char *name)
{
    Elf64_Sym symbol;
    char found[NAME_BYTES_MAX];
    size_t size = strlen(name) + 1;
    ASSERT(size <= sizeof(found));
    if (!read_at(remote, module->symbols + index * sizeof(symbol), &symbol, sizeof(symbol)) ||
        symbol.st_shndx == SHN_UNDEF ||
        !read_at(remote, module->strings + symbol.st_name, found, size) ||
        memcmp(found, name, size) != 0)
        return 0;
    return module->bias + symbol.st_value;
}

/*
 * The GNU hash table: u32 {buckets, first hashed symbol, bloom words, shift}, u64 bloom[], u32
 * bucket[], u32 chain[]; a chain word holds its symbol's hash, its lowest bit set at the end.
 */
static addr_t find_gnu(const struct elf_module *module, struct remote *remote, const char *name)
{
    uint32_t head[4], hash = 5381, index, word;
    for (const char *at = name; *at; at++)
        hash = hash * 33 + (uint8_t)*at;
    if (!read_at(remote, module->gnu_hash, head, sizeof(head)) || head[0] == 0)
        return 0;
    addr_t buckets = module->gnu_hash + sizeof(head) + (addr_t)head[2] * sizeof(uint64_t);
    addr_t chains = buckets + (addr_t)head[0] * sizeof(uint32_t);
    if (!read_at(remote, buckets + (addr_t)(hash % head[0]) * sizeof(index), &index,
                 sizeof(index)) ||
        index < head[1])
        return 0;
    for (int i = 0; i < CHAIN_MAX; i++, index++) {
        if (!read_at(remote, chains + (addr_t)(index - head[1]) * sizeof(word), &word,
                     sizeof(word)))
            return 0;
        addr_t found = (word | 1) == (hash | 1) ? check_symbol(module, remote, index, name) : 0;
        if (found || (word & 1))
            return found;
    }
    return 0;
}

/* The System V hash table: u32 {buckets, symbols}, u32 bucket[], u32 chain[]; 0 ends a chain. */
static addr_t find_sysv(const struct elf_module *module, struct remote *remote, const char *name)
{
    uint32_t head[2], hash = 0, index;
    for (const char *at = name; *at; at++) {
        hash = (hash << 4) + (uint8_t)*at;
        uint32_t high = hash & 0xf0000000;
        hash = (hash ^ (high >> 24)) & ~high;
    }
    if (!read_at(remote, module->sysv_hash, head, sizeof(head)) || head[0] == 0)
        return 0;
    addr_t buckets = module->sysv_hash + sizeof(head);
    addr_t chains = buckets + (addr_t)head[0] * sizeof(uint32_t);
    addr_t at = buckets + (addr_t)(hash % head[0]) * sizeof(index);
    for (int i = 0; i < CHAIN_MAX; i++) {
        if (!read_at(remote, at, &index, sizeof(index)) || index == 0 || index >= head[1])
            return 0;
        addr_t found = check_symbol(module, remote, index, name);
        if (found)
            return found;
        at = chains + (addr_t)index * sizeof(index);
    }
    return 0;
}

addr_t elf_symbol(const struct elf_module *module, struct remote *remote, const char *name)
{
    if (module->gnu_hash)
        return find_gnu(module, remote, name);
    return find_sysv(module, remote, name);
}
