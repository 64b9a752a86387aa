/* What a look-up of a process found, for the files that open one and many. */
#ifndef COLLECTOR_STORE_INSTANCE_FOUND_H
#define COLLECTOR_STORE_INSTANCE_FOUND_H

#include "db.h"

struct instance_found {
    int64_t service_id, deployment_id, instance_id; /* 0: not there */
    int64_t instance_deployment_id, clock_behind_ms;
    uint64_t agent_from;
    int is_same_agent;
    int is_new; /* we have just created it */
};

/* Of service s, deployment d and instance i; whether it is the same agent's comes behind them. */
#define FOUND_COLUMNS "s.id, d.id, i.id, i.deployment_id, i.clock_behind_ms, i.agent_from"

struct instance_found instance_found_read(const struct pg_rows *rows, int row, int column);

/* The process of `identity` was not there, and now is. */
void instance_found_new(struct instance_found *found, int64_t instance_id,
                        const struct process_identity *identity);

/* instance_open from there on. */
enum status instance_found_open(struct db *db, const struct process_identity *identity,
                                const struct instance_found *before, struct instance_state *ret,
                                struct why *why) MUST_CHECK;

#endif
