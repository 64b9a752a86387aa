/*
 * The landmarks of a CPython that exports none: linked into a program without its symbols, or into
 * one that has no dynamic section at all. They are found by what they are. The type of types is the
 * one object that is its own type and is called "type"; a built-in type is an object of that type
 * with a known name; None and True are objects of theirs.
 *
 * Holds for every release build with a GIL: an object begins with its count, its type, its size,
 * and a type's name follows (Include/object.h, Include/cpython/object.h; unchanged from 3.8 to
 * 3.15).
 */
#ifndef AGENT_DISCOVER_LANDMARKS_H
#define AGENT_DISCOVER_LANDMARKS_H

#include <stddef.h>

#include "python_process.h"
#include "remote.h"
#include "status.h"

/* Look through the present data of a program's mappings. Sets the addresses of `ret` that are
 * found; NOT_FOUND when there is no type of types. */
enum status landmarks_search(struct remote *remote, const struct remote_range *data, size_t count,
                             struct python_process *ret) MUST_CHECK;

#endif
