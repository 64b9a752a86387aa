/*
 * The whole fleet at a glance: every process of every service, with as few statements as if there
 * were one service.
 *
 * Nearly all that live were seen within the last quarter of an hour: two short index scans a
 * process find that. The others are looked up thoroughly only where that may change what is said
 * of their service.
 */
#ifndef COLLECTOR_STORE_GLANCE_H
#define COLLECTOR_STORE_GLANCE_H

#include "store.h"

/* Of `instance`, the uuid and the types are left out. */
struct process_glance {
    int64_t service_id;
    struct instance_row instance;
};

/*
 * By service. An end stands here unless a snapshot of the last quarter of an hour belies it, and
 * last_seen_ms of a process that ended is 0 where another one of its service was seen later.
 */
enum status glance_processes(struct db *db, int64_t now_ms, struct arena *arena,
                             struct process_glance **ret, size_t *ret_count,
                             struct why *why) MUST_CHECK;

/* The same, all of it, a service after the other. glance_processes does it where the statement over
 * all services fails: Citus does not take it over facts that are distributed. */
enum status glance_by_service(struct db *db, struct arena *arena, struct process_glance **ret,
                              size_t *ret_count, struct why *why) MUST_CHECK;

struct version_glance {
    int64_t service_id, deployment_id;
    const char *version;
};

/* The deployments of all services, by service and id. */
enum status glance_versions(struct db *db, struct arena *arena, struct version_glance **ret,
                            size_t *ret_count, struct why *why) MUST_CHECK;

struct finding_glance {
    int64_t service_id;
    uint32_t open; /* suspect or worse; muted and acknowledged ones too */
};

/* Of the services that have any. */
enum status glance_findings(struct db *db, struct arena *arena, struct finding_glance **ret,
                            size_t *ret_count, struct why *why) MUST_CHECK;

#endif
