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

/* Texts are copied to the arena. LIMIT: it is full. */
enum status finding_read_row(const struct pg_rows *rows, int row, struct arena *arena,
                             struct finding_row *ret, struct why *why) MUST_CHECK;

/* A text of a row in the arena; NULL: it is full. */
const char *finding_read_text(const struct pg_rows *rows, int row, int column, struct arena *arena);

#endif
