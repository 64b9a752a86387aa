/*
 * The same schema, distributed by service on a Citus cluster: facts are sharded by service_id and
 * lie together, tables that name things are copied to every node, the work of compaction stays on
 * the coordinator.
 */
#ifndef COLLECTOR_STORE_CITUS_H
#define COLLECTOR_STORE_CITUS_H

#include "store.h"

struct pg;

/* Has the database the extension, whatever is distributed? */
enum status citus_is_there(struct pg *pg, int *ret, struct why *why) MUST_CHECK;

/*
 * Distribute what is not distributed yet, in one transaction; to be run after migrate_up, and again
 * after an upgrade that brings new tables. FAILED where the extension is not there.
 */
enum status citus_distribute(struct db *db, struct why *why) MUST_CHECK;

#endif
