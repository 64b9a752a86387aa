/*
 * The partitions of the levels of history (schema/0002_history.sql). They are made ahead of time by
 * whoever keeps house, and on demand by a writer that misses one.
 */
#ifndef COLLECTOR_STORE_PARTITIONS_H
#define COLLECTOR_STORE_PARTITIONS_H

#include "db.h"

#define MS_PER_HOUR ((int64_t)3600 * 1000)
#define MS_PER_DAY (24 * MS_PER_HOUR)
#define MS_PER_SLOT (4 * MS_PER_HOUR)

/* Make the partitions of `level` that hold these times, in the transaction that is open or one of
 * its own. Any number of collectors may; what exists is left alone. */
enum status partitions_make(struct db *db, const char *level, const int64_t *times_ms, size_t count,
                            struct why *why) MUST_CHECK;

#endif
