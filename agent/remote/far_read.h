/*
 * Many small places of a process with few system calls: places that lie near each other become one
 * range, and up to REMOTE_GATHER_MAX ranges one call. What is not present is not read.
 */
#ifndef AGENT_REMOTE_FAR_READ_H
#define AGENT_REMOTE_FAR_READ_H

#include "present_map.h"

enum {
    FAR_BYTES = 1 << 18, /* read by one call, at most */
    FAR_PLACE_BYTES_MAX = 256,
};

struct far_place {
    addr_t at;
    uint32_t size;  /* at most FAR_PLACE_BYTES_MAX */
    uint32_t index; /* the caller's */
};

/* The `size` bytes of a place, valid during the call. Not called for a place that cannot be read.
 */
typedef void far_fn(void *user, const struct far_place *place, const uint8_t *bytes);

struct far_reader {
    const struct present_map *present; /* the caller's */
    uint64_t read_bytes;
    uint8_t bytes[FAR_BYTES];
};

/* Calls `fn` for the places in the order of their addresses. Sorts `places`, and drops some. */
void far_read(struct far_reader *reader, struct far_place *places, size_t count, far_fn *fn,
              void *user);

#endif
