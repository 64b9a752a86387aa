/*
 * Processes up to a moment: what each held then, and how it has grown.
 *
 *     first                                                                      until
 *     |--warm-up--|==start==|------------------------------------------|===end===|
 *        1/10        1/10                                                 1/10
 *
 * Growth is the line between two floors: what is retained at the start of the life, after the
 * warm-up, and at its end. The floor of a window is the second-lowest of its snapshots, which
 * survives a torn one, or the lowest of fewer than four; it leaves out what comes and goes. A
 * life of fewer than ten snapshots says nothing about an hour: its growth is not known. Only the
 * windows are read, not what is between.
 */
#ifndef COLLECTOR_QUERY_QUERY_LIFE_H
#define COLLECTOR_QUERY_QUERY_LIFE_H

#include "query.h"

/* The two lowest of the numbers seen. */
struct lowest {
    uint64_t first, second;
};

struct floor_window {
    struct lowest *counts, *bytes; /* [types] */
    uint32_t types, capacity;
    struct lowest total_bytes; /* of all types together */
    uint32_t snapshots;
    double time_sum_ms; /* of the snapshots, each less the first's time */
    int64_t first_ms;
};

struct life {
    int64_t first_ms;  /* its first snapshot; 0: it has none until then, the rest is empty */
    int64_t newest_ms; /* its last snapshot until then */
    struct heap_values newest; /* what it held in that */
    struct floor_window start, end;
    double hours; /* from the middle of `start` to that of `end`; 0: growth is not known */
};

struct life_wanted {
    const struct instance_row *instance;
    int64_t until_ms; /* at most its last snapshot */
};

/* `index`: of what was wanted. The life is the visitor's if it leaves {0} in its place. Anything
 * but OK ends the reading. */
typedef enum status life_visit_fn(void *user, size_t index, struct life *life, struct why *why);

/* Reads many lives with few statements and shows them in their order. */
enum status life_read_all(struct query *query, int64_t service_id, const struct life_wanted *wanted,
                          size_t count, life_visit_fn *visit, void *user,
                          struct why *why) MUST_CHECK;
void life_done(struct life *life);

/* Growth an hour of one type, or of the bytes of all; NaN when it is not known. */
double life_count_per_hour(const struct life *life, uint32_t type);
double life_bytes_per_hour(const struct life *life, uint32_t type);
double life_total_bytes_per_hour(const struct life *life);

#endif
