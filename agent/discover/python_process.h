/*
 * Is this process a CPython, which one, and where are its landmarks? From /proc/PID/maps and the
 * dynamic symbols of its modules, read from its memory; nothing of it runs, and no page of it is
 * made present: what is not is read from the module's file.
 */
#ifndef AGENT_DISCOVER_PYTHON_PROCESS_H
#define AGENT_DISCOVER_PYTHON_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

#include "addr.h"
#include "status.h"
#include "why.h"

/* Built-in types whose addresses serve to check a layout (cpython/layout_check.h). */
enum python_builtin {
    PYTHON_INT,
    PYTHON_STR,
    PYTHON_DICT,
    PYTHON_LIST,
    PYTHON_TUPLE,
    PYTHON_SET,
    PYTHON_BYTEARRAY,
    PYTHON_CODE,
    PYTHON_FRAME,
    PYTHON_GENERATOR,
    PYTHON_BUILTINS, /* how many */
};

struct python_process {
    pid_t pid;
    uint64_t start_ticks;             /* /proc/PID/stat field 22: with pid and boot, the identity */
    uint64_t image;                   /* of struct proc_stat: which program it runs; 0: unknown */
    uint32_t version_hex;             /* PY_VERSION_HEX: 0x030b07f0 */
    char version[32];                 /* "3.11.7", "3.14.0rc2", "3.13.0+" */
    addr_t type_type;                 /* &PyType_Type */
    addr_t runtime;                   /* &_PyRuntime, 0 if not found */
    addr_t none;                      /* &_Py_NoneStruct, 0 if not found */
    addr_t true_object;               /* &_Py_TrueStruct, 0 if not found */
    addr_t builtins[PYTHON_BUILTINS]; /* &PyLong_Type .., 0 if not found */
    int debug_build;                  /* Py_DEBUG / Py_REF_DEBUG: refused by the census */
    int debug_allocator;              /* PYTHONMALLOC=debug, -X dev: a header before each object */
    int free_threaded;                /* Py_GIL_DISABLED: refused by the census */
};

/*
 * STATUS_NOT_FOUND: no such process. UNSUPPORTED: not a CPython (`why` says what it is), or one
 * whose landmarks cannot be found. UNAVAILABLE: one that has not yet started its interpreter, or
 * whose facts are swapped out; try again. DENIED: may not look; `why` names the remedy. GONE: ended
 * meanwhile.
 */
enum status python_process_find(pid_t pid, struct python_process *ret, struct why *why) MUST_CHECK;

/* Set `start_ticks` and `image` to what the process at `pid` has now. NOT_FOUND when there is none;
 * otherwise like proc_read. */
enum status python_process_identify(struct python_process *process) MUST_CHECK;

/* GONE: the pid is no longer the process, or the process no longer the program, that was found.
 * DENIED, LIMIT, FAILED: it cannot be told. */
enum status python_process_check(const struct python_process *process, struct why *why) MUST_CHECK;

#endif
