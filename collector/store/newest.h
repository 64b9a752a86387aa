/* The newest snapshot of a process, in SQL: it is hot, or was compacted, or both. */
#ifndef COLLECTOR_STORE_NEWEST_H
#define COLLECTOR_STORE_NEWEST_H

/*
 * `n`: time_ms, interval_ms (to the snapshot before it; NULL or 0: unknown) and process, all NULL
 * if there is none; from a process's service, its id, and a condition on its hot rows `s`.
 */
#define NEWEST_SNAPSHOT(service, instance, condition)                                              \
    "LEFT JOIN LATERAL ("                                                                          \
    "    SELECT t.time_ms, t.process, coalesce(nullif(t.time_ms - lead(t.time_ms) "                \
    "        OVER (ORDER BY t.sequence DESC, t.interval_ms), 0), t.interval_ms) AS interval_ms "   \
    "    FROM ((SELECT s.sequence, s.time_ms, s.process, NULL::bigint AS interval_ms "             \
    "           FROM heapfleet.snap_delta s "                                                      \
    "           WHERE s.service_id = " service " AND s.instance_id = " instance " " condition " "  \
    "           ORDER BY s.sequence DESC LIMIT 2) UNION ALL "                                      \
    "          SELECT l.sequence, l.time_ms, l.process, l.interval_ms "                            \
    "          FROM heapfleet.instance_last l "                                                    \
    "          WHERE l.service_id = " service " AND l.instance_id = " instance ") t "              \
    "    ORDER BY t.sequence DESC, t.interval_ms LIMIT 1) n ON true "

/* An end that later snapshots belie (an agent that lost sight of the process) is none. */
#define ENDED_MS "CASE WHEN n.time_ms > i.ended_ms THEN NULL ELSE i.ended_ms END"

#endif
