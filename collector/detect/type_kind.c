/*
 * The top-level names of Python's standard library (sys.stdlib_module_names of 3.11 and 3.13), in
 * the order of strcmp. A name that is missing here is taken for the program's own: a finding then
 * names a library class first, which is a blemish and not an error.
 */
#include "type_kind.h"

#include <stdlib.h>
#include <string.h>

#include "attributes.h"

/* clang-format off */
static const char *const library_modules[] = {
    "__future__", "_abc", "_aix_support", "_android_support", "_ast", "_asyncio", "_bisect",
    "_blake2", "_bootsubprocess", "_bz2", "_codecs", "_codecs_cn", "_codecs_hk", "_codecs_iso2022",
    "_codecs_jp", "_codecs_kr", "_codecs_tw", "_collections", "_collections_abc", "_colorize",
    "_compat_pickle", "_compression", "_contextvars", "_crypt", "_csv", "_ctypes", "_curses",
    "_curses_panel", "_datetime", "_dbm", "_decimal", "_elementtree", "_frozen_importlib",
    "_frozen_importlib_external", "_functools", "_gdbm", "_hashlib", "_heapq", "_imp",
    "_interpchannels", "_interpqueues", "_interpreters", "_io", "_ios_support", "_json", "_locale",
    "_lsprof", "_lzma", "_markupbase", "_md5", "_msi", "_multibytecodec", "_multiprocessing",
    "_opcode", "_opcode_metadata", "_operator", "_osx_support", "_overlapped", "_pickle",
    "_posixshmem", "_posixsubprocess", "_py_abc", "_pydatetime", "_pydecimal", "_pyio", "_pylong",
    "_pyrepl", "_queue", "_random", "_scproxy", "_sha1", "_sha2", "_sha256", "_sha3", "_sha512",
    "_signal", "_sitebuiltins", "_socket", "_sqlite3", "_sre", "_ssl", "_stat", "_statistics",
    "_string", "_strptime", "_struct", "_suggestions", "_symtable", "_sysconfig", "_thread",
    "_threading_local", "_tkinter", "_tokenize", "_tracemalloc", "_typing", "_uuid", "_warnings",
    "_weakref", "_weakrefset", "_winapi", "_wmi", "_zoneinfo", "abc", "aifc", "argparse", "array",
    "ast", "asynchat", "asyncio", "asyncore", "atexit", "audioop", "base64", "bdb", "binascii",
    "bisect", "builtins", "bz2", "cProfile", "calendar", "cgi", "cgitb", "chunk", "cmath", "cmd",
    "code", "codecs", "codeop", "collections", "colorsys", "compileall", "concurrent",
    "configparser", "contextlib", "contextvars", "copy", "copyreg", "crypt", "csv", "ctypes",
    "curses", "dataclasses", "datetime", "dbm", "decimal", "difflib", "dis", "distutils",
    "doctest", "email", "encodings", "ensurepip", "enum", "errno", "faulthandler", "fcntl",
    "filecmp", "fileinput", "fnmatch", "fractions", "ftplib", "functools", "gc", "genericpath",
    "getopt", "getpass", "gettext", "glob", "graphlib", "grp", "gzip", "hashlib", "heapq", "hmac",
    "html", "http", "imaplib", "imghdr", "imp", "importlib", "inspect", "io", "ipaddress",
    "itertools", "json", "keyword", "lib2to3", "linecache", "locale", "logging", "lzma", "mailbox",
    "mailcap", "marshal", "math", "mimetypes", "mmap", "modulefinder", "msilib", "msvcrt",
    "multiprocessing", "netrc", "nis", "nntplib", "nt", "ntpath", "nturl2path", "numbers",
    "opcode", "operator", "optparse", "os", "ossaudiodev", "pathlib", "pdb", "pickle",
    "pickletools", "pipes", "pkgutil", "platform", "plistlib", "poplib", "posix", "posixpath",
    "pprint", "profile", "pstats", "pty", "pwd", "py_compile", "pyclbr", "pydoc", "pydoc_data",
    "pyexpat", "queue", "quopri", "random", "re", "readline", "reprlib", "resource", "rlcompleter",
    "runpy", "sched", "secrets", "select", "selectors", "shelve", "shlex", "shutil", "signal",
    "site", "smtpd", "smtplib", "sndhdr", "socket", "socketserver", "spwd", "sqlite3",
    "sre_compile", "sre_constants", "sre_parse", "ssl", "stat", "statistics", "string",
    "stringprep", "struct", "subprocess", "sunau", "symtable", "sys", "sysconfig", "syslog",
    "tabnanny", "tarfile", "telnetlib", "tempfile", "termios", "textwrap", "threading", "time",
    "timeit", "tkinter", "token", "tokenize", "tomllib", "trace", "traceback", "tracemalloc",
    "tty", "turtle", "turtledemo", "types", "typing", "unicodedata", "unittest", "urllib", "uu",
    "uuid", "venv", "warnings", "wave", "weakref", "webbrowser", "winreg", "winsound", "wsgiref",
    "xdrlib", "xml", "xmlrpc", "zipapp", "zipfile", "zipimport", "zlib", "zoneinfo",
};

