-- Smaller, and less to write.

-- ---- room ----------------------------------------------------------------------------------

-- Rows that are written again and again stay where they are, and need no new entries in indexes, if
-- their page has room for their next version: types are appended to many processes at a time, and
-- the newest snapshots of a service's processes are replaced together.
ALTER TABLE heapfleet.instance SET (fillfactor = 50);
ALTER TABLE heapfleet.instance_last SET (fillfactor = 45);

-- ---- hours of several types in a row -------------------------------------------------------

-- What PostgreSQL adds to a row and to its index took three quarters of heap_hour. Types that met a
-- service together have ids that follow each other, so 32 of them share a row.

CREATE TABLE heapfleet.hour_group (
    service_id bigint NOT NULL,
    slot_ms bigint NOT NULL,
    deployment_id bigint NOT NULL,
    type_group integer NOT NULL,
    type_ids integer[] NOT NULL,
    count_avg real[] NOT NULL,
    count_min bigint[] NOT NULL,
    count_max bigint[] NOT NULL,
    bytes_avg real[] NOT NULL,
    PRIMARY KEY (service_id, slot_ms, type_group, deployment_id)
) PARTITION BY RANGE (slot_ms);
COMMENT ON TABLE heapfleet.hour_group IS
    'Four hours of up to 32 types in a deployment, by hour. Multiply a mean by '
    'deployment_hour.instances for the whole deployment. A type that no process had is not there. '
    'The view heap_hour shows the same with a row a type.';
COMMENT ON COLUMN heapfleet.hour_group.service_id IS 'service.id';
COMMENT ON COLUMN heapfleet.hour_group.slot_ms IS
    'Where the four hours begin: a multiple of 14400000.';
COMMENT ON COLUMN heapfleet.hour_group.deployment_id IS 'deployment.id';
COMMENT ON COLUMN heapfleet.hour_group.type_group IS 'type.id / 32, rounded down.';
COMMENT ON COLUMN heapfleet.hour_group.type_ids IS 'type.id of each of its types, ascending.';
COMMENT ON COLUMN heapfleet.hour_group.count_avg IS
    'Objects of a type in a snapshot, mean of each of the four hours: four numbers a type, one type '
    'behind the other; NULL: no snapshot.';
COMMENT ON COLUMN heapfleet.hour_group.count_min IS
    'Of each type, fewest in any snapshot of the four hours.';
COMMENT ON COLUMN heapfleet.hour_group.count_max IS
    'Of each type, most in any snapshot of the four hours.';
COMMENT ON COLUMN heapfleet.hour_group.bytes_avg IS
    'Their bytes in a snapshot, means as in count_avg.';

INSERT INTO heapfleet.level (name, width_ms) VALUES ('hour_group', 2419200000);
SELECT heapfleet.make_partition('hour_group', p.from_ms)
FROM heapfleet.partition p WHERE p.level = 'heap_hour';
INSERT INTO heapfleet.hour_group (service_id, slot_ms, deployment_id, type_group, type_ids, count_avg,
    count_min, count_max, bytes_avg)
SELECT g.service_id, g.slot_ms, g.deployment_id, g.type_group, g.type_ids,
    ARRAY(SELECT unnest(g.count_avg)), g.count_min, g.count_max, ARRAY(SELECT unnest(g.bytes_avg))
FROM (SELECT h.service_id, h.slot_ms, h.deployment_id, h.type_id / 32 AS type_group,
        array_agg(h.type_id ORDER BY h.type_id) AS type_ids,
        array_agg(h.count_avg ORDER BY h.type_id) AS count_avg,
        array_agg(h.count_min ORDER BY h.type_id) AS count_min,
        array_agg(h.count_max ORDER BY h.type_id) AS count_max,
        array_agg(h.bytes_avg ORDER BY h.type_id) AS bytes_avg
    FROM heapfleet.heap_hour h GROUP BY 1, 2, 3, 4) g;
DELETE FROM heapfleet.level WHERE name = 'heap_hour';
DROP TABLE heapfleet.heap_hour;

