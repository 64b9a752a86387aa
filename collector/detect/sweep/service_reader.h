/*
 * One service as the detector wants it, read from the database within the bounds of fleet_sweep.h.
 */
#ifndef COLLECTOR_DETECT_SWEEP_SERVICE_READER_H
#define COLLECTOR_DETECT_SWEEP_SERVICE_READER_H

#include "arena.h"
#include "fleet_sweep.h"
#include "life_reader.h"

struct service_view {
    struct detect_service service;    /* life_count 0: nothing recent, nothing to judge */
    const struct life_memory *memory; /* [life_count] */
};

/* Everything lives in `arena`. LIMIT: the service is too large for it. */
enum status service_read(struct db *db, const struct detect_config *config, int64_t service_id,
                         int64_t now_ms, struct arena *arena, struct service_view *ret,
                         struct why *why) MUST_CHECK;

#endif