/* Of the built-ins, and modules of the library whose classes hold or say something for others. */
static const char *const plain_names[] = {
    "Context", "NoneType", "bool", "bytearray", "bytes", "cell", "complex", "dict", "float",
    "frozenset", "hamt", "int", "list", "managedbuffer", "memoryview", "object", "range", "set",
    "slice", "str", "tuple", "weakcallableproxy", "weakproxy", "weakref",
};
static const char *const container_names[] = {"dict", "frozenset", "list", "set", "tuple"};
/* What a person looks for by this name; beside it the built-in errors, by how they end. */
static const char *const telling_names[] = {
    "async_generator", "coroutine", "generator", "module", "type",
};
static const char *const telling_endings[] = {"Error", "Exception", "ExceptionGroup", "Warning"};
/* The library's metaclasses: whose instances are classes. */
static const char *const metaclass_names[] = {"abc.ABCMeta", "enum.EnumMeta", "enum.EnumType"};
static const char *const leaf_names[] = {
    "_io.BytesIO", "_io.StringIO", "array.array", "bytearray", "bytes", "int", "mmap.mmap",
    "numpy.ndarray", "str",
};
static const char *const plain_modules[] = {
    "_abc", "_collections", "_contextvars", "_datetime", "_decimal", "_frozen_importlib",
    "_frozen_importlib_external", "_functools", "_operator", "_pydatetime", "_pydecimal", "_queue", "_struct",
    "_thread", "_weakref", "_weakrefset", "array", "collections", "contextvars", "dataclasses",
    "datetime", "decimal", "enum", "fractions", "functools", "importlib", "operator", "struct",
    "types", "uuid", "weakref",
};
/* Of other modules of the library: what their classes are built with. */
static const char *const plain_library_names[] = {
    "asyncio.locks.BoundedSemaphore", "asyncio.locks.Condition",
    "asyncio.locks.Event", "asyncio.locks.Lock", "asyncio.locks.Semaphore", "inspect.Parameter",
    "inspect.Signature", "threading.BoundedSemaphore", "threading.Condition", "threading.Event",
    "threading.Semaphore",
};
/* clang-format on */

struct span {
    const char *text;
    size_t size;
};

static int compare_name(const void *key, const void *element)
{
    return strcmp(key, *(const char *const *)element);
}

static int compare_module(const void *key, const void *element)
{
    const struct span *module = key;
    const char *name = *(const char *const *)element;
    int order = strncmp(module->text, name, module->size);
    if (order != 0)
        return order;
    return name[module->size] == '\0' ? 0 : -1;
}

static int is_one_of(const char *name, const char *const *names, size_t count)
{
    return bsearch(name, names, count, sizeof(*names), compare_name) != NULL;
}

int type_is_leaf(const char *name)
{
    return is_one_of(name, leaf_names, ARRAY_SIZE(leaf_names));
}

int type_is_container(const char *name)
{
    return is_one_of(name, container_names, ARRAY_SIZE(container_names));
}

static int has_module_of(const char *name, const char *dot, const char *const *modules,
                         size_t count)
{
    const struct span module = {name, (size_t)(dot - name)};
    return bsearch(&module, modules, count, sizeof(*modules), compare_module) != NULL;
}

enum type_kind type_kind_of(const char *name)
{
    if (name[0] == '\0' || name[0] == '(')
        return TYPE_NONE;
    const char *dot = strchr(name, '.');
    if (dot == NULL)
        return TYPE_BUILT_IN;
    return has_module_of(name, dot, library_modules, ARRAY_SIZE(library_modules)) ? TYPE_LIBRARY
                                                                                  : TYPE_USER;
}

int type_is_plain(const char *name)
{
    const char *dot = strchr(name, '.');
    if (dot == NULL)
        return is_one_of(name, plain_names, ARRAY_SIZE(plain_names));
    return has_module_of(name, dot, plain_modules, ARRAY_SIZE(plain_modules)) ||
           is_one_of(name, plain_library_names, ARRAY_SIZE(plain_library_names));
}

static int is_telling_built_in(const char *name)
{
    if (is_one_of(name, telling_names, ARRAY_SIZE(telling_names)))
        return 1;
    size_t size = strlen(name);
    for (size_t i = 0; i < ARRAY_SIZE(telling_endings); i++) {
        size_t ending = strlen(telling_endings[i]);
        if (size >= ending && strcmp(name + size - ending, telling_endings[i]) == 0)
            return 1;
    }
    return 0;
}

enum type_rank type_rank_of(const char *name)
{
    switch (type_kind_of(name)) {
    case TYPE_NONE:
        return TYPE_RANK_NONE;
    case TYPE_BUILT_IN:
        return is_telling_built_in(name) ? TYPE_RANK_BUILT_IN_TELLING : TYPE_RANK_BUILT_IN;
    case TYPE_LIBRARY:
        if (is_one_of(name, metaclass_names, ARRAY_SIZE(metaclass_names)))
            return TYPE_RANK_BUILT_IN_TELLING;
        return type_is_plain(name) ? TYPE_RANK_LIBRARY_PLAIN : TYPE_RANK_LIBRARY;
    case TYPE_USER:
        break;
    }
    return TYPE_RANK_USER;
}
