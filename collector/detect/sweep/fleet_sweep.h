/*
 * Feeds the detector from the database and stores what it finds, for every service in turn.
 *
 * Nothing is remembered between two sweeps: a collector that was restarted, or another one, comes
 * to the same findings. Blocks; the connection is the caller's and not used by others meanwhile.
 *
 * What is read of a service: its SWEEP_VERSIONS_MAX newest versions, of each the
 * SWEEP_LIVES_MAX processes that have been up longest, of each the newest SWEEP_HORIZONS
 * horizons; fewer of them when their floors would take more than SWEEP_FLOOR_BYTES_MAX.
 */
#ifndef COLLECTOR_DETECT_SWEEP_FLEET_SWEEP_H
#define COLLECTOR_DETECT_SWEEP_FLEET_SWEEP_H

#include <stdint.h>

#include "detect.h"
#include "status.h"
#include "store.h"
#include "why.h"

enum {
    SWEEP_VERSIONS_MAX = 12,
    SWEEP_LIVES_MAX = 64,
    SWEEP_HORIZONS = 4,
    SWEEP_FLOOR_BYTES_MAX = 256 << 20,
};

/*
 * A service without a process seen in the newest SWEEP_HORIZONS horizons keeps its findings as they
 * are. One that is too large to read is left out, and the others are swept; the status is then
 * LIMIT. UNAVAILABLE and FAILED as in store.h, at once.
 */
enum status sweep_run(struct db *db, const struct detect_config *config, int64_t now_ms,
                      struct why *why) MUST_CHECK;

#endif
