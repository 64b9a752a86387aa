-- Findings that are only watched are stored, too. They are no leaks: what counts and lists leaks for
-- people leaves them out, or says how.

CREATE OR REPLACE VIEW heapfleet.services AS
    SELECT s.name AS service, s.environment, s.service_namespace,
        (SELECT d.version FROM heapfleet.instance i
         JOIN heapfleet.deployment d ON d.service_id = i.service_id AND d.id = i.deployment_id
         WHERE i.service_id = s.id ORDER BY i.started_ms DESC, i.id DESC LIMIT 1) AS latest_version,
        l.live, l.instances, heapfleet.from_ms(l.last_seen_ms) AS last_seen,
        (SELECT count(*) FROM heapfleet.finding f WHERE f.service_id = s.id AND f.closed_ms IS NULL
         AND f.severity <> 'watch') AS findings
    FROM heapfleet.service s
    CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE l.live) AS live, count(*) AS instances,
            max(l.last_seen_ms) AS last_seen_ms
        FROM heapfleet.raw_lives(s.id) l) l;
COMMENT ON COLUMN heapfleet.services.findings IS 'Open ones, suspect or confirmed.';

COMMENT ON VIEW heapfleet.findings IS
    'What leaks, or did, with names and times: WHERE closed IS NULL are those that are open, '
    'AND severity <> ''watch'' those that are more than watched.';
COMMENT ON COLUMN heapfleet.finding.severity IS
    'watch (it grows; that may be a cache that fills), suspect or confirmed.';
COMMENT ON COLUMN heapfleet.alert.told IS
    'The state that it knows: watch, suspect, confirmed, resolved; empty: nothing yet.';
