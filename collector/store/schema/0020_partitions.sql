-- A hot table that Citus had distributed before schema 17 kept the key with the time in it, and gave it to each new
-- partition. It goes like everybody else's; what is hot and has one name with two times keeps the old one.

DO $$
DECLARE
    parts regclass[] := ARRAY(SELECT h.inhrelid::regclass FROM pg_inherits h
        WHERE h.inhparent = 'heapfleet.snap_delta'::regclass ORDER BY 1);
    part regclass;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_constraint c
        WHERE c.conrelid = 'heapfleet.snap_delta'::regclass AND c.conname = 'snap_delta_pkey') THEN
        RETURN;
    END IF;
    ALTER TABLE heapfleet.snap_delta DROP CONSTRAINT snap_delta_pkey;
    FOREACH part IN ARRAY parts LOOP
        PERFORM heapfleet.key_hot_partition(part);
    END LOOP;
END
$$;

-- A partition of somebody's own making ends where it says, not a width after its beginning: it was dropped
-- with the first of the slots that it held.

CREATE OR REPLACE VIEW heapfleet.partition AS
    SELECT l.name AS level, c.relname::text AS name, b.from_ms, CASE WHEN n.is_ours THEN b.from_ms + l.width_ms
        ELSE substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''?(-?[0-9]+)')::bigint END AS to_ms
    FROM heapfleet.level l
    JOIN pg_inherits h ON h.inhparent = ('heapfleet.' || l.name)::regclass
    JOIN pg_class c ON c.oid = h.inhrelid
    CROSS JOIN LATERAL (SELECT substr(c.relname::text, length(l.name) + 2) AS begin) s
    CROSS JOIN LATERAL (SELECT s.begin, s.begin ~ '^[0-9]{8}(_[0-9]{2})?$' AS is_ours) n
    CROSS JOIN LATERAL (SELECT CASE WHEN n.is_ours
        THEN (substr(n.begin, 1, 8)::date - date '1970-01-01') * bigint '86400000'
            + coalesce(nullif(substr(n.begin, 10), '')::bigint, 0) * 3600000
        ELSE substring(pg_get_expr(c.relpartbound, c.oid) FROM 'FROM \(''?(-?[0-9]+)')::bigint
        END AS from_ms) b;

-- Services that were forgotten, so that collectors which hold a process of one notice: what they write of it
-- belongs to nobody, and is to be announced anew.

CREATE TABLE heapfleet.forgotten (
    id bigint PRIMARY KEY,
    forgotten_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE heapfleet.forgotten IS 'Services that `heapfleet-collector forget` has deleted.';
COMMENT ON COLUMN heapfleet.forgotten.id IS 'What was service.id.';
COMMENT ON COLUMN heapfleet.forgotten.forgotten_at IS 'When it was.';
