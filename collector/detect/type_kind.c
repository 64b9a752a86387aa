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
    "NoneType", "bool", "bytearray", "bytes", "cell", "complex", "dict", "float", "frozenset",
    "int", "list", "memoryview", "object", "range", "set", "slice", "str", "tuple",
};
static const char *const leaf_names[] = {
    "_io.BytesIO", "_io.StringIO", "array.array", "bytearray", "bytes", "int", "mmap.mmap",
    "numpy.ndarray", "str",
};
static const char *const plain_modules[] = {
    "_collections", "_contextvars", "_datetime", "_decimal", "_functools", "_operator",
    "_pydatetime", "_pydecimal", "_struct", "_thread", "_weakref", "_weakrefset", "array",
    "collections", "contextvars", "datetime", "decimal", "enum", "fractions", "functools",
    "operator", "struct", "types", "uuid", "weakref",
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

int type_is_leaf(const char *name)
{
    return bsearch(name, leaf_names, ARRAY_SIZE(leaf_names), sizeof(leaf_names[0]), compare_name) !=
           NULL;
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
        return bsearch(name, plain_names, ARRAY_SIZE(plain_names), sizeof(plain_names[0]),
                       compare_name) != NULL;
    return has_module_of(name, dot, plain_modules, ARRAY_SIZE(plain_modules));
}
