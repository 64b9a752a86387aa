/* The processes of one stream, by the agent's numbers for them. */
#ifndef COLLECTOR_INGEST_PROCESS_TABLE_H
#define COLLECTOR_INGEST_PROCESS_TABLE_H

#include <stdint.h>

#include "tracked_process.h"

struct process_table {
    struct tracked_process **items; /* ascending by number; owned, as are they */
    uint32_t count;
};

void process_table_done(struct process_table *table);
struct tracked_process *process_table_find(const struct process_table *table, uint32_t number);
/* The one that is stored under this id, unless nothing of it is taken. */
struct tracked_process *process_table_find_instance(const struct process_table *table,
                                                    int64_t instance_id);
/* Whether one is of this service, of which anything is taken. */
int process_table_has_service(const struct process_table *table, int64_t service_id);
/* There is none of its number (asserted). */
void process_table_add(struct process_table *table, struct tracked_process *process);
/* Frees it. */
void process_table_remove(struct process_table *table, struct tracked_process *process);

#endif
