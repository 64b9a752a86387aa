/*
 * A Python process has PyType_Type among the dynamic symbols of its executable or of a module with
 * "python" in its name: extension modules need it there. The executable is asked first because the
 * dynamic linker would (a copy relocation moves the object into the executable).
 */
#include "python_process.h"

#include <elf.h>
#include <unistd.h>

#include "attributes.h"
#include "elf.h"
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
};

struct module {
    addr_t base;
    uint64_t inode;
    struct remote_range writable[WRITABLE_MAX];
    size_t writable_count;
};

struct search {
    pid_t pid;
    struct remote *remote;
    struct module modules[MODULES_MAX]; /* [0] is the executable */
    size_t count;
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

enum status python_process_start_ticks(pid_t pid, uint64_t *ret)
{
    struct proc_fs fs;
    struct proc_stat stat;
    if (proc_fs_open("/proc", &fs, NULL) != STATUS_OK)
        return STATUS_NOT_FOUND;
    enum status status = proc_stat(&fs, pid, &stat);
    proc_fs_close(&fs);
    if (status != STATUS_OK)
        return STATUS_NOT_FOUND;
    *ret = stat.start_ticks;
    return STATUS_OK;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void read_exe(struct search *search)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/exe", (int)search->pid);
    ssize_t size = readlink(path, search->exe, sizeof(search->exe) - 1);
    search->exe[size > 0 ? size : 0] = '\0';
}

/* A mapping behind the first one of a module: remember it if the version may lie there. */
static void add_writable(struct module *module, const struct maps_entry *entry)
{
    if (entry->writable && !entry->shared && module->writable_count < WRITABLE_MAX)
        module->writable[module->writable_count++] =
            (struct remote_range){entry->start, entry->end};
}

static struct module *add_module(struct search *search, const struct maps_entry *entry)
{
    const char *name = base_name(entry->name);
    int is_exe = search->exe[0] && strcmp(entry->name, search->exe) == 0;
    int is_extension =
        strstr(name, ".cpython-") != NULL; /* _struct.cpython-311-x86_64-linux-gnu.so */
    if (!is_exe && (is_extension || !strstr(name, "python")))
        return NULL;
    for (size_t i = 0; i < search->count; i++) {
        if (search->modules[i].inode == entry->inode)
            return &search->modules[i];
    }
    if (entry->offset != 0 || !entry->readable || search->count == MODULES_MAX)
        return NULL;
    size_t index = search->count++;
    if (is_exe && index > 0) {
        search->modules[index] = search->modules[0];
        index = 0;
    }
    search->modules[index] = (struct module){.base = entry->start, .inode = entry->inode};
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
        if (module)
            add_writable(module, &entry);
        end = entry.end;
    }
    maps_close(&maps);
    return STATUS_OK;
}

/* Search one mapping, piece by piece; pieces overlap by the length of the text. */
static int search_range(struct search *search, struct remote_range range, char *piece,
                        struct python_version *ret)
{
    size_t kept = 0;
    for (addr_t at = range.start; at < range.end && at - range.start < SEARCH_BYTES_MAX &&
                                  search->searched_bytes < SEARCH_BYTES_TOTAL_MAX;) {
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

static enum status find_version(struct search *search, struct python_process *process)
{
    struct python_version version;
    char *piece = malloc(SEARCH_BYTES);
    ASSERT(piece);
    int found = 0;
    for (size_t i = 0; i < search->count && !found; i++) {
        const struct module *module = &search->modules[i];
        for (size_t j = 0; j < module->writable_count && !found; j++)
            found = search_range(search, module->writable[j], piece, &version);
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

static enum status find_landmarks(struct search *search, struct python_process *process,
                                  struct why *why)
{
    int is_elf = 0;
    for (size_t i = 0; i < search->count && !process->type_type; i++) {
        struct elf_module elf;
        enum status status = elf_open(search->remote, search->modules[i].base, &elf);
        if (status == STATUS_GONE)
            return why_fail(why, STATUS_GONE, "process %d has ended", (int)search->pid);
        if (status == STATUS_DENIED)
            return why_fail(why, STATUS_DENIED,
                            "may not read the memory of process %d; run as the same user as the "
                            "process and not under Yama's restriction, or with CAP_SYS_PTRACE",
                            (int)search->pid);
        if (status != STATUS_OK)
            continue;
        is_elf = 1;
        process->type_type = elf_symbol(&elf, search->remote, "PyType_Type");
        if (process->type_type)
            find_symbols(search, &elf, process);
    }
    if (process->type_type)
        return STATUS_OK;
    if (search->count && !is_elf)
        return why_fail(why, STATUS_UNSUPPORTED,
                        "process %d (%s) is not a dynamically linked 64-bit program",
                        (int)search->pid, search->exe);
    if (strncmp(base_name(search->exe), "python", 6) == 0)
        return not_started(search, why);
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
    if (find_version(search, process) != STATUS_OK)
        return not_started(search, why);
    return STATUS_OK;
}

enum status python_process_find(pid_t pid, struct python_process *ret, struct why *why)
{
    struct python_process process = {.pid = pid};
    struct search search = {.pid = pid};
    if (pid <= 0 || python_process_start_ticks(pid, &process.start_ticks) != STATUS_OK)
        return why_fail(why, STATUS_NOT_FOUND, "there is no process %d", (int)pid);
    enum status status = remote_open(pid, &search.remote, why);
    if (status != STATUS_OK)
        return status;
    status = find(&search, &process, why);
    remote_close(search.remote);
    if (status == STATUS_OK)
        *ret = process;
    return status;
}
