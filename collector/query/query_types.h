/* Sums by type over processes, whose type tables differ: rows found by global type id. */
#ifndef COLLECTOR_QUERY_QUERY_TYPES_H
#define COLLECTOR_QUERY_QUERY_TYPES_H

#include "query_life.h"
#include "query_page.h"

enum { TYPE_SIDES = 2, TYPE_ROWS_MAX = 1000000 };

struct type_side {
    double count, bytes;
    double count_per_hour, bytes_per_hour; /* over the processes whose growth is known */
};

struct type_row {
    int32_t type_id;
    const char *name; /* after type_table_name */
    struct type_side side[TYPE_SIDES];
};

/* All zero is empty. */
struct type_table {
    struct type_row *rows;
    uint32_t count, capacity;
    uint32_t *slots; /* hash of the id -> row + 1, or 0; twice the capacity, a power of two */
    uint32_t processes[TYPE_SIDES], grown[TYPE_SIDES]; /* added; of these, with a known growth */
};

void type_table_done(struct type_table *table);

/* Add what the process holds, and how it grows, to one side. LIMIT: too many different types. */
enum status type_table_add(struct type_table *table, const struct instance_row *instance,
                           const struct life *life, int side, struct why *why) MUST_CHECK;

/* Add what the process holds in one snapshot to one side, without growth; to be divided by the
 * number of snapshots at the end, in place of type_table_finish. */
enum status type_table_add_values(struct type_table *table, const struct instance_row *instance,
                                  const struct heap_values *values, int side,
                                  struct why *why) MUST_CHECK;
/* The same of one type, times `weight`. */
enum status type_table_add_type(struct type_table *table, int32_t type_id, int side, double count,
                                double bytes, double weight, struct why *why) MUST_CHECK;
void type_table_divide(struct type_table *table, int side, double by); /* 0: leaves zeros */

/* When all has been added: growth that no process knows becomes NaN, and the sums of the side
 * become means if they are to. */
void type_table_finish(struct type_table *table, int side, int as_means);

/* Order the rows by `weight`, largest first (NaN last), equal ones by id; keep those of the page
 * and name them. Nothing can be added any more. */
enum status type_table_rank(struct type_table *table, double (*weight)(const struct type_row *row),
                            const struct page_rows *page, struct query *query,
                            struct why *why) MUST_CHECK;

#endif
