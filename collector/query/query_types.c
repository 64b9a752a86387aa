#include "query_types.h"

#include <math.h>

enum { CAPACITY_FIRST = 512 };

void type_table_done(struct type_table *table)
{
    free(table->rows);
    free(table->slots);
    *table = (struct type_table){0};
}

static uint32_t *slot_of(const struct type_table *table, int32_t type_id)
{
    uint32_t mask = 2 * table->capacity - 1;
    uint32_t at = (uint32_t)type_id * 2654435769u; /* Fibonacci hashing; the high bits are good */
    for (at = (at ^ at >> 16) & mask;; at = (at + 1) & mask) {
        uint32_t row = table->slots[at];
        if (row == 0 || table->rows[row - 1].type_id == type_id)
            return &table->slots[at];
    }
}

static void grow(struct type_table *table)
{
    table->capacity = table->capacity == 0 ? CAPACITY_FIRST : 2 * table->capacity;
    table->rows = realloc(table->rows, table->capacity * sizeof(*table->rows));
    free(table->slots);
    table->slots = calloc((size_t)2 * table->capacity, sizeof(*table->slots));
    ASSERT(table->rows != NULL && table->slots != NULL);
    for (uint32_t i = 0; i < table->count; i++)
        *slot_of(table, table->rows[i].type_id) = i + 1;
}

/* The row of a type, made if need be; NULL at the limit. */
static struct type_row *row_of(struct type_table *table, int32_t type_id)
{
    if (table->capacity > 0) {
        uint32_t row = *slot_of(table, type_id);
        if (row > 0)
            return &table->rows[row - 1];
    }
    if (table->count == TYPE_ROWS_MAX)
        return NULL;
    if (table->count == table->capacity)
        grow(table);
    *slot_of(table, type_id) = table->count + 1;
    struct type_row *row = &table->rows[table->count++];
    *row = (struct type_row){.type_id = type_id};
    return row;
}

static enum status too_many(struct why *why)
{
    return why_fail(why, STATUS_LIMIT, "the processes have more than %d types", TYPE_ROWS_MAX);
}

/* Names that arrived after the list of processes was read are left for the next time. */
static uint32_t known_types(const struct instance_row *instance, const struct heap_values *values)
{
    return values->types < instance->type_count ? values->types : instance->type_count;
}

enum status type_table_add_type(struct type_table *table, int32_t type_id, int side, double count,
                                double bytes, double weight, struct why *why)
{
    struct type_row *row = row_of(table, type_id);
    if (row == NULL)
        return too_many(why);
    row->side[side].count += count * weight;
    row->side[side].bytes += bytes * weight;
    return STATUS_OK;
}

enum status type_table_add_values(struct type_table *table, const struct instance_row *instance,
                                  const struct heap_values *values, int side, struct why *why)
{
    uint32_t types = known_types(instance, values);
    for (uint32_t i = 0; i < types; i++) {
        struct type_row *row = row_of(table, instance->type_ids[i]);
        if (row == NULL)
            return too_many(why);
        row->side[side].count += (double)values->values[i].count;
        row->side[side].bytes += (double)values->values[i].bytes;
    }
    return STATUS_OK;
}

void type_table_divide(struct type_table *table, int side, double by)
{
    for (uint32_t i = 0; i < table->count && by > 0; i++) {
        table->rows[i].side[side].count /= by;
        table->rows[i].side[side].bytes /= by;
    }
}

enum status type_table_add(struct type_table *table, const struct instance_row *instance,
                           const struct life *life, int side, struct why *why)
{
    uint32_t types = known_types(instance, &life->newest);
    for (uint32_t i = 0; i < types; i++) {
        struct type_row *row = row_of(table, instance->type_ids[i]);
        if (row == NULL)
            return too_many(why);
        struct type_side *sum = &row->side[side];
        sum->count += (double)life->newest.values[i].count;
        sum->bytes += (double)life->newest.values[i].bytes;
        if (life->hours <= 0)
            continue;
        sum->count_per_hour += life_count_per_hour(life, i);
        sum->bytes_per_hour += life_bytes_per_hour(life, i);
    }
    table->processes[side]++;
    table->grown[side] += life->hours > 0;
    return STATUS_OK;
}

void type_table_finish(struct type_table *table, int side, int as_means)
{
    double processes = as_means ? table->processes[side] : 1;
    double grown = as_means ? table->grown[side] : 1;
    if (table->grown[side] == 0)
        grown = (double)NAN;
    for (uint32_t i = 0; i < table->count; i++) {
        struct type_side *sum = &table->rows[i].side[side];
        sum->count /= processes;
        sum->bytes /= processes;
        sum->count_per_hour /= grown;
        sum->bytes_per_hour /= grown;
    }
}

/* ---- ranking -------------------------------------------------------------------------------- */

struct ranked {
    double weight;
    struct type_row row;
};

static int heavier_first(const void *left, const void *right)
{
    const struct ranked *a = left;
    const struct ranked *b = right;
    if (a->weight != b->weight)
        return a->weight > b->weight ? -1 : 1;
    return (a->row.type_id > b->row.type_id) - (a->row.type_id < b->row.type_id);
}

static void sort_rows(struct type_table *table, double (*weight)(const struct type_row *row))
{
    struct ranked *ranked = malloc((table->count + 1) * sizeof(*ranked));
    ASSERT(ranked != NULL);
    for (uint32_t i = 0; i < table->count; i++) {
        ranked[i] = (struct ranked){weight(&table->rows[i]), table->rows[i]};
        if (isnan(ranked[i].weight))
            ranked[i].weight = -(double)INFINITY;
    }
    qsort(ranked, table->count, sizeof(*ranked), heavier_first);
    for (uint32_t i = 0; i < table->count; i++)
        table->rows[i] = ranked[i].row;
    free(ranked);
}

static void keep_page(struct type_table *table, const struct page_rows *page)
{
    uint64_t from = page->place.number;
    if (from >= table->count) {
        table->count = 0;
        return;
    }
    table->count -= (uint32_t)from;
    if (table->count > page->most)
        table->count = page->most;
    memmove(table->rows, table->rows + from, table->count * sizeof(*table->rows));
}

enum status type_table_rank(struct type_table *table, double (*weight)(const struct type_row *row),
                            const struct page_rows *page, struct query *query, struct why *why)
{
    sort_rows(table, weight);
    keep_page(table, page);
    if (table->count == 0)
        return STATUS_OK;
    void *ids = NULL;
    enum status status = query_alloc(query, table->count * sizeof(int32_t), &ids, why);
    if (status != STATUS_OK)
        return status;
    for (uint32_t i = 0; i < table->count; i++)
        ((int32_t *)ids)[i] = table->rows[i].type_id;
    const char **names = NULL;
    status = type_names(query->db, ids, table->count, query->arena, &names, why);
    for (uint32_t i = 0; status == STATUS_OK && i < table->count; i++)
        table->rows[i].name = names[i];
    return status;
}
