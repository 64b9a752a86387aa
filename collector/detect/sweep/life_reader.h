/*
 * The floors of one process, read from the database.
 *
 * The floor of a bin is the second-lowest snapshot in it, which survives a torn one, or the lowest
 * of fewer than four.
 */
#ifndef COLLECTOR_DETECT_SWEEP_LIFE_READER_H
#define COLLECTOR_DETECT_SWEEP_LIFE_READER_H

#include <stdint.h>

#include "detect.h"
#include "status.h"
#include "store.h"
#include "why.h"

/* Which bins of an uptime the database is asked for. */
struct life_span {
    uint32_t first_bin;
    uint32_t bins; /* complete ones; 0: nothing to read */
};

/* Those from the start to the newest snapshot, at most the newest `bins_max`. */
struct life_span life_span_of(const struct instance_row *instance, double bin_ms,
                              uint32_t bins_max);

/* What the newest snapshot says of its container; 0: unknown. */
struct life_memory {
    uint64_t usage_bytes;
    uint64_t limit_bytes;
};

/* What is wanted of a life. */
struct life_request {
    int64_t service_id;
    const struct instance_row *instance;
    struct life_span span;
    double bin_ms;
    const uint32_t *rows; /* [instance->type_count]: where a type of the process goes */
    uint32_t type_count;  /* rows there are */
};

/*
 * Fill `floors`, [type_count * span.bins]. A bin without a snapshot is NaN; a type that the process
 * does not have is 0.
 */
enum status life_read_floors(struct db *db, const struct life_request *request,
                             struct detect_floor *floors, struct life_memory *ret,
                             struct why *why) MUST_CHECK;

#endif
