/* Rollups as rows of heapfleet.deployment_hour and heapfleet.hour_group. */
#ifndef COLLECTOR_STORE_ROLLUP_ROW_H
#define COLLECTOR_STORE_ROLLUP_ROW_H

#include "db.h"
#include "rollup.h"

/* Within a transaction: these rows, and no others, are the slot's. */
enum status rollup_rows_replace(struct db *db, int64_t service_id, int64_t slot_ms,
                                const struct rollup_deployment *deployments, size_t count,
                                struct why *why) MUST_CHECK;

#endif
