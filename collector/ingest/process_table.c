#include "process_table.h"

#include <stdlib.h>
#include <string.h>

void process_table_done(struct process_table *table)
{
    for (uint32_t i = 0; i < table->count; i++)
        tracked_process_free(table->items[i]);
    free(table->items);
    *table = (struct process_table){.items = NULL};
}

/* Where the number is, or belongs. */
static uint32_t position(const struct process_table *table, uint32_t number)
{
    uint32_t low = 0, high = table->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (table->items[middle]->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct tracked_process *process_table_find(const struct process_table *table, uint32_t number)
{
    uint32_t at = position(table, number);
    if (at == table->count || table->items[at]->number != number)
        return NULL;
    return table->items[at];
}

struct tracked_process *process_table_find_instance(const struct process_table *table,
                                                    int64_t instance_id)
{
    for (uint32_t i = 0; i < table->count; i++) {
        struct tracked_process *process = table->items[i];
        if (process->rejected == NULL && process->instance_id == instance_id)
            return process;
    }
    return NULL;
}

int process_table_has_service(const struct process_table *table, int64_t service_id)
{
    for (uint32_t i = 0; i < table->count; i++) {
        const struct tracked_process *process = table->items[i];
        if (process->rejected == NULL && process->service_id == service_id)
            return 1;
    }
    return 0;
}

void process_table_add(struct process_table *table, struct tracked_process *process)
{
    uint32_t at = position(table, process->number), count = table->count;
    ASSERT(at == count || table->items[at]->number != process->number);
    if ((count & (count + 1)) == 0) { /* full at 0, 1, 3, 7 ... */
        struct tracked_process **items =
            realloc(table->items, (2 * (size_t)count + 1) * sizeof(struct tracked_process *));
        ASSERT(items != NULL);
        table->items = items;
    }
    memmove(table->items + at + 1, table->items + at,
            (count - at) * sizeof(struct tracked_process *));
    table->items[at] = process;
    table->count++;
}

void process_table_remove(struct process_table *table, struct tracked_process *process)
{
    uint32_t at = position(table, process->number);
    ASSERT(at < table->count && table->items[at] == process);
    table->count--;
    memmove(table->items + at, table->items + at + 1,
            (table->count - at) * sizeof(struct tracked_process *));
    tracked_process_free(process);
}
