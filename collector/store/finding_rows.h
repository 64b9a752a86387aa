/* Inside the store: how a finding is read, for every statement that reads some. */
#ifndef COLLECTOR_STORE_FINDING_ROWS_H
#define COLLECTOR_STORE_FINDING_ROWS_H

#include "findings.h"
#include "pg.h"

/* SELECT these FROM these; $1 is the time that mutes are held against. Texts come first. */
#define FINDING_COLUMNS                                                                            \
    "f.type, f.severity, f.kind, f.rule, f.version, f.introduced_in, f.companions::text, "         \
    "f.evidence::text, f.id, s.name, s.service_namespace, s.environment, f.closed_reason, "        \
    "f.fixed_in, f.acknowledged_by, f.note, coalesce(m.actor, ''), coalesce(m.reason, ''), "       \
    "f.service_id, f.count_per_hour, f.bytes_per_hour, f.confidence, f.until_limit_ms, "           \
    "f.instances, f.first_seen_ms, f.last_seen_ms, f.closed_ms, f.acknowledged_ms, "               \
    "m.created_ms, m.until_ms"
#define FINDING_TABLES                                                                             \
    "heapfleet.finding f JOIN heapfleet.service s ON s.id = f.service_id LEFT JOIN LATERAL ("      \
    "SELECT * FROM heapfleet.mute m WHERE m.service_id = f.service_id AND m.type IN ('', f.type) " \
    "AND (m.until_ms IS NULL OR m.until_ms > $1) ORDER BY m.type DESC LIMIT 1) m ON true"
enum { FINDING_COLUMN_COUNT = 30 }; /* what else is selected comes after them */

/* Reads a row into `ret`, with its texts in the arena. LIMIT: it is full. */
typedef enum status finding_row_fn(const struct pg_rows *rows, int row, struct arena *arena,
                                   void *ret, struct why *why);

finding_row_fn finding_read_row; /* a struct finding_row, from FINDING_COLUMNS */

/* The texts of a row from column `first` on, each to where its pointer leads. */
enum status finding_read_texts(const struct pg_rows *rows, int row, int first, struct arena *arena,
                               const char **const *texts, int count, struct why *why) MUST_CHECK;

/* A statement, and what becomes of a row of its answer. */
struct finding_query {
    const char *sql;
    finding_row_fn *read;
    size_t size; /* of what a row becomes */
};

/* All of the answer as an array in the arena. */
enum status finding_read_rows(struct db *db, const struct finding_query *query,
                              const struct pg_params *params, struct arena *arena, void **ret,
                              size_t *ret_count, struct why *why) MUST_CHECK;

#endif
