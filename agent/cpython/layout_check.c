#include "layout_check.h"

#include "attributes.h"

/* The front of _Py_DebugOffsets: a cookie, PY_VERSION_HEX, and whether the build is free-threaded.
 */
static const char cookie[8] = {'x', 'd', 'e', 'b', 'u', 'g', 'p', 'y'};
enum { COOKIE_VERSION = 8, COOKIE_FREE_THREADED = 16, COOKIE_BYTES = 24 };

static int read_word(struct remote *remote, addr_t from, uint64_t *ret)
{
    return remote_read_quietly(remote, from, ret, sizeof(*ret)) == STATUS_OK;
}

/* Word at `from` equals `expected`. */
static int is_word(struct remote *remote, addr_t from, uint64_t expected)
{
    uint64_t word;
    return read_word(remote, from, &word) && word == expected;
}

static int check_type_type(struct remote *remote, const struct python_process *process,
                           const struct cpython_layout *layout)
{
    uint64_t flags, name;
    char text[5];
    return is_word(remote, process->type_type + OBJECT_TYPE, process->type_type) &&
           is_word(remote, process->type_type + TYPE_BASIC_SIZE, layout->heap_type_bytes) &&
           read_word(remote, process->type_type + TYPE_FLAGS, &flags) && (flags & TYPE_TYPE) &&
           (flags & TYPE_READY) && !(flags & TYPE_HEAP) &&
           read_word(remote, process->type_type + TYPE_NAME, &name) &&
           remote_read_quietly(remote, name, text, sizeof(text)) == STATUS_OK &&
           memcmp(text, "type", sizeof(text)) == 0;
}

/* True is an int of one digit, 1; None has a type whose type is `type`. */
static int check_singletons(struct remote *remote, const struct python_process *process,
                            const struct cpython_layout *layout)
{
    uint64_t type, words[2];
    if (process->none && !(read_word(remote, process->none + OBJECT_TYPE, &type) &&
                           is_word(remote, type + OBJECT_TYPE, process->type_type)))
        return 0;
    if (!process->true_object)
        return 1;
    if (remote_read_quietly(remote, process->true_object + OBJECT_SIZE, words, sizeof(words)) !=
        STATUS_OK)
        return 0;
    uint64_t digits = layout->int_tagged ? words[0] >> 3 : words[0];
    return digits == 1 && (uint32_t)words[1] == 1;
}

static int check_builtins(struct remote *remote, const struct python_process *process,
                          const struct cpython_layout *layout)
{
    const struct {
        enum python_builtin builtin;
        uint64_t bytes;
    } expected[] = {
        {PYTHON_INT, 24},
        {PYTHON_STR, layout->str_legacy_bytes},
        {PYTHON_DICT, DICT_BYTES},
        {PYTHON_LIST, 40},
        {PYTHON_TUPLE, layout->tuple_bytes},
        {PYTHON_SET, 200},
        {PYTHON_BYTEARRAY, layout->bytearray_bytes},
        {PYTHON_CODE, layout->code_bytes},
        {PYTHON_FRAME, layout->frame_bytes},
        {PYTHON_GENERATOR, layout->generator_bytes},
    };
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        addr_t at = process->builtins[expected[i].builtin];
        if (at && (!is_word(remote, at + OBJECT_TYPE, process->type_type) ||
                   !is_word(remote, at + TYPE_BASIC_SIZE, expected[i].bytes)))
            return 0;
    }
    return 1;
}

static enum status check_debug_offsets(struct remote *remote, const struct python_process *process,
                                       struct why *why)
{
    uint8_t front[COOKIE_BYTES];
    uint64_t version, free_threaded;
    if (process->version_hex < 0x030d0000 || !process->runtime)
        return STATUS_OK;
    if (remote_read_quietly(remote, process->runtime, front, sizeof(front)) != STATUS_OK ||
        memcmp(front, cookie, sizeof(cookie)) != 0)
        return why_fail(why, STATUS_UNSUPPORTED,
                        "process %d says it is CPython %s but lacks that version's debug offsets; "
                        "a build with a changed runtime is not supported",
                        (int)process->pid, process->version);
    memcpy(&version, front + COOKIE_VERSION, sizeof(version));
    memcpy(&free_threaded, front + COOKIE_FREE_THREADED, sizeof(free_threaded));
    if (version != process->version_hex || free_threaded != 0)
        return why_fail(
            why, STATUS_UNSUPPORTED,
            "process %d: CPython %s, but its debug offsets are those of version %#llx%s",
            (int)process->pid, process->version, (unsigned long long)version,
            free_threaded ? ", free-threaded" : "");
    return STATUS_OK;
}

static enum status check_build(const struct python_process *process,
                               const struct cpython_layout *layout, struct why *why)
{
    if (!layout)
        return why_fail(why, STATUS_UNSUPPORTED,
                        "process %d runs CPython %s, whose memory layout this version of heapfleet "
                        "does not know (it knows %s)%s",
                        (int)process->pid, process->version, cpython_layout_versions(),
                        cpython_layout_may_come(process->version_hex)
                            ? "; look for a newer heapfleet"
                            : ": that Python is too old");
    if (process->free_threaded)
        return why_fail(why, STATUS_UNSUPPORTED,
                        "process %d runs a free-threaded CPython %s, which is not supported; run "
                        "the service on the default build",
                        (int)process->pid, process->version);
    if (process->debug_build)
        return why_fail(why, STATUS_UNSUPPORTED,
                        "process %d runs a debug build of CPython %s, which is not supported; run "
                        "the service on a release build",
                        (int)process->pid, process->version);
    return STATUS_OK;
}

static enum status absent(const struct python_process *process, struct why *why)
{
    return why_fail(why, STATUS_UNAVAILABLE,
                    "process %d (CPython %s) is swapped out, and nothing of it is read before it "
                    "is back in memory",
                    (int)process->pid, process->version);
}

enum status layout_check(struct remote *remote, const struct python_process *process,
                         const struct cpython_layout **ret, struct why *why)
{
    const struct cpython_layout *layout = cpython_layout_find(process->version_hex);
    enum status status = check_build(process, layout, why);
    if (status == STATUS_OK)
        status = check_debug_offsets(remote, process, why);
    if (status != STATUS_OK)
        return remote_lacked(remote) ? absent(process, why) : status;
    if (!check_type_type(remote, process, layout) || !check_singletons(remote, process, layout) ||
        !check_builtins(remote, process, layout)) {
        if (remote_state(remote) != STATUS_OK)
            return why_fail(why, remote_state(remote),
                            "process %d: its memory cannot be read any more", (int)process->pid);
        if (remote_lacked(remote))
            return absent(process, why);
        return why_fail(
            why, STATUS_UNSUPPORTED,
            "process %d says it is CPython %s but is laid out differently; a build with "
            "changed object layouts is not supported",
            (int)process->pid, process->version);
    }
    *ret = layout;
    return STATUS_OK;
}
