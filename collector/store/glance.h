/*
 * The whole fleet at a glance, with as few statements as if there were one service, and without
 * looking at each process that ever was.
 *
 * Nearly all that live were seen within the last quarter of an hour: one short index scan a process
 * finds that. The others are looked up thoroughly only where that may change what is said of their
 * service.
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
 * Of these services, which are all: those that have not ended, those that were seen within the last
 * quarter of an hour, and of a service none of which was, all. An end stands here unless a snapshot
 * of that quarter belies it.
 */
enum status glance_processes(struct db *db, int64_t now_ms, const struct service_row *services,
                             size_t service_count, struct arena *arena, struct process_glance **ret,
                             size_t *ret_count, struct why *why) MUST_CHECK;

/* All of them, a service after the other. glance_processes does it where the statement over
 * all services fails: Citus does not take it over facts that are distributed. */
enum status glance_by_service(struct db *db, struct arena *arena, struct process_glance **ret,
                              size_t *ret_count, struct why *why) MUST_CHECK;

struct version_glance {
    int64_t service_id, deployment_id;
    const char *version;
    int64_t first_seen_ms; /* when the first of its processes started; 0: it has none */
    uint32_t instances;
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

/* Asks ahead (db_ask_ahead) for what the services, and what is above, are read with. */
void glance_ask(struct db *db, int64_t now_ms);

#endif
