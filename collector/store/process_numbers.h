/*
 * What a snapshot says of its process as a whole, packed as heapfleet.snap_delta.process holds it:
 * ten LEB128 varints, in the order of the struct. Pure.
 */
#ifndef COLLECTOR_STORE_PROCESS_NUMBERS_H
#define COLLECTOR_STORE_PROCESS_NUMBERS_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "status.h"
#include "why.h"

enum process_number {
    PROCESS_OBJECTS, /* of all types together */
    PROCESS_BYTES,
    PROCESS_RSS_ANON, /* 0: unknown */
    PROCESS_SWAP,
    PROCESS_CONTAINER_USAGE,
    PROCESS_CONTAINER_LIMIT, /* 0: none */
    PROCESS_NOT_OBJECTS,
    PROCESS_CPU_MS,
    PROCESS_COVERAGE, /* in 1/10000 */
    PROCESS_DROPPED,
    PROCESS_NUMBERS
};

struct process_numbers {
    uint64_t of[PROCESS_NUMBERS];
};

void process_numbers_pack(const struct process_numbers *numbers, struct buf *ret);

/* INVALID: not ten varints, or bytes follow them. */
enum status process_numbers_unpack(const uint8_t *data, size_t size, struct process_numbers *ret,
                                   struct why *why) MUST_CHECK;

#endif
