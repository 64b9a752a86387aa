/*
 * The interpreter's data stack (CPython 3.11 and later): chunks of interpreter frames, each a
 * mapping of its own. A frame is no object, but {a small number, the class in the first local
 * variable} in it, live or stale, looks like an instance of that class.
 *
 *     previous chunk | bytes of this chunk | words used below the top | frames ..
 *     (struct _stack_chunk of CPython's Include/cpython/pystate.h)
 */
#ifndef AGENT_CENSUS_DATA_STACK_H
#define AGENT_CENSUS_DATA_STACK_H

#include <stddef.h>
#include <stdint.h>

enum { DATA_STACK_HEAD_BYTES = 24 };

/* Size of the chunk that begins with these DATA_STACK_HEAD_BYTES of a page; 0: it is none. */
size_t data_stack_chunk_bytes(const uint8_t *head);

#endif
