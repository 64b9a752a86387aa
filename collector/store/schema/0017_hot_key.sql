-- A hot row's key is its name, (service_id, instance_id, sequence), in each partition on its own: a key
-- of the whole table must have time_ms in it, since partitions are chosen by that, and half of what
-- a hot row costs is its key. A row that comes again has the same time, and so finds itself in
-- the same partition. Where Citus has distributed the table already, it stays as it is.

CREATE FUNCTION heapfleet.key_hot_partition(partition regclass) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_index i WHERE i.indrelid = partition AND i.indisprimary) THEN
        RETURN;
    END IF;
    BEGIN
        EXECUTE format('ALTER TABLE %s ADD PRIMARY KEY (service_id, instance_id, sequence)', partition);
    EXCEPTION WHEN unique_violation THEN -- of before: one name with two times
        EXECUTE format('ALTER TABLE %s ADD PRIMARY KEY (service_id, instance_id, sequence, time_ms)', partition);
    END;
END
$$;
COMMENT ON FUNCTION heapfleet.key_hot_partition(regclass) IS
    'Gives a partition of snap_delta the key that stores each row once, unless it has one.';

CREATE OR REPLACE FUNCTION heapfleet.make_partition(level text, at_ms bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    width bigint := (SELECT l.width_ms FROM heapfleet.level l WHERE l.name = level);
    from_ms bigint := at_ms - mod(at_ms, width);
    partition text := heapfleet.partition_name(level, at_ms);
    there record;
BEGIN
    IF EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass('heapfleet.' || partition)
               AND inhparent = ('heapfleet.' || level)::regclass) THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(29384657391743093);
    PERFORM pg_advisory_xact_lock_shared(29384657391743094); -- who drops one
    SELECT c.oid, EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = c.oid
        AND h.inhparent = ('heapfleet.' || level)::regclass) AS is_partition INTO there
    FROM pg_class c WHERE c.relnamespace = 'heapfleet'::regnamespace AND c.relname = partition;
    IF there.is_partition THEN
        RETURN false;
    END IF;
    IF there.oid IS NOT NULL THEN
        RAISE EXCEPTION 'heapfleet.% is there and no partition of heapfleet.%: attach it, or move it '
            'out of the way', partition, level;
    END IF;
    EXECUTE format('CREATE TABLE heapfleet.%I (LIKE heapfleet.%I INCLUDING ALL)', partition, level);
    EXECUTE format('COMMENT ON TABLE heapfleet.%I IS %L', partition, format('%s from %s UTC.', level,
            to_timestamp(from_ms / 1000) AT TIME ZONE 'UTC'));
    IF level = 'snap_delta' THEN -- lives for hours and is only added to
        PERFORM heapfleet.key_hot_partition(format('heapfleet.%I', partition)::regclass);
        EXECUTE format('ALTER TABLE heapfleet.%I SET (autovacuum_enabled = off)', partition);
    END IF;
    EXECUTE format('ALTER TABLE heapfleet.%I ATTACH PARTITION heapfleet.%I FOR VALUES FROM (%s) TO (%s)',
            level, partition, from_ms, from_ms + width);
    RETURN true;
END
$$;

DO $$
DECLARE
    is_distributed boolean := false;
    parts regclass[] := ARRAY(SELECT h.inhrelid::regclass FROM pg_inherits h
        WHERE h.inhparent = 'heapfleet.snap_delta'::regclass ORDER BY 1);
    part regclass;
BEGIN
    IF to_regclass('pg_dist_partition') IS NOT NULL THEN
        EXECUTE 'SELECT EXISTS (SELECT FROM pg_dist_partition d '
            'WHERE d.logicalrelid = ''heapfleet.snap_delta''::regclass)' INTO is_distributed;
    END IF;
    IF is_distributed THEN
        RETURN;
    END IF;
    ALTER TABLE heapfleet.snap_delta DROP CONSTRAINT snap_delta_pkey;
    FOREACH part IN ARRAY parts LOOP
        PERFORM heapfleet.key_hot_partition(part);
    END LOOP;
END
$$;
