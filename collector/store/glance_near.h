/*
 * Who was seen just now, for glance.c: found where there are hot rows, by one probe of their key
 * for each process that has not ended.
 */
#ifndef COLLECTOR_STORE_GLANCE_NEAR_H
#define COLLECTOR_STORE_GLANCE_NEAR_H

#include "db.h"
#include "glance.h"

/* A process's newest snapshot, if that was near. */
struct sighting {
    int64_t service_id, instance_id;
    int64_t time_ms, before_ms; /* before_ms: of the one before it, if that was near; else 0 */
    const uint8_t *process;     /* process_numbers.h */
    size_t process_size;
};

struct glance_near {
    struct process_glance *open; /* that have not ended, by key; nothing is seen of them yet */
    size_t open_count;
    struct sighting *seen; /* by key; they may have ended */
    size_t seen_count;
    struct pg_rows rows[3]; /* that these were read from */
};

/* Near is what is not before `from_ms`; what is later than `now_ms`, too. FAILED: Citus does not
 * take a statement over facts that are distributed. glance_near_done(ret) in any case. */
enum status glance_near_read(struct db *db, int64_t from_ms, int64_t now_ms,
                             struct glance_near *ret, struct why *why) MUST_CHECK;
/* While asking ahead is on: what the reading begins with. */
void glance_near_ask(struct db *db, int64_t from_ms, int64_t now_ms);
void glance_near_done(struct glance_near *near); /* {0} is fine */

/* By service and process. */
int glance_compare(int64_t service_id, int64_t instance_id, int64_t other_service_id,
                   int64_t other_instance_id);

#endif
