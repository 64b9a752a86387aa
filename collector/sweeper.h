/*
 * Runs sweeps (detect/sweep) one after the other, on a thread and a database connection of its own.
 * A sweep that takes longer than the time between two is not overtaken; the next one is late.
 *
 * All functions on the loop's thread.
 */
#ifndef COLLECTOR_SWEEPER_H
#define COLLECTOR_SWEEPER_H

#include <stdint.h>

#include "fleet_sweep.h"
#include "loop.h"
#include "metrics.h"

struct sweeper;

/* Counts what sweep_lost does; for sweeper_new. */
struct metric *sweeper_add_metrics(struct metrics *metrics);

/* Starts at once. `dsn` as for db_open, copied. A database that is away is tried again each time.
 */
struct sweeper *sweeper_new(struct loop *loop, const char *dsn, const struct detect_config *config,
                            int64_t every_ms, struct metric *lost);

/* Ends the sweep that is under way, and gives its services to others. Before the loop's end. NULL
 * is fine. */
void sweeper_free(struct sweeper *sweeper);

#endif
