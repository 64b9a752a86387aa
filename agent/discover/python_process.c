/*
 * A Python process has PyType_Type among the dynamic symbols of its executable or of a module with
 * "python" in its name: extension modules need it there. The executable is asked first because the
 * dynamic linker would (a copy relocation moves the object into the executable). A large executable
 * without it may still hold an interpreter: landmarks.h.
 *
 * Which mappings are the executable's is told by the auxiliary vector, which says where the kernel
 * put its program headers: its name may be too long, hold anything, or have gone.
 */
#include "python_process.h"

#include <elf.h>
#include <unistd.h>

#include "attributes.h"
#include "elf.h"
#include "landmarks.h"
#include "maps.h"
#include "proc.h"
#include "python_version.h"
#include "remote.h"

enum {
    MODULES_MAX = 8,
    WRITABLE_MAX = 8, /* writable mappings of one module that are searched for its version */
    SEARCH_BYTES = 65536,
    SEARCH_BYTES_MAX = 64 << 20,        /* of one mapping that are searched for the version */
    SEARCH_BYTES_TOTAL_MAX = 256 << 20, /* of all of them: who maps more does it on purpose */
    PRESENT_MAX = 64,
    AUXILIARY_MAX = 64,
    INTERPRETER_BYTES_MIN = 2 << 20, /* no interpreter is smaller: others are not searched */
};

struct module {
    addr_t base;
    uint64_t device, inode;
    uint64_t file_bytes; /* of its mappings */
    struct remote_range writable[WRITABLE_MAX];
    size_t writable_count;
};

struct search {
    pid_t pid;
    struct proc_fs fs;
    struct remote *remote;
    addr_t headers;                     /* of the executable, somewhere in its first mapping */
    struct module modules[MODULES_MAX]; /* [0] is the executable, if it was found */
    size_t count;
    int has_exe;
    size_t searched_bytes;
    char exe[256]; /* path, for the message */
};

static const struct {
    enum python_builtin builtin;
    const char *symbol;
} builtin_symbols[] = {
    {PYTHON_INT, "PyLong_Type"},
    {PYTHON_STR, "PyUnicode_Type"},
    {PYTHON_DICT, "PyDict_Type"},
    {PYTHON_LIST, "PyList_Type"},
    {PYTHON_TUPLE, "PyTuple_Type"},
    {PYTHON_SET, "PySet_Type"},
    {PYTHON_BYTEARRAY, "PyByteArray_Type"},
    {PYTHON_CODE, "PyCode_Type"},
    {PYTHON_FRAME, "PyFrame_Type"},
    {PYTHON_GENERATOR, "PyGen_Type"},
};

enum status python_process_identify(struct python_process *process)
{
    struct proc_fs fs;
    struct proc_stat stat;
    enum status status = proc_fs_open("/proc", &fs, NULL);
    if (status != STATUS_OK)
        return status;
    status = proc_stat(&fs, process->pid, &stat);
    proc_fs_close(&fs);
    if (status != STATUS_OK)
        return status == STATUS_GONE ? STATUS_NOT_FOUND : status;
    process->start_ticks = stat.start_ticks;
    process->image = stat.image;
    return STATUS_OK;
}

static enum status cannot_look(pid_t pid, enum status status, struct why *why)
{
    return why_fail(why, status, "cannot look at process %d in /proc%s", (int)pid,
                    status == STATUS_LIMIT ? ": too many files are open; raise the limit "
                                             "(ulimit -n, LimitNOFILE= of a systemd unit)"
                                           : "");
}

