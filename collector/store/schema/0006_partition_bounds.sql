-- The bounds of our partitions are in their names: the catalogue's own words for them cannot be had
-- of a table that somebody drops at that moment, and the query would fail.

CREATE OR REPLACE VIEW heapfleet.partition AS
    SELECT l.name AS level, c.relname::text AS name, b.from_ms, b.from_ms + l.width_ms AS to_ms
    FROM heapfleet.level l
    JOIN pg_inherits h ON h.inhparent = ('heapfleet.' || l.name)::regclass
    JOIN pg_class c ON c.oid = h.inhrelid
    CROSS JOIN LATERAL (SELECT substr(c.relname::text, length(l.name) + 2) AS begin) n
    CROSS JOIN LATERAL (SELECT CASE WHEN n.begin ~ '^[0-9]{8}(_[0-9]{2})?$'
        THEN (substr(n.begin, 1, 8)::date - date '1970-01-01') * bigint '86400000'
            + coalesce(nullif(substr(n.begin, 10), '')::bigint, 0) * 3600000
        ELSE substring(pg_get_expr(c.relpartbound, c.oid) FROM 'FROM \(''?(-?[0-9]+)')::bigint
        END AS from_ms) b;
