/*
 * One unit of compaction: a slot of four hours of one service, or a day of it, within a transaction
 * of the caller (keep_house.c, which says how the work is shared).
 */
#ifndef COLLECTOR_STORE_COMPACT_H
#define COLLECTOR_STORE_COMPACT_H

#include "db.h"

/* What compact_slot found and did. */
struct compact_counts {
    uint64_t hot_rows, chunks, snapshots;
    uint64_t lost; /* hot rows whose base is nowhere: they cannot be decoded, and go */
    uint64_t
        forgotten; /* those of processes that somebody took out of the database: they go, too */
};

/* Read the slot's hot rows, and replace its chunks and rollups by what they and the chunks that are
 * there say together. */
enum status compact_slot(struct db *db, int64_t service_id, int64_t slot_ms,
                         struct compact_counts *ret, struct why *why) MUST_CHECK;

/* Replace heap_day of one day of a service by what hour_group says. */
enum status compact_day(struct db *db, int64_t service_id, int64_t day_ms,
                        struct why *why) MUST_CHECK;

#endif