enum status python_process_check(const struct python_process *process, struct why *why)
{
    struct python_process now = {.pid = process->pid};
    enum status status = python_process_identify(&now);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return cannot_look(process->pid, status, why);
    if (status != STATUS_OK || now.start_ticks != process->start_ticks)
        return why_fail(why, STATUS_GONE, "process %d has ended", (int)process->pid);
    if (now.image != process->image && now.image != 0 && process->image != 0)
        return why_fail(why, STATUS_GONE, "process %d has become another program",
                        (int)process->pid);
    return STATUS_OK;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Entries are pairs of words, of which a 32-bit program has small ones. 0: it has none. */
static addr_t headers_of(const void *auxiliary, size_t size)
{
    const uint64_t *words = auxiliary;
    const uint32_t *halves = auxiliary;
    for (size_t i = 0; i + 2 <= size / sizeof(*words); i += 2) {
        if (words[i] == AT_PHDR)
            return words[i + 1];
    }
    for (size_t i = 0; i + 2 <= size / sizeof(*halves); i += 2) {
        if (halves[i] == AT_PHDR)
            return halves[i + 1];
    }
    return 0;
}

static void read_exe(struct search *search)
{
    uint64_t auxiliary[2 * AUXILIARY_MAX];
    size_t size = 0;
    if (proc_read_link(&search->fs, search->pid, "exe", search->exe, sizeof(search->exe)) !=
        STATUS_OK)
        search->exe[0] = '\0';
    if (proc_read(&search->fs, search->pid, "auxv", (char *)auxiliary, sizeof(auxiliary), &size) ==
        STATUS_OK)
        search->headers = headers_of(auxiliary, size);
}

/* A mapping behind the first one of a module: remember it if the version may lie there. */
static void add_writable(struct module *module, const struct maps_entry *entry)
{
    if (entry->writable && !entry->shared && module->writable_count < WRITABLE_MAX)
        module->writable[module->writable_count++] =
            (struct remote_range){entry->start, entry->end};
}

/* The dynamic linker's own choice of names; _struct.cpython-311-x86_64-linux-gnu.so is none. */
static int may_be_library(const struct maps_entry *entry)
{
    const char *name = base_name(entry->name);
    return strstr(name, "python") != NULL && strstr(name, ".cpython-") == NULL;
}

static struct module *add_module(struct search *search, const struct maps_entry *entry)
{
    int is_exe = entry->start <= search->headers && search->headers < entry->end;
    for (size_t i = 0; i < search->count; i++) {
        if (search->modules[i].inode == entry->inode && search->modules[i].device == entry->device)
            return &search->modules[i];
    }
    if (!is_exe && (!may_be_library(entry) || entry->offset != 0 || !entry->readable))
        return NULL;
    if (search->count == MODULES_MAX)
        return NULL;
    size_t index = search->count++;
    if (is_exe) {
        search->modules[index] = search->modules[0];
        search->has_exe = 1;
        index = 0;
    }
    search->modules[index] =
        (struct module){.base = entry->start, .device = entry->device, .inode = entry->inode};
    return &search->modules[index];
}

static enum status list_modules(struct search *search, struct why *why)
{
    struct maps maps;
    struct maps_entry entry;
    addr_t end = 0;
    struct module *module = NULL;
    enum status status = maps_open(search->pid, &maps, why);
    if (status != STATUS_OK)
        return status;
    read_exe(search);
    while (maps_next(&maps, &entry)) {
        int is_bss = module && entry.inode == 0 && entry.start == end;
        if (!is_bss)
            module = entry.inode ? add_module(search, &entry) : NULL;
        if (module) {
            module->file_bytes += entry.inode ? entry.end - entry.start : 0;
            add_writable(module, &entry);
        }
        end = entry.end;
    }
    maps_close(&maps);
    return STATUS_OK;
}

/* Search present memory, piece by piece; pieces overlap by the length of the text. */
static int search_range(struct search *search, struct remote_range range, char *piece,
                        struct python_version *ret)
{
    size_t kept = 0;
    for (addr_t at = range.start;
         at < range.end && search->searched_bytes < SEARCH_BYTES_TOTAL_MAX;) {
        size_t size = SEARCH_BYTES - kept;
        if (size > range.end - at)
            size = (size_t)(range.end - at);
        search->searched_bytes += size;
        if (remote_read(search->remote, at, piece + kept, size) != STATUS_OK)
            return 0;
        if (python_version_search(piece, kept + size, ret))
            return 1;
        at += size;
        size_t filled = kept + size;
        kept = filled < PYTHON_VERSION_TEXT_BYTES ? filled : PYTHON_VERSION_TEXT_BYTES;
        memmove(piece, piece + filled - kept, kept);
    }
    return 0;
}

/* Only what is present: reading the rest would make it so. */
static int search_mapping(struct search *search, struct remote_range mapping, char *piece,
                          struct python_version *ret)
{
    struct remote_range present[PRESENT_MAX];
    int found = 0;
    if (mapping.end - mapping.start > SEARCH_BYTES_MAX)
        mapping.end = mapping.start + SEARCH_BYTES_MAX;
    for (addr_t at = mapping.start; at < mapping.end && !found;) {
        size_t count =
            remote_present(search->remote, at, mapping.end, present, ARRAY_SIZE(present), &at);
        for (size_t i = 0; i < count && !found; i++)
            found = search_range(search, present[i], piece, ret);
    }
    return found;
}

static enum status find_version(struct search *search, struct python_process *process)
{
    struct python_version version;
    char *piece = malloc(SEARCH_BYTES);
    ASSERT(piece);
    int found = 0;
    for (size_t i = 0; i < search->count && !found; i++) {
        const struct module *module = &search->modules[i];
        for (size_t j = 0; j < module->writable_count && !found; j++)
            found = search_mapping(search, module->writable[j], piece, &version);
    }
    free(piece);
    if (!found)
        return STATUS_NOT_FOUND;
    process->version_hex = version.hex;
    memcpy(process->version, version.text, sizeof(process->version));
    process->free_threaded = version.free_threaded;
    return STATUS_OK;
}

static void find_symbols(const struct search *search, const struct elf_module *elf,
                         struct python_process *process)
{
    struct remote *remote = search->remote;
    process->runtime = elf_symbol(elf, remote, "_PyRuntime");
    process->none = elf_symbol(elf, remote, "_Py_NoneStruct");
    process->true_object = elf_symbol(elf, remote, "_Py_TrueStruct");
    process->debug_build = elf_symbol(elf, remote, "_Py_NegativeRefcount") != 0;
    for (size_t i = 0; i < ARRAY_SIZE(builtin_symbols); i++)
        process->builtins[builtin_symbols[i].builtin] =
            elf_symbol(elf, remote, builtin_symbols[i].symbol);
}

/*
 * The debug allocator puts a header before each block: the size, the allocator's letter, and seven
 * bytes of a pattern (Objects/obmalloc.c, _PyMem_DebugRawAlloc; unchanged from 3.8 to 3.15). The
 * tuple of `type`'s bases is such a block: a GC head, then the object.
 */
static enum status find_allocator(const struct search *search, struct python_process *process)
{
    static const uint8_t pattern[7] = {0xfd, 0xfd, 0xfd, 0xfd, 0xfd, 0xfd, 0xfd};
    enum { TYPE_BASES = 336, GC_HEAD_BYTES = 16, HEADER_BYTES = 16, PATTERN_AT = 9 };
    addr_t bases = 0;
    uint8_t header[HEADER_BYTES];
    enum status status =
        remote_read_quietly(search->remote, process->type_type + TYPE_BASES, &bases, sizeof(bases));
    if (status == STATUS_OK)
        status = remote_read_quietly(search->remote, bases - GC_HEAD_BYTES - HEADER_BYTES, header,
                                     sizeof(header));
    process->debug_allocator =
        status == STATUS_OK && memcmp(header + PATTERN_AT, pattern, sizeof(pattern)) == 0;
    return status;
}

static enum status not_python(const struct search *search, struct why *why)
{
    if (search->count == 0)
        return why_fail(why, STATUS_UNSUPPORTED,
                        "process %d has no program of its own (a kernel thread, or it is ending)",
                        (int)search->pid);
    return why_fail(why, STATUS_UNSUPPORTED, "process %d is no CPython but %s", (int)search->pid,
                    search->exe);
}

static enum status not_started(const struct search *search, struct why *why)
{
    return why_fail(why, STATUS_UNAVAILABLE,
                    "process %d (%s) has not started its Python interpreter yet", (int)search->pid,
                    search->exe);
}

static enum status absent(const struct search *search, struct why *why)
{
    return why_fail(why, STATUS_UNAVAILABLE,
                    "process %d (%s) cannot be told for now: what it is stands on pages "
                    "that are swapped out, or in a file that cannot be read",
                    (int)search->pid, search->exe);
}

static enum status unreadable(const struct search *search, enum status status, struct why *why)
{
    if (status == STATUS_GONE)
        return why_fail(why, STATUS_GONE, "process %d has ended", (int)search->pid);
    return why_fail(
        why, status,
        "may not read the memory of process %d; run as the same user as the "
        "process and not under Yama's restriction, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH",
        (int)search->pid);
}

/* By the symbols of the modules. NOT_FOUND: they have none of the names. */
static enum status find_exported(struct search *search, struct python_process *process,
                                 struct why *why)
{
    for (size_t i = 0; i < search->count; i++) {
        struct elf_module elf;
        enum status status = elf_open(search->remote, search->modules[i].base, &elf);
        if (status == STATUS_GONE || status == STATUS_DENIED)
            return unreadable(search, status, why);
        if (status == STATUS_INVALID && i == 0 && search->has_exe)
            return why_fail(why, STATUS_UNSUPPORTED,
                            "process %d (%s) is no 64-bit program, and others cannot be counted",
                            (int)search->pid, search->exe);
        if (status != STATUS_OK)
            continue;
        process->type_type = elf_symbol(&elf, search->remote, "PyType_Type");
        if (process->type_type) {
            find_symbols(search, &elf, process);
            return STATUS_OK;
        }
    }
    return STATUS_NOT_FOUND;
}

static enum status find_landmarks(struct search *search, struct python_process *process,
                                  struct why *why)
{
    const struct module *exe = &search->modules[0];
    enum status status = find_exported(search, process, why);
    if (status != STATUS_NOT_FOUND)
        return status;
    if (search->has_exe && exe->file_bytes >= INTERPRETER_BYTES_MIN &&
        landmarks_search(search->remote, exe->writable, exe->writable_count, process) == STATUS_OK)
        return STATUS_OK;
    if (remote_state(search->remote) != STATUS_OK)
        return unreadable(search, remote_state(search->remote), why);
    if (strncmp(base_name(search->exe), "python", 6) == 0)
        return not_started(search, why);
    if (remote_lacked(search->remote))
        return absent(search, why);
    return not_python(search, why);
}

static enum status find(struct search *search, struct python_process *process, struct why *why)
{
    enum status status = list_modules(search, why);
    if (status != STATUS_OK)
        return status;
    status = find_landmarks(search, process, why);
    if (status != STATUS_OK)
        return status;
    if (find_version(search, process) != STATUS_OK) {
        if (remote_state(search->remote) != STATUS_OK)
            return unreadable(search, remote_state(search->remote), why);
        return not_started(search, why);
    }
    return find_allocator(search, process) == STATUS_UNAVAILABLE ? absent(search, why) : STATUS_OK;
}

static enum status find_process(struct search *search, struct python_process *process,
                                struct why *why)
{
    enum status status = python_process_identify(process);
    if (status == STATUS_NOT_FOUND)
        return why_fail(why, status, "there is no process %d", (int)search->pid);
    if (status != STATUS_OK)
        return cannot_look(search->pid, status, why);
    status = remote_open(search->pid, &search->remote, why);
    if (status == STATUS_OK)
        status = find(search, process, why);
    remote_close(search->remote);
    return status;
}

enum status python_process_find(pid_t pid, struct python_process *ret, struct why *why)
{
    struct python_process process = {.pid = pid};
    struct search search = {.pid = pid};
    if (pid <= 0)
        return why_fail(why, STATUS_NOT_FOUND, "there is no process %d", (int)pid);
    enum status status = proc_fs_open("/proc", &search.fs, why);
    if (status != STATUS_OK)
        return status;
    status = find_process(&search, &process, why);
    proc_fs_close(&search.fs);
    if (status == STATUS_OK)
        *ret = process;
    return status;
}
