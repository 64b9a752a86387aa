/*
 * Which CPython: from the text that Py_GetVersion() composed when the interpreter started,
 * "3.11.7 (main, Dec 10 2026, 12:00:00) [GCC 12.2.0]", which lies in a zeroed static buffer.
 */
#ifndef AGENT_DISCOVER_PYTHON_VERSION_H
#define AGENT_DISCOVER_PYTHON_VERSION_H

#include <stddef.h>
#include <stdint.h>

#include "attributes.h"

enum { PYTHON_VERSION_BYTES = 32, PYTHON_VERSION_TEXT_BYTES = 300 };

struct python_version {
    uint32_t hex;                    /* PY_VERSION_HEX */
    char text[PYTHON_VERSION_BYTES]; /* up to the first blank */
    int free_threaded;
};

/* `text` (`size` bytes, need not be terminated) starts with such a text: 1 and `ret`, else 0. */
int python_version_parse(const char *text, size_t size, struct python_version *ret) MUST_CHECK;

/* The first place in a zero-terminated stretch of memory where such a text starts. Pure. */
int python_version_search(const char *memory, size_t size, struct python_version *ret) MUST_CHECK;

#endif
