/*
 * What a snapshot says of its process as a whole, packed as heapfleet.snap_delta.process holds it:
 * LEB128 varints in the order below. What is new goes to the end; rows of before have the first ten
 * of them only, and the rest reads as 0. Pure.
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
    PROCESS_POOLS,     /* bytes in pools of CPython's allocator .. */
    PROCESS_POOL_FREE, /* .. and those of them that hold nothing */
    PROCESS_MALLOC_FREE,
    PROCESS_PSS, /* 0: unknown */
    PROCESS_NUMBERS,
    PROCESS_NUMBERS_ONCE = PROCESS_POOLS /* every row has */
};

struct process_numbers {
    uint64_t of[PROCESS_NUMBERS];
};

void process_numbers_pack(const struct process_numbers *numbers, struct buf *ret);

/* INVALID: fewer than PROCESS_NUMBERS_ONCE varints, one cut off, or bytes behind the last. */
enum status process_numbers_unpack(const uint8_t *data, size_t size, struct process_numbers *ret,
                                   struct why *why) MUST_CHECK;

#endif
