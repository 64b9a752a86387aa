/*
 * Runs rounds of keep_house (store/keep_house.h) one after the other, on a thread and a database
 * connection of its own: compaction, retention, partitions ahead of time.
 *
 * All functions on the loop's thread.
 */
#ifndef COLLECTOR_HOUSEKEEPER_H
#define COLLECTOR_HOUSEKEEPER_H

#include <stdint.h>

#include "keep_house.h"
#include "loop.h"

struct housekeeper;

/* The first round begins at once. `dsn` as for db_open, copied. A database that is away is tried
 * again each time. */
struct housekeeper *housekeeper_new(struct loop *loop, const char *dsn,
                                    const struct keep_house_config *config, int64_t every_ms);

/* Waits for the round that is under way. Before the loop's end. NULL is fine. */
void housekeeper_free(struct housekeeper *housekeeper);

#endif
