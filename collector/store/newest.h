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

/*
 * The same for many processes `i` of the service $1, as a CTE and joins; `l` is what was compacted.
 * Hot rows are looked for where there are any: from each process to the one before it, by the key.
 * Thus it takes what the hot ones take, however many there were before them.
 */
#define NEWEST_HOT                                                                                 \
    "WITH RECURSIVE hot AS (SELECT 9223372036854775807 AS id, NULL::bigint AS sequence, "          \
    "        NULL::bigint AS time_ms, NULL::bytea AS process, NULL::bigint AS before, "            \
    "        NULL::bigint AS before_ms UNION ALL "                                                 \
    "    SELECT s.* FROM hot CROSS JOIN LATERAL (SELECT n.instance_id, n.sequence, n.time_ms, "    \
    "            n.process, CASE WHEN lead(n.instance_id) OVER w = n.instance_id "                 \
    "                THEN lead(n.sequence) OVER w END, "                                           \
    "            CASE WHEN lead(n.instance_id) OVER w = n.instance_id "                            \
    "                THEN lead(n.time_ms) OVER w END "                                             \
    "        FROM (SELECT d.instance_id, d.sequence, d.time_ms, d.process "                        \
    "            FROM heapfleet.snap_delta d WHERE d.service_id = $1 AND d.instance_id < hot.id "  \
    "            ORDER BY d.instance_id DESC, d.sequence DESC LIMIT 2) n "                         \
    "        WINDOW w AS (ORDER BY n.instance_id DESC, n.sequence DESC) LIMIT 1) s) "

#define NEWEST_JOINS                                                                               \
    "LEFT JOIN heapfleet.instance_last l ON l.service_id = $1 AND l.instance_id = i.id "           \
    "LEFT JOIN hot h ON h.id = i.id CROSS JOIN LATERAL "                                           \
    "(SELECT coalesce(h.sequence > l.sequence, l.sequence IS NULL) AS hot) f "                     \
    "CROSS JOIN LATERAL ("                                                                         \
    "    SELECT CASE WHEN f.hot THEN h.time_ms ELSE l.time_ms END AS time_ms, "                    \
    "        CASE WHEN f.hot THEN h.process ELSE l.process END AS process, "                       \
    "        CASE WHEN NOT f.hot THEN coalesce(nullif(l.time_ms - h.time_ms, 0), l.interval_ms) "  \
    "            WHEN h.before > l.sequence OR l.sequence IS NULL "                                \
    "            THEN nullif(h.time_ms - h.before_ms, 0) "                                         \
    "            ELSE nullif(h.time_ms - l.time_ms, 0) END AS interval_ms) n "

/* An end that later snapshots belie (an agent that lost sight of the process) is none. */
#define ENDED_MS "CASE WHEN n.time_ms > i.ended_ms THEN NULL ELSE i.ended_ms END"

#endif