CREATE VIEW heapfleet.heap_hour AS
    SELECT g.service_id, g.slot_ms, t.type_id, g.deployment_id, g.count_avg[4 * t.n - 3:4 * t.n] AS count_avg,
        t.count_min, t.count_max, g.bytes_avg[4 * t.n - 3:4 * t.n] AS bytes_avg
    FROM heapfleet.hour_group g
    CROSS JOIN LATERAL unnest(g.type_ids, g.count_min, g.count_max)
        WITH ORDINALITY AS t(type_id, count_min, count_max, n);
COMMENT ON VIEW heapfleet.heap_hour IS
    'Four hours of a type in a deployment, by hour: hour_group with a row a type. Of one type, the '
    'function series is faster.';

CREATE FUNCTION heapfleet.raw_hour_mean(type_id integer, hour integer, type_ids integer[], means real[])
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(means[4 * array_position(type_ids, type_id) - 4 + hour], 0)::double precision
$$;
COMMENT ON FUNCTION heapfleet.raw_hour_mean(integer, integer, integer[], real[]) IS
    'One of the means of a row of hour_group: of a type in an hour, from 1 to 4; 0 if it has none.';

CREATE OR REPLACE FUNCTION heapfleet.raw_means(service_id bigint, type_id integer, from_ms bigint, to_ms bigint,
    unit_ms bigint, of_deployment bigint)
RETURNS TABLE (time_ms bigint, deployment_id bigint, count double precision, bytes double precision, instances integer)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    rolled_ms bigint := heapfleet.raw_rolled_until(service_id);
    hours_ms bigint := from_ms; -- days before are in heap_day
BEGIN
    IF unit_ms = 86400000 THEN
        hours_ms := greatest(from_ms, least(least(rolled_ms, to_ms + 3599999) / 86400000 * 86400000,
            (SELECT min(d.day_ms) FROM heapfleet.day_due d WHERE d.service_id = raw_means.service_id)));
        RETURN QUERY
            SELECT d.day_ms, d.deployment_id, d.count_avg, d.bytes_avg, 0
            FROM generate_series((from_ms + 86399999) / 86400000 * 86400000, least(hours_ms, to_ms) - 1, 86400000) s(day_ms)
            JOIN heapfleet.heap_day d ON d.service_id = raw_means.service_id AND d.day_ms = s.day_ms
                AND d.type_id = raw_means.type_id
                AND d.day_ms >= from_ms AND d.day_ms < hours_ms -- said again, for the planner's choice of partitions
            WHERE of_deployment IS NULL OR d.deployment_id = of_deployment;
    END IF;
    RETURN QUERY
        SELECT s.slot_ms + (d.hour - 1) * 3600000, d.deployment_id,
            heapfleet.raw_hour_mean(raw_means.type_id, d.hour, h.type_ids, h.count_avg),
            heapfleet.raw_hour_mean(raw_means.type_id, d.hour, h.type_ids, h.bytes_avg), d.instances
        FROM generate_series(hours_ms - mod(hours_ms, 14400000), least(rolled_ms, to_ms) - 1, 14400000) s(slot_ms)
        JOIN heapfleet.deployment_hour d ON d.service_id = raw_means.service_id AND d.slot_ms = s.slot_ms
            AND d.slot_ms > hours_ms - 14400000 AND d.slot_ms < to_ms
        LEFT JOIN heapfleet.hour_group h ON h.service_id = raw_means.service_id AND h.slot_ms = s.slot_ms
            AND h.type_group = raw_means.type_id / 32 AND h.deployment_id = d.deployment_id
            AND h.slot_ms > hours_ms - 14400000 AND h.slot_ms < to_ms
        WHERE s.slot_ms + (d.hour - 1) * 3600000 >= hours_ms
            AND s.slot_ms + (d.hour - 1) * 3600000 < least(rolled_ms, to_ms)
            AND (of_deployment IS NULL OR d.deployment_id = of_deployment);
    RETURN QUERY
        SELECT r.time_ms / 3600000 * 3600000, i.deployment_id, avg(r.count)::double precision,
            avg(r.bytes)::double precision, count(DISTINCT r.instance_id)::integer
        FROM heapfleet.raw_type(service_id, type_id, greatest(hours_ms, rolled_ms), to_ms,
            of_deployment) r
        JOIN heapfleet.instance i ON i.service_id = raw_means.service_id AND i.id = r.instance_id
        WHERE rolled_ms < to_ms
        GROUP BY 1, 2;
END
$$;
