/* An address in another process: an integer, so that nobody can dereference it. */
#ifndef AGENT_REMOTE_ADDR_H
#define AGENT_REMOTE_ADDR_H

#include <stdint.h>

typedef uint64_t addr_t;

#endif
