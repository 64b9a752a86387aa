/*
 * A service's name from the arguments of its process, when nothing better names it: the script
 * ("shop/worker.py" -> "worker"), the module after -m, and for a well-known launcher the
 * application it was asked to run ("gunicorn -w 4 shop.wsgi:app" -> "shop").
 */
#ifndef AGENT_DISCOVER_SERVICE_NAME_H
#define AGENT_DISCOVER_SERVICE_NAME_H

#include <stddef.h>

#include "arena.h"

/*
 * `arguments` as in /proc/PID/cmdline. NULL when they tell nothing, or when the arena is full. The
 * result is not yet checked to be acceptable text.
 */
const char *service_name_of_arguments(const char *arguments, size_t size, struct arena *arena);

#endif
